"""Asks a modem by its second port while a call is up: registration, operator, signal. Pure.

Theory of operation. During a call the first port carries PPP. `follow` names the other one (or
none); it is opened, asked, and asked again every half minute. Whatever goes wrong there closes
it, and the next turn opens it anew: so a port that comes back, under another number perhaps, is
found. What is heard becomes one kind of event, `Looked`, which the link machine takes or leaves:
there is no way from here to the call. Its timers are its own, and one of them always runs while
there is a port to ask.
"""

from __future__ import annotations

from typing import Literal

from ..contract.status import Reason
from . import events as ev
from .events import Timer
from .facts import Network
from .mobile import look
from .talk import Talk
from .timings import Timings

FLOOD = 65_536  # bytes between two turns; a modem in command state says far less
PATIENCE = 2  # turns in vain until people are told
STEADY = 10  # good turns in a row after which a trouble is told anew

_NAME_ANOTHER = "Name another port of this modem as 'status_port': not every one takes commands."
_CONSOLE = "Name another port as 'status_port' of this uplink."
TROUBLES = {  # what is wrong with the port, and what to do
    "missing": ("is not there", "Check the plug, or correct 'status_port' of this uplink."),
    "lost": ("went away", "Check the plug, or correct 'status_port' of this uplink."),
    "busy": ("is used by another program", "End that program, or name another port."),
    "broken": ("does not open", "Is it a serial port?"),
    "stuck": ("does not open in time", "Unplug the modem, plug it in again."),
    "same": ("is the one that carries the call", _NAME_ANOTHER),
    "console": ("is the router's own console", _CONSOLE),
    "lent_window": ("became the console when a key was pressed at the start", _CONSOLE),
    "lent_jumper": ("is the console: pins 17 and 18 are joined", _CONSOLE),
    "lent_file": ("is the console: console.txt lies on the card", _CONSOLE),
    "modem_silent": ("does not answer", _NAME_ANOTHER),
    "modem_garbled": ("says what no modem says", _NAME_ANOTHER),
    "modem_echoes": ("only sends back what is sent", _NAME_ANOTHER),
    "tells_nothing": ("tells neither signal nor operator", _NAME_ANOTHER),
}

Output = ev.Command | ev.Looked
Phase = Literal["off", "opening", "asking", "resting", "closed"]


class SignalWatch:
    """One port to ask, or none at the moment. Events in; commands, and what was heard, out."""

    def __init__(self, timings: Timings) -> None:
        self.phase: Phase = "off"
        self._timings = timings
        self._order: ev.OpenPort | None = None
        self._path = ""  # of the newest order
        self._talk: Talk | None = None
        self._network = Network()
        self._bytes = 0  # heard since the turn began
        self._failed = self._good = 0  # turns, one after the other
        self._told: set[str] = set()  # troubles that people know of
        self._in_trouble = False  # whether people believe that one goes on

    def follow(self, order: ev.OpenPort | None) -> list[Output]:
        """Ask this port from now on; with None, ask nobody."""
        if order == self._order:
            return []
        self._order, self._failed, self._good = order, 0, 0
        commands = self._close("off")
        if order is None:
            return commands
        if order.path != self._path:
            self._path, self._told, self._in_trouble = order.path, set(), False
        return [*commands, *self._begin(order)]

    def handle(self, event: ev.Event) -> list[Output]:
        """Take an event of the port's, or the end of a timer; return what to do."""
        is_open = self.phase in ("asking", "resting")
        match event:
            case ev.PortOpened() if self.phase == "opening":
                return self._ask()
            case ev.PortFailed(problem) if self.phase == "opening":
                return self.refuse(problem)
            case ev.PortLost() if is_open or self.phase == "opening":
                return self.refuse("lost")
            case ev.PortData(data) if is_open:
                return self._hear(data)
            case ev.TimerExpired(Timer.STEP) if self._talk is not None:
                return self._carry(self._talk, self._talk.time_up())
            case ev.TimerExpired(Timer.PORT):
                return self._turn()
        return []

    def refuse(self, trouble: str) -> list[Output]:
        """This turn is in vain, for this trouble: close the port, open it anew later."""
        self._failed, self._good = self._failed + 1, 0
        patience = self._failed < PATIENCE
        wait = self._timings.live_retry if patience else self._timings.live
        commands = [*self._close("closed"), ev.SetTimer(Timer.PORT, wait)]
        if patience:
            return commands
        why = reason(trouble, self._path)
        note = None
        if trouble not in self._told:
            note = ev.Note(why.code, f"{why.text} {why.hint}", "warning")
            self._told.add(trouble)
            self._in_trouble = True
        return [*commands, ev.Looked(None, why, note)]

    def _turn(self) -> list[Output]:
        if self.phase == "opening":
            return self.refuse("stuck")
        if self.phase == "closed" and self._order is not None:
            return self._begin(self._order)
        return self._ask() if self.phase == "resting" else []

    def _begin(self, order: ev.OpenPort) -> list[Output]:
        self.phase = "opening"
        return [ev.SetTimer(Timer.PORT, self._timings.port_open), order]

    def _close(self, phase: Phase) -> list[Output]:
        self.phase = phase
        if self._talk is not None:
            self._talk.close()
            self._talk = None
        return [ev.CancelTimer(Timer.STEP), ev.CancelTimer(Timer.PORT), ev.ClosePort()]

    def _ask(self) -> list[Output]:
        self.phase, self._bytes, self._network = "asking", 0, Network()
        self._talk = Talk(look(self._network, self._timings))
        return [ev.CancelTimer(Timer.PORT), *self._carry(self._talk, self._talk.begin())]

    def _hear(self, data: bytes) -> list[Output]:
        self._bytes += len(data)
        if self._bytes > FLOOD:
            return self.refuse("modem_garbled")
        return [] if self._talk is None else self._carry(self._talk, self._talk.hear(data))

    def _carry(self, talk: Talk, commands: list[ev.Command]) -> list[Output]:
        if not talk.done:
            return [*commands]
        self._talk = None
        if talk.outcome is not None:
            return [*commands, *self.refuse(talk.outcome[0])]
        return [*commands, *self._succeed()]

    def _succeed(self) -> list[Output]:
        self.phase = "resting"
        self._failed, self._good = 0, self._good + 1
        note = None
        if self._in_trouble:
            text = f"The modem's second port {self._path} answers again."
            note = ev.Note("status_port", f"{text} Signal and operator are live.")
            self._in_trouble = False
        if self._good >= STEADY:
            self._told.clear()
        wait = ev.SetTimer(Timer.PORT, self._timings.live)
        return [ev.CancelTimer(Timer.STEP), wait, ev.Looked(self._network, None, note)]


def reason(trouble: str, path: str) -> Reason:
    """Return what people are told of a trouble."""
    clause, hint = TROUBLES[trouble]
    text = f"The modem's second port {path} {clause}: signal and operator are not live."
    return Reason(
        f"status_port_{trouble.removeprefix('modem_')}", f"{text} The call goes on.", hint
    )
