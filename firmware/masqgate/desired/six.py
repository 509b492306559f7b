"""IPv6: what the provider delegated, what the LAN gets of it, and the rules that go with it. Pure.

Theory of operation (RFC 7084, docs/IPV6.md): one uplink speaks IPv6, the one that carries the
traffic. Its DHCPv6 client tells which prefix the provider delegated; the first /64 of that is the
LAN's, told by router advertisements. A prefix that the LAN had before is kept on the bridge for a
while, deprecated, so that hosts turn away from it at once.
"""

from __future__ import annotations

from ipaddress import IPv6Network

import msgspec

from ..contract.config import Config
from .facts import Delegation, Facts, active_uplink, interface_of

DEFAULT6 = "::/0"
SHORTEST = 16  # bits; nobody was ever given more
LAN_BITS = 64  # what SLAAC needs (RFC 4862)
HOST = 1  # the router's own interface identifier on the LAN
LONGEST_S, SHORTEST_S = 2700, 120  # lifetimes that hosts are told
# So long a prefix of before is told as deprecated (RFC 7084, L-13): no host has heard of longer.
STALE_S = LONGEST_S
PER_HOST = "flows_of_host6"  # a set that the kernel itself fills
_UNICAST = IPv6Network("2000::/3")  # what is global (RFC 4291, section 2.4)


def sound(delegation: Delegation) -> Delegation | None:
    """The delegation in its usual form; None if it is of no use for a LAN."""
    try:
        network = IPv6Network(delegation.prefix)
    except ValueError:
        return None
    if not SHORTEST <= network.prefixlen <= LAN_BITS or not network.subnet_of(_UNICAST):
        return None
    if delegation.valid_s <= 0 or delegation.preferred_s <= 0:
        return None
    return msgspec.structs.replace(delegation, prefix=str(network))


def lan_prefix(delegation: Delegation | None) -> str:
    """The LAN's /64: the first one of what was delegated; empty: none."""
    if delegation is None:
        return ""
    return f"{IPv6Network(delegation.prefix).network_address}/{LAN_BITS}"


def router_address(prefix: str) -> str:
    """The router's address, with prefix, in a /64 of the LAN."""
    return f"{IPv6Network(prefix)[HOST]}/{LAN_BITS}"


def way(config: Config, facts: Facts) -> str:
    """The interface that speaks IPv6 to the provider; empty: none does."""
    uplink = active_uplink(config, facts)
    return interface_of(uplink) if uplink is not None and uplink.ipv6 else ""


def wanted(config: Config) -> bool:
    """Whether any uplink may bring IPv6."""
    return any(uplink.ipv6 for uplink in config.uplink)


def delegated(config: Config, facts: Facts) -> Delegation | None:
    """The delegation in force: only that of the uplink that carries the traffic."""
    one = facts.delegation
    return one if one is not None and one.interface == way(config, facts) else None


def advertised_s(delegation: Delegation | None) -> int:
    """The longest lifetime that hosts are told, in seconds (RFC 9096, section 3.4).

    Never more than the provider promised: what is told cannot be taken back.
    """
    promised = LONGEST_S if delegation is None else delegation.preferred_s
    return max(SHORTEST_S, min(LONGEST_S, promised))


def is_lan_prefix(text: str) -> bool:
    """Whether a text is a /64 that a LAN can have."""
    try:
        network = IPv6Network(text)
    except ValueError:
        return False
    return network.prefixlen == LAN_BITS and network.subnet_of(_UNICAST)
