"""The ruleset's part for IPv6 (RFC 6092, RFC 4890): open from inside, closed from outside. Pure.

Nothing is translated, so what protects the hosts of the LAN is that only they begin flows. The
chains exist only while an uplink that speaks IPv6 carries the traffic; without them, IPv6 is
dropped on every uplink and not forwarded.
"""

from __future__ import annotations

from collections.abc import Iterator

from .facts import BRIDGE, Delegation
from .six import PER_HOST, lan_prefix

_NEIGHBOURS = "nd-neighbor-solicit, nd-neighbor-advert"
_ON_LINK = "ip6 hoplimit 255"
_LINK_LOCAL = "fe80::/10"
_NAMES = "{ tcp . 53, udp . 53 }"


def to_chain(match: str, way: str, chain: str) -> tuple[str, ...]:
    """The rule that sends the uplink's IPv6 to a chain of this module, if there is one."""
    apart = f'{match} "{way}" meta nfproto ipv6 goto {chain}_six comment "IPv6"'
    return (apart,) if way else ()


def arrival(delegation: Delegation | None) -> Iterator[str]:
    """What cannot be honest on the uplink, before connection tracking."""
    yield (
        "ip6 saddr { ::1, ::ffff:0:0/96, ff00::/8 } counter drop"
        ' comment "no host has these sources"'
    )
    if delegation is not None:
        yield f'ip6 saddr {delegation.prefix} counter drop comment "forged: a source of the LAN"'
    yield 'fib saddr type local counter drop comment "forged: our own source (LAND)"'
    yield 'jump sane comment "malformed packets"'


def arrival_new(way: str) -> Iterator[str]:
    """Before routing: not even an error of the router's answers what nobody asked for."""
    if way:
        yield (
            f'iifname "{way}" meta nfproto ipv6 ct state invalid,new'
            " fib daddr type != { local, multicast } counter drop"
            ' comment "no IPv6 flow begins outside"'
        )


def input_lan() -> Iterator[str]:
    """What the LAN gets of the router itself."""
    yield (
        f"icmpv6 type {{ {_NEIGHBOURS}, nd-router-solicit }} {_ON_LINK} accept"
        ' comment "neighbours, RFC 4861"'
    )
    yield (
        f"icmpv6 type mld-listener-query ip6 saddr {_LINK_LOCAL} accept"
        ' comment "which multicast groups are heard, RFC 2710"'
    )
    yield 'icmpv6 type echo-request accept comment "ping"'
    yield f'ip6 daddr {_LINK_LOCAL} meta l4proto . th dport {_NAMES} accept comment "DNS"'


def input_uplink() -> Iterator[str]:
    """What the uplink gets: answers, and what keeps the link itself alive."""
    yield from answers()
    yield f'icmpv6 type {{ {_NEIGHBOURS} }} {_ON_LINK} accept comment "neighbours, RFC 4861"'
    near = f"ip6 saddr {_LINK_LOCAL}"
    yield f'icmpv6 type nd-router-advert {near} {_ON_LINK} accept comment "the provider\'s router"'
    yield f'icmpv6 type mld-listener-query {near} accept comment "multicast groups"'
    yield (
        f"{near} ip6 daddr {_LINK_LOCAL} udp sport 547 udp dport 546 accept"
        ' comment "DHCPv6: an answer to our multicast"'
    )
    yield 'counter drop comment "nothing is answered, ping neither"'


def answers(match: str = "") -> tuple[str, str]:
    """Let in what answers a flow that began on our side; ICMPv6 errors come as 'related'."""
    return (
        f'{match}ct state established ct direction reply accept comment "answers"',
        f'{match}ct state related meta l4proto ipv6-icmp accept comment "errors about our flows"',
    )


def forward(way: str, delegation: Delegation, most: int, *, counts: bool) -> Iterator[str]:
    """Between the LAN's /64 and the uplink, and nowhere else."""
    lan = lan_prefix(delegation)
    outward = f'iifname "{BRIDGE}" oifname "{way}" '
    inward = f'iifname "{way}" oifname "{BRIDGE}" ip6 daddr {lan} '
    yield (
        f"{outward}ip6 saddr != {lan} counter reject with icmpv6 policy-fail"
        ' comment "a prefix that the LAN has no more (RFC 7084, L-14)"'
    )
    yield (
        f"{outward}ip6 daddr {delegation.prefix} counter reject with icmpv6 no-route"
        ' comment "delegated, but no network of ours (RFC 7084, WPD-5)"'
    )
    yield (
        "tcp flags & (syn | rst) == syn tcp option maxseg size set rt mtu"
        ' comment "MSS fits the smaller MTU, both ways"'
    )
    # A host has many addresses (RFC 8981), but one hardware address.
    yield (
        f"{outward}ct state new add @{PER_HOST} {{ ether saddr ct count over {most} }}"
        ' counter drop comment "a host with too many flows"'
    )
    if counts:
        yield f'{outward}jump used comment "what the LAN uses the call for"'
    yield f'{outward}ct state new,established,related accept comment "the LAN to the Internet"'
    yield from answers(inward)
    yield 'counter drop comment "no way"'


def departure(delegation: Delegation | None) -> Iterator[str]:
    """What leaves by the uplink."""
    near = f"{{ {_LINK_LOCAL}, ff02::/16 }}"
    yield (
        f"ip6 saddr {{ ::, {_LINK_LOCAL} }} ip6 daddr {near} accept"
        ' comment "neighbours, multicast groups, DHCPv6"'
    )
    if delegation is not None:
        yield f'ip6 saddr {lan_prefix(delegation)} accept comment "the LAN\'s own"'
    # With a prefix: an address of the LAN is the router's as well.
    yield 'fib saddr . oif type local ip6 saddr 2000::/3 accept comment "the uplink\'s address"'
    yield 'counter drop comment "only addresses that the provider gave leave"'
