"""The answering machine: events in, commands out; no I/O, no clock of its own.

Theory of operation. The line waits for calls (IDLE) with the port open, and asks the modem now
and then whether it is there. After enough rings it answers (DIALING: the receiver is lifted),
lends the port to pppd, which asks for the login (NEGOTIATING), and carries IP (UP). All ways out
lead through HANGING_UP and `_settle`, which opens the port anew (DTR drops) and prepares the
modem again, unless the line is locked out or the modem does not work (WAITING).

Transitions are in `answer_table.py`. In every state but OFF a timer runs: nothing that fails to
happen can keep the line from answering.
"""

from __future__ import annotations

from ..contract.status import Counters, LinkState
from . import answer_dialogs, answer_words, server_options
from .answering_calls import Answering
from .events import (
    Counted,
    Event,
    LendPort,
    PortData,
    PortLent,
    PppdBegan,
    PppdEnded,
    PppdFailed,
    PppdLogged,
    StartPppd,
    Timer,
)
from .options import is_slow
from .pppd_log import Fact, RemoteAddress, Told
from .ringing import Ringing
from .talk import Talk
from .text import harmless

MISSED_ECHOES = 3  # intervals in which pppd neither woke nor wrote: it has stopped working


class AnsweringMachine(Answering):
    """One line's life: handlers of what modem and pppd do."""

    # The modem

    def _prepare(self, _: Event) -> None:
        self._cancel(Timer.PORT)
        self._enter(LinkState.INIT, answer_words.state("preparing"))
        self._say(Talk(answer_dialogs.prepare(self.port, self.modem, self._timings)))

    def _hear(self, event: PortData) -> None:
        if self._talk is not None:
            self._carry(self._talk.hear(event.data))

    def _step_over(self, _: Event) -> None:
        if self._talk is not None:
            self._carry(self._talk.time_up())

    def _talked(self, talk: Talk) -> None:
        """A dialog ended: by the state, go on or fail."""
        if self.state is LinkState.RESETTING:
            self._settle()
        elif self.state is LinkState.DIALING:
            if talk.outcome is None:
                self._connected()
            else:
                self._end_call(*talk.outcome)
        elif talk.outcome is not None:
            self._fail(*talk.outcome)
        elif self.state is LinkState.INIT:
            self._wait_for_calls()
        elif self.state is LinkState.IDLE:
            self._set(Timer.CHECK, self._timings.check)
            self._answer_if_due()
        else:
            self._settle()

    def _wait_for_calls(self) -> None:
        self._ladder = self._faults = 0
        self._enter(LinkState.IDLE, answer_words.state("listening"))
        if self._told:
            self._note("listening", "The modem works again; the line waits for calls.")
            self._told = ""
        self._set(Timer.CHECK, self._timings.check)

    def _check(self, _: Event) -> None:
        self._say(Talk(answer_dialogs.check(self._timings)))

    def _listen(self, event: PortData) -> None:
        ringing = self.visit.ringing
        if ringing.hear(event.data):
            self._set(Timer.RING, self._timings.ring)
        if ringing.rings:
            self.reason = answer_words.state("ringing", self._number())
        self._hear(event)
        if self.state is LinkState.IDLE:
            self._answer_if_due()

    def _answer_if_due(self) -> None:
        """Answer after enough rings, but not in the middle of a question to the modem."""
        ringing = self.visit.ringing
        if ringing.connected is not None:
            self.call.connect_rate = ringing.connected.rate
            self.call.connect_text = harmless(ringing.connected.text)
            self._cancel_all()
            self.visit.began = self._now
            self._connected()
        elif ringing.rings >= self.config.line.rings and self._talk is None:
            self._cancel_all()
            self.visit.began = self._now
            self._enter(LinkState.DIALING, answer_words.state("answering", self._number()))
            self._note("answering", self.reason.text)
            self._say(Talk(answer_dialogs.answer(self.config.line, self.call)))

    def _number(self) -> str:
        return f" (number {self.visit.caller_id})" if self.visit.caller_id else ""

    def _gave_up(self, _: Event) -> None:
        text = f"A caller{self._number()} gave up after {self.visit.ringing.rings} rings."
        self._note("not_answered", text)
        self.visit.ringing = Ringing()
        self._enter(LinkState.IDLE, answer_words.state("listening"))

    def _connected(self) -> None:
        rate = self.call.connect_rate
        detail = f" at {rate} bit/s" if rate else ""
        self._enter(LinkState.NEGOTIATING, answer_words.state("connected", detail))
        slow, usual = self._timings.slow_negotiation, self._timings.negotiation
        self._set(Timer.PORT, self._timings.port_open)
        self._set(Timer.NEGOTIATION, slow if is_slow(rate) else usual)
        self._out.append(LendPort())

    def _port_lost(self, _: Event) -> None:
        self._faults += 1
        self._fault = ("port_lost", "")
        self._settle()

    def _port_lost_late(self, event: Event) -> None:
        """A pppd that still runs is waited for first."""
        if not self._pppd:
            self._settle()

    def _port_lost_in_call(self, _: Event) -> None:
        self._end_call("port_lost")

    def _lend_stuck(self, _: Event) -> None:
        self._end_call("port_stuck")

    # pppd

    def _start_pppd(self, event: PortLent) -> None:
        self._cancel(Timer.PORT)
        if self._pppd:
            return
        try:
            options = server_options.render(
                self.config,
                carrier_wire=event.carrier is True,
                rate=self.call.connect_rate,
            )
            secrets = server_options.secrets(self.config.line)
        except ValueError:
            self._end_call("pppd_options")
            return
        self._pppd = True
        self._out.append(StartPppd(options, secrets))

    def _pppd_began(self, event: PppdBegan) -> None:
        self.call.pppd_pid = event.pid
        self._alive()

    def _pppd_failed(self, event: PppdFailed) -> None:
        self._pppd = False
        self._end_call("pppd_failed", f" ({harmless(event.detail)})")

    def _logged(self, event: PppdLogged) -> None:
        self._alive()
        fact = self.call.log.take(event.line)
        if fact is None:
            return
        self.call.take(fact)
        if isinstance(fact, RemoteAddress) and self.state is LinkState.NEGOTIATING:
            self._came_up()
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

    def _came_up(self) -> None:
        caller = self.caller(self.visit.caller)
        line = self.config.line
        if caller is None or self.call.peer != server_options.address_of(line, caller):
            self._end_call("address_refused")
            return
        self._cancel(Timer.NEGOTIATION)
        self.call.up = True
        self.calls += 1
        self._lockout = type(self._lockout)()
        rate = f" at {self.call.connect_rate} bit/s" if self.call.connect_rate else ""
        detail = f"{caller.name}{self._number()} as {self.call.peer}{rate}"
        self._enter(LinkState.UP, answer_words.state("up", detail))
        self._note("caller_up", self.reason.text)
        self._alive()

    def _alive(self) -> None:
        """There was a sign of life; the next one is due in time."""
        interval = self.config.line.echo_interval_s
        up_s = MISSED_ECHOES * interval + self._timings.silence
        up = self.state is LinkState.UP
        self._set(Timer.LIFE, up_s if up else self._timings.stall)

    def _stirred(self, _: Event) -> None:
        """pppd says nothing of echoes that are answered, but it wakes up for them."""
        self._alive()

    def _counted(self, event: Counted) -> None:
        counters = Counters(event.rx_bytes, event.tx_bytes)
        if counters.rx_bytes != self.call.counters.rx_bytes and self.state is LinkState.UP:
            self._alive()
        self.call.counters = counters

    def _negotiation_over(self, _: Event) -> None:
        self._end_call("negotiation_timeout")

    def _no_life(self, _: Event) -> None:
        self._end_call("pppd_silent")

    def _pppd_stopped(self, _: Event) -> None:
        self._end_call("pppd_stopped")
        self._kill_pppd(_)

    def _pppd_ended(self, event: PppdEnded) -> None:
        self._pppd = False
        code = answer_words.why_ended(event.status, frozenset(self.call.told), was_up=self.call.up)
        tried = f' (name "{self.visit.tried}")' if self.visit.tried else ""
        if code in ("login_refused", "login_missing"):
            self._login_refused()
        self._end_call(code, tried)
