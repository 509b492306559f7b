"""Modems with time windows and budgets: hung up when these say so, a person excepted.

Called from the supervisor's loop alone. What the hour allows is decided in `core/hours.py`.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from masqgate.contract.config import Modem
from masqgate.contract.dialer import Command
from masqgate.contract.status import LinkState, Reason
from masqgate.contract.windows import window
from masqgate.contract.zones import rule
from masqgate.core.hours import Hours, hours

if TYPE_CHECKING:
    from .supervisor import Supervisor

HOURS = "hours"  # timer
LOOK_S = 20.0  # the clock may jump: nothing is planned further ahead
OUTSIDE, SPENT, ALLOWED = "outside_hours", "budget_used", "allowed"
_RESTING = (LinkState.OFF, LinkState.IDLE)
_SELF = ("always", "demand")  # modes that dial by themselves

log = logging.getLogger(__name__)


class OpeningHours:
    """Which modem may dial by itself now, and what the dialers were told of it."""

    def __init__(self, supervisor: Supervisor) -> None:
        self._supervisor = supervisor
        self._overridden: set[str] = set()  # until the call that a person wanted is over
        self._was_up: set[str] = set()
        self._states: dict[str, LinkState] = {}
        self._allowed: dict[str, bool] = {}

    def allows(self, modem: Modem) -> bool:
        """Whether a modem may be up now."""
        return modem.name in self._overridden or self._against(modem) is None

    def by_hand(self, name: str, *, connect: bool) -> None:
        """A person wants a call, whatever the hour, or none."""
        self._was_up.discard(name)
        (self._overridden.add if connect else self._overridden.discard)(name)

    def told(self, name: str) -> None:
        """A link's state is news: the end of a call ends what a person wanted."""
        state = self._supervisor.links[name].state
        if self._states.get(name) is state:
            return
        self._states[name] = state
        if state is LinkState.UP:
            self._was_up.add(name)
        elif name in self._was_up:
            self._was_up.discard(name)
            self._overridden.discard(name)
        self._supervisor.timers.at_latest(HOURS, self._now())

    def look(self) -> None:
        """Hang up, or dial, as the hour wants."""
        before = dict(self._allowed)
        for modem in self._supervisor.config.modems:
            if self._against(modem) is None:
                self._overridden.discard(modem.name)  # there is nothing to override
            self._allowed[modem.name] = self.allows(modem)
            if modem.mode != "off":
                self._follow(modem)
        if self._allowed != before:
            self._supervisor.apply_soon()
        self._supervisor.timers.set(HOURS, self._now() + LOOK_S)

    def _follow(self, modem: Modem) -> None:
        link = self._supervisor.links.get(modem.name)
        if link is None or link.reason.code == "disconnected":
            return
        why = None if modem.name in self._overridden else self._against(modem)
        if why is None:
            self._begin(modem, link.state, link.reason.code)
        elif link.state in _RESTING:
            if link.reason.text != why.text:
                self._supervisor.parts.tell(modem.name, Command("rest", why))
        elif why.code == OUTSIDE or modem.budget.at_limit != "manual":
            text = f"{modem.name} hangs up. {why.text}"
            if link.reason.code != why.code and self._supervisor.parts.tell(
                modem.name, Command("rest", why)
            ):
                self._supervisor.record(modem.name, why.code, text)

    def _begin(self, modem: Modem, state: LinkState, code: str) -> None:
        """What rested because of the hour or the budget goes on; with windows it asks first."""
        if state not in _RESTING:
            return
        if modem.mode == "always" and (modem.windows or code == SPENT):
            self._supervisor.parts.tell(modem.name, Command("dial"))
        elif code in (OUTSIDE, SPENT):
            text = "Waiting for traffic, which makes it dial."
            if modem.mode == "manual":
                text = "Waiting to be told to connect."
            self._supervisor.parts.tell(modem.name, Command("rest", Reason(ALLOWED, text)))

    def _against(self, modem: Modem) -> Reason | None:
        """Why a modem may not be up now; None if it may."""
        hint = "`masqgate connect`, or the button on the page, dials all the same."
        what = "a packet makes it dial again" if modem.mode == "demand" else "dials again"
        found = self._hours(modem)
        if not found.within:
            return Reason(OUTSIDE, f"Outside its hours; {what} {found.opens}.", hint)
        text, again = self._supervisor.budgets.limit(modem)
        if not text or modem.budget.at_limit == "warn":
            return None
        if modem.mode == "manual":
            return Reason(SPENT, f"{text}; it begins anew {again}.", hint)
        return Reason(SPENT, f"{text}; {what} {again}.", hint)

    def _hours(self, modem: Modem) -> Hours:
        clock = self._supervisor.parts.clock
        zone = rule(self._supervisor.config.system.timezone) or "UTC0"
        windows = [window(text) for text in modem.windows] if modem.mode in _SELF else []
        return hours(windows, zone, clock.wall(), known=clock.known())

    def _now(self) -> float:
        return self._supervisor.parts.clock.monotonic()
