"""Which slot boots, and how many tries it has left: the record that U-Boot and we share.

Two copies lie in the gap before the first partition, one sector each, so that a write is
one sector and a power cut tears at most the copy being written; that is always the older
one. The format is U-Boot's environment (`env import -c`): a CRC-32 of the data in little
endian, then NUL-terminated `key=value` strings, padded with NULs.
"""

import struct
import zlib
from dataclasses import dataclass, replace

SECTOR = 512
# In sectors. 1 MiB apart: never in the same erase block of a card.
COPY_SECTORS = (2048, 4096)
SLOTS = ("a", "b")
TRIES = 3
# An update that hangs or panics gets two starts: the third is the old system again.
UPDATE_TRIES = 2
_KEYS = ("first", "good_a", "good_b", "seq", "tries_a", "tries_b")


@dataclass(frozen=True)
class BootState:
    """The boot record: the slot to try first and, of each slot, whether it proved itself.

    A slot that is good boots without being counted. One that is not has `tries` starts
    left; U-Boot takes one off at each start, and goes to the other slot at none.
    """

    seq: int = 1
    first: str = "a"
    good: tuple[bool, bool] = (False, False)
    tries: tuple[int, int] = (TRIES, 0)

    def marked_good(self, slot: str) -> "BootState":
        """The state after this slot has proved itself: it is the one to start from now on."""
        index = SLOTS.index(slot)
        good = (self.good[0] or index == 0, self.good[1] or index == 1)
        return replace(self, seq=self.seq + 1, first=slot, good=good)

    def to_be_tried(self, slot: str) -> "BootState":
        """The state after a new system was written to this slot: first, but on trial."""
        index = SLOTS.index(slot)
        good = (self.good[0] and index != 0, self.good[1] and index != 1)
        tries = (
            UPDATE_TRIES if index == 0 else self.tries[0],
            UPDATE_TRIES if index == 1 else self.tries[1],
        )
        return replace(self, seq=self.seq + 1, first=slot, good=good, tries=tries)

    def to_be_first(self, slot: str) -> "BootState":
        """The state in which this slot, which proved itself before, is started next."""
        return replace(self, seq=self.seq + 1, first=slot)

    def is_good(self, slot: str) -> bool:
        """Whether this slot has proved itself."""
        return self.good[SLOTS.index(slot)]

    def tries_of(self, slot: str) -> int:
        """How many starts a slot on trial has left."""
        return self.tries[SLOTS.index(slot)]

    def invalidated(self, slot: str) -> "BootState":
        """The state before this slot is overwritten: it must not be started."""
        index = SLOTS.index(slot)
        other = SLOTS[1 - index]
        good = (self.good[0] and index != 0, self.good[1] and index != 1)
        tries = (0 if index == 0 else self.tries[0], 0 if index == 1 else self.tries[1])
        return replace(self, seq=self.seq + 1, first=other, good=good, tries=tries)


def other(slot: str) -> str:
    """Return the slot that is not this one."""
    return SLOTS[1 - SLOTS.index(slot)]


def encode(state: BootState) -> bytes:
    """Encode one copy: exactly one sector."""
    values = {
        "first": state.first,
        "good_a": str(int(state.good[0])),
        "good_b": str(int(state.good[1])),
        # Hexadecimal without a prefix: what U-Boot's setexpr reads and writes.
        "seq": f"{state.seq:x}",
        "tries_a": str(state.tries[0]),
        "tries_b": str(state.tries[1]),
    }
    text = "".join(f"{key}={values[key]}\0" for key in _KEYS).encode()
    data = text.ljust(SECTOR - 4, b"\0")
    return struct.pack("<I", zlib.crc32(data)) + data


def decode(sector: bytes) -> BootState | None:
    """Decode one copy; None if it is torn, empty or holds anything unexpected."""
    if len(sector) != SECTOR:
        return None
    data = sector[4:]
    if struct.unpack("<I", sector[:4])[0] != zlib.crc32(data):
        return None
    pairs = (item.partition("=") for item in data.decode("ascii", "replace").split("\0") if item)
    values = {key: value for key, _, value in pairs}
    try:
        return _from_values(values)
    except (KeyError, ValueError):
        return None


def _from_values(values: dict[str, str]) -> BootState:
    if values["first"] not in SLOTS:
        raise ValueError("unknown slot")
    return BootState(
        seq=int(values["seq"], 16),
        first=values["first"],
        good=(values["good_a"] == "1", values["good_b"] == "1"),
        tries=(int(values["tries_a"]), int(values["tries_b"])),
    )


def newest(copies: tuple[bytes, bytes]) -> tuple[BootState | None, int]:
    """Return the newest valid state, and the index of the copy to overwrite next."""
    first, second = decode(copies[0]), decode(copies[1])
    if second is None:
        return first, 1 if first else 0
    if first is None or second.seq > first.seq:
        return second, 0
    return first, 1
