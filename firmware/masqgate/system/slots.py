"""The card's two slots: the boot record of both, and their partitions.

The initramfs leaves in `/run/masqgate-boot` which slot runs and on which disk it lies.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from masqgate.contract.errors import MasqgateError
from masqgate.contract.paths import Paths
from masqgate.core import bootstate
from masqgate.core.bootstate import BootState

_PARTITIONS = {"a": 2, "b": 3}


@dataclass(frozen=True)
class Slots:
    """The slots of one card."""

    disk: Path
    running: str

    @classmethod
    def of_this_router(cls, paths: Paths | None = None) -> Slots:
        """The running card's; MasqgateError if this system was not started from a slot."""
        boot = (paths or Paths.from_environment()).boot
        try:
            slot = (boot / "slot").read_text().strip()
            disk = Path((boot / "disk").read_text().strip())
        except OSError:
            slot, disk = "", Path()
        if slot not in bootstate.SLOTS:
            text = "This system was not started from a slot of a card, so it can't be updated."
            raise MasqgateError("update_no_slots", text)
        return cls(disk, slot)

    @property
    def spare(self) -> str:
        """The slot that does not run."""
        return bootstate.other(self.running)

    def partition(self, slot: str) -> Path:
        """The block device of a slot."""
        return self.disk.with_name(f"{self.disk.name}p{_PARTITIONS[slot]}")

    def read(self) -> BootState | None:
        """Return the newest valid boot record; OSError if the card can't be read."""
        with self._open(os.O_RDONLY) as device:
            return bootstate.newest(_copies(device))[0]

    def write(self, state: BootState) -> None:
        """Write the record over the older copy, and wait until it is on the card."""
        with self._open(os.O_RDWR) as device:
            _, index = bootstate.newest(_copies(device))
            offset = bootstate.COPY_SECTORS[index] * bootstate.SECTOR
            os.pwrite(device, bootstate.encode(state), offset)
            os.fsync(device)

    @contextmanager
    def _open(self, flags: int) -> Iterator[int]:
        device = os.open(self.disk, flags | os.O_CLOEXEC)
        try:
            yield device
        finally:
            os.close(device)


def _copies(device: int) -> tuple[bytes, bytes]:
    first, second = (
        os.pread(device, bootstate.SECTOR, sector * bootstate.SECTOR)
        for sector in bootstate.COPY_SECTORS
    )
    return first, second
