"""The life of any modem outside of a call: port, dialogs, the recovery ladder, where it settles.

`Skeleton` adds the call to it; what an event does in which state is in the machine's table, by
the name of a handler.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from ..contract.config import DialIn, Modem
from ..contract.status import LinkState, LinkStatus, Reason
from . import dialogs, reasons
from . import events as ev
from .dialog import Dialog
from .events import Timer
from .facts import CallFacts, ModemFacts
from .outbox import Outbox
from .power import UNANSWERED, PowerCuts
from .pppd_watch import PppdWatch
from .table import Table, trigger
from .talk import Talk
from .text import harmless
from .timings import Timings

DEAD_MODEM = frozenset({"modem_silent", "modem_garbled", "modem_echoes"})


class ModemSide(ABC):
    """State, and the handlers of events that come from the port or the modem."""

    table: ClassVar[Table]

    def __init__(self, timings: Timings, pin_mark: str = "") -> None:
        self.state = LinkState.OFF
        self.reason = reasons.state("off")
        self.modem = ModemFacts(pin_mark=pin_mark)
        self.call = CallFacts()
        self.calls = 0
        self.resets: dict[str, int] = {}
        self._timings = timings
        self._out = Outbox()
        self._pppd = PppdWatch(self._out, timings)
        self._power = PowerCuts()
        self._talk: Talk | None = None
        self._ladder = 0  # steps of the recovery ladder since the modem answered
        self._ending = False

    def handle(self, event: ev.Event, now: float) -> tuple[ev.Command, ...]:
        """Take an event; return what to do, in sequence. `now` is monotonic, in seconds."""
        row = self.table[self.state].get(trigger(event))
        if isinstance(event, ev.TimerExpired) and not self._out.expired(event.timer):
            return ()
        if row is None or self.ended:
            return ()
        self._out.begin(now)
        getattr(self, row.handler)(event)
        return self._out.take()

    @property
    def ended(self) -> bool:
        """Whether the machine has let go of everything for good."""
        return self._ending and self.state is LinkState.OFF

    @property
    def deadlines(self) -> dict[Timer, float]:
        """When the timers that run will run out, monotonic seconds."""
        return self._out.deadlines

    def _status(self, interface: str, now: float, since_at: float) -> LinkStatus:
        call, due = self.call, self.deadlines.get(Timer.REDIAL)
        return LinkStatus(
            name=self.port.name,
            state=self.state,
            reason=self.reason,
            since_at=since_at,
            interface=interface,
            address=call.address if call.up else "",
            peer=call.peer if call.up else "",
            connect_rate=call.connect_rate,
            connect_text=call.connect_text,
            retry_in_s=None if due is None else max(0.0, due - now),
            calls=self.calls,
            pppd_pid=call.pppd_pid,
            counters=call.counters,
            modem=self.modem.name,
            resets=dict(self.resets),
            power_cuts=dict(self._power.counts),
        )

    # What makes a machine

    @property
    @abstractmethod
    def port(self) -> Modem | DialIn:
        """The modem's serial port, as configured."""

    @abstractmethod
    def status(self, now: float, since_at: float) -> LinkStatus:
        """Return what to tell; `since_at` is the Unix time of the last change of state."""

    @abstractmethod
    def _start_anew(self) -> None:
        """Forget the last round: the port is about to be opened."""

    @abstractmethod
    def _preparation(self) -> Dialog:
        """What is said to the modem first."""

    @abstractmethod
    def _prepared(self) -> None:
        """Go on with a modem that is ready."""

    @abstractmethod
    def _dialed(self, talk: Talk) -> None:
        """Go on after dialing, or answering, has succeeded or failed."""

    @abstractmethod
    def _end_call(self, code: str, detail: str = "") -> None:
        """The call is over, for this reason."""

    @abstractmethod
    def _remember(self, code: str, detail: str = "") -> None:
        """Keep why the machine has to wait."""

    @abstractmethod
    def _choose_way(self) -> None:
        """Nothing is held any more: go where the machine belongs."""

    @abstractmethod
    def _leave(self, _: ev.Event | None = None) -> None:
        """Give up what is under way, as told."""

    @property
    def _needed(self) -> bool:
        """Whether the modem is worth bringing back."""
        return not self._ending

    # Settling

    def _enter(self, state: LinkState, reason: Reason) -> None:
        self.state, self.reason = state, reason

    def _settle(self) -> None:
        """Nothing is held any more but perhaps the port: go where the machine belongs."""
        self._let_go()
        self._go_on()

    def _go_on(self) -> None:
        if self._ending:
            self._enter(LinkState.OFF, reasons.state("ended"))
            self._out.add(ev.Exit())
        else:
            self._choose_way()

    def _let_go(self) -> None:
        """Close the port, stop all timers, end the dialog."""
        self._cancel_all()
        self._out.add(ev.ClosePort())

    def _cancel_all(self) -> None:
        if self._talk is not None:
            self._talk.close()
            self._talk = None
        self._out.cancel_all()

    def _shut_down(self, _: ev.Event) -> None:
        self._ending = True
        self._leave()

    def _shut_down_later(self, _: ev.Event) -> None:
        self._ending = True

    def _config_refused(self, event: ev.ConfigRefused) -> None:
        text = "The new configuration cannot be read; the old one stays in force."
        self._out.note("config_bad", f"{text} ({harmless(event.detail)})", "error")

    # The port

    def _open(self, _: ev.Event | None = None) -> None:
        self._let_go()
        self._start_anew()
        self.call = CallFacts()
        self._enter(LinkState.INIT, reasons.state("opening", self.port.port))
        self._ask_for_port()

    def _ask_for_port(self) -> None:
        port = self.port
        self._out.set(Timer.PORT, self._timings.port_open)
        self._out.add(ev.OpenPort(port.port, port.speed, port.flow_control))

    def _look_for_port(self, _: ev.Event) -> None:
        """Either it is time to look again, or the open got stuck: give that one up."""
        self._out.add(ev.ClosePort())
        self._ask_for_port()

    def _no_port(self, event: ev.PortFailed) -> None:
        self._lack_port(reasons.PORT_PROBLEMS[event.problem], event.detail)

    def _port_stuck(self, _: ev.Event) -> None:
        self._lack_port("port_stuck", "")

    def _lack_port(self, code: str, detail: str) -> None:
        self._let_go()
        reason = reasons.state(code, self.port.port)
        if self.state is not LinkState.NO_PORT or self.reason != reason:
            more = f" ({harmless(detail)})" if detail else ""
            self._out.note(code, reason.text + more, "error")
        self._enter(LinkState.NO_PORT, reason)
        self._out.set(Timer.PORT, self._timings.port_poll)

    def _port_lost(self, _: ev.Event) -> None:
        self._remember("port_lost")
        self._settle()

    def _port_lost_late(self, event: ev.Event) -> None:
        """A pppd that still runs is waited for first."""
        if not self._pppd.runs:
            self._port_lost(event)

    def _port_lost_in_call(self, _: ev.Event) -> None:
        self._end_call("port_lost")

    # The modem

    def _prepare(self, _: ev.Event) -> None:
        self._out.cancel(Timer.PORT)
        self._enter(LinkState.INIT, reasons.state("preparing"))
        self._say(self._preparation())

    def _say(self, dialog: Dialog) -> None:
        """Begin a dialog with the modem; `_talked` is called when it ends."""
        self._talk = Talk(dialog)
        self._carry(self._talk.begin())

    def _hear(self, event: ev.PortData) -> None:
        if self._talk is not None:
            self._carry(self._talk.hear(event.data))

    def _step_over(self, _: ev.Event) -> None:
        if self._talk is not None:
            self._carry(self._talk.time_up())

    def _carry(self, commands: list[ev.Command]) -> None:
        for command in commands:
            self._out.add(command)
        talk = self._talk
        if talk is None:
            return
        if talk.progress and self.reason.code != talk.progress:
            self.reason = reasons.state(talk.progress)
        if talk.done:
            self._talk = None
            self._out.cancel(Timer.STEP)
            self._talked(talk)

    def _talked(self, talk: Talk) -> None:
        """A dialog ended: by the state, go on or fail."""
        if self.state is LinkState.RESETTING:
            self._settle()
        elif self.state is LinkState.DIALING:
            self._dialed(talk)
        elif talk.outcome is not None:
            self._fail(*talk.outcome)
        else:
            self._ladder = 0
            (self._prepared if self.state is LinkState.INIT else self._conclude)()

    def _fail(self, code: str, detail: str = "") -> None:
        """The modem is in no call, and what was tried failed."""
        self._remember(code, detail)
        if code in DEAD_MODEM and self._needed:
            self._reset(code, self._ladder)
        else:
            self._conclude()

    def _conclude(self) -> None:
        """The modem is there and in no call."""
        self._settle()

    def _reset(self, code: str, level: int) -> None:
        """Take one step of the recovery ladder, then wait as after any failure."""
        self._ladder = level + 1
        self.resets[code] = self.resets.get(code, 0) + 1
        self._cancel_all()
        step = dialogs.step_at(level)
        self._enter(LinkState.RESETTING, reasons.state("resetting", reasons.LADDER_STEPS[step]))
        if level <= dialogs.POWER:  # what is repeated is not told again
            self._out.note("reset", self.reason.text, "warning")
        if step == "usb_power":
            self._switch_power(code)
            return
        mobile = isinstance(self.port, Modem) and bool(self.port.apn)
        self._say(dialogs.climb(step, mobile, self._timings))

    def _switch_power(self, code: str) -> None:
        """Let go of the port, which will vanish, and have its power switched."""
        self._let_go()
        self._power.begin(code)
        self._out.add(ev.SwitchPower())
        self._out.set(Timer.POWER, self._timings.power)

    def _power_switched(self, event: ev.PowerSwitched) -> None:
        if note := self._power.end(event):
            self._out.add(note)
        self._settle()

    def _power_unanswered(self, _: ev.Event) -> None:
        self._power_switched(UNANSWERED)
