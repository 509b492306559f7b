#!/bin/sh
# Last touch on the root file system, with (faked) root rights; $1: the target folder.
# The same rules as image/builder: no setuid file, and root's home is root's alone.
set -eu
find "$1" -xdev -type f -perm /6000 -exec chmod ug-s {} +
chmod 0700 "$1/root"
