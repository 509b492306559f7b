"""Kill the emulated board at random times while it works, and switch it on again."""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.lab.lab import Lab
from tests.lab.processes import LabError

from .card import Card
from .judge import Broken, Facts, facts
from .record import CONFIG, PASSWORDS, set_password
from .starts import look

LATEST_S = 8.0  # an operation takes about a second, and what it leaves is written after 5
START_S = 60.0


@dataclass(frozen=True, slots=True)
class Kill:
    """One kill: when, during what, and what was found afterwards."""

    during: str
    after_s: float
    found: str
    bad: bool


@dataclass(frozen=True)
class _Work:
    """Something to kill: how long to wait at most, and what it may have changed."""

    name: str
    command: str  # '': the start
    latest_s: float
    may: Callable[[Facts, Facts], bool]


def kills(lab: Lab, count: int, seed: int) -> list[Kill]:
    """Kill QEMU `count` times in mid-work; each time it must come up, with the old or the new."""
    rng = random.Random(f"{seed} kills")
    found: list[Kill] = []
    with tempfile.TemporaryDirectory() as folder:
        for number in range(count):
            kill = _kill(lab, _work(lab, number), rng, Path(folder))
            print(f"kill after {kill.after_s:.2f} s of a {kill.during}: {kill.found}", flush=True)
            found.append(kill)
    return found


def _work(lab: Lab, number: int) -> _Work:
    if number % 4 == 3:
        return _Work("start", "", START_S, _same)
    if number % 4 == 2:
        command = set_password(PASSWORDS[number // 4 % 2])
        return _Work("password change", command, LATEST_S, lambda a, b: a.config == b.config)
    new = f"lease_minutes = {100 + number}\n"
    text = CONFIG.read_text().replace("lease_minutes = 720\n", new)
    lab.console.put("/tmp/next.toml", text.encode())
    return _Work(
        "configuration save", "masqgate config apply /tmp/next.toml", LATEST_S,
        lambda a, b: a.password == b.password and (a.config == b.config or new in b.config),
    )  # fmt: skip


def _same(old: Facts, new: Facts) -> bool:
    return (old.config, old.password) == (new.config, new.password)


def _kill(lab: Lab, work: _Work, rng: random.Random, folder: Path) -> Kill:
    assert lab.pi is not None
    old = _facts(lab, folder)
    if work.command:
        lab.console.shell()
        lab.console.line.send(f" {work.command} >/dev/null 2>&1 &\r")
    else:
        lab.restart(power_cut=True)
    after_s = rng.uniform(0.0, work.latest_s)
    time.sleep(after_s)
    lab.pi.power_cut()
    now = _facts(lab, folder)
    lab.restart(power_cut=True)
    try:
        lab.wait_ready()
        look(lab)
    except (LabError, TimeoutError) as error:
        now = Broken(str(error))
    if isinstance(now, Broken) or isinstance(old, Broken):
        return Kill(work.name, after_s, f"{old}, {now}", True)
    if not work.may(old, now):
        return Kill(work.name, after_s, "neither the old state nor the new one", True)
    return Kill(work.name, after_s, "old" if _same(old, now) else "new", False)


def _facts(lab: Lab, folder: Path) -> Facts | Broken:
    """Judge the card as it is, without touching it."""
    assert lab.pi is not None
    try:
        return facts(Card.of(lab.pi.card), folder)
    except Broken as error:
        return error
