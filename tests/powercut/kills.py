"""Kill the emulated board at random times while it works, and switch it on again.

Each kill is judged twice: the card as it was left, on the host, and the router that comes up
from it. What was killed is a process with all that it had in memory (`kill -9` of QEMU).
"""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from masqgate.system.password import matches

from tests.lab.first_use import insist
from tests.lab.lab import Lab
from tests.lab.pi import Image, copy_sparse
from tests.lab.processes import LabError

from .card import Card
from .judge import Broken, Facts, facts
from .record import CARD_BYTES, CONFIG, PASSWORDS, set_password
from .starts import look
from .updates import INSTALL, INSTALL_S, Systems

MARGIN = 1.3  # a kill comes at most this many times as late as the work takes
LEAST_S, START_S, UPDATE_S = 2.0, 90.0, 90.0
MOST_STARTS = 4  # that are killed in a row
READY_S = 1800.0  # patience, on a loaded host
ACKNOWLEDGED = "<acknowledged>"
FIRST, AGAIN = "first start", "start after a kill"
SECRET = "lab-secret"  # in the configuration: a factory reset takes it away
KINDS = (FIRST, "configuration save", "password change", "factory reset", "update")


@dataclass(frozen=True, slots=True)
class Kill:
    """One kill: when, during what, and what was found afterwards."""

    during: str
    after_s: float
    acknowledged: bool  # the command had ended before
    found: str
    bad: bool


@dataclass(frozen=True)
class Work:
    """Something to kill: how long it takes at most, and what may be there afterwards."""

    name: str
    command: str  # '': the start
    latest_s: float
    is_new: Callable[[Facts], bool]


class Killer:
    """Kills the board of a lab; its card must have a bundle for the updates."""

    def __init__(
        self, lab: Lab, systems: Systems, seed: int, folder: Path, starts: int = MOST_STARTS
    ) -> None:
        """`folder`: for what judging needs; `starts`: most that are killed after a kill."""
        assert lab.pi is not None
        self._lab, self._pi, self._systems, self._folder = lab, lab.pi, systems, folder
        self._rng, self._starts = random.Random(f"{seed} kills"), starts
        self._number = 0

    def first_start(self) -> Iterator[Kill]:
        """Kill the first start of a new card."""
        self._pi.power_cut()
        self._pi.new_card()
        self._grow()
        old = self._facts()
        self._lab.restart(power_cut=True)
        yield from self._kill(Work(FIRST, "", START_S, lambda found: bool(found.machine_id)), old)

    def kill(self, kind: str) -> Iterator[Kill]:
        """Kill one of `KINDS` but the first start, on a router that is up."""
        self._number += 1
        took = self._set_up()
        work = self._work(kind, took)
        self._pi.pause(True)
        old = self._facts()
        self._pi.pause(False)
        self._lab.console.shell()
        shown = f"printf '<%s>' {ACKNOWLEDGED[1:-1]}"
        self._lab.console.line.send(f" ({work.command} >/dev/null 2>&1 && {shown}) &\r")
        yield from self._kill(work, old)

    def put_card(self) -> None:
        """Put in the card that has a bundle on it, and switch on."""
        self._pi.power_cut()
        copy_sparse(self._systems.card, self._pi.card)
        self._lab.restart(power_cut=True)
        self._lab.wait_ready(READY_S)

    def _grow(self) -> None:
        with self._pi.card.open("r+b") as file:
            file.truncate(CARD_BYTES)

    def _set_up(self) -> float:
        """Have a password and a configuration; return how long the save took, in seconds."""
        console = self._lab.console
        insist(console, set_password(PASSWORDS[0]))
        console.put("/tmp/one.toml", _config(100 + 2 * self._number))
        began = time.monotonic()
        insist(console, "masqgate config apply /tmp/one.toml")
        took = time.monotonic() - began
        console.put("/tmp/two.toml", _config(101 + 2 * self._number))
        return max(LEAST_S, took)

    def _work(self, kind: str, took: float) -> Work:
        minutes = f"lease_minutes = {101 + 2 * self._number}\n"
        if kind == "configuration save":
            command = "masqgate config apply /tmp/two.toml"
            return Work(kind, command, took, lambda found: minutes in found.config)
        if kind == "password change":
            changed = set_password(PASSWORDS[1])
            return Work(kind, changed, took, lambda f: matches(PASSWORDS[1], f.password))
        if kind == "factory reset":
            reset = "masqgate config factory --yes"
            return Work(kind, reset, took, lambda f: not f.password and SECRET not in f.config)
        self._wait_good()
        return Work(kind, INSTALL, UPDATE_S, lambda found: True)

    def _wait_good(self) -> None:
        """Wait until the running system has proved itself: before, an update is refused."""
        end = time.monotonic() + INSTALL_S
        while self._lab.console.run("systemctl is-active masqgate-slot-good").code != 0:
            if time.monotonic() > end:
                raise LabError("the running slot is not good")
            time.sleep(2.0)

    def _kill(self, work: Work, old: Facts | Broken) -> Iterator[Kill]:
        """Kill the work; then some of the starts after it; the last one must come up."""
        kill, now = self._cut(work, old)
        yield kill
        for _ in range(self._rng.randint(min(1, self._starts), self._starts)):
            self._lab.restart(power_cut=True)
            kill, now = self._cut(Work(AGAIN, "", START_S, lambda found: True), now)
            yield kill
        self._lab.restart(power_cut=True)
        try:
            self._lab.wait_ready(READY_S)
            look(self._lab)
        except (LabError, TimeoutError) as error:
            yield replace(kill, found=f"not up after it: {error}", bad=True)

    def _cut(self, work: Work, old: Facts | Broken) -> tuple[Kill, Facts | Broken]:
        """Cut the power at a random time, and judge the card."""
        after_s = self._rng.uniform(0.0, work.latest_s * MARGIN)
        start = self._lab.console.line.position
        time.sleep(after_s)
        self._pi.power_cut()
        acknowledged = ACKNOWLEDGED in self._lab.console.line.text(start)
        now = self._facts()
        try:
            if isinstance(old, Broken) or isinstance(now, Broken):
                raise Broken(f"before: {old}; after: {now}")
            outcome = compare(work, old, now, acknowledged)
            self._systems.check(self._pi.card)
        except Broken as error:
            return Kill(work.name, after_s, acknowledged, str(error), True), now
        return Kill(work.name, after_s, acknowledged, outcome, False), now

    def _facts(self) -> Facts | Broken:
        """Judge the card as it is, without touching it."""
        try:
            return facts(Card.of(self._pi.card), self._folder)
        except Broken as error:
            return error


