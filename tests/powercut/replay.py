"""Replay a recording up to every point of it, and judge each state."""

from __future__ import annotations

import bisect
import random
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.lab.pi import CARD, WRITES

from . import blocklog
from .card import COPIES, DATA_START, Card
from .judge import Broken, Facts, facts, run
from .orders import BLOCK, ends_flushed, epochs, subsets
from .record import UPDATE, Mark


@dataclass(frozen=True, slots=True)
class Limits:
    """How many states are judged of what cannot be exhausted; 0: all."""

    prefixes: int = 0  # of an operation
    subsets: int = 8  # of an epoch with many blocks
    epochs: int = 0  # of an operation
    exhausted: int = 8  # blocks in an epoch up to which all subsets are judged


@dataclass
class Result:
    """What came out for one operation."""

    mark: Mark
    writes: int
    prefixes: int = 0
    epochs: int = 0
    subsets: int = 0
    distinct: int = 0  # states that were looked at; the others are the same as one of these
    outcomes: Counter[str] = field(default_factory=Counter)
    bad: list[tuple[str, str]] = field(default_factory=list)  # which state, and why


class Recording:
    """A card before, and the writes to it."""

    def __init__(self, folder: Path, work: Path) -> None:
        """`folder`: as a start of the lab's Pi has left it; `work`: for what judging needs."""
        self.base = folder / CARD
        self.card = Card.of(self.base)
        self.writes = blocklog.read(folder / WRITES)
        self._work = work
        work.mkdir(parents=True, exist_ok=True)
        data = work / "data.img"
        self.card.write_data(data)
        sectors = journal(data)
        # The updater has the slot flushed before it records it, and waits for each record.
        waited = frozenset(COPIES) if folder.name == UPDATE else frozenset()
        self.epochs = epochs(self.writes, sectors, waited)
        self._flushed = ends_flushed(self.epochs, sectors)

    def prefix(self, count: int) -> Card:
        """The card after so many writes."""
        return self.card.after(self.writes[:count])

    def judge(self, mark: Mark, limits: Limits, seed: int) -> Result:
        """Judge an operation's states."""
        rng = random.Random(f"{seed} {mark.recording} {mark.name}")
        result = Result(mark, mark.end - mark.start)
        old, new = (facts(self.prefix(at), self._work) for at in (mark.start, mark.end))
        judge = _Judge(result, self._work, old, new)
        self._prefixes(mark, limits, rng, judge)
        self._reordered(mark, limits, rng, judge)
        return result

    def _prefixes(self, mark: Mark, limits: Limits, rng: random.Random, judge: _Judge) -> None:
        """Judge what is on a card that stores in order, cut at every sector."""
        card = self.prefix(mark.start)
        chosen = set(_chosen(mark.start, mark.end, limits.prefixes, rng))
        judge(f"prefix {mark.start}", card, mark.start >= mark.done)
        for count in range(mark.start + 1, mark.end + 1):
            judge.changed |= card.put(self.writes[count - 1])
            if count in chosen:
                judge(f"prefix {count}", card, count >= mark.done)
                judge.result.prefixes += 1

    def _reordered(self, mark: Mark, limits: Limits, rng: random.Random, judge: _Judge) -> None:
        """Judge what may be on a card that stores in any order between two flushes."""
        firsts = [epoch.first for epoch in self.epochs]
        if self._flushed:  # nothing was written since, so no epoch begins with that flush
            firsts.append(len(self.writes))
        acknowledged = firsts[bisect.bisect_right(firsts, mark.done) - 1]
        begin = bisect.bisect_left(firsts, mark.start)
        end = bisect.bisect_left(firsts, mark.end)
        for index in _chosen(begin, end - 1, limits.epochs, rng):
            epoch = self.epochs[index]
            judge.result.epochs += 1
            base = self.prefix(epoch.first)
            for number, writes in enumerate(subsets(epoch, rng, limits.subsets, limits.exhausted)):
                card = base.after(writes)
                judge.changed = True
                judge(f"epoch {epoch.first}, subset {number}", card, epoch.first >= acknowledged)
                judge.result.subsets += 1


class _Judge:
    def __init__(self, result: Result, work: Path, old: Facts, new: Facts) -> None:
        self.result = result
        self._work = work
        self._old = old
        self._new = new
        self.changed = True  # since the last state that was judged
        self._last: Facts | Broken = old

    def __call__(self, name: str, card: Card, acknowledged: bool) -> None:
        """Judge a state; one that is the same as the last one has its facts."""
        if self.changed:
            self.result.distinct += 1
            self._last = self._look(card)
        self.changed = False
        try:
            if isinstance(self._last, Broken):
                raise self._last
            self.result.outcomes[self._compare(self._last, acknowledged)] += 1
        except Broken as error:
            self.result.bad.append((name, str(error)))

    def _look(self, card: Card) -> Facts | Broken:
        try:
            return facts(card, self._work)
        except Broken as error:
            return error

    def _compare(self, found: Facts, acknowledged: bool) -> str:
        """Say whether it is the old or the new state; Broken if it is neither."""
        old, new = self._old, self._new
        for part in ("config", "password", "machine_id", "data_sectors"):
            value = getattr(found, part)
            allowed = [getattr(new, part)]
            if not acknowledged:
                allowed.append(getattr(old, part))
            if value not in allowed:
                which = "is older than acknowledged" if value == getattr(old, part) else "is lost"
                raise Broken(f"{part} {which}")
        for slot, *known in zip(found.slots, old.slots, new.slots, strict=True):
            if slot is not None and slot not in known:
                raise Broken("a slot that may be started holds half a system")
        if not set(old.events) & set(new.events) <= set(found.events):
            raise Broken("events are lost that were on the card")
        values = [(found.config, found.password), (old.config, old.password),
                  (new.config, new.password)]  # fmt: skip
        if values[0] == values[2]:
            return "new"
        if values[0] == values[1]:
            return "old"
        raise Broken("the configuration is of one state, and the password of another")


def _chosen(first: int, last: int, most: int, rng: random.Random) -> Sequence[int]:
    """All of these numbers, or a sorted sample of them that has both ends."""
    numbers = range(first, last + 1)
    if not most or len(numbers) <= most:
        return numbers
    return sorted({first, last, *rng.sample(numbers, most)})


def journal(data: Path) -> frozenset[int]:
    """Find the journal's sectors on the card."""
    done = run("debugfs", "-R", "stat <8>", str(data))
    extents = re.findall(r"\(\d+(?:-\d+)?\):(\d+)(?:-(\d+))?", done.stdout)
    blocks = [block for a, b in extents for block in range(int(a), int(b or a) + 1)]
    if not blocks:
        raise ValueError(f"no journal was found: {done.stdout[-300:]}")
    return frozenset(DATA_START + block * BLOCK + n for block in blocks for n in range(BLOCK))
