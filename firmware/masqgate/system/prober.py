"""Sends the uplinks' probes, each uplink's from a thread of its own, and posts what they showed.

A probe leaves by its uplink whether that carries the traffic or not: its socket is bound to the
interface and to the uplink's own address, which has a routing table of its own.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Iterable
from pathlib import Path

from masqgate.contract.rules import PROBE_BYTES
from masqgate.core.health import Job, Outcome
from masqgate.core.messages import Post, Probed

from .ping import Pong, ping

PROBE_DATA = 8  # bytes in a ping
WAIT_S = 4.0  # for an answer; the kernel gives up looking for a neighbour (ARP) after 3
JOIN_S = 1.0
NEIGHBOURS = Path("/proc/self/net/arp")  # of this process's network namespace
_ATF_COM = 0x2  # <net/if_arp.h>: the entry has a hardware address

log = logging.getLogger(__name__)


class Prober:
    """All probes. Called from the supervisor's loop alone."""

    def __init__(self, post: Post) -> None:
        self._post = post
        self._running: dict[str, _Probing] = {}

    def update(self, jobs: Iterable[Job]) -> None:
        """Probe for these jobs, and for no others; one that has not changed runs on."""
        wanted = {job.name: job for job in jobs}
        for name, probing in list(self._running.items()):
            if wanted.get(name) != probing.job:
                self._running.pop(name).stop()
        for name, job in wanted.items():
            if name not in self._running:
                self._running[name] = _Probing(job, self._post)

    def close(self) -> None:
        """End all threads."""
        for probing in self._running.values():
            probing.stop()
        for probing in self._running.values():
            probing.join()
        self._running = {}


class _Probing:
    """The thread of one job."""

    def __init__(self, job: Job, post: Post) -> None:
        self.job = job
        self._post = post
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"probe-{job.name}", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Have the thread end; a probe that is under way is not told any more."""
        self._stop.set()

    def join(self) -> None:
        """Wait a moment for the thread's end."""
        with contextlib.suppress(RuntimeError):
            self._thread.join(JOIN_S)

    def _run(self) -> None:
        while not self._stop.is_set():
            began = time.monotonic()
            try:
                outcome = probe(self.job)
            except Exception:  # the thread must live: without it no uplink is ever called well
                log.exception("probing %s failed", self.job.name)
                outcome = Outcome(self.job.targets[0], error="the probe itself failed", spent=0)
            if not self._stop.is_set():
                self._post(Probed(self.job, outcome))
            self._stop.wait(max(0.5, self.job.interval_s - (time.monotonic() - began)))


def probe(job: Job) -> Outcome:
    """Ask one target after another until one answers; never raises for want of an answer."""
    spent = 0
    pongs: list[Pong] = []
    for target in job.targets:
        way = (job.way.interface, job.way.address)
        pong = ping(target, PROBE_DATA, attempts=1, wait_s=WAIT_S, way=way)
        pongs.append(pong)
        spent += PROBE_BYTES
        if pong.ms is not None:
            return Outcome(target, ms=pong.ms, spent=spent)
    gone = all(is_gone(target, job.way.interface) for target in job.targets)
    error = "nobody has this address" if gone else pongs[-1].error
    return Outcome(", ".join(job.targets), error=error, gone=gone, spent=spent)


def is_gone(address: str, interface: str) -> bool:
    """Whether the kernel has looked for a neighbour, and found none (see arp(7))."""
    with contextlib.suppress(OSError):
        for line in NEIGHBOURS.read_text().splitlines()[1:]:
            fields = line.split()  # address, hardware type, flags, hardware address, mask, device
            if len(fields) == 6 and (fields[0], fields[5]) == (address, interface):
                return not int(fields[2], 16) & _ATF_COM
    return False
