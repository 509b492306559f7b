"""Judge a card's state without starting it: with the router's own code, and as its start does."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import msgspec
from masqgate.contract.codec import from_json
from masqgate.contract.document import render
from masqgate.contract.paths import Paths
from masqgate.contract.status import Entry
from masqgate.system.history import History
from masqgate.system.offline import finish_reset
from masqgate.system.password import PasswordFile
from masqgate.system.store import Store

from image.builder.disk import boot_state
from image.builder.layout import PARTITIONS
from tests.lab.world import ROOT

from .blocklog import SECTOR
from .card import DATA, Card

REPAIRED = 4  # e2fsck: from here on something is left
RUN_S = 120
_SIZES = [size for _, size in PARTITIONS.values()]
OVERLAY = ROOT / "rootfs-overlay" / "usr"
FACTORY = OVERLAY / "share" / "masqgate"
MEND = OVERLAY / "lib" / "masqgate" / "superblock.py"


@dataclass(frozen=True)
class Facts:
    """What the router would find."""

    origin: str
    config: str
    password: str
    machine_id: str
    events: tuple[int, ...]
    slot: str
    slots: tuple[str | None, ...]  # what was written to those that may be started
    data_sectors: int


class Broken(Exception):
    """The state is a bad one; the text says why."""


def facts(card: Card, work: Path) -> Facts:
    """Look at a state; `work`: a folder for what that needs. Broken if it must not be."""
    slot, slots = _slots(card)
    sectors = _table(card)
    data = work / "data.img"
    card.write_data(data)
    _repair(data)
    found = _files(data, work)
    finish_reset(found)
    if found.reset_mark.exists():
        raise Broken("a factory reset cannot be finished")
    loaded = Store(found).load()
    if loaded.warnings:
        raise Broken(f"configuration: {loaded.warnings[0].text}")
    password = PasswordFile(found.password).read()
    if found.password.exists() and not password.startswith("scrypt$"):
        raise Broken(f"the password's file holds {password[:20]!r}")
    identity = found.data / "machine-id"
    machine_id = identity.read_text().strip() if identity.exists() else ""
    return Facts(
        loaded.origin, render(loaded.config, secrets=True), password, machine_id,
        _events(found), slot, slots, sectors,
    )  # fmt: skip


def _slots(card: Card) -> tuple[str, tuple[str | None, ...]]:
    """Choose as the boot script does; and tell what each slot holds that may be started."""
    if card.changes("boot"):
        raise Broken("the firmware's partition was written to")
    module = boot_state()
    state, _ = module.newest(card.copies)
    if state is None:
        raise Broken("both copies of the boot state are torn")
    may = [good or tries > 0 for good, tries in zip(state.good, state.tries, strict=True)]
    if not any(may):
        raise Broken("no slot may be started")
    first = module.SLOTS.index(state.first)
    slots = tuple(
        card.changes(f"slot-{slot}") if startable else None
        for slot, startable in zip(module.SLOTS, may, strict=True)
    )
    return str(module.SLOTS[first if may[first] else 1 - first]), slots


def _table(card: Card) -> int:
    try:
        entries = card.table
    except ValueError as error:
        raise Broken(str(error)) from None
    places = [start * SECTOR for start, _ in entries]
    if places != [offset for offset, _ in PARTITIONS.values()]:
        raise Broken("partitions have moved")
    if [count * SECTOR for _, count in entries[:DATA]] != _SIZES[:DATA]:
        raise Broken("the partitions of firmware and slots have another size")
    start, count = entries[DATA]
    if (start + count) * SECTOR > card.size:
        raise Broken("the data partition is longer than the card")
    return count


def _repair(data: Path) -> None:
    """Do as the initramfs does; then it must be clean."""
    if run("e2fsck", "-p", str(data)).returncode >= REPAIRED:
        run(sys.executable, str(MEND), str(data))
        if run("e2fsck", "-f", "-y", str(data)).returncode >= REPAIRED:
            run("e2fsck", "-f", "-y", str(data))
    done = run("e2fsck", "-f", "-n", str(data))
    if done.returncode != 0:
        raise Broken(f"the data partition cannot be repaired: {_tail(done)}")


def _files(data: Path, work: Path) -> Paths:
    folder = work / "files"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    run("debugfs", "-R", f"rdump / {folder}", str(data))
    return Paths(work / "run", folder, FACTORY, work / "boot")


def _events(paths: Paths) -> tuple[int, ...]:
    if not paths.events.exists():
        return ()
    history = History(paths.events)
    if history.warning is not None:
        raise Broken(history.warning.text)
    torn = 0
    for line in filter(None, paths.events.read_bytes().split(b"\n")):
        try:
            from_json(line, Entry)
        except msgspec.MsgspecError:
            torn += 1
    if torn > 1:
        raise Broken(f"{torn} lines of the history are unreadable")
    numbers = tuple(entry.number for entry in history.newest(0, 10_000))
    if list(numbers) != sorted(set(numbers)):
        raise Broken("the history's numbers do not rise")
    return numbers


def run(*command: str) -> subprocess.CompletedProcess[str]:
    """Run one of the file systems' tools."""
    # Not everybody's path has the file systems' tools in it.
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    return subprocess.run(
        command, capture_output=True, text=True, timeout=RUN_S, errors="replace",
        env={**os.environ, "PATH": path, "LC_ALL": "C"},
    )  # fmt: skip


def _tail(done: subprocess.CompletedProcess[str]) -> str:
    return " / ".join((done.stdout + done.stderr).split("\n")[-6:])[-400:]
