"""The link machine: events in, commands out; no I/O, no clock, no chance of its own.

Theory of operation. The link is wanted or it is not (`_wanted`: the mode, and what people told
it). A wanted link goes round: open the port (INIT), prepare the modem, dial (DIALING), lend the
port to pppd (NEGOTIATING), UP, and, when anything goes wrong, hang up (HANGING_UP), bring the
modem back if it does not answer (RESETTING), wait (WAITING), and again, for ever. All exits from
the round lead through `_settle`, which alone decides where an idle link goes. What talks to the
modem is a dialog run by `Talk`; what pppd tells is kept in `CallFacts`.

Transitions are in `table.py`. In every state but OFF and IDLE a timer runs: nothing that fails
to happen can hold the link up.
"""

from __future__ import annotations

from ..contract.status import Counters, LinkState, Reason
from . import dialogs, options, pppd_exit, reasons
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
from .facts import inside, usable
from .pppd_exit import hopeless
from .pppd_log import NameServer, RemoteAddress, Told
from .talk import Talk
from .text import harmless
from .wishes import Wishes

MISSED_ECHOES = 3  # intervals in which pppd neither woke nor wrote: it has stopped working
PEER_EXPLAINS = frozenset({"auth_failed", "auth_no_secret", "peer_refused", "peer_closed"})


class LinkMachine(Wishes):
    """One uplink's life: handlers of what modem and pppd do."""

    # The modem

    def _prepare(self, _: Event) -> None:
        self._cancel(Timer.PORT)
        self._enter(LinkState.INIT, reasons.state("preparing"))
        self._say(Talk(dialogs.prepare(self.config.modem, self.modem, self._timings)))

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
            self._dialed(talk)
        elif talk.outcome is not None:
            self._fail(*talk.outcome)
        elif self.state is LinkState.INIT:
            self._dial()
        else:
            self._ladder = 0
            self._conclude()

    def _dial(self) -> None:
        self._ladder = 0
        self.attempts += 1
        self._enter(LinkState.DIALING, reasons.state("dialing", self.config.modem.number))
        self._note("dialing", self.reason.text)
        self._say(Talk(dialogs.dial(self.config.modem, self.call, self._timings)))

    def _dialed(self, talk: Talk) -> None:
        if talk.outcome is None:
            rate = self.call.connect_rate
            detail = f" at {rate} bit/s" if rate else ""
            self._enter(LinkState.NEGOTIATING, reasons.state("starting_ppp", detail))
            self._set(Timer.PORT, self._timings.port_open)
            slow = options.is_slow(rate)
            patience_s = self._timings.slow_negotiation if slow else self._timings.negotiation
            self._set(Timer.NEGOTIATION, patience_s)
            self._out.append(LendPort())
        elif talk.outcome[0] == "dial_timeout":
            self._end_call(*talk.outcome)
        else:
            self._fail(*talk.outcome)

    def _port_lost(self, _: Event) -> None:
        self._remember("port_lost")
        self._settle()

    def _port_lost_late(self, event: Event) -> None:
        """A pppd that still runs is waited for first."""
        if not self._pppd:
            self._port_lost(event)

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
            text = options.render(
                self.config,
                carrier_wire=event.carrier is True,
                rate=self.call.connect_rate,
            )
        except ValueError:
            self._end_call("pppd_options")
            return
        self._pppd = True
        self._out.append(StartPppd(text))

    def _pppd_began(self, event: PppdBegan) -> None:
        self.call.pppd_pid = event.pid
        self._alive()

    def _pppd_failed(self, event: PppdFailed) -> None:
        self._pppd = False
        self._end_call("pppd_failed", f" ({harmless(event.detail)})")

    def _logged(self, event: PppdLogged) -> None:
        self._alive()
        fact = self.call.log.take(event.line)
        if fact is None or (isinstance(fact, NameServer) and not self._serves(fact)):
            return
        before = frozenset(self.call.told)
        self.call.take(fact)
        if (code := hopeless(fact)) is not None:
            self._end_call(code)
        elif isinstance(fact, RemoteAddress) and self.state is LinkState.NEGOTIATING:
            self._came_up()
        elif self.state is LinkState.NEGOTIATING:
            self._progressed(self.call.told - before)

    def _progressed(self, told: set[Told]) -> None:
        if Told.AUTH_OK in told:
            self._backoff.logged_in()
            self.reason = reasons.state("logged_in")
        elif Told.LCP_TALKS in told:
            rate = self.call.connect_rate
            self.reason = reasons.state("negotiating", f" at {rate} bit/s" if rate else "")

    def _serves(self, server: NameServer) -> bool:
        """A name server in the LAN is none of the provider's."""
        address = str(server.address)
        return usable(address) and not inside(address, self.config.lan)

    def _came_up(self) -> None:
        if not usable(self.call.address):
            self._end_call("no_address")
            return
        if stolen := self._address_in_lan():
            self._end_call("address_in_lan", stolen)
            return
        self._cancel(Timer.NEGOTIATION)
        self.call.up = True
        self.calls += 1
        self.attempts = 0
        self._backoff.logged_in()
        rate = self.call.connect_rate
        detail = (self.call.address or "unknown") + (f" at {rate} bit/s" if rate else "")
        self._enter(LinkState.UP, reasons.state("up", detail))
        self._note("up", self.reason.text)
        self._set(Timer.STEADY, self._timings.steady)
        self._alive()

    def _alive(self) -> None:
        """There was a sign of life; the next one is due in time."""
        interval = self.config.modem.echo_interval_s
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

    def _steady(self, _: Event) -> None:
        self._backoff.good_call()

    def _negotiation_over(self, _: Event) -> None:
        self._end_call("negotiation_timeout")

    def _no_life(self, _: Event) -> None:
        """pppd repeats and logs what it sends; it is silent only while it waits for a login."""
        told = self.call.told
        waits = Told.LCP_TALKS in told and Told.AUTH_OK not in told and not self.call.up
        self._end_call("auth_silent" if waits else "pppd_silent")

    def _pppd_stopped(self, _: Event) -> None:
        self._end_call("pppd_stopped")
        self._kill_pppd(_)

    def _pppd_ended(self, event: PppdEnded) -> None:
        self._pppd = False
        told = frozenset(self.call.told)
        code = pppd_exit.reason(event.status, told, was_up=self.call.up)
        says = self.call.peer_says if code in PEER_EXPLAINS else ""
        self._end_call(code, f' (it says: "{says}")' if says else "")

    # The end of a call

    def _end_call(self, code: str, detail: str = "") -> None:
        """The call is over, for this reason."""
        self._remember(code, detail)
        self._hang_up(reasons.hanging_up(code, detail))

    def _call_over(self, why: Reason) -> None:
        if self.call.up:
            self._note("down", why.text, "warning" if self._wanted else "info")
