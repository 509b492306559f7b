"""The router's side of the boot state: `slotctl.py status` and `slotctl.py good`.

Reads and writes the two raw copies that the boot script uses too (see bootstate.py).
"""

import os
import sys
from pathlib import Path

import bootstate

_BOOT = Path("/run/masqgate-boot")


def read_copies(device: int) -> tuple[bytes, bytes]:
    """Read both copies from an open card."""
    first, second = (
        os.pread(device, bootstate.SECTOR, sector * bootstate.SECTOR)
        for sector in bootstate.COPY_SECTORS
    )
    return first, second


def write(device: int, index: int, state: bootstate.BootState) -> None:
    """Write one copy and wait until it is on the card."""
    offset = bootstate.COPY_SECTORS[index] * bootstate.SECTOR
    os.pwrite(device, bootstate.encode(state), offset)
    os.fsync(device)


def mark_good(device: int, slot: str) -> bool:
    """Record that the running slot works; return False if that is recorded already."""
    state, index = bootstate.newest(read_copies(device))
    if state is not None and state.first == slot and state.good[bootstate.SLOTS.index(slot)]:
        return False
    write(device, index, (state or bootstate.BootState()).marked_good(slot))
    return True


def main(arguments: list[str]) -> int:
    """Run one command; return the exit status."""
    slot = (_BOOT / "slot").read_text().strip()
    disk = (_BOOT / "disk").read_text().strip()
    device = os.open(disk, os.O_RDWR | os.O_CLOEXEC)
    try:
        if arguments == ["good"]:
            changed = mark_good(device, slot)
            print(f"slot {slot} is good" + ("" if changed else " already"))
            return 0
        if arguments == ["status"]:
            print(f"running slot {slot} of {disk}: {bootstate.newest(read_copies(device))[0]}")
            return 0
    finally:
        os.close(device)
    print("usage: slotctl.py status|good", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