def _config(minutes: int) -> bytes:
    text = CONFIG.read_text()
    return text.replace("lease_minutes = 720\n", f"lease_minutes = {minutes}\n").encode()


def compare(work: Work, old: Facts, now: Facts, acknowledged: bool) -> str:
    """Say which state is there; Broken if it is neither, or older than acknowledged."""
    same = (now.config, now.password) == (old.config, old.password)
    if old.machine_id and now.machine_id != old.machine_id:
        raise Broken("the identity is lost")
    if not set(old.events) <= set(now.events) and not (erases(work) and work.is_new(now)):
        raise Broken("events are lost that were on the card")
    if work.name in (FIRST, AGAIN, "update"):
        if not same:
            raise Broken("configuration or password have changed")
        return f"starts slot {now.slot} next"
    if work.name == "password change" and now.config != old.config:
        raise Broken("the configuration has changed")
    if work.name == "configuration save" and now.password != old.password:
        raise Broken("the password has changed")
    if work.is_new(now):
        return "new"
    if not same:
        raise Broken("neither the old state nor the new one")
    if acknowledged:
        raise Broken("older than acknowledged")
    return "old"


def erases(work: Work) -> bool:
    """Whether the history goes with it."""
    return work.name == "factory reset"


def kills(
    image: Image, logs: Path, count: int, seed: int, kinds: Sequence[str], starts: int
) -> Iterator[Kill]:
    """Kill `count` times one of these kinds, in turn, first starts first.

    After each kill up to `starts` starts are killed as well; the next one has to come up.
    """
    rounds = sorted((kinds[n % len(kinds)] for n in range(count)), key=KINDS.index)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "judge").mkdir()
        systems = Systems.of(image, folder)
        with Lab(image, logs=logs, progress=lambda text: print(text, flush=True)) as lab:
            killer = Killer(lab, systems, seed, folder / "judge", starts)
            firsts = rounds.count(FIRST)
            for _ in range(firsts):
                yield from killer.first_start()
            killer.put_card()
            for kind in rounds[firsts:]:
                yield from killer.kill(kind)
