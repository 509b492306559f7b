"""Brings the kernel, nftables and dnsmasq to the desired state, and reads back."""

from __future__ import annotations

from ..contract.config import Config
from ..contract.errors import Problem
from ..contract.paths import Paths
from ..contract.status import Counters, Flow, Host
from ..desired.facts import Facts
from .services import Services, Systemd


class Applier:
    """Owns bridge, LAN address, our routes, sysctls, the ruleset and dnsmasq's files.

    Not safe to share by threads: one thread calls it.
    """

    def __init__(self, paths: Paths, services: Services | None = None) -> None:
        self._paths = paths
        self._services: Services = services or Systemd()

    def apply(self, config: Config, facts: Facts) -> tuple[Problem, ...]:
        """Bring everything to what configuration and facts ask for; what could not be done.

        Idempotent: a second call with the same arguments changes nothing. Never raises: a part
        that fails is a Problem, and the other parts are applied all the same. Rules that cannot
        be loaded leave the old ones in force.
        """
        raise NotImplementedError

    def close(self) -> tuple[Problem, ...]:
        """Load the closed ruleset and stop forwarding."""
        raise NotImplementedError

    def ports(self) -> tuple[str, ...]:
        """The Ethernet interfaces present, sorted: no bridge, no PPP, no loopback, no radio."""
        raise NotImplementedError

    def hosts(self) -> tuple[Host, ...]:
        """The hosts that hold a lease of ours, by address."""
        raise NotImplementedError

    def flows(self, limit: int) -> tuple[Flow, ...]:
        """At most `limit` masqueraded connections of LAN hosts."""
        raise NotImplementedError

    def flow_count(self) -> int:
        """How many masqueraded connections there are."""
        raise NotImplementedError

    def counters(self, interface: str) -> Counters:
        """Bytes that an interface has carried; zeros if it is not there."""
        raise NotImplementedError
