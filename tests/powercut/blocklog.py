"""The log that QEMU's `blklogwrites` driver keeps of a card (the format of dm-log-writes).

A header of one sector; then, for each write, a sector that tells where and how much, and the
data. The emulated SD controller writes sector by sector, in the order of the commands.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

SECTOR = 512
MAGIC = 0x6A736677736872
_HEADER = struct.Struct("<QQQI")
_ENTRY = struct.Struct("<QQQQ")
DISCARD = 4


@dataclass(frozen=True, slots=True)
class Write:
    """One sector of a write. `at`: the sector's number on the card."""

    at: int
    data: bytes


def read(path: Path) -> list[Write]:
    """Read a log, sector by sector; one that ends in the middle of a write ends before it."""
    data = path.read_bytes()
    if len(data) < SECTOR:
        return []
    magic, _, _, size = _HEADER.unpack_from(data)
    # QEMU writes the header late; until then it is empty.
    if (magic, size) not in ((MAGIC, SECTOR), (0, 0)):
        raise ValueError(f"{path} is not a log of writes")
    writes: list[Write] = []
    place = SECTOR
    while place + SECTOR <= len(data):
        at, count, flags, _ = _ENTRY.unpack_from(data, place)
        place += SECTOR
        if flags & DISCARD:
            raise ValueError(f"{path}: a discard is not known here")
        if (count == 0 and flags == 0) or place + count * SECTOR > len(data):
            break
        for index in range(count):
            begin = place + index * SECTOR
            writes.append(Write(at + index, data[begin : begin + SECTOR]))
        place += count * SECTOR
    return writes


def encode(writes: list[Write]) -> bytes:
    """Make a log, for tests."""
    head = _HEADER.pack(MAGIC, 1, len(writes), SECTOR).ljust(SECTOR, b"\0")
    parts = [_ENTRY.pack(write.at, 1, 0, 0).ljust(SECTOR, b"\0") + write.data for write in writes]
    return head + b"".join(parts)
