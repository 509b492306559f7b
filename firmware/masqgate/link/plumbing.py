"""What both machines of a modem stand on: state, timers, notes, the port, talk, a call's end.

The dialing machine (`machine.py`) and the answering one (`answering.py`) build on this.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Literal, Protocol

from ..contract.status import LinkState, Reason
from . import dialogs, reasons
from .events import (
    CancelTimer,
    ClosePort,
    Command,
    Event,
    KillPppd,
    Note,
    OpenPort,
    PortFailed,
    PppdBegan,
    SetTimer,
    TerminatePppd,
    Timer,
)
from .facts import CallFacts, ModemFacts
from .talk import Talk
from .text import harmless
from .timings import Timings

STUCK_AFTER = 2  # KILLs after which people are told


class Port(Protocol):
    """A modem's serial port, as configured."""

    @property
    def port(self) -> str:
        """Its path."""

    @property
    def speed(self) -> int:
        """Its rate in bit/s."""

    @property
    def flow_control(self) -> bool:
        """Whether RTS/CTS are wired."""


class Plumbing(ABC):
    """State and what is done with it; which event does what is in the machines' tables."""

    def __init__(self, timings: Timings, pin_mark: str = "") -> None:
        self.state = LinkState.OFF
        self.reason = reasons.state("off")
        self.deadlines: dict[Timer, float] = {}  # of the timers that run, monotonic seconds
        self.modem = ModemFacts(pin_mark=pin_mark)
        self.call = CallFacts()
        self._timings = timings
        self._now = 0.0
        self._out: list[Command] = []
        self._talk: Talk | None = None
        self._pppd = False  # pppd was started and has not ended
        self._tries_of_kill = 0

    @property
    @abstractmethod
    def port(self) -> Port:
        """The serial port, as configured."""

    # Timers and notes

    def _enter(self, state: LinkState, reason: Reason) -> None:
        self.state, self.reason = state, reason

    def _let_go(self) -> None:
        """Close the port, stop all timers, end the dialog."""
        self._cancel_all()
        self._out.append(ClosePort())

    def _cancel_all(self) -> None:
        if self._talk is not None:
            self._talk.close()
            self._talk = None
        for timer in list(self.deadlines):
            self._cancel(timer)

    def _set(self, timer: Timer, seconds: float) -> None:
        self.deadlines[timer] = self._now + seconds
        self._out.append(SetTimer(timer, seconds))

    def _cancel(self, timer: Timer) -> None:
        if self.deadlines.pop(timer, None) is not None:
            self._out.append(CancelTimer(timer))

    def _note(
        self, code: str, text: str, level: Literal["info", "warning", "error"] = "info"
    ) -> None:
        self._out.append(Note(code, text, level))

    # The port

    def _ask_for_port(self) -> None:
        port = self.port
        self._set(Timer.PORT, self._timings.port_open)
        self._out.append(OpenPort(port.port, port.speed, port.flow_control))

    def _look_for_port(self, _: Event) -> None:
        """Either it is time to look again, or the open got stuck: give that one up."""
        self._out.append(ClosePort())
        self._ask_for_port()

    def _no_port(self, event: PortFailed) -> None:
        codes = {
            "missing": "port_missing", "busy": "port_locked", "broken": "port_broken",
            "console": "port_console", "lent_window": "port_lent_window",
            "lent_jumper": "port_lent_jumper", "lent_file": "port_lent_file",
        }  # fmt: skip
        self._lack_port(codes[event.problem], event.detail)

    def _port_stuck(self, _: Event) -> None:
        self._lack_port("port_stuck", "")

    def _lack_port(self, code: str, detail: str) -> None:
        self._let_go()
        reason = reasons.state(code, self.port.port)
        if self.state is not LinkState.NO_PORT or self.reason != reason:
            more = f" ({harmless(detail)})" if detail else ""
            self._note(code, reason.text + more, "error")
        self._enter(LinkState.NO_PORT, reason)
        self._set(Timer.PORT, self._timings.port_poll)

    def _still_no_port(self, event: PortFailed) -> None:
        self._no_port(event)

    # Talking to the modem

    def _say(self, talk: Talk) -> None:
        """Begin a dialog with the modem; `_talked` is called when it ends."""
        self._talk = talk
        self._carry(talk.begin())

    def _carry(self, commands: list[Command]) -> None:
        for command in commands:
            if isinstance(command, SetTimer):
                self._set(command.timer, command.seconds)
            else:
                self._out.append(command)
        talk = self._talk
        if talk is None:
            return
        if talk.progress and self.reason.code != talk.progress:
            self.reason = reasons.state(talk.progress)
        if talk.done:
            self._talk = None
            self._cancel(Timer.STEP)
            self._talked(talk)

    @abstractmethod
    def _talked(self, talk: Talk) -> None:
        """Go on after a dialog."""

    # The end of a call

    def _hang_up(self, why: Reason) -> None:
        """End the call that is up or on its way."""
        self._cancel_all()
        self._call_over(why)
        self.call.up = False
        self._enter(LinkState.HANGING_UP, why)
        self._tries_of_kill = 0
        if self._pppd:
            self._out.append(TerminatePppd())
            self._set(Timer.KILL, self._timings.terminate)
        else:
            self._reopen()

    @abstractmethod
    def _call_over(self, why: Reason) -> None:
        """Tell people that a call is over."""

    @abstractmethod
    def _settle(self) -> None:
        """Nothing is held any more but perhaps the port: go where the link belongs."""

    def _pppd_began_late(self, event: PppdBegan) -> None:
        self.call.pppd_pid = event.pid
        self._out.append(TerminatePppd())

    def _logged_late(self, event: Event) -> None:  # noqa: B027 - it does nothing in any machine
        """What pppd tells while it ends does not change the reason for ending."""

    def _kill_pppd(self, _: Event) -> None:
        """It does not end: KILL, again and again; in the kernel's hands even that may wait."""
        self._tries_of_kill += 1
        if self._tries_of_kill == STUCK_AFTER:
            self.reason = reasons.state("pppd_stuck")
            self._note("pppd_stuck", self.reason.text, "error")
        self._out.append(KillPppd())
        self._set(Timer.KILL, self._timings.kill * min(self._tries_of_kill, 6))

    def _pppd_gone(self, _: Event) -> None:
        self._pppd = False
        self._cancel(Timer.KILL)
        self._reopen()

    def _reopen(self) -> None:
        """Open the port anew, which drops DTR; the old descriptor may be hung up."""
        self.call.pppd_pid = None
        self._out.append(ClosePort())
        self._ask_for_port()

    def _hang_up_modem(self, _: Event) -> None:
        if self._pppd:
            return
        self._cancel(Timer.PORT)
        self._say(Talk(dialogs.hang_up(self._timings)))

    def _port_gone(self, _: Event) -> None:
        """The port is not there to hang up with: closed, it has DTR low.

        The wait comes first, whether the port comes back at once or not: modems that are found
        anew at each hang-up would be dialed without a pause. The next open finds it missing.
        """
        if not self._pppd:
            self._settle()
