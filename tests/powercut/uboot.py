"""The boot state, torn in every way, before the real U-Boot and its boot script in QEMU.

The card's slots are unreadable, so that the script tries all it would start and says so, and no
kernel starts. Then both copies are as the script has left them. What it should do is told by
the router's own code for the same sectors.
"""

from __future__ import annotations

import os
import random
import re
import selectors
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any

from image.builder.disk import boot_state
from image.builder.layout import PARTITIONS
from tests.lab import qmp
from tests.lab.pi import Image, card_size, copy_sparse
from tests.lab.processes import LabError

from .blocklog import SECTOR

state = boot_state()
Copies = tuple[bytes, bytes]
PATIENCE_S = 600.0
_TRIED = re.compile(rb"Masqgate: slot (.)")
_OVER = b"Masqgate: no slot could be started"


@dataclass(frozen=True)
class Torn:
    """A write of one copy that was cut: the copies before, whole, and as they are then."""

    what: str
    before: Copies
    after: Copies
    copies: Copies


class UBoot:
    """The boot loader of an image, on a card whose slots can't be loaded."""

    def __init__(self, image: Image, folder: Path) -> None:
        """Prepare the card in a folder."""
        self._image = image
        self._card = folder / "card.img"
        self._monitor = folder / "qmp"
        self._shown = bytearray()
        copy_sparse(image.disk, self._card)
        os.truncate(self._card, card_size(self._card.stat().st_size))
        with self._card.open("r+b") as file:
            for slot in ("slot-a", "slot-b"):
                file.seek(PARTITIONS[slot][0])
                file.write(bytes(1 << 16))  # the file system's superblock, too

    def __enter__(self) -> UBoot:
        """Switch on."""
        command = [
            "nice", "-n", "5", "qemu-system-aarch64", "-M", "raspi3b", "-display", "none",
            "-nodefaults", "-accel", "tcg,thread=single", "-kernel", str(self._image.uboot),
            "-dtb", str(self._image.device_tree), "-S",
            "-drive", f"if=sd,format=raw,file={self._card}",
            "-serial", "null", "-serial", "stdio",
            "-qmp", f"unix:{self._monitor},server=on,wait=off",
        ]  # fmt: skip
        self._qemu = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        end = time.monotonic() + PATIENCE_S
        while not self._monitor.exists():
            if self._qemu.poll() is not None or time.monotonic() > end:
                raise LabError("QEMU does not start")
            time.sleep(0.1)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        """Switch off."""
        self._qemu.kill()
        self._qemu.wait()

    def start(self, copies: Copies) -> tuple[str, Copies]:
        """Start with these two copies; return the slots that were tried, and both copies."""
        qmp.execute(self._monitor, "stop")
        with self._card.open("r+b", buffering=0) as file:
            for at, data in zip(state.COPY_SECTORS, copies, strict=True):
                os.pwrite(file.fileno(), data, at * SECTOR)
        qmp.execute(self._monitor, "system_reset")
        self._shown.clear()
        self._read(0.0)
        self._shown.clear()
        qmp.execute(self._monitor, "cont")
        self._wait()
        qmp.execute(self._monitor, "stop")
        tried = b"".join(_TRIED.findall(self._shown)).decode()
        with self._card.open("rb", buffering=0) as file:
            left = [os.pread(file.fileno(), SECTOR, at * SECTOR) for at in state.COPY_SECTORS]
        return tried, (left[0], left[1])

    def _wait(self) -> None:
        end = time.monotonic() + PATIENCE_S
        while _OVER not in self._shown:
            if time.monotonic() > end or self._qemu.poll() is not None:
                raise LabError(f"U-Boot is not over. It said: {bytes(self._shown[-500:])!r}")
            self._read(1.0)

    def _read(self, timeout_s: float) -> None:
        assert self._qemu.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(self._qemu.stdout, selectors.EVENT_READ)
            while selector.select(timeout_s):
                data = os.read(self._qemu.stdout.fileno(), 1 << 16)
                self._shown += data
                if not data or _OVER in self._shown:
                    break


