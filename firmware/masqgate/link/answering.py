"""The answering machine: events in, commands out; no I/O, no clock of its own.

Theory of operation. The line waits for calls (IDLE) with the port open, and asks the modem now
and then whether it is there. After enough rings it answers (DIALING: the receiver is lifted),
lends the port to pppd, which asks for the login (NEGOTIATING), and carries IP (UP). All ways out
lead through HANGING_UP and `_settle`; `_choose_way` opens the port anew (DTR drops) and prepares
the modem again, unless the line is locked out or the modem does not work (WAITING). What any
modem needs is in `skeleton.py`, the transitions are in `answer_table.py`.
"""

from __future__ import annotations

import msgspec

from ..contract.config import Caller, DialIn
from ..contract.dialer import AnswerConfig
from ..contract.status import LinkState, LinkStatus, Reason
from . import answer_dialogs, answer_words, server_options
from . import events as ev
from .answer_table import ANSWERS
from .dialog import Dialog
from .events import Timer
from .lockout import Limit, Lockout, after_failure, wait_s
from .pppd_log import Fact, PppFact, RemoteAddress, Told
from .ringing import Ringing
from .skeleton import IN_CALL, Skeleton
from .talk import Talk
from .text import harmless, span
from .timings import Timings
from .visit import Visit, must_end


