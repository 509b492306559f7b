"""What the desired state depends on besides the configuration."""

from __future__ import annotations

import msgspec

from ..contract.config import Config, DialIn, Modem, Uplink
from ..contract.status import LinkStatus
from .ethernet import Lease

BRIDGE = "br0"
SINK = "dial0"  # where the default route leads while a packet may make an uplink dial
ROUTE_PROTOCOL = 77  # marks the routes and rules that are ours; no others are touched
UPLINK_TABLE = 7701  # routing table, and priority of its rule, of the first uplink


class Guest(msgspec.Struct, frozen=True, order=True):
    """A caller who has logged in: a host of the LAN at the other end of a telephone line."""

    interface: str  # ppp-modem2
    address: str  # of the LAN


class Delegation(msgspec.Struct, frozen=True):
    """An IPv6 prefix that a provider delegated (RFC 8415). It comes from outside: `six.sound`."""

    interface: str
    prefix: str  # 2001:db8:100::/56
    preferred_s: int  # as the provider told it, not what is left
    valid_s: int


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """The world as the supervisor sees it at one moment."""

    active: str = ""  # name of the uplink that carries the default route; empty: none
    demand: str = ""  # name of the modem that a packet may dial now; empty: none may
    links: tuple[LinkStatus, ...] = ()
    ports: tuple[str, ...] = ()  # Ethernet interfaces present; no bridge, no PPP, no loopback
    password_set: bool = False
    guests: tuple[Guest, ...] = ()  # callers who have logged in
    leases: tuple[Lease, ...] = ()  # of Ethernet uplinks; the applier reads them itself
    delegation: Delegation | None = None  # of the active uplink, if it has one
    stale: tuple[str, ...] = ()  # prefixes (/64) that the LAN had before

    @property
    def may_dial(self) -> bool:
        """Whether a packet of the LAN may dial now: nothing else is up, and forwarding is on."""
        return bool(self.demand) and not self.active and self.password_set

    def link(self, name: str) -> LinkStatus | None:
        """The status of one uplink, None if nobody has told it yet."""
        return next((link for link in self.links if link.name == name), None)


def interface_of(uplink: Uplink) -> str:
    """The interface that carries an uplink: `ppp-NAME` for a modem, the port itself otherwise."""
    return f"ppp-{uplink.name}" if isinstance(uplink, Modem) else uplink.port


def demanded(config: Config, facts: Facts) -> Modem | None:
    """The modem that a packet of the LAN may dial now; None while an uplink is up."""
    modems = config.modems if facts.may_dial else ()
    return next((modem for modem in modems if modem.name == facts.demand), None)


def interface_of_line(line: DialIn) -> str:
    """The interface of a call that a line has answered."""
    return f"ppp-{line.name}"


def active_uplink(config: Config, facts: Facts) -> Uplink | None:
    """The configured uplink that carries the default route, None if there is none."""
    return next((link for link in config.uplink if link.name == facts.active), None)
