"""The answering machine's base: what it knows, where it settles, and what people want of it."""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec

from ..contract.config import Caller, DialIn
from ..contract.dialer import AnswerConfig
from ..contract.status import CallRecord, LinkState, LinkStatus, Reason
from . import answer_words, reasons
from .answer_table import ANSWERS
from .answer_words import ENDS
from .dialogs import LADDER, climb
from .events import (
    CallEnded,
    Command,
    ConfigRefused,
    Event,
    Exit,
    LineLoaded,
    Timer,
    TimerExpired,
)
from .facts import CallFacts
from .lockout import Limit, Lockout, after_failure, wait_s
from .plumbing import Plumbing
from .ringing import Ringing
from .table import trigger
from .talk import Talk
from .text import harmless, span
from .timings import Timings

# Fields that matter to no call that is under way.
_NEXT_CALL = {
    "enabled", "init", "rings", "answer_timeout_s", "idle_minutes", "session_minutes", "admin",
    "failures", "failures_within_minutes", "lockout_minutes", "caller", "echo_interval_s",
}  # fmt: skip


@dataclass(slots=True)
class Visit:
    """One call, from the first ring on."""

    ringing: Ringing = field(default_factory=Ringing)
    began: float | None = None  # when it was answered, monotonic seconds
    caller: str = ""  # who has logged in
    tried: str = ""  # the name that was refused
    end: str = ""  # the code of why it ended
    detail: str = ""

    @property
    def caller_id(self) -> str:
        """The number that the telephone network told."""
        return self.ringing.caller_id


