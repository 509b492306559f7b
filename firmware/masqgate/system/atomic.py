"""Files that are replaced as a whole: after a power cut there is the old one or the new one.

The steps: write a temporary file beside the target, fsync it, rename it over the target, fsync
the folder. `Staged` splits them, so that a full disk shows before anything has changed.
"""

from __future__ import annotations

import contextlib
import logging
import os
from pathlib import Path

log = logging.getLogger(__name__)


def write(path: Path, data: bytes, mode: int = 0o600) -> None:
    """Replace `path`; OSError, and the old file is still there, if that fails."""
    Staged(path, data, mode).commit()


class Staged:
    """A file that is written, but not yet in place."""

    def __init__(self, path: Path, data: bytes, mode: int = 0o600) -> None:
        self._path = path
        self._temporary = _temporary(path)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.discard()
        try:
            self._write(data, mode)
        except OSError:
            self.discard()
            raise

    def commit(self) -> None:
        """Put it in place; OSError, and the old file is still there, if that fails."""
        try:
            self._temporary.replace(self._path)
        except OSError:
            self.discard()
            raise
        try:
            sync_folder(self._path.parent)
        except OSError as error:  # it is in place; a power cut now may still bring the old one
            log.warning("%s: the folder cannot be synced: %s", self._path, error.strerror)

    def discard(self) -> None:
        """Forget it."""
        forget_staged(self._path)

    def _write(self, data: bytes, mode: int) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with os.fdopen(os.open(self._temporary, flags, mode), "wb") as file:
            os.fchmod(file.fileno(), mode)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())


def forget_staged(path: Path) -> bool:
    """Remove what was written for `path` and never put in place; whether there was something."""
    with contextlib.suppress(OSError):
        _temporary(path).unlink()
        return True
    return False


def _temporary(path: Path) -> Path:
    return path.with_name(f".{path.name}.new")


def remove(path: Path) -> None:
    """Remove a file, if it is there, so that it stays removed; OSError if that fails."""
    with contextlib.suppress(FileNotFoundError):
        path.unlink()
        sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make renames in a folder last through a power cut."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
