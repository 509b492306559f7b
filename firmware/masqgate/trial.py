"""Whether the running system may stay: `python3 -m masqgate.trial`, started at each boot.

A system that can go back to another one must prove itself within a time limit, or it gives
itself up: the boot record then names the other slot, and the exit status 1 has the unit
restart the router. One that has nowhere to go is asked until it is healthy.
"""

from __future__ import annotations

import argparse
import logging
import sys
import time

from masqgate.contract.paths import Paths
from masqgate.core.bootstate import BootState
from masqgate.core.trial import Limits, judge
from masqgate.system import trial_notes
from masqgate.system.health import look
from masqgate.system.slots import Slots

LOOK_S = 5.0
GOOD, GIVEN_UP = 0, 1

log = logging.getLogger("masqgate.trial")


def run_trial(paths: Paths, slots: Slots, limits: Limits) -> int:
    """Wait for a verdict, and record it; return the exit status."""
    state = slots.read() or BootState()
    if state.is_good(slots.running):
        _came_up(paths, slots, state)
        return GOOD
    way_back = state.is_good(slots.spare)
    notes = trial_notes.read(paths)
    uplink = notes is not None and notes.slot == slots.running and notes.uplink_up
    began, told = time.monotonic(), ""
    while True:
        seen = look(paths)
        verdict = judge(seen, uplink and way_back, time.monotonic() - began, limits)
        if verdict.kind == "good":
            return _stay(paths, slots)
        if verdict.kind == "failed" and way_back:
            return _give_up(paths, slots, verdict.text)
        if verdict.text != told:
            told = verdict.text
            log.warning("slot %s is not good yet: %s", slots.running, told)
        time.sleep(LOOK_S)


def _stay(paths: Paths, slots: Slots) -> int:
    state = slots.read() or BootState()
    slots.write(state.marked_good(slots.running))
    log.warning("slot %s is good", slots.running)
    notes = trial_notes.read(paths)
    if notes is not None and notes.slot == slots.running and notes.ended is None:
        trial_notes.end(paths, "updated", f"Version {notes.version} was tried and kept.")
    return GOOD


def _give_up(paths: Paths, slots: Slots, why: str) -> int:
    log.error("slot %s is given up: %s", slots.running, why)
    notes = trial_notes.read(paths)
    version = notes.version if notes is not None and notes.slot == slots.running else "the update"
    _took_back(paths, version, why)
    state = slots.read() or BootState()
    slots.write(state.invalidated(slots.running))
    trial_notes.sync()
    return GIVEN_UP


def _came_up(paths: Paths, slots: Slots, state: BootState) -> None:
    """A good system runs: tell if it does because the update hung or panicked."""
    notes = trial_notes.read(paths)
    if notes is None or notes.ended is not None or notes.slot == slots.running:
        return
    if state.first == notes.slot and not state.is_good(notes.slot):
        # This is the start of the router: the other slot was tried first, whatever became of it.
        _took_back(paths, notes.version, "it was started, and never came up")
        slots.write(state.invalidated(notes.slot))


def _took_back(paths: Paths, version: str, why: str) -> None:
    text = f"Version {version} was tried and taken back: {why}."
    trial_notes.end(paths, "taken_back", text, "The version before it runs.")


def main(arguments: list[str] | None = None) -> int:
    """Run the trial of the running slot; return the exit status."""
    usual = Limits()
    parser = argparse.ArgumentParser(prog="masqgate.trial")
    parser.add_argument("--basic", type=float, default=usual.basic_s, metavar="SECONDS")
    parser.add_argument("--uplink", type=float, default=usual.uplink_s, metavar="SECONDS")
    chosen = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s", stream=sys.stderr)
    paths = Paths.from_environment()
    limits = Limits(chosen.basic, chosen.uplink)
    return run_trial(paths, Slots.of_this_router(paths), limits)


if __name__ == "__main__":
    sys.exit(main())
