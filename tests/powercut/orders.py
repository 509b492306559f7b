"""Which writes may be on a card after a power cut.

Two kinds of cards. One that keeps its word has stored what came before, in order: the states are
the prefixes, cut at every sector. One with a cache may store in any order what lies between two
flushes. The emulated card asks for no flush, as most real ones do not, so the kernel sends none;
where it would, ext4's journal tells: before and after each commit block and each write of the
journal's superblock (`jbd2` has them written with PREFLUSH and FUA).
"""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

from .blocklog import SECTOR, Write

BLOCK = 4096 // SECTOR
_MAGIC = 0xC03B3998
_COMMIT, _SUPERBLOCKS = 2, (3, 4)


@dataclass(frozen=True, slots=True)
class Unit:
    """Sectors of one block, written one after the other."""

    first: int  # number of the first write in the log
    writes: tuple[Write, ...]


@dataclass(frozen=True, slots=True)
class Epoch:
    """What lies between two flushes."""

    first: int  # number of the first write in the log
    units: tuple[Unit, ...]


def units(writes: Sequence[Write]) -> list[Unit]:
    """Group sectors that follow one another in one block."""
    found: list[Unit] = []
    run: list[Write] = []
    for number, write in enumerate(writes):
        if run and (write.at != run[-1].at + 1 or write.at % BLOCK == 0):
            found.append(Unit(number - len(run), tuple(run)))
            run = []
        run.append(write)
    if run:
        found.append(Unit(len(writes) - len(run), tuple(run)))
    return found


def epochs(
    writes: Sequence[Write], journal: frozenset[int], waited: frozenset[int] = frozenset()
) -> list[Epoch]:
    """Cut the writes at each flush; `journal`: its sectors on the card.

    `waited`: sectors that the router flushes before and after it writes them.
    """
    found: list[Epoch] = []
    open_: list[Unit] = []

    def close() -> None:
        if open_:
            found.append(Epoch(open_[0].first, tuple(open_)))
            open_.clear()

    for unit in units(writes):
        if unit.writes[0].at in waited or _is_barrier(unit, journal):
            close()
            open_.append(unit)
            close()
        else:
            open_.append(unit)
    close()
    return found


def ends_flushed(found: Sequence[Epoch], journal: frozenset[int]) -> bool:
    """Whether the last write is one that is followed by a flush."""
    return bool(found) and _is_barrier(found[-1].units[-1], journal)


def _is_barrier(unit: Unit, journal: frozenset[int]) -> bool:
    if unit.writes[0].at not in journal:
        return False
    magic, kind = struct.unpack_from(">II", unit.writes[0].data)
    return magic == _MAGIC and (kind == _COMMIT or kind in _SUPERBLOCKS)


def subsets(
    epoch: Epoch, rng: random.Random, samples: int, exhausted: int = 8
) -> Iterator[tuple[Write, ...]]:
    """Choose what of an epoch is on the card: all subsets of a small one, else a sample.

    `exhausted`: of how many blocks a small one has at most.
    One block in three of a sample's is torn: some of its sectors are there.
    """
    count = len(epoch.units)
    if count <= exhausted:
        for chosen in product((False, True), repeat=count):
            yield tuple(w for u, keep in zip(epoch.units, chosen, strict=True) if keep
                        for w in u.writes)  # fmt: skip
    for _ in range(samples if count > exhausted else min(samples, 2**count)):
        share = rng.choice((0.1, 0.5, 0.9))
        writes: list[Write] = []
        for unit in epoch.units:
            kept = list(unit.writes) if rng.random() < share else []
            if rng.random() < 1 / 3:
                kept = [write for write in unit.writes if rng.random() < 0.5]
            writes += kept
        yield tuple(writes)
