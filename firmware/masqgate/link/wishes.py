"""What people want of the link: connect, disconnect, another configuration, the end."""

from __future__ import annotations

from ..contract.dialer import DialerConfig
from ..contract.status import LinkState, Reason
from . import changes, reasons
from .core import Core
from .events import ConfigLoaded, ConfigRefused, Event, RestCalled
from .text import harmless


class Wishes(Core):
    """Handlers of calls; `_wanted` is what they leave behind."""

    def _began(self, _: Event) -> None:
        # With windows, the supervisor says when: only it knows the hour.
        self._wanted = self.config.modem.mode == "always" and not self.config.modem.windows
        self._go_on()

    def _connect(self, _: Event) -> None:
        if self.config.modem.mode == "off":
            self._note("refused", "Not connecting: the uplink is switched off.", "warning")
            return
        self._want()
        self._backoff.forget()
        self._open()

    def _connect_later(self, _: Event) -> None:
        if self.config.modem.mode != "off":
            self._want()
            self._redial_now = True

    def _disconnect(self, _: Event) -> None:
        self._disconnect_later(_)
        self._leave(reasons.state("hanging_up_by_hand"))

    def _disconnect_later(self, _: Event) -> None:
        self._wanted, self._by_hand, self._redial_now = False, True, False

    def _dial_called(self, _: Event) -> None:
        """Go from rest to a call, unless a person wants none."""
        if self.config.modem.mode != "off" and not self._by_hand:
            self._want()
            self._open()

    def _dial_later(self, _: Event) -> None:
        if self.config.modem.mode != "off" and not self._by_hand and not self._wanted:
            self._want()
            self._redial_now = True

    def _rest(self, event: RestCalled) -> None:
        self._rest_later(event)
        if self.state in (LinkState.OFF, LinkState.IDLE):
            self._go_on()  # there is nothing to end, but another reason to tell
        else:
            self._leave(event.why)

    def _rest_later(self, event: RestCalled) -> None:
        self._wanted, self._resting, self._redial_now = False, event.why, False

    def _want(self) -> None:
        self._wanted, self._by_hand, self._resting = True, False, None

    def _reload(self, event: ConfigLoaded) -> None:
        old = self.config
        must_redial = self._adopt(event.config)
        if not self._wanted:
            self._leave(reasons.state("hanging_up_by_hand"))
        elif must_redial:
            self._failure = ("config_changed", "")
            self._leave(reasons.hanging_up("config_changed"))
        elif self.state is LinkState.UP and (stolen := self._address_in_lan()):
            self._failure = ("address_in_lan", stolen)
            self._leave(reasons.hanging_up("address_in_lan", stolen))
        elif self.state in (LinkState.OFF, LinkState.IDLE):
            self._go_on()
        elif self.state is LinkState.WAITING and old != event.config:
            self._backoff.forget()
            self._open()

    def _reload_later(self, event: ConfigLoaded) -> None:
        if self._adopt(event.config):
            self._redial_now = self._wanted

    def _config_refused(self, event: ConfigRefused) -> None:
        text = "The new configuration cannot be read; the old one stays in force."
        self._note("config_bad", f"{text} ({harmless(event.detail)})", "error")

    def _adopt(self, config: DialerConfig) -> bool:
        """Take a configuration; True if what is under way must be given up for it."""
        old, self.config = self.config, config
        mode = config.modem.mode
        if mode != old.modem.mode:
            self._wanted = mode == "always" or (mode in ("manual", "demand") and self._wanted)
            self._by_hand = self._by_hand and not self._wanted and mode != "demand"
            self._resting = None
        elif old.modem.windows and not config.modem.windows and mode == "always":
            self._wanted = not self._by_hand
        must_redial = changes.must_redial(old, config)
        if must_redial:
            self._note("config", "The uplink's configuration changed.")
            self._backoff.forget()
            self._redial_now = self._wanted
        return must_redial

    def _shut_down(self, _: Event) -> None:
        self._ending = True
        self._leave(reasons.state("hanging_up_by_hand"))

    def _shut_down_later(self, _: Event) -> None:
        self._ending = True

    def _leave(self, why: Reason) -> None:
        """Give up what is under way, the decent way."""
        if self.state in (LinkState.DIALING, LinkState.NEGOTIATING, LinkState.UP):
            self._hang_up(why)
        else:
            self._settle()
