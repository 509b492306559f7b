"""The file `masqgate.toml` on the card's boot partition: read it, and take its secrets off.

The partition is FAT, which a power cut in the middle of a change may spoil. So no cluster is
allocated or freed: the content is overwritten where it lies, and then the file is renamed. The
first sector is written first and alone, and tells that the rest is done with: after a power
cut, whatever is left is overwritten at the next start.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

from masqgate.contract.backup import LARGEST

from . import atomic

NAME, DONE = "masqgate.toml", "masqgate.toml.done"
MARK = b"# taken in by the router; see docs/PROVISION.md\n"
SECTOR = 512
_BLANK = b"\n"

Remount = Callable[[bool], None]  # whether it is to be writable; OSError if that fails


class Card:
    """The boot partition, mounted read-only at `folder`; `remount` makes it writable."""

    def __init__(self, folder: Path, remount: Remount) -> None:
        self._path = folder / NAME
        self._done = folder / DONE
        self._remount = remount

    def read(self) -> bytes | None:
        """Return what a person put there, at most a byte more than is taken; None: nothing.

        OSError if it can't be read, or is no file. What was taken in already counts as nothing.
        """
        try:
            handle = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except FileNotFoundError:
            return None
        with os.fdopen(handle, "rb") as file:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise IsADirectoryError(21, "it is no file")
            data = file.read(LARGEST + 1)
        return None if is_wiped(data) else data

    @property
    def left_over(self) -> bool:
        """Whether a file lies there that was taken in, but not put away completely."""
        try:
            with self._path.open("rb") as file:
                return is_wiped(file.read(SECTOR))
        except OSError:
            return False

    def wipe(self) -> None:
        """Overwrite the file, and rename it; OSError if that fails."""
        self._remount(True)
        try:
            with self._path.open("r+b", buffering=0) as file:
                size = os.fstat(file.fileno()).st_size
                _overwrite(file.fileno(), 0, MARK.ljust(SECTOR, _BLANK)[:size])
                for start in range(SECTOR, size, SECTOR * 64):
                    blank = _BLANK * min(SECTOR * 64, size - start)
                    _overwrite(file.fileno(), start, blank)
            self._path.replace(self._done)
            atomic.sync_folder(self._path.parent)
        finally:
            self._remount(False)


def is_wiped(data: bytes) -> bool:
    """Whether this is what `wipe` writes first (a short file holds a part of it)."""
    return bool(data) and data[: len(MARK)] == MARK[: len(data)]


def _overwrite(handle: int, start: int, data: bytes) -> None:
    """Write, and wait until it is on the card."""
    while data:
        written = os.pwrite(handle, data, start)
        data, start = data[written:], start + written
    os.fsync(handle)
