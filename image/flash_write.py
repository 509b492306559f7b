"""Writing a planned image to a card, and reading it back."""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from flash_device import FlashError
from flash_source import Plan, Progress, Range, opened

_BLKRRPART, _BLKFLSBUF = 0x125F, 0x1261  # ioctls of <linux/fs.h>
_SYNC_EVERY = 32 << 20  # bytes; so that the rate shown is the card's and not the memory's
_BAD_CARD = "Its content is incomplete now. Try again; if it stays, take another card or reader."


def open_exclusively(path: Path) -> int:
    """Open a block device so that the kernel refuses if anything else holds it."""
    try:
        return os.open(path, os.O_RDWR | os.O_EXCL | os.O_CLOEXEC)
    except PermissionError:
        raise FlashError(f"No right to write {path}.", "Run it as root: sudo.") from None
    except OSError as error:
        if error.errno == errno.EBUSY:
            raise FlashError(f"{path} is in use.", "Unmount it, then try again.") from error
        raise FlashError(f"{path}: {error.strerror}.", "Take another card or reader.") from error


def write(device: int, image: Path, plan: Plan, progress: Progress) -> None:
    """Write the planned ranges to the open device and make them durable.

    The first range, with the partition table, comes last: until everything else is on
    the card, nothing on it looks like a bootable system.
    """
    done = unsynced = 0
    with opened(image) as file, _card_errors("written"):
        first = _read(file, plan.ranges[0])
        _pwrite(device, bytes(len(first)), plan.ranges[0].start)
        os.fsync(device)
        for part in plan.ranges[1:]:
            _pwrite(device, _read(file, part), part.start)
            done += part.end - part.start
            unsynced += part.end - part.start
            if unsynced >= _SYNC_EVERY:
                os.fsync(device)
                unsynced = 0
            progress("writing", done, plan.size)
        os.fsync(device)
        _pwrite(device, first, plan.ranges[0].start)
        os.fsync(device)
        progress("writing", plan.size, plan.size)


def verify(device: int, plan: Plan, progress: Progress) -> None:
    """Read back from the device itself, not from memory, and compare with the plan."""
    _drop_caches(device)
    done = 0
    with _card_errors("read back"):
        for part in plan.ranges:
            data = _pread(device, part)
            if hashlib.sha256(data).hexdigest() != part.sha256:
                raise FlashError(
                    f"The card does not hold what was written to it, at byte {part.start}.",
                    "It is worn out, or smaller than it says. Take another card.",
                )
            done += len(data)
            progress("verifying", done, plan.size)


def reread_partitions(device: int) -> None:
    """Ask the kernel to see the card's new partitions; not a block device: nothing to do."""
    _ioctl(device, _BLKRRPART)


def _read(file: IO[bytes], part: Range) -> bytes:
    file.seek(part.start)
    data = file.read(part.end - part.start)
    if hashlib.sha256(data).hexdigest() != part.sha256:
        raise FlashError("The image changed while it was written.", "Start again.")
    return data


def _pwrite(device: int, data: bytes, at: int) -> None:
    view = memoryview(data)
    while view:
        count = os.pwrite(device, view, at)
        view, at = view[count:], at + count


def _pread(device: int, part: Range) -> bytes:
    pieces: list[bytes] = []
    at = part.start
    while at < part.end:
        piece = os.pread(device, part.end - at, at)
        if not piece:
            break
        pieces.append(piece)
        at += len(piece)
    return b"".join(pieces)


def _drop_caches(device: int) -> None:
    os.fsync(device)
    _ioctl(device, _BLKFLSBUF)
    os.posix_fadvise(device, 0, 0, os.POSIX_FADV_DONTNEED)


def _ioctl(device: int, request: int) -> None:
    import fcntl  # not on every system; flash.py has refused those by now

    with suppress(OSError):
        fcntl.ioctl(device, request)


@contextmanager
def _card_errors(doing: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise FlashError(
            f"The card could not be {doing}: {error.strerror or error}.", _BAD_CARD
        ) from error
