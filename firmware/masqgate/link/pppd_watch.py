"""pppd, as a machine sees it: started, alive, told to end, killed, gone."""

from __future__ import annotations

from . import events as ev
from .events import Timer
from .outbox import Outbox
from .timings import Timings

MISSED_ECHOES = 3  # intervals in which pppd neither woke nor wrote: it has stopped working
STUCK_AFTER = 2  # KILLs after which people are told


class PppdWatch:
    """One pppd at a time; what is decided goes into the machine's outbox."""

    def __init__(self, out: Outbox, timings: Timings) -> None:
        self.runs = False  # it was started and has not ended
        self._out = out
        self._timings = timings
        self._kills = 0

    def start(self, command: ev.StartPppd) -> None:
        """Start it."""
        self.runs = True
        self._out.add(command)

    def alive(self, echo_interval_s: int, *, up: bool) -> None:
        """There was a sign of life; the next one is due in time."""
        up_s = MISSED_ECHOES * echo_interval_s + self._timings.silence
        self._out.set(Timer.LIFE, up_s if up else self._timings.stall)

    def terminate(self) -> None:
        """Ask it to end."""
        self._kills = 0
        self._out.add(ev.TerminatePppd())
        self._out.set(Timer.KILL, self._timings.terminate)

    def kill(self) -> bool:
        """KILL it, again and again; True if it is time to tell people.

        In the kernel's hands even a process that is killed may wait.
        """
        self._kills += 1
        self._out.add(ev.KillPppd())
        self._out.set(Timer.KILL, self._timings.kill * min(self._kills, 6))
        return self._kills == STUCK_AFTER

    def gone(self) -> None:
        """It has ended, or was never there."""
        self.runs = False
        self._out.cancel(Timer.KILL)
