"""The link machine: events in, commands out; no I/O, no clock, no chance of its own.

Theory of operation. The link is wanted or it is not (`Wishes`: the mode, and what people told
it). A wanted link goes round: open the port (INIT), prepare the modem, dial (DIALING), lend the
port to pppd (NEGOTIATING), UP, and, when anything goes wrong, hang up (HANGING_UP), bring the
modem back if it does not answer (RESETTING), wait (WAITING), and again, for ever. All exits from
the round lead through `_settle`; `_choose_way` alone decides where an idle link goes. What any
modem needs is in `skeleton.py`, the transitions are in `table.py`.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from ..contract.config import Modem
from ..contract.dialer import DialerConfig
from ..contract.status import LinkState, LinkStatus, Reason
from . import changes, dialogs, options, pppd_exit, reasons
from . import events as ev
from .access import Find, known_none, with_access
from .backoff import Backoff, Cause
from .dialog import Dialog
from .events import Timer
from .facts import inside, usable
from .pppd_log import NameServer, PppFact, RemoteAddress, Told
from .skeleton import IN_CALL, Skeleton
from .table import TABLE
from .talk import Talk
from .timings import Timings
from .wishes import Wishes

RESET_EVERY = 6  # failed calls in a row after which a mobile modem is restarted
NO_FAILURE = ("carrier_lost", "")  # told if none is remembered
PEER_EXPLAINS = frozenset({"auth_failed", "auth_no_secret", "peer_refused", "peer_closed"})


class LinkMachine(Skeleton):
    """One uplink's life: whether and when it dials, and what becomes of a call."""

    table = TABLE

    def __init__(
        self,
        config: DialerConfig,
        timings: Timings,
        chance: Callable[[], float],
        pin_mark: str = "",
        find: Find = known_none,
    ) -> None:
        super().__init__(timings, pin_mark)
        self.config = config
        self.attempts = 0
        self._backoff = Backoff(timings, chance)
        self._find = find
        self._failure = NO_FAILURE
        self._failed_at: float | None = None  # monotonic
        self._wishes = Wishes()

    @property
    def port(self) -> Modem:
        """The modem, as configured."""
        return self.config.modem

    @property
    def second_port(self) -> ev.OpenPort | None:
        """The modem's other port, while it is to be asked for signal and operator."""
        if not self.port.status_port or self.state is not LinkState.UP:
            return None
        return ev.OpenPort(self.port.status_port, self.port.speed, flow_control=False)

    def status(self, now: float, since_at: float) -> LinkStatus:
        """Return what to tell; `since_at` is the Unix time of the last change of state."""
        dns = self.call.dns if self.call.up else {}
        access = self.modem.access
        return msgspec.structs.replace(
            self._status(self.config.interface, now, since_at),
            dns=tuple(dict.fromkeys(dns[index] for index in sorted(dns))),
            attempts=self.attempts,
            signal_dbm=self.modem.signal_dbm,
            operator=self.modem.operator,
            registration=self.modem.registration,
            network_trouble=self.call.network_trouble if self.call.up else None,
            apn=access.apn if access else "",
            apn_others=tuple(one.apn for one in self.modem.others) if access else (),
        )

    # The round

    def _choose_way(self) -> None:
        now = self._wishes.take_now()
        if self.port.mode == "off":
            self._enter(LinkState.OFF, reasons.state("off"))
        elif not self._wishes.wanted:
            self._enter(LinkState.IDLE, self._wishes.why_idle(self.port.mode))
        elif now or self.state in (LinkState.OFF, LinkState.IDLE):
            self._open()
        else:
            self._wait()
        self._failure, self._failed_at = NO_FAILURE, None

    def _wait(self) -> None:
        code, detail = self._failure
        cause = reasons.FAILURES[code].cause
        seconds = self._backoff.wait(cause)
        if cause is Cause.LINE:  # it has rested while the modem was brought to order
            rested = self._out.now - (self._failed_at or self._out.now)
            seconds = max(self._timings.least_redial, seconds - rested)
        self._enter(LinkState.WAITING, reasons.waiting(code, detail, seconds))
        self._out.set(Timer.REDIAL, seconds)
        self._out.note(code, self.reason.text, "warning" if cause is Cause.LINE else "error")

    def _remember(self, code: str, detail: str = "") -> None:
        """Keep why the link must wait. A fault of the line does not hide a refusal before it."""
        if self._failed_at is None:
            self._failed_at = self._out.now
        grave = reasons.FAILURES[self._failure[0]].cause is not Cause.LINE
        if not grave or reasons.FAILURES[code].cause is not Cause.LINE:
            self._failure = (code, detail)

    @property
    def _needed(self) -> bool:
        return self._wishes.wanted and not self._ending

    def _start_anew(self) -> None:
        self._wishes.now = False

    def _preparation(self) -> Dialog:
        return dialogs.prepare(self.port, self.modem, self._timings, self._find)

    def _prepared(self) -> None:
        self.attempts += 1
        if self.port.apn:
            self.modem.network_at = self._out.now
        self._enter(LinkState.DIALING, reasons.state("dialing", self.port.number))
        self._out.note("dialing", self.reason.text)
        self._say(dialogs.dial(self.port, self.call, self._timings))

    def _dialed(self, talk: Talk) -> None:
        if talk.outcome is None:
            self._connected(reasons.state("starting_ppp", self._at_rate()))
        elif talk.outcome[0] == "dial_timeout":
            self._end_call(*talk.outcome)
        else:
            self._fail(*talk.outcome)

    def _conclude(self) -> None:
        """If calls keep failing, restart a mobile modem."""
        code, _ = self._failure
        last_one = self._backoff.failures % RESET_EVERY == RESET_EVERY - 1
        by_line = reasons.FAILURES[code].cause is Cause.LINE
        if self.port.apn and last_one and by_line and self._needed and not self._wishes.now:
            self._reset(code, dialogs.RESTART)
        else:
            self._settle()

    # What pppd tells

    def _pppd_files(self, *, carrier_wire: bool) -> ev.StartPppd:
        modem = with_access(self.port, self.modem.access)
        config = msgspec.structs.replace(self.config, modem=modem)
        rate = self.call.connect_rate
        return ev.StartPppd(options.render(config, carrier_wire=carrier_wire, rate=rate))

    def _learned(self, fact: PppFact) -> None:
        if isinstance(fact, NameServer) and not self._serves(fact):
            return
        before = frozenset(self.call.told)
        self.call.take(fact)
        if (code := pppd_exit.hopeless(fact)) is not None:
            self._end_call(code)
        elif isinstance(fact, RemoteAddress) and self.state is LinkState.NEGOTIATING:
            self._take_address()
        elif self.state is LinkState.NEGOTIATING:
            self._progressed(self.call.told - before)

    def _progressed(self, told: set[Told]) -> None:
        if Told.AUTH_OK in told:
            self._backoff.logged_in()
            self.reason = reasons.state("logged_in")
        elif Told.LCP_TALKS in told:
            self.reason = reasons.state("negotiating", self._at_rate())

    def _serves(self, server: NameServer) -> bool:
        """A name server in the LAN is none of the provider's."""
        address = str(server.address)
        return usable(address) and not inside(address, self.config.lan)

    def _take_address(self) -> None:
        if not usable(self.call.address):
            self._end_call("no_address")
            return
        if stolen := self._address_in_lan():
            self._end_call("address_in_lan", stolen)
            return
        self.attempts = 0
        self._backoff.logged_in()
        detail = (self.call.address or "unknown") + self._at_rate()
        self._came_up("up", reasons.state("up", detail))
        self._out.set(Timer.STEADY, self._timings.steady)

    def _address_in_lan(self) -> str:
        """Return an address of the call that would take one of the LAN's away; '' if none."""
        ours = (self.call.address, self.call.peer)
        return next((address for address in ours if inside(address, self.config.lan)), "")

    def _looked(self, event: ev.Looked) -> None:
        """What the second port told has no say in the call: it is only passed on."""
        self.call.network_trouble = event.trouble
        if event.network is not None:
            self.modem.take(event.network, self._out.now)
        if event.note is not None:
            self._out.add(event.note)

    def _steady(self, _: ev.Event) -> None:
        self._backoff.good_call()

    def _no_life(self, _: ev.Event) -> None:
        """pppd repeats and logs what it sends; it is silent only while it waits for a login."""
        told = self.call.told
        waits = Told.LCP_TALKS in told and Told.AUTH_OK not in told and not self.call.up
        self._end_call("auth_silent" if waits else "pppd_silent")

    def _why_ended(self, status: int) -> tuple[str, str]:
        code = pppd_exit.reason(status, frozenset(self.call.told), was_up=self.call.up)
        says = self.call.peer_says if code in PEER_EXPLAINS else ""
        return code, f' (it says: "{says}")' if says else ""

    def _end_call(self, code: str, detail: str = "") -> None:
        self._remember(code, detail)
        self._hang_up(reasons.hanging_up(code, detail))

    def _call_over(self, why: Reason) -> None:
        if self.call.up:
            self._out.note("down", why.text, "warning" if self._wishes.wanted else "info")

    # What people and the supervisor tell

    def _began(self, _: ev.Event) -> None:
        # With windows, the supervisor says when: only it knows the hour.
        self._wishes.wanted = self.port.mode == "always" and not self.port.windows
        self._go_on()

    def _connect(self, _: ev.Event) -> None:
        if self.port.mode == "off":
            text = "Not connecting: the uplink is switched off."
            self._out.note("refused", text, "warning")
            return
        self._wishes.want()
        self._backoff.forget()
        self._open()

    def _connect_later(self, _: ev.Event) -> None:
        if self.port.mode != "off":
            self._wishes.want()
            self._wishes.now = True

    def _disconnect(self, _: ev.Event) -> None:
        self._wishes.want_none()
        self._leave()

    def _disconnect_later(self, _: ev.Event) -> None:
        self._wishes.want_none()

    def _dial_called(self, _: ev.Event) -> None:
        """Go from rest to a call, unless a person wants none."""
        if self.port.mode != "off" and not self._wishes.by_hand:
            self._wishes.want()
            self._open()

    def _dial_later(self, _: ev.Event) -> None:
        wishes = self._wishes
        if self.port.mode != "off" and not wishes.by_hand and not wishes.wanted:
            wishes.want()
            wishes.now = True

    def _rest(self, event: ev.RestCalled) -> None:
        self._wishes.rest(event.why)
        if self.state in (LinkState.OFF, LinkState.IDLE):
            self._go_on()  # there is nothing to end, but another reason to tell
        else:
            self._part(event.why)

    def _rest_later(self, event: ev.RestCalled) -> None:
        self._wishes.rest(event.why)

    def _reload(self, event: ev.ConfigLoaded) -> None:
        old = self.config
        must_redial = self._adopt(event.config)
        if not self._wishes.wanted:
            self._leave()
        elif must_redial:
            self._failure = ("config_changed", "")
            self._part(reasons.hanging_up("config_changed"))
        elif self.state is LinkState.UP and (stolen := self._address_in_lan()):
            self._failure = ("address_in_lan", stolen)
            self._part(reasons.hanging_up("address_in_lan", stolen))
        elif self.state in (LinkState.OFF, LinkState.IDLE):
            self._go_on()
        elif self.state is LinkState.WAITING and old != event.config:
            self._backoff.forget()
            self._open()

    def _reload_later(self, event: ev.ConfigLoaded) -> None:
        if self._adopt(event.config):
            self._wishes.now = self._wishes.wanted

    def _adopt(self, config: DialerConfig) -> bool:
        """Take a configuration; True if what is under way must be given up for it."""
        old, self.config = self.config, config
        self._wishes.adopt(old.modem, config.modem)
        if old.modem.status_port != config.modem.status_port:
            self.call.network_trouble = None
        must_redial = changes.must_redial(old, config)
        if must_redial:
            self._out.note("config", "The uplink's configuration changed.")
            self._backoff.forget()
            self._wishes.now = self._wishes.wanted
        return must_redial

    def _leave(self, _: ev.Event | None = None) -> None:
        self._part(reasons.state("hanging_up_by_hand"))

    def _part(self, why: Reason) -> None:
        """Give up what is under way, the decent way."""
        if self.state in IN_CALL:
            self._hang_up(why)
        else:
            self._settle()
