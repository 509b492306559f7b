"""Moments of the lab and of the router on one clock, and what is told of several of them.

The router's time of day is set to the host's once; what is left of the difference is measured by
asking for it over the console, and taken into account. Emulated and real time do not drift apart.
"""

from __future__ import annotations

import contextlib
import json
import statistics
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from tests.lab.lab import Lab
from tests.lab.processes import LabError

from .hand import Hand

PATIENCE_S = 900.0
EVENTS = "/data/log/events.jsonl"
LOOK_S = 0.05
READ_S = 3.0  # between two looks at the router's history: each one costs it time
NEWEST = 30
AHEAD_S = 60.0  # what seems to be later was written when the clock was wrong


class Stopwatch:
    """Times of the host (time.time) for what happens on the router, at the modem and beyond."""

    def __init__(self, lab: Lab) -> None:
        """Set the router's clock; `error_s` is how well the two are known to agree."""
        self.lab = lab
        lab.console.run(f"date -s @{time.time():.0f}", PATIENCE_S)
        self.hand = Hand(lab)
        self.hand.do("now")
        began = time.time()
        told = float(self.hand.do("now"))
        ended = time.time()
        self._ahead_s = told - (began + ended) / 2
        self.error_s = (ended - began) / 2
        self._dials: list[float] = []
        self._ups: list[float] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look, name="stopwatch", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the watching."""
        self._ended.set()
        self._thread.join()

    def _look(self) -> None:
        """Write down when somebody dialed, and when IP came up at the provider."""
        known, was_up = len(self.lab.exchange.network.dialed), False
        while not self._ended.wait(LOOK_S):
            with contextlib.suppress(LabError, RuntimeError):
                count, is_up, now = (
                    len(self.lab.exchange.network.dialed),
                    self.lab.isp.up,
                    time.time(),
                )
                self._dials += [now] * (count - known)
                if is_up and not was_up:
                    self._ups.append(now)
                known, was_up = count, is_up

    def on_router(self, words: str) -> float:
        """Have a fault made on the router (see `Hand.do`); the moment just before it."""
        return float(self.hand.do(words)) - self._ahead_s

    def events(self, after: float) -> list[dict[str, Any]]:
        """The router's history from a moment on; `at` is on the host's clock."""
        text = self.lab.console.run(f"tail -n {NEWEST} {EVENTS}", PATIENCE_S).output
        found = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
        for event in found:
            event["at"] -= self._ahead_s
        return [event for event in found if after < event["at"] < time.time() + AHEAD_S]

    def told(self, after: float, wanted: Callable[[dict[str, Any]], bool]) -> float:
        """Wait for an event; when it happened."""
        end = time.time() + PATIENCE_S
        while time.time() < end:
            for event in self.events(after):
                if wanted(event):
                    return float(event["at"])
            time.sleep(READ_S)
        raise LabError("the router's history does not tell what was waited for")

    def dials(self) -> int:
        """How often anybody has dialed so far."""
        return len(self._dials)

    def dialed(self, before: int) -> float:
        """Wait until more was dialed than `before`; when it was."""
        self.seen(lambda: len(self._dials) > before, "the router dials")
        return self._dials[before]

    def up(self, after: float) -> float:
        """Wait until IP has come up at the provider after a moment; when it did."""
        self.seen(lambda: any(at > after for at in self._ups), "IP at the provider")
        return next(at for at in self._ups if at > after)

    def seen(self, condition: Callable[[], bool], what: str) -> float:
        """Wait for something in the lab; when it was seen."""
        end = time.time() + PATIENCE_S
        while time.time() < end:
            if condition():
                return time.time()
            time.sleep(LOOK_S)
        raise LabError(f"not within {PATIENCE_S:g} s: {what}")


def span(values: Iterable[float]) -> str:
    """Median and range in words, as in `12.1 (11.8 to 13.0)`; a single value alone."""
    found = sorted(values)
    if not found:
        return "–"
    if len(found) == 1:
        return f"{found[0]:.1f}"
    return f"{statistics.median(found):.1f} ({found[0]:.1f} to {found[-1]:.1f})"


def load() -> float:
    """What the host has to do: its load of the last minute."""
    return float(Path("/proc/loadavg").read_text().split()[0])


def apply(lab: Lab, document: str) -> None:
    """Put a configuration in force."""
    lab.console.put("/tmp/bench.toml", document.encode())
    done = lab.cli("config", "apply", "/tmp/bench.toml", timeout_s=PATIENCE_S)
    if done.code != 0:
        raise RuntimeError(done.output)
