"""Record, replay, start: `make powercut`. See docs/POWERCUTS.md.

Prints a table in Markdown; ends with 1 if a state is a bad one.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.lab.lab import Lab
from tests.lab.pi import Image
from tests.lab.world import ROOT

from .kills import Kill, kills
from .record import marks, record
from .replay import Limits, Recording, Result
from .starts import starts

FOLDER = ROOT / "build" / "powercut"
SHOWN = 5  # bad states of an operation that are told one by one
HEAD = (
    "| Operation | Sectors written | Cut in order | Reordered | Looked at | Old | New | Bad |\n"
    "|---|---|---|---|---|---|---|---|"
)


def main(words: list[str]) -> int:
    """Do all of it, or a part."""
    wanted = _parser().parse_args(words)
    image = Image.of(wanted.image)
    folder, logs = wanted.folder, ROOT / "build" / "lab-logs" / "powercut"
    killed: list[Kill] = []
    if not wanted.replay_only:

        def kill(lab: Lab) -> None:
            killed.extend(kills(lab, wanted.kills, wanted.seed))

        record(image, folder, logs, kill)
    limits = Limits(wanted.prefixes, wanted.subsets, wanted.epochs)
    with tempfile.TemporaryDirectory(dir=_memory()) as work:
        print(f"Seed {wanted.seed}\n\n{HEAD}", flush=True)
        bad = [result.mark.name for result in replay(folder, Path(work), limits, wanted.seed)
               if _tell(result)]  # fmt: skip
    if not wanted.replay_only:
        bad += starts(image, folder, logs, wanted.starts, wanted.seed)
    bad += [f"kill during a {one.during}" for one in killed if one.bad]
    print(f"\nBad: {', '.join(bad)}" if bad else "\nNo bad state.")
    return 1 if bad else 0


def replay(folder: Path, work: Path, limits: Limits, seed: int) -> Iterator[Result]:
    """Judge the states of every operation of a recording."""
    recordings: dict[str, Recording] = {}
    for mark in marks(folder):
        name = mark.recording
        if name not in recordings:
            recordings[name] = Recording(folder / name, work / name)
        yield recordings[name].judge(mark, limits, seed)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.powercut", description=__doc__)
    parser.add_argument("--image", type=Path, default=ROOT / "build" / "masqgate.img")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where the recording is kept")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--replay-only", action="store_true", help="judge the last recording")
    parser.add_argument("--prefixes", type=int, default=0, help="of an operation; 0: all")
    parser.add_argument("--epochs", type=int, default=0, help="of an operation; 0: all")
    parser.add_argument("--subsets", type=int, default=32, help="of an epoch of many blocks")
    parser.add_argument("--starts", type=int, default=4, help="states that are started")
    parser.add_argument("--kills", type=int, default=10, help="kills of the running board")
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


def _memory() -> Path | None:
    """Judging writes much: into memory, if the system has a folder for that."""
    folder = Path("/dev/shm")
    return folder if folder.is_dir() else None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
