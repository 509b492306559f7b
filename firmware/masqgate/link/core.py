"""What all of the link machine stands on: its state, timers, notes, and where a link settles."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Literal

from ..contract.dialer import DialerConfig
from ..contract.status import LinkState, LinkStatus, Reason
from . import dialogs, reasons
from .backoff import Backoff, Cause
from .events import (
    CancelTimer,
    ClosePort,
    Command,
    Event,
    Exit,
    Note,
    OpenPort,
    PortFailed,
    SetTimer,
    Timer,
    TimerExpired,
)
from .facts import CallFacts, ModemFacts, inside
from .table import TABLE, trigger
from .talk import Talk
from .text import harmless
from .timings import Timings

DEAD_MODEM = frozenset({"modem_silent", "modem_garbled", "modem_echoes"})
RESET_EVERY = 6  # failed calls in a row after which a mobile modem is restarted
NO_FAILURE = ("carrier_lost", "")  # told if none is remembered


class Core(ABC):
    """State and plumbing; the handlers of events are in the classes that build on it."""

    def __init__(
        self,
        config: DialerConfig,
        timings: Timings,
        chance: Callable[[], float],
        pin_mark: str = "",
    ) -> None:
        self.config = config
        self.state = LinkState.OFF
        self.reason = reasons.state("off")
        self.deadlines: dict[Timer, float] = {}  # of the timers that run, monotonic seconds
        self.modem = ModemFacts(pin_mark=pin_mark)
        self.call = CallFacts()
        self.attempts = 0
        self.calls = 0
        self.resets: dict[str, int] = {}
        self._timings = timings
        self._backoff = Backoff(timings, chance)
        self._now = 0.0
        self._out: list[Command] = []
        self._talk: Talk | None = None
        self._failure = NO_FAILURE
        self._wanted = False
        self._by_hand = False  # the link is down because a person said so
        self._redial_now = False
        self._ending = False
        self._pppd = False  # pppd was started and has not ended
        self._ladder = 0  # the next step of the recovery ladder
        self._tries_of_kill = 0

    def handle(self, event: Event, now: float) -> tuple[Command, ...]:
        """Take an event; return what to do, in sequence. `now` is monotonic, in seconds."""
        row = TABLE[self.state].get(trigger(event))
        if isinstance(event, TimerExpired) and self.deadlines.pop(event.timer, None) is None:
            return ()
        if row is None or self.ended:
            return ()
        self._now, self._out = now, []
        getattr(self, row.handler)(event)
        return tuple(self._out)

    @property
    def ended(self) -> bool:
        """Whether the machine has let go of everything for good."""
        return self._ending and self.state is LinkState.OFF

    def status(self, now: float, since_at: float) -> LinkStatus:
        """Return what to tell; `since_at` is the Unix time of the last change of state."""
        redial = self.deadlines.get(Timer.REDIAL)
        call = self.call
        return LinkStatus(
            name=self.config.modem.name,
            state=self.state,
            reason=self.reason,
            since_at=since_at,
            interface=self.config.interface,
            address=call.address if call.up else "",
            peer=call.peer if call.up else "",
            dns=tuple(dict.fromkeys(call.dns[i] for i in sorted(call.dns))) if call.up else (),
            connect_rate=call.connect_rate,
            connect_text=call.connect_text,
            retry_in_s=None if redial is None else max(0.0, redial - now),
            attempts=self.attempts,
            calls=self.calls,
            pppd_pid=call.pppd_pid,
            counters=call.counters,
            modem=self.modem.name,
            signal_dbm=self.modem.signal_dbm,
            operator=self.modem.operator,
            resets=dict(self.resets),
        )

    # Between calls

    def _settle(self) -> None:
        """Nothing is held any more but perhaps the port: go where the link belongs."""
        self._let_go()
        self._go_on()

    def _go_on(self) -> None:
        self._choose_way()
        self._failure = NO_FAILURE

    def _choose_way(self) -> None:
        redial_now, self._redial_now = self._redial_now, False
        if self._ending:
            self._enter(LinkState.OFF, reasons.state("ended"))
            self._out.append(Exit())
        elif self.config.modem.mode == "off":
            self._enter(LinkState.OFF, reasons.state("off"))
        elif not self._wanted:
            self._enter(LinkState.IDLE, reasons.state("disconnected" if self._by_hand else "idle"))
        elif redial_now or self.state in (LinkState.OFF, LinkState.IDLE):
            self._open()
        else:
            self._wait()

    def _wait(self) -> None:
        code, detail = self._failure
        seconds = self._backoff.wait(reasons.FAILURES[code].cause)
        self._enter(LinkState.WAITING, reasons.waiting(code, detail, seconds))
        self._set(Timer.REDIAL, seconds)
        cause = reasons.FAILURES[code].cause
        self._note(code, self.reason.text, "warning" if cause is Cause.LINE else "error")

    def _fail(self, code: str, detail: str = "") -> None:
        """The modem is not in a call; what was tried failed."""
        self._remember(code, detail)
        if code in DEAD_MODEM:
            self._reset(code, self._ladder)
        else:
            self._conclude()

    def _conclude(self) -> None:
        """The modem is there and in no call: if calls keep failing, restart a mobile one."""
        code, _ = self._failure
        last_one = self._backoff.failures % RESET_EVERY == RESET_EVERY - 1
        by_line = reasons.FAILURES[code].cause is Cause.LINE
        if self.config.modem.apn and last_one and by_line and not self._redial_now:
            self._reset(code, len(dialogs.LADDER) - 1)
        else:
            self._settle()

    def _remember(self, code: str, detail: str = "") -> None:
        """Keep why the link must wait. A fault of the line does not hide a refusal before it."""
        grave = reasons.FAILURES[self._failure[0]].cause is not Cause.LINE
        if not grave or reasons.FAILURES[code].cause is not Cause.LINE:
            self._failure = (code, detail)

    def _reset(self, code: str, level: int) -> None:
        """Take one step of the recovery ladder, then wait as after any failure."""
        if not self._wanted or self._ending:
            self._settle()
            return
        self._ladder = min(level + 1, len(dialogs.LADDER) - 1)
        self.resets[code] = self.resets.get(code, 0) + 1
        step = reasons.LADDER_STEPS[dialogs.LADDER[level]]
        self._cancel_all()
        self._enter(LinkState.RESETTING, reasons.state("resetting", step))
        self._note("reset", self.reason.text, "warning")
        self._say(Talk(dialogs.climb(level, self.config.modem, self._timings)))

    # The port

    def _open(self, _: Event | None = None) -> None:
        path = self.config.modem.port
        self.call = CallFacts()
        self._redial_now = False
        self._enter(LinkState.INIT, reasons.state("opening", path))
        self._ask_for_port()

    def _ask_for_port(self) -> None:
        modem = self.config.modem
        self._set(Timer.PORT, self._timings.port_open)
        self._out.append(OpenPort(modem.port, modem.speed, modem.flow_control))

    def _look_for_port(self, _: Event) -> None:
        """Either it is time to look again, or the open got stuck: give that one up."""
        self._out.append(ClosePort())
        self._ask_for_port()

    def _no_port(self, event: PortFailed) -> None:
        codes = {
            "missing": "port_missing", "busy": "port_locked", "broken": "port_broken",
            "console": "port_console",
        }  # fmt: skip
        self._lack_port(codes[event.problem], event.detail)

    def _port_stuck(self, _: Event) -> None:
        self._lack_port("port_stuck", "")

    def _lack_port(self, code: str, detail: str) -> None:
        self._let_go()
        reason = reasons.state(code, self.config.modem.port)
        if self.state is not LinkState.NO_PORT or self.reason != reason:
            more = f" ({harmless(detail)})" if detail else ""
            self._note(code, reason.text + more, "error")
        self._enter(LinkState.NO_PORT, reason)
        self._set(Timer.PORT, self._timings.port_poll)

    def _still_no_port(self, event: PortFailed) -> None:
        self._no_port(event)

    def _address_in_lan(self) -> str:
        """Return an address of the call that would take one of the LAN's away; '' if none."""
        ours = (self.call.address, self.call.peer)
        return next((address for address in ours if inside(address, self.config.lan)), "")

    # Plumbing

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
