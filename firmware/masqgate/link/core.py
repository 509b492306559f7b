"""What all of the link machine stands on: its state, timers, notes, and where a link settles."""

from __future__ import annotations

from collections.abc import Callable

from ..contract.dialer import DialerConfig
from ..contract.status import LinkState, LinkStatus, Reason
from . import dialogs, reasons
from .backoff import Backoff, Cause
from .events import (
    Command,
    Event,
    Exit,
    Timer,
    TimerExpired,
)
from .facts import CallFacts, inside
from .plumbing import Plumbing, Port
from .table import TABLE, trigger
from .talk import Talk
from .timings import Timings

DEAD_MODEM = frozenset({"modem_silent", "modem_garbled", "modem_echoes"})
RESET_EVERY = 6  # failed calls in a row after which a mobile modem is restarted
NO_FAILURE = ("carrier_lost", "")  # told if none is remembered


class Core(Plumbing):
    """What a dialing link knows; the handlers of events are in the classes that build on it."""

    def __init__(
        self,
        config: DialerConfig,
        timings: Timings,
        chance: Callable[[], float],
        pin_mark: str = "",
    ) -> None:
        super().__init__(timings, pin_mark)
        self.config = config
        self.attempts = 0
        self.calls = 0
        self.resets: dict[str, int] = {}
        self._backoff = Backoff(timings, chance)
        self._failure = NO_FAILURE
        self._wanted = False
        self._by_hand = False  # the link is down because a person said so
        self._resting: Reason | None = None  # why it is down, if the supervisor said so
        self._redial_now = False
        self._ending = False
        self._ladder = 0  # the next step of the recovery ladder

    @property
    def port(self) -> Port:
        """The serial port, as configured."""
        return self.config.modem

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
            self._enter(LinkState.IDLE, self._idle())
        elif redial_now or self.state in (LinkState.OFF, LinkState.IDLE):
            self._open()
        else:
            self._wait()

    def _idle(self) -> Reason:
        """Why nobody wants the link."""
        if self._by_hand:
            return reasons.state("disconnected")
        mode = self.config.modem.mode
        return self._resting or reasons.state("idle_demand" if mode == "demand" else "idle")

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
        self._say(Talk(dialogs.climb(level, bool(self.config.modem.apn), self._timings)))

    # The port

    def _open(self, _: Event | None = None) -> None:
        path = self.config.modem.port
        self.call = CallFacts()
        self._redial_now = False
        self._enter(LinkState.INIT, reasons.state("opening", path))
        self._ask_for_port()

    def _address_in_lan(self) -> str:
        """Return an address of the call that would take one of the LAN's away; '' if none."""
        ours = (self.call.address, self.call.peer)
        return next((address for address in ours if inside(address, self.config.lan)), "")
