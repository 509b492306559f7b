"""Start some of the states, the worst first, in the emulated Pi."""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator
from pathlib import Path

from tests.lab.lab import Lab
from tests.lab.pi import Image
from tests.lab.processes import LabError

from .blocklog import Write
from .card import DATA_START, Card
from .record import Mark, marks
from .replay import Recording


def starts(image: Image, folder: Path, logs: Path, count: int, seed: int) -> list[str]:
    """Start `count` states; return the names of those that did not come up well."""
    bad = []
    rng = random.Random(f"{seed} starts")
    for name, base, card in _states(folder, rng, count):
        try:
            found = start(image, base, card, logs)
            print(f"started: {name}: {found}", flush=True)
        except Exception as error:  # whatever it is, the next one is started all the same
            print(f"not started: {name}: {error}", flush=True)
            bad.append(name)
    return bad


def start(image: Image, base: Path, card: Card, logs: Path) -> str:
    """Start a state: console, LAN addresses and page must come up, and the ruleset be ours."""
    lab = Lab(image, logs=logs)
    assert lab.pi is not None
    card.write_card(base, lab.pi.card)
    with lab:
        lab.wait_ready()
        look(lab)
        repaired = lab.console.run("tail -n 1 /run/data-fsck.log").output
    return f"LAN, page and closed firewall came up; e2fsck: {repaired.strip()[-100:]}"


def look(lab: Lab) -> None:
    """LabError if a router that is up has no closed firewall, or has lost its data."""
    rules = lab.console.run("nft list table inet masqgate").output
    for chain in ("input", "forward"):
        if f"hook {chain} priority filter; policy drop;" not in rules:
            raise LabError(f"the firewall is not closed: {rules[-500:]}")
    if lab.console.run("test -e /run/data-volatile").code == 0:
        raise LabError("the data partition is lost")
    lost = [w["text"] for w in lab.status()["warnings"] if w["code"].startswith("config_")]
    if lost:
        raise LabError(lost[0])


def _states(folder: Path, rng: random.Random, count: int) -> Iterator[tuple[str, Path, Card]]:
    """A torn superblock; then, in turn of each operation, half the sectors of a large epoch."""
    recordings: dict[str, Recording] = {}
    found: list[Mark] = marks(folder)
    rng.shuffle(found)
    if count:
        last = Recording(folder / found[0].recording, folder / "work")
        whole = last.prefix(len(last.writes))
        yield "a torn superblock", last.base, whole.after([_torn_superblock(whole)])
    for number in range(1, count):
        mark = found[number % len(found)]
        if mark.recording not in recordings:
            recordings[mark.recording] = Recording(folder / mark.recording, folder / "work")
        recording = recordings[mark.recording]
        mine = [e for e in recording.epochs if mark.start <= e.first < mark.end]
        epoch = max(rng.sample(mine, min(3, len(mine))), key=lambda e: len(e.units))
        writes = [w for unit in epoch.units for w in unit.writes if rng.random() < 0.5]
        name = f"{mark.name}, epoch {epoch.first}, {len(writes)} sectors of it"
        yield name, recording.base, recording.prefix(epoch.first).after(writes)


def _torn_superblock(card: Card) -> Write:
    """The first of its two sectors, from another mount than the second."""
    at = DATA_START + 2
    return Write(at, mounted_at(card.read(at), 1_900_000_000))


def mounted_at(sector: bytes, seconds: int) -> bytes:
    """The first sector of an ext4 superblock after another mount."""
    return sector[:44] + struct.pack("<I", seconds) + sector[48:]
