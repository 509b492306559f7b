"""The life of any modem: what a machine that dials and one that answers have in common.

Theory of operation. Both prepare the modem by dialogs (`Talk` runs them), get a connection, lend
the port to pppd, watch it, hang up in order, and bring a modem back that does not answer. All
ways out of a call lead through HANGING_UP and `_settle`. What an event does in which state is in
the machine's table (`table.py`, `answer_table.py`), by the name of a handler; the two machines
(`machine.py`, `answering.py`) add who begins a call, why one ends, and what comes after it.

Wherever a machine waits for something, a timer runs: nothing that fails to happen can hold it up.
"""

from __future__ import annotations

from abc import abstractmethod

from ..contract.status import Counters, LinkState, Reason
from . import dialogs, options, reasons
from . import events as ev
from .events import Timer
from .modem_side import ModemSide
from .pppd_log import PppFact
from .text import harmless

IN_CALL = frozenset({LinkState.DIALING, LinkState.NEGOTIATING, LinkState.UP})


class Skeleton(ModemSide):
    """The handlers of pppd's events, on top of the modem's."""

    @abstractmethod
    def _pppd_files(self, *, carrier_wire: bool) -> ev.StartPppd:
        """Return pppd's options; ValueError if pppd cannot be told what is configured."""

    @abstractmethod
    def _learned(self, fact: PppFact) -> None:
        """Go on after what a line of pppd's log tells."""

    @abstractmethod
    def _why_ended(self, status: int) -> tuple[str, str]:
        """Return code and detail of why pppd ended by itself."""

    @abstractmethod
    def _call_over(self, why: Reason) -> None:
        """Tell people that a call is over."""

    @property
    def second_port(self) -> ev.OpenPort | None:
        """Another port of the modem that is to be asked now; None for none."""
        return None

    # The call

    def _connected(self, why: Reason) -> None:
        """The modems are connected: pppd is to have the port."""
        self._enter(LinkState.NEGOTIATING, why)
        slow, usual = self._timings.slow_negotiation, self._timings.negotiation
        self._out.set(Timer.PORT, self._timings.port_open)
        is_slow = options.is_slow(self.call.connect_rate)
        self._out.set(Timer.NEGOTIATION, slow if is_slow else usual)
        self._out.add(ev.LendPort())

    def _at_rate(self) -> str:
        rate = self.call.connect_rate
        return f" at {rate} bit/s" if rate else ""

    def _lend_stuck(self, _: ev.Event) -> None:
        self._end_call("port_stuck")

    def _start_pppd(self, event: ev.PortLent) -> None:
        self._out.cancel(Timer.PORT)
        if self._pppd.runs:
            return
        try:
            command = self._pppd_files(carrier_wire=event.carrier is True)
        except ValueError:
            self._end_call("pppd_options")
            return
        self._pppd.start(command)

    def _pppd_began(self, event: ev.PppdBegan) -> None:
        self.call.pppd_pid = event.pid
        self._alive()

    def _pppd_failed(self, event: ev.PppdFailed) -> None:
        self._pppd.gone()
        self._end_call("pppd_failed", f" ({harmless(event.detail)})")

    def _logged(self, event: ev.PppdLogged) -> None:
        self._alive()
        fact = self.call.log.take(event.line)
        if fact is not None:
            self._learned(fact)

    def _alive(self, _: ev.Event | None = None) -> None:
        """A sign of life. Of echoes that are answered pppd says nothing, but it wakes for them."""
        self._pppd.alive(self.port.echo_interval_s, up=self.state is LinkState.UP)

    def _came_up(self, code: str, why: Reason) -> None:
        self._out.cancel(Timer.NEGOTIATION)
        self.call.up = True
        self.calls += 1
        self._enter(LinkState.UP, why)
        self._out.note(code, why.text)
        self._alive()

    def _counted(self, event: ev.Counted) -> None:
        counters = Counters(event.rx_bytes, event.tx_bytes)
        if counters.rx_bytes != self.call.counters.rx_bytes and self.state is LinkState.UP:
            self._alive()
        self.call.counters = counters

    def _negotiation_over(self, _: ev.Event) -> None:
        self._end_call("negotiation_timeout")

    def _no_life(self, _: ev.Event) -> None:
        self._end_call("pppd_silent")

    def _pppd_stopped(self, _: ev.Event) -> None:
        self._end_call("pppd_stopped")
        self._kill_pppd(_)

    def _pppd_ended(self, event: ev.PppdEnded) -> None:
        self._pppd.gone()
        self._end_call(*self._why_ended(event.status))

    # The end of a call

    def _hang_up(self, why: Reason) -> None:
        """End the call that is up or on its way."""
        self._cancel_all()
        self._call_over(why)
        self.call.up = False
        self._enter(LinkState.HANGING_UP, why)
        if self._pppd.runs:
            self._pppd.terminate()
        else:
            self._reopen()

    def _pppd_began_late(self, event: ev.PppdBegan) -> None:
        self.call.pppd_pid = event.pid
        self._out.add(ev.TerminatePppd())

    def _kill_pppd(self, _: ev.Event) -> None:
        if self._pppd.kill():
            self.reason = reasons.state("pppd_stuck")
            self._out.note("pppd_stuck", self.reason.text, "error")

    def _pppd_gone(self, _: ev.Event) -> None:
        self._pppd.gone()
        self._reopen()

    def _reopen(self) -> None:
        """Open the port anew, which drops DTR; the old descriptor may be hung up."""
        self.call.pppd_pid = None
        self._out.add(ev.ClosePort())
        self._ask_for_port()

    def _hang_up_modem(self, _: ev.Event) -> None:
        if not self._pppd.runs:
            self._out.cancel(Timer.PORT)
            self._say(dialogs.hang_up(self._timings))

    def _port_gone(self, _: ev.Event) -> None:
        """The port is not there to hang up with: closed, it has DTR low.

        The wait comes first, whether the port comes back at once or not: modems that are found
        anew at each hang-up would be dialed without a pause. The next open finds it missing.
        """
        if not self._pppd.runs:
            self._settle()