class AnsweringMachine(Skeleton):
    """One line's life: when it answers, who gets in, and what becomes of a call."""

    table = ANSWERS

    def __init__(
        self, config: AnswerConfig, timings: Timings, lockout: Lockout | None = None
    ) -> None:
        super().__init__(timings)
        self.config = config
        self.visit = Visit()
        self._lockout = lockout or Lockout()
        self._faults = 0  # of the modem, in a row
        self._fault = ("", "")  # the newest one, and its detail; empty: none
        self._told = ""  # the fault that people were told of

    @property
    def port(self) -> DialIn:
        """The modem, as configured."""
        return self.config.line

    def status(self, now: float, since_at: float) -> LinkStatus:
        """Return what to tell; `since_at` is the Unix time of the last change of state."""
        return msgspec.structs.replace(
            self._status(self.config.interface, now, since_at),
            kind="dialin",
            rings=self.visit.ringing.rings,
            caller=self.visit.caller,
            caller_id=self.visit.caller_id,
        )

    # Between calls

    def _began(self, _: ev.Event) -> None:
        """A lock-out of the dialer before this one goes on, unless it makes no sense."""
        if wait_s(self._lockout, self._out.now) > 60 * self.port.lockout_minutes:
            self._lockout = Lockout()
        self._go_on()

    def _choose_way(self) -> None:
        if silent := wait_s(self._lockout, self._out.now):
            self._enter(LinkState.WAITING, answer_words.state("locked", span(silent)))
            self._out.set(Timer.REDIAL, silent)
        elif self._fault[0]:
            self._pause(*self._fault)
        else:
            self._open()

    def _pause(self, code: str, detail: str) -> None:
        doubled = self._timings.first_pause * 2 ** min(self._faults - 1, 10)
        seconds = min(doubled, self._timings.longest_pause)
        self._enter(LinkState.WAITING, answer_words.pausing(code, detail, seconds))
        self._out.set(Timer.REDIAL, seconds)
        if self._told != code:
            self._out.note(code, self.reason.text, "error")
            self._told = code

    def _remember(self, code: str, detail: str = "") -> None:
        self._faults += 1
        self._fault = (code, detail)

    def _start_anew(self) -> None:
        self.visit, self._fault = Visit(), ("", "")

    def _preparation(self) -> Dialog:
        return answer_dialogs.prepare(self.port, self.modem, self._timings)

    def _prepared(self) -> None:
        self._faults = 0
        self._enter(LinkState.IDLE, answer_words.state("listening"))
        if self._told:
            self._out.note("listening", "The modem works again; the line waits for calls.")
            self._told = ""
        self._out.set(Timer.CHECK, self._timings.check)

    # Waiting for a call, and answering it

    def _check(self, _: ev.Event) -> None:
        self._say(answer_dialogs.check(self._timings))

    def _listen(self, event: ev.PortData) -> None:
        ringing = self.visit.ringing
        if ringing.hear(event.data):
            self._out.set(Timer.RING, self._timings.ring)
        if ringing.rings:
            self.reason = answer_words.state("ringing", self.visit.number)
        self._hear(event)
        if self.state is LinkState.IDLE:
            self._answer_if_due()

    def _talked(self, talk: Talk) -> None:
        """Between calls, too, the modem is talked to."""
        if self.state is LinkState.IDLE and talk.outcome is None:
            self._out.set(Timer.CHECK, self._timings.check)
            self._answer_if_due()
        else:
            super()._talked(talk)

    def _answer_if_due(self) -> None:
        """Answer after enough rings, but not in the middle of a question to the modem."""
        ringing = self.visit.ringing
        if ringing.connected is not None:
            self.call.connect_rate = ringing.connected.rate
            self.call.connect_text = harmless(ringing.connected.text)
            self._cancel_all()
            self.visit.began = self._out.now
            self._pick_up()
        elif ringing.rings >= self.port.rings and self._talk is None:
            self._cancel_all()
            self.visit.began = self._out.now
            self._enter(LinkState.DIALING, answer_words.state("answering", self.visit.number))
            self._out.note("answering", self.reason.text)
            self._say(answer_dialogs.answer(self.port, self.call))

    def _dialed(self, talk: Talk) -> None:
        if talk.outcome is None:
            self._pick_up()
        else:
            self._end_call(*talk.outcome)

    def _pick_up(self) -> None:
        self._connected(answer_words.state("connected", self._at_rate()))

    def _gave_up(self, _: ev.Event) -> None:
        visit = self.visit
        text = f"A caller{visit.number} gave up after {visit.ringing.rings} rings."
        self._out.note("not_answered", text)
        visit.ringing = Ringing()
        self._enter(LinkState.IDLE, answer_words.state("listening"))

    # The caller, as pppd tells

    def _pppd_files(self, *, carrier_wire: bool) -> ev.StartPppd:
        rate = self.call.connect_rate
        options = server_options.render(self.config, carrier_wire=carrier_wire, rate=rate)
        return ev.StartPppd(options, server_options.secrets(self.port))

    def caller(self, name: str) -> Caller | None:
        """Return one of those who may log in."""
        return next((each for each in self.port.caller if each.name == name), None)

    def _learned(self, fact: PppFact) -> None:
        self.call.take(fact)
        if isinstance(fact, RemoteAddress) and self.state is LinkState.NEGOTIATING:
            self._take_caller()
        elif isinstance(fact, Fact):
            self._told_of_login(fact)
            if fact.told is Told.ECHO_LOST:
                self._end_call("caller_silent")
            elif fact.told is Told.LOOPBACK:
                self._end_call("loopback")

    def _told_of_login(self, fact: Fact) -> None:
        """Names come from the caller: only one that we know is taken for somebody."""
        if self.call.up:
            return
        if fact.told is Told.CALLER_REFUSED:
            self.visit.tried = fact.text
        elif fact.told is Told.CALLER_OK and self.caller(fact.text) is not None:
            self.visit.caller = fact.text
            self.reason = answer_words.state("logged_in", fact.text)

    def _take_caller(self) -> None:
        caller = self.caller(self.visit.caller)
        if caller is None or self.call.peer != server_options.address_of(self.port, caller):
            self._end_call("address_refused")
            return
        self._remember_lockout(Lockout())
        detail = f"{caller.name}{self.visit.number} as {self.call.peer}{self._at_rate()}"
        self._came_up("caller_up", answer_words.state("up", detail))

    # The end of a call

    def _why_ended(self, status: int) -> tuple[str, str]:
        code = answer_words.why_ended(status, frozenset(self.call.told), was_up=self.call.up)
        if code in ("login_refused", "login_missing"):
            self._login_refused()
        return code, f' (name "{self.visit.tried}")' if self.visit.tried else ""

    def _login_refused(self) -> None:
        """Count it; the last that is allowed silences the line."""
        line = self.port
        limit = Limit(line.failures, 60 * line.failures_within_minutes, 60 * line.lockout_minutes)
        self._remember_lockout(after_failure(self._lockout, limit, self._out.now))
        if silent := wait_s(self._lockout, self._out.now):
            text = answer_words.state("locked", span(silent)).text
            self._out.note("locked", text, "warning")

    def _remember_lockout(self, lockout: Lockout) -> None:
        if lockout != self._lockout:
            self._lockout = lockout
            self._out.add(ev.RememberLockout(lockout))

    def _end_call(self, code: str, detail: str = "") -> None:
        self.visit.end, self.visit.detail = code, detail
        self._hang_up(answer_words.hanging_up(code, detail))

    def _call_over(self, _: Reason) -> None:
        visit = self.visit
        if visit.began is not None:
            record = visit.record(self.port.name, self.call, self._out.now)
            self._out.add(ev.CallEnded(record, answer_words.ENDS[visit.end].level))
            visit.began = None

    # Wishes

    def _connect(self, _: ev.Event) -> None:
        """Listen again, now."""
        self._remember_lockout(Lockout())
        self._open()

    def _leave(self, _: ev.Event | None = None) -> None:
        if self.state in IN_CALL:
            self._end_call("ended" if self._ending else "hung_up_by_hand")
        else:
            self._settle()

    def _reload(self, event: ev.LineLoaded) -> None:
        old, self.config = self.config, event.config
        if old != event.config:
            self._open()

    def _reload_waiting(self, event: ev.LineLoaded) -> None:
        """A lock-out outlasts a change, for it is not the administrator's doing."""
        old, self.config = self.config, event.config
        if old != event.config and not wait_s(self._lockout, self._out.now):
            self._open()

    def _reload_later(self, event: ev.LineLoaded) -> None:
        self.config = event.config

    def _reload_in_call(self, event: ev.LineLoaded) -> None:
        old, self.config = self.config, event.config
        if must_end(old, event.config, self.visit.caller):
            self._end_call("config_changed")
