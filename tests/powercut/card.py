"""The card's states: what was there before, and some of the writes on top of it.

A state is not a copy of the card: the table and the boot state are single sectors, the slots are
only compared, and of the data partition a sparse file is made whose zeros are left out.
"""

from __future__ import annotations

import hashlib
import os
import struct
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from image.builder.disk import boot_state
from image.builder.layout import DISK_SIGNATURE, PARTITIONS

from .blocklog import SECTOR, Write

DATA = 3  # index in the partition table
_CHUNK = 1 << 16
_ZEROS = bytes(_CHUNK)
_TABLE = 0
COPIES: tuple[int, int] = boot_state().COPY_SECTORS
DATA_START = PARTITIONS["data"][0] // SECTOR


@dataclass
class Card:
    """A card's contents: those of a file, and sectors written since."""

    size: int  # bytes
    extents: dict[int, bytes]  # of the data partition: by offset on the card, without zeros
    raw: dict[int, bytes]  # table and boot state
    written: dict[int, bytes] = field(default_factory=dict)

    @classmethod
    def of(cls, path: Path) -> Card:
        """Read a card's file."""
        with path.open("rb") as file:
            size = file.seek(0, 2)
            raw = {}
            for at in (_TABLE, *COPIES):
                file.seek(at * SECTOR)
                raw[at] = file.read(SECTOR)
            return cls(size, _extents(file.fileno(), DATA_START * SECTOR, size), raw)

    def after(self, writes: Iterable[Write]) -> Card:
        """Return the card with writes on top."""
        written = dict(self.written)
        for write in writes:
            written[write.at] = write.data
        return Card(self.size, self.extents, self.raw, written)

    def sector(self, at: int) -> bytes:
        """Return the table's sector or one of the boot state."""
        return self.written.get(at, self.raw[at])

    def read(self, at: int) -> bytes:
        """Return a sector of the data partition, the table or the boot state."""
        if (data := self.written.get(at) or self.raw.get(at)) is not None:
            return data
        chunk, offset = divmod(at * SECTOR, _CHUNK)
        return self.extents.get(chunk * _CHUNK, _ZEROS)[offset : offset + SECTOR]

    def put(self, write: Write) -> bool:
        """Write a sector; whether that changed anything."""
        changed = self.read(write.at) != write.data
        self.written[write.at] = write.data
        return changed

    @property
    def copies(self) -> tuple[bytes, bytes]:
        """Return both copies of the boot state."""
        return self.sector(COPIES[0]), self.sector(COPIES[1])

    @property
    def table(self) -> list[tuple[int, int]]:
        """Return start and size of each partition; ValueError if the table is not ours."""
        sector = self.sector(_TABLE)
        if sector[440:444] != DISK_SIGNATURE or sector[510:] != b"\x55\xaa":
            raise ValueError("the partition table has lost its marks")
        entries = (sector[446 + 16 * n : 462 + 16 * n] for n in range(4))
        return [struct.unpack_from("<II", entry, 8) for entry in entries]

    def changes(self, partition: str) -> str:
        """Return a hash of what was written to a partition; '' if nothing was."""
        offset, size = PARTITIONS[partition]
        first, end = offset // SECTOR, (offset + size) // SECTOR
        written = sorted(at for at in self.written if first <= at < end)
        digest = hashlib.sha256()
        for at in written:
            digest.update(at.to_bytes(8, "big") + self.written[at])
        return digest.hexdigest() if written else ""

    def write_data(self, path: Path) -> None:
        """Make a file of the data partition, as long as the table says."""
        start, count = self.table[DATA]
        begin, end = start * SECTOR, (start + count) * SECTOR
        with path.open("wb", buffering=0) as file:
            for offset, data in self.extents.items():
                if offset < end:
                    os.pwrite(file.fileno(), data[: end - offset], offset - begin)
            for at, data in self.written.items():
                if start <= at < start + count:
                    os.pwrite(file.fileno(), data, at * SECTOR - begin)
            file.truncate(end - begin)

    def write_card(self, base: Path, target: Path) -> None:
        """Put the writes on a copy of the card, to be started."""
        from tests.lab.pi import copy_sparse

        copy_sparse(base, target)
        with target.open("r+b", buffering=0) as file:
            for at, data in self.written.items():
                os.pwrite(file.fileno(), data, at * SECTOR)


def _extents(handle: int, begin: int, end: int) -> dict[int, bytes]:
    """Read what is not zero, in pieces."""
    found: dict[int, bytes] = {}
    place = begin
    while place < end:
        try:
            place = os.lseek(handle, place, os.SEEK_DATA) // _CHUNK * _CHUNK
        except OSError:  # nothing but a hole to the end
            break
        data = os.pread(handle, min(_CHUNK, end - place), place)
        if data.count(0) != len(data):
            found[place] = data
        place += _CHUNK
    return found
