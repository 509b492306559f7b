"""What the supervisor works with; tests bring some of it themselves."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from masqgate.contract.config import Config
from masqgate.contract.dialer import Command
from masqgate.contract.errors import MasqgateError, Problem
from masqgate.contract.status import Counters, Flow, Host
from masqgate.core.health import Job
from masqgate.desired.facts import Delegation, Facts
from masqgate.system.clock import Clock
from masqgate.system.heartbeat import Heartbeat
from masqgate.system.history import History
from masqgate.system.kept_leases import KeptLeases
from masqgate.system.kept_prefixes import KeptPrefixes
from masqgate.system.kept_usage import KeptUsage
from masqgate.system.store import Store

from .hardware import Sensing
from .lastresort import Rebooting
from .passwords import Passwords
from .testing import SelfTest

log = logging.getLogger("masqgate.supervisor")


class Applying(Protocol):
    """Brings kernel and services to the desired state; see `system/applier.py`."""

    def apply(self, config: Config, facts: Facts) -> tuple[Problem, ...]:
        """Apply, and tell what could not be done."""

    def close(self) -> tuple[Problem, ...]:
        """Close the firewall."""

    def ports(self) -> tuple[str, ...]:
        """The Ethernet interfaces present."""

    def way_out(self) -> str:
        """The interface of the default route that is there."""

    def hosts(self) -> tuple[Host, ...]:
        """The hosts that hold a lease."""

    def flows(self, limit: int) -> tuple[Flow, ...]:
        """Masqueraded connections."""

    def counters(self, interface: str) -> Counters:
        """Bytes that an interface has carried."""

    def address6(self, interface: str) -> str:
        """An interface's global IPv6 address."""

    def used(self) -> dict[str, int]:
        """Packets of the LAN that count as use of a call on demand, by kind of traffic."""

    def flow_count(self) -> int:
        """How many there are."""


class Copying(Protocol):
    """Packets that the ruleset copied to us; see `system/copies.py`."""

    def send(self, data: Sequence[bytes]) -> int:
        """Send packets that were kept; how many went."""


class Dialing(Protocol):
    """All dialers; see `system/dialers.py`."""

    def configure(self, config: Config) -> None:
        """Have a dialer for each modem and for nothing else; OSError if that fails."""

    def running(self) -> set[str]:
        """The dialers of a supervisor before this one."""

    def command(self, name: str, command: Command) -> None:
        """Tell a dialer something; MasqgateError if it is not there."""


class Watching(Protocol):
    """The watcher of the Ethernet uplinks; see `system/ethernet.py`."""

    def update(self, config: Config) -> None:
        """Take over another configuration."""


class Delegating(Protocol):
    """Runs the DHCPv6 client; see `system/delegations.py`."""

    def update(self, interface: str, duid: str) -> None:
        """Have a client for this interface, and for no other one."""

    def read(self, interface: str) -> Delegation | None:
        """What an interface's client was given."""


class Probing(Protocol):
    """Sends the probes; see `system/prober.py`."""

    def update(self, jobs: Iterable[Job]) -> None:
        """Probe for these, and for no others."""


@dataclass(frozen=True)
class Parts:
    """Everything around the supervisor's decisions."""

    store: Store
    history: History
    leases: KeptLeases
    call_log: History  # calls that were answered, apart: a busy history does not push them out
    usage: KeptUsage
    applier: Applying
    dialers: Dialing
    watcher: Watching
    prober: Probing
    delegations: Delegating
    prefixes: KeptPrefixes
    rebooting: Rebooting
    sensors: Sensing
    passwords: Passwords
    self_test: SelfTest
    copies: Copying
    clock: Clock
    heartbeat: Heartbeat

    def tell(self, name: str, command: Command) -> bool:
        """Tell a dialer something; False, and a line in the log, if it is not there."""
        try:
            self.dialers.command(name, command)
        except MasqgateError as error:
            log.warning("%s", error.text)
            return False
        return True
