"""The LAN's IPv6 prefix, kept for the supervisor's loop; the decision is in `core/prefixes.py`."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from masqgate.core import prefixes
from masqgate.core.prefixes import Known
from masqgate.desired.facts import Delegation, Facts
from masqgate.desired.six import lan_prefix, router_address, way

if TYPE_CHECKING:
    from .supervisor import Supervisor

log = logging.getLogger(__name__)


class Prefixes:
    """What was delegated, and what the LAN had before. Called from the loop alone."""

    def __init__(self, supervisor: Supervisor) -> None:
        self._supervisor = supervisor
        self.known = Known()
        self.delegation: Delegation | None = None
        self._interface = ""

    def start(self) -> None:
        """Remember what hosts were told before the restart."""
        kept = self._supervisor.parts.prefixes.restore()
        self.known = prefixes.resumed(kept, self._now())

    def follow(self) -> None:
        """Look at what is delegated to the uplink that carries the traffic."""
        supervisor = self._supervisor
        self._interface = way(supervisor.config, Facts(active=supervisor.active))
        found = supervisor.parts.delegations.read(self._interface) if self._interface else None
        if found != self.delegation:
            self._tell(found)
        self.delegation = found
        self.known = prefixes.follow(self.known, lan_prefix(found), self._now())
        supervisor.parts.prefixes.keep(self.known.prefixes)

    @property
    def router_address(self) -> str:
        """The router's address, with prefix, in the LAN's /64; empty: none."""
        return router_address(self.known.current) if self.known.current else ""

    @property
    def stale(self) -> tuple[str, ...]:
        """The prefixes that the LAN had before."""
        return tuple(one.prefix for one in self.known.stale)

    @property
    def again_at(self) -> float | None:
        """When a prefix is to be forgotten (monotonic)."""
        return self.known.again_at

    def applied(self) -> None:
        """Have a client ask: only now is IPv6 switched on at the uplink."""
        parts = self._supervisor.parts
        duid = parts.prefixes.duid if self._interface else ""
        parts.delegations.update(self._interface, duid)

    def _tell(self, found: Delegation | None) -> None:
        before, after = lan_prefix(self.delegation), lan_prefix(found)
        if before == after:
            return
        if found is not None:
            text = f"The LAN has the IPv6 prefix {after}, of {found.prefix} by {self._interface}."
        else:
            text = f"The LAN's IPv6 prefix {before} is gone; hosts are told so."
        self._supervisor.record("system", "ipv6_prefix", text)
        log.info("%s", text)

    def _now(self) -> float:
        return self._supervisor.parts.clock.monotonic()
