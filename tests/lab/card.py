"""Files on the boot partition of a card, as a person with a card reader puts them there."""

from __future__ import annotations

import subprocess
from pathlib import Path

from .processes import LabError

BOOT_AT, BOOT_SIZE = 4 << 20, 60 << 20  # bytes; see image/genimage.cfg


def put(card: Path, name: str, data: bytes) -> None:
    """Write a file; only while the router is off."""
    _mtools(card, "mcopy", "-o", "-", f"::{name}", data=data)


def get(card: Path, name: str) -> bytes:
    """Read a file; LabError if it is not there."""
    return _mtools(card, "mcopy", f"::{name}", "-")


def remove(card: Path, name: str) -> None:
    """Remove a file; LabError if it is not there."""
    _mtools(card, "mdel", f"::{name}")


def names(card: Path) -> list[str]:
    """Return the names in the partition's top folder."""
    listed = _mtools(card, "mdir", "-b", "::").decode()
    return sorted(line.removeprefix("::/").rstrip("/") for line in listed.splitlines())


def holds(card: Path, text: bytes) -> bool:
    """Whether these bytes stand anywhere in the partition, in a file or not."""
    with card.open("rb") as file:
        file.seek(BOOT_AT)
        return text in file.read(BOOT_SIZE)


def _mtools(card: Path, tool: str, *arguments: str, data: bytes = b"") -> bytes:
    command = [tool, "-i", f"{card}@@{BOOT_AT}", *arguments]
    done = subprocess.run(command, input=data, capture_output=True)
    if done.returncode != 0:
        raise LabError(f"{tool} on {card}: {done.stderr.decode().strip()}")
    return done.stdout
