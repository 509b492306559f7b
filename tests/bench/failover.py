"""How long nobody is answered when the preferred uplink fails, and when it comes back."""

from __future__ import annotations

import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

from tests.lab import places
from tests.lab.lab import Lab
from tests.system.test_failover import CABLE

from .stopwatch import PATIENCE_S, Stopwatch, apply, load, span

PORT = "/sys/class/net/usb1/device/.."
HEAD = """\
| What | Seconds | N | Host's load |
|---|---|---|---|"""


class Pings:
    """A-box pings a server five times a second while the block runs."""

    def __init__(self, lab: Lab, log: Path) -> None:
        self._lab = lab
        self._log = log

    @contextmanager
    def running(self) -> Iterator[None]:
        """Ping, and wait for the first answer."""
        ping = ["ping", "-n", "-D", "-i", "0.2", places.WEB]
        with self._log.open("w") as out:
            program = subprocess.Popen(self._lab.boxes["A"].namespace.command(ping), stdout=out)
            try:
                self.answered(0.0)
                yield
            finally:
                program.send_signal(signal.SIGINT)
                program.wait()

    def times(self) -> list[float]:
        """When answers came."""
        found = re.findall(r"^\[([0-9.]+)\] .*ttl=", self._log.read_text(), re.M)
        return [float(at) for at in found]

    def answered(self, after: float) -> float:
        """Wait for an answer after a moment; when it came."""
        end = time.time() + PATIENCE_S
        while time.time() < end:
            if later := [at for at in self.times() if at > after]:
                return later[0]
            time.sleep(0.1)
        raise TimeoutError("no ping is answered")

    def gap(self, after: float) -> float:
        """The longest time without an answer since a moment."""
        times = [at for at in self.times() if at > after - 1]
        return max((later - before for before, later in pairwise(times)), default=0.0)


def measure(watch: Stopwatch, count: int) -> list[str]:
    """Fail over and back in three ways; rows of a table."""
    lab = watch.lab
    before = lab.cli("config", "show", timeout_s=PATIENCE_S).output
    at = before.index("[[uplink]]")
    apply(lab, before[:at] + CABLE + before[at:])
    lab.connect_ethernet()
    _active(lab, "cable")
    pings = Pings(lab, lab.logs / "pings")
    found = lab.console.run(f"readlink -f {PORT}", PATIENCE_S).output.split()[-1]

    def pull(out: bool) -> float:
        return watch.on_router(f"write {int(not out)} {found}/authorized")

    def silence(out: bool) -> float:
        began = time.time()
        lab.connect_ethernet(not out)
        return began

    def beyond(out: bool) -> float:
        began = time.time()
        lab.break_ethernet(out)
        return began

    rows: list[str] = []
    for name, act in (("adapter pulled", pull), ("silent", silence), ("dead beyond", beyond)):
        rows += _both_ways(watch, pings, f"Ethernet {name}", act, count)
    lab.connect_ethernet(False)
    apply(lab, before)
    _active(lab, "modem1")
    return rows


def _both_ways(
    watch: Stopwatch, pings: Pings, name: str, act: Callable[[bool], float], count: int
) -> list[str]:
    lab = watch.lab
    away: list[float] = []
    back: list[float] = []
    loads: list[float] = []
    for _ in range(count):
        with pings.running():
            began = act(True)
            _active(lab, "modem1")
            pings.answered(time.time())
            away.append(pings.gap(began))
        began = act(False)
        chosen = watch.told(began, _back)
        back.append(chosen - began)
        _active(lab, "cable")
        loads.append(load())
        lab.say(f"{name}: {span(away)}; back {span(back)}")
    told = f"{min(loads):.0f} to {max(loads):.0f}"
    return [
        f"| {name}, until A-box is answered by the modem | {span(away)} | {count} | {told} |",
        f"| It lives again, until it carries the traffic | {span(back)} | {count} | {told} |",
    ]


def _back(event: dict[str, Any]) -> bool:
    return event["code"] == "uplink_chosen" and "through cable now" in event["text"]


def _active(lab: Lab, name: str) -> None:
    lab.wait_status(lambda s: s["active"] == name, PATIENCE_S, f"traffic goes by {name}")
