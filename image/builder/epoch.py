"""One time for everything in the image, so that two builds of one state are equal.

The tools read it from the environment: SOURCE_DATE_EPOCH (mmdebstrap, mksquashfs, mtools),
E2FSPROGS_FAKE_TIME (mke2fs) and E2FSCK_TIME (e2fsck, which genimage runs).
"""

import os
import subprocess
from collections.abc import Iterable
from pathlib import Path

from .layer import REPOSITORY, run

# 2026-01-01: of cached layers, which outlive commits, and of a source tree without history.
LAYERS_EPOCH = 1_767_225_600
_VARIABLES = ("SOURCE_DATE_EPOCH", "E2FSPROGS_FAKE_TIME", "E2FSCK_TIME")
_FIELDS = ("atime", "ctime", "mtime")


def image_epoch() -> int:
    """Return the image's time: SOURCE_DATE_EPOCH if it is set, else the last commit's."""
    return int(os.environ.get("SOURCE_DATE_EPOCH") or _commit_time())


def set_epoch(epoch: int) -> None:
    """Set the time, in seconds since 1970, that all tools take from now on."""
    for name in _VARIABLES:
        os.environ[name] = str(epoch)


def _commit_time() -> int:
    # The tree often belongs to a person and the build to root: git refuses without this.
    command = ["git", "-c", f"safe.directory={REPOSITORY}", "-C", str(REPOSITORY)]
    try:
        done = subprocess.run(
            [*command, "log", "-1", "--format=%ct"], capture_output=True, text=True
        )
    except FileNotFoundError:
        return LAYERS_EPOCH
    return int(done.stdout) if done.returncode == 0 and done.stdout.strip() else LAYERS_EPOCH


def settle_times(image: Path, offset: int, names: Iterable[str]) -> None:
    """Set the times of files in an ext4 file system at `offset` of `image`.

    mke2fs copies them from the files that it was given, and nothing can set a file's ctime.
    """
    epoch = os.environ["SOURCE_DATE_EPOCH"]
    commands = [f"set_current_time @{epoch}"]
    for name in sorted(names):
        commands += [f"set_inode_field /{name} {field} @{epoch}" for field in _FIELDS]
    text = "".join(f"{command}\n" for command in commands).encode()
    run(["debugfs", "-w", "-f", "-", f"{image}?offset={offset}"], stdin=text)