class Answering(Plumbing):
    """State, settling and wishes; the handlers of modem and pppd are in `answering.py`."""

    def __init__(self, config: AnswerConfig, timings: Timings) -> None:
        super().__init__(timings)
        self.config = config
        self.calls = 0
        self.resets: dict[str, int] = {}
        self.visit = Visit()
        self.reason = answer_words.state("off")
        self._lockout = Lockout()
        self._ladder = 0  # the next step of the recovery ladder
        self._faults = 0  # of the modem, in a row
        self._fault = ("", "")  # the newest one, and its detail; empty: none
        self._told = ""  # the fault that people were told of
        self._ending = False

    @property
    def port(self) -> DialIn:
        """The serial port, as configured."""
        return self.config.line

    def handle(self, event: Event, now: float) -> tuple[Command, ...]:
        """Take an event; return what to do, in sequence. `now` is monotonic, in seconds."""
        row = ANSWERS[self.state].get(trigger(event))
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
        call, again = self.call, self.deadlines.get(Timer.REDIAL)
        return LinkStatus(
            name=self.config.line.name,
            kind="dialin",
            state=self.state,
            reason=self.reason,
            since_at=since_at,
            interface=self.config.interface,
            address=call.address if call.up else "",
            peer=call.peer if call.up else "",
            connect_rate=call.connect_rate,
            connect_text=call.connect_text,
            retry_in_s=None if again is None else max(0.0, again - now),
            calls=self.calls,
            pppd_pid=call.pppd_pid,
            counters=call.counters,
            modem=self.modem.name,
            resets=dict(self.resets),
            rings=self.visit.ringing.rings,
            caller=self.visit.caller,
            caller_id=self.visit.caller_id,
        )

    def caller(self, name: str) -> Caller | None:
        """Return one of those who may log in."""
        return next((each for each in self.config.line.caller if each.name == name), None)

    # Settling

    def _settle(self) -> None:
        """Nothing is held any more but perhaps the port: go where the line belongs."""
        self._let_go()
        if self._ending:
            self._enter(LinkState.OFF, answer_words.state("ended"))
            self._out.append(Exit())
        elif silent := wait_s(self._lockout, self._now):
            self._enter(LinkState.WAITING, answer_words.state("locked", span(silent)))
            self._set(Timer.REDIAL, silent)
        elif self._fault[0]:
            self._pause(*self._fault)
        else:
            self._open()

    def _pause(self, code: str, detail: str) -> None:
        doubled = self._timings.first_pause * 2 ** min(self._faults - 1, 10)
        seconds = min(doubled, self._timings.longest_pause)
        self._enter(LinkState.WAITING, answer_words.pausing(code, detail, seconds))
        self._set(Timer.REDIAL, seconds)
        if self._told != code:
            self._note(code, self.reason.text, "error")
            self._told = code

    def _open(self, _: Event | None = None) -> None:
        self._let_go()
        self.call, self.visit = CallFacts(), Visit()
        self._fault = ("", "")
        self._enter(LinkState.INIT, answer_words.state("opening", self.port.port))
        self._ask_for_port()

    def _fail(self, code: str, detail: str = "") -> None:
        """The modem does not do what it should, outside of a call."""
        self._faults += 1
        self._fault = (code, detail)
        if self._ending or code == "modem_refused":
            self._settle()
            return
        level, self._ladder = self._ladder, min(self._ladder + 1, len(LADDER) - 1)
        self.resets[code] = self.resets.get(code, 0) + 1
        self._cancel_all()
        step = reasons.LADDER_STEPS[LADDER[level]]
        self._enter(LinkState.RESETTING, reasons.state("resetting", step))
        self._say(Talk(climb(level, False, self._timings)))

    # The end of a call

    def _end_call(self, code: str, detail: str = "") -> None:
        """The call is over, for this reason."""
        self.visit.end, self.visit.detail = code, detail
        self._hang_up(answer_words.hanging_up(code, detail))

    def _call_over(self, why: Reason) -> None:
        visit, call = self.visit, self.call
        if visit.began is None:
            return
        end = ENDS[visit.end]
        record = CallRecord(
            line=self.config.line.name,
            began_at=0.0,
            duration_s=self._now - visit.began,
            caller=visit.caller,
            caller_id=visit.caller_id,
            address=call.peer if call.up else "",
            counters=call.counters,
            why=visit.end,
            text=f"{self._who()}: {end.clause.replace('{detail}', visit.detail)}.",
        )
        self._out.append(CallEnded(record, end.level))
        visit.began = None

    def _who(self) -> str:
        """'The call of anybox (number 5554000)'."""
        visit = self.visit
        name = f" of {visit.caller}" if visit.caller else ""
        number = f" (number {visit.caller_id})" if visit.caller_id else ""
        return f"The call{name}{number} is over"

    def _login_refused(self) -> None:
        """Count it; the last that is allowed silences the line."""
        line = self.config.line
        limit = Limit(line.failures, 60 * line.failures_within_minutes, 60 * line.lockout_minutes)
        self._lockout = after_failure(self._lockout, limit, self._now)
        if silent := wait_s(self._lockout, self._now):
            self._note("locked", answer_words.state("locked", span(silent)).text, "warning")

    # Wishes

    def _connect(self, _: Event) -> None:
        """Listen again, now."""
        self._lockout = Lockout()
        self._open()

    def _disconnect(self, _: Event) -> None:
        self._end_call("hung_up_by_hand")

    def _reload(self, event: LineLoaded) -> None:
        old, self.config = self.config, event.config
        if old != event.config:
            self._open()

    def _reload_waiting(self, event: LineLoaded) -> None:
        """A lock-out outlasts a change, for it is not the administrator's doing."""
        old, self.config = self.config, event.config
        if old != event.config and not wait_s(self._lockout, self._now):
            self._open()

    def _reload_later(self, event: LineLoaded) -> None:
        self.config = event.config

    def _reload_in_call(self, event: LineLoaded) -> None:
        old, self.config = self.config, event.config
        if _must_end(old, event.config, self.visit.caller):
            self._end_call("config_changed")

    def _config_refused(self, event: ConfigRefused) -> None:
        text = "The new configuration cannot be read; the old one stays in force."
        self._note("config_bad", f"{text} ({harmless(event.detail)})", "error")

    def _shut_down(self, _: Event) -> None:
        self._ending = True
        self._settle()

    def _shut_down_in_call(self, _: Event) -> None:
        self._ending = True
        self._end_call("ended")

    def _shut_down_later(self, _: Event) -> None:
        self._ending = True


def _must_end(old: AnswerConfig, new: AnswerConfig, caller: str) -> bool:
    """Whether a call made with `old` cannot go on with `new`; `caller` has logged in, or ''."""
    if (old.interface, old.router) != (new.interface, new.router):
        return True
    names = {each.name for each in msgspec.structs.fields(DialIn)} - _NEXT_CALL
    if any(getattr(old.line, name) != getattr(new.line, name) for name in names):
        return True
    return _entries(old.line, caller) != _entries(new.line, caller)


def _entries(line: DialIn, caller: str) -> tuple[Caller, ...]:
    """Those of a line that the call depends on: everybody's until somebody has logged in."""
    return tuple(each for each in line.caller if caller in ("", each.name))
