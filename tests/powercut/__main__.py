"""Record, replay, start: `make powercut`. See docs/POWERCUTS.md.

Prints a table in Markdown; ends with 1 if a state is a bad one.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.lab.pi import Image
from tests.lab.world import ROOT

from .kills import KINDS, MOST_STARTS, kills
from .record import UPDATE, marks, record
from .replay import Limits, Recording, Result
from .starts import starts
from .uboot import UBoot, torn, trouble
from .updates import Systems

LOGS = ROOT / "build" / "lab-logs" / "powercut"
# Of an update's hundred thousand sectors, a sample.
UPDATE_LIMITS = Limits(prefixes=300, subsets=32, exhausted=2)
Wanted = argparse.Namespace
FOLDER = ROOT / "build" / "powercut"
SHOWN = 5  # bad states of an operation that are told one by one
HEAD = (
    "| Operation | Sectors written | Cut in order | Reordered | Looked at | Old | New | Bad |\n"
    "|---|---|---|---|---|---|---|---|"
)


def main(words: list[str]) -> int:
    """Do all of it, or one part."""
    wanted = _parser().parse_args(words)
    parts = [wanted.only] if wanted.only else list(PARTS)
    bad = [name for part in parts for name in PARTS[part](wanted)]
    print(f"\nBad: {', '.join(bad)}" if bad else "\nNo bad state.")
    return 1 if bad else 0


def _record(wanted: Wanted) -> list[str]:
    with _folder() as work:
        image = Image.of(wanted.image)
        record(image, wanted.folder, LOGS / "record", Systems.of(image, work))
    return []


def _replay(wanted: Wanted) -> list[str]:
    limits = Limits(wanted.prefixes, wanted.subsets, wanted.epochs)
    with _folder() as work:
        print(f"Seed {wanted.seed}\n\n{HEAD}", flush=True)
        return [result.mark.name for result in replay(wanted.folder, work, limits, wanted.seed)
                if _tell(result)]  # fmt: skip


def _uboot(wanted: Wanted) -> list[str]:
    rng = random.Random(f"{wanted.seed} boot state")
    bad = []
    with _folder() as work, UBoot(Image.of(wanted.image), work) as uboot:
        for one in torn(rng, wanted.states):
            if why := trouble(uboot, one):
                print(f"bad: boot state, {one.what}: {why}", file=sys.stderr)
                bad.append(f"boot state, {one.what}")
    print(f"U-Boot: {wanted.states} torn boot states, {len(bad)} bad", flush=True)
    return bad


def _starts(wanted: Wanted) -> list[str]:
    image, folder = Image.of(wanted.image), wanted.folder
    return starts(image, folder, LOGS / "starts", wanted.starts, wanted.seed)


def _kills(wanted: Wanted) -> list[str]:
    bad = []
    made = kills(
        Image.of(wanted.image), LOGS / "kills", wanted.kills, wanted.seed,
        wanted.during or KINDS, wanted.again,
    )  # fmt: skip
    for one in made:
        when = "acknowledged" if one.acknowledged else "under way"
        print(f"kill after {one.after_s:.1f} s of a {one.during}, {when}: {one.found}", flush=True)
        if one.bad:
            bad.append(f"kill during a {one.during}")
    return bad


PARTS = {
    "record": _record, "replay": _replay, "uboot": _uboot, "starts": _starts, "kills": _kills,
}  # fmt: skip


def replay(folder: Path, work: Path, limits: Limits, seed: int) -> Iterator[Result]:
    """Judge the states of every operation of a recording."""
    recordings: dict[str, Recording] = {}
    for mark in marks(folder):
        name = mark.recording
        if name not in recordings:
            recordings[name] = Recording(folder / name, work / name)
        yield recordings[name].judge(mark, UPDATE_LIMITS if name == UPDATE else limits, seed)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.powercut", description=__doc__)
    parser.add_argument("--image", type=Path, default=ROOT / "build" / "masqgate.img")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where the recording is kept")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", choices=list(PARTS), help="one part of it")
    parser.add_argument("--prefixes", type=int, default=0, help="of an operation; 0: all")
    parser.add_argument("--epochs", type=int, default=0, help="of an operation; 0: all")
    parser.add_argument("--subsets", type=int, default=32, help="of an epoch of many blocks")
    parser.add_argument("--starts", type=int, default=4, help="states that are started")
    parser.add_argument("--states", type=int, default=500, help="torn boot states")
    parser.add_argument("--kills", type=int, default=10, help="kills of the running board")
    parser.add_argument("--during", action="append", choices=KINDS, help="all, if not given")
    parser.add_argument(
        "--again", type=int, default=MOST_STARTS, help="most starts killed after each"
    )
    return parser


def _tell(result: Result) -> bool:
    old, new = result.outcomes["old"], result.outcomes["new"]
    cells = (result.mark.name, result.writes, result.prefixes,
             f"{result.subsets} in {result.epochs} epochs", result.distinct, old, new,
             len(result.bad))  # fmt: skip
    print("| " + " | ".join(map(str, cells)) + " |", flush=True)
    for state, why in result.bad[:SHOWN]:
        print(f"bad: {result.mark.name}, {state}: {why}", file=sys.stderr)
    return bool(result.bad)


@contextmanager
def _folder() -> Iterator[Path]:
    """A folder for what is written much: in memory, if the system has one there."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as name:
        yield Path(name)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