def expected(copies: Copies) -> tuple[str, Copies]:
    """What `UBoot.start` has to return, by the router's own reading of the copies."""
    found, spare = state.newest(copies)
    if found is None:  # nothing is known: A, then B, without counting
        return "abab", copies
    tried = ""
    order = (found.first, state.other(found.first))
    for slot in order:
        if found.is_good(slot):
            tried += slot
        elif found.tries_of(slot) > 0:
            tried += slot
            index = state.SLOTS.index(slot)
            tries = list(found.tries)
            tries[index] -= 1
            found = replace(found, seq=found.seq + 1, tries=(tries[0], tries[1]))
            copies = _put(copies, spare, state.encode(found))
    return tried + "".join(order), copies


def torn(rng: random.Random, count: int) -> Iterator[Torn]:
    """Cut writes of the boot state at random: each change that router and script make."""
    for number in range(count):
        name, old, new = _change(rng)
        older = state.encode(replace(old, seq=old.seq - 1, first=rng.choice(state.SLOTS)))
        spare = rng.randrange(2)
        before = _put(_put((b"", b""), spare, older), 1 - spare, state.encode(old))
        after = _put(before, spare, state.encode(new))
        how, sector = _tear(rng, number, before[spare], after[spare])
        yield Torn(f"{name}, {how}", before, after, _put(before, spare, sector))


def trouble(uboot: UBoot, one: Torn) -> str:
    """Start a torn state; say what is wrong, or nothing."""
    allowed = [state.newest(copies)[0] for copies in (one.before, one.after)]
    if state.newest(one.copies)[0] not in allowed:
        return "the router reads neither the old state nor the new one"
    tried, left = uboot.start(one.copies)
    wanted, copies = expected(one.copies)
    if tried != wanted:
        return f"slots were tried in the order {tried}, not {wanted}"
    if [state.decode(each) for each in left] != [state.decode(each) for each in copies]:
        return "what U-Boot has left is not what the router would read"
    return ""


def _put(copies: Copies, index: int, sector: bytes) -> Copies:
    return (sector, copies[1]) if index == 0 else (copies[0], sector)


def _change(rng: random.Random) -> tuple[str, Any, Any]:
    """A state that may be there, and one that follows it."""
    seq = rng.choice((2, 9, 15, 255, 0x7FFFFF))
    slot = rng.choice(state.SLOTS)
    index = state.SLOTS.index(slot)
    good = (index != 0, index != 1)  # the other one
    tries = (2, 0) if index == 0 else (0, 2)
    spare = state.BootState(seq, state.other(slot), good, (0, 0))
    trial = state.BootState(seq, slot, good, tries)
    both = state.BootState(seq, slot, (True, True), (0, 0))
    counted = replace(trial, seq=seq + 1, tries=(tries[0] // 2, tries[1] // 2))
    return rng.choice((
        ("a slot is put on trial", spare, spare.to_be_tried(slot)),
        ("a try is counted", trial, counted),
        ("a slot is good", trial, trial.marked_good(slot)),
        ("a slot is given up", trial, trial.invalidated(slot)),
        ("an update begins", both, both.invalidated(slot)),
        ("the way back", both, both.to_be_first(state.other(slot))),
        ("a new card's first try", state.BootState(seq), state.BootState(seq + 1, tries=(2, 0))),
    ))  # fmt: skip


def _tear(rng: random.Random, number: int, old: bytes, new: bytes) -> tuple[str, bytes]:
    """Write one sector over another, and be cut."""
    cut = rng.randrange(1, SECTOR)
    if number % 5 == 0:
        return f"{cut} bytes of it", new[:cut] + old[cut:]
    if number % 5 == 1:
        return f"all but {cut} bytes of it", old[:cut] + new[cut:]
    if number % 5 == 2:
        pieces = [rng.choice((old, new))[at : at + 16] for at in range(0, SECTOR, 16)]
        return "some pieces of 16 bytes", b"".join(pieces)
    if number % 5 == 3:
        filler = rng.choice((b"\0" * SECTOR, b"\xff" * SECTOR, rng.randbytes(SECTOR)))
        return f"{cut} bytes, and what was erased", new[:cut] + filler[cut:]
    return rng.choice((("not begun", old), ("all of it", new)))
