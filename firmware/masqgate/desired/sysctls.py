"""The kernel's switches, as paths under /proc/sys with their values.

Paths are divided by slashes, since the names of interfaces may hold dots.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

FORWARDING = "net/ipv4/ip_forward"
# The first of these sets the second, and that of every interface.
FORWARDING6 = ("net/ipv6/conf/all/forwarding", "net/ipv6/conf/default/forwarding")
PASSING = (FORWARDING, *FORWARDING6)  # none is on while no ruleset of ours is in force

# Setting this one resets others to the kernel's idea of a router: it comes first.
_FIRST = ((FORWARDING, "1"),)

_IPV4 = (
    ("net/ipv4/icmp_echo_ignore_broadcasts", "1"),
    ("net/ipv4/tcp_syncookies", "1"),
)

# For each of `all` and `default`, and again for interfaces: the kernel combines some of these by
# OR or MAX, and whoever configured the interface before us may have had other ideas.
_IPV4_CONF = (
    ("rp_filter", "1"),  # strict: an answer would leave by the way the packet came (RFC 3704)
    ("accept_redirects", "0"),
    ("secure_redirects", "0"),
    ("send_redirects", "0"),
    ("accept_source_route", "0"),
    ("arp_ignore", "1"),  # an address answers ARP only on its own interface
    ("arp_announce", "2"),
)

_IPV6_CONF = (
    ("accept_ra", "0"),
    ("accept_redirects", "0"),
    ("accept_source_route", "0"),
)

# What is bridged is not routed: the ruleset judges packets once, as IP.
_BRIDGE = tuple(
    (f"net/bridge/bridge-nf-call-{kind}", "0") for kind in ("iptables", "ip6tables", "arptables")
)

# Time-outs of idle flows in seconds. RFC 4787, REQ-5: UDP at least 2 min, better 5; the kernel's
# 30 s before the first answer break it. RFC 5382, REQ-5: TCP at least 2 h 4 min when established,
# 4 min otherwise. RFC 5508, REQ-2: ICMP at least 60 s.
_CONNTRACK = (
    ("udp_timeout", "120"),
    ("udp_timeout_stream", "300"),
    ("icmp_timeout", "60"),
    ("tcp_timeout_established", "7500"),
    ("tcp_timeout_syn_sent", "240"),
    ("tcp_timeout_syn_recv", "240"),
    ("tcp_timeout_fin_wait", "240"),
    ("tcp_timeout_close_wait", "240"),
    ("tcp_timeout_last_ack", "240"),
    ("tcp_timeout_time_wait", "240"),
    # A flow in mid-stream counts as new, so that the ruleset can reset one of an earlier call.
    ("tcp_loose", "1"),
    # Flows at most, of about 300 bytes each. The kernel goes by the memory, and gives a small
    # board fewer than the ruleset lets one host have.
    ("max", "65536"),
)

# Only the first network namespace may set it; in others it is there, but not to be written.
SHARED = "net/netfilter/nf_conntrack_max"


def global_sysctls(*, six: bool = False) -> Iterator[tuple[str, str]]:
    """What holds for the whole router, forwarding first; `six`: an uplink may bring IPv6."""
    yield from _FIRST
    yield from ((path, "1" if six else "0") for path in FORWARDING6)
    yield from _IPV4
    for name in ("all", "default"):
        yield from ((f"net/ipv4/conf/{name}/{key}", value) for key, value in _IPV4_CONF)
        yield from ((f"net/ipv6/conf/{name}/{key}", value) for key, value in _IPV6_CONF)
    yield from _BRIDGE
    yield from ((f"net/netfilter/nf_conntrack_{key}", value) for key, value in _CONNTRACK)


def interface_sysctls(name: str) -> Iterator[tuple[str, str]]:
    """What holds for an interface that has addresses of ours."""
    yield from ((f"net/ipv4/conf/{name}/{key}", value) for key, value in _IPV4_CONF)
    yield f"net/ipv6/conf/{name}/accept_ra", "0"


def port_sysctls(ports: Iterable[str]) -> Iterator[tuple[str, str]]:
    """A port of the bridge has no addresses of its own."""
    yield from ((f"net/ipv6/conf/{name}/disable_ipv6", "1") for name in ports)


def uplink_sysctls(interfaces: Iterable[str]) -> Iterator[tuple[str, str]]:
    """An uplink that speaks IPv4 only."""
    for name in interfaces:
        yield from ((f"net/ipv4/conf/{name}/{key}", value) for key, value in _IPV4_CONF)
        yield f"net/ipv6/conf/{name}/disable_ipv6", "1"


def six_sysctls(name: str, *, listens: bool) -> Iterator[tuple[str, str]]:
    """An uplink that speaks IPv6, too; `listens`: to router advertisements (RFC 4861).

    Address and default route are the kernel's then. 2: although the router forwards.
    """
    yield from ((f"net/ipv4/conf/{name}/{key}", value) for key, value in _IPV4_CONF)
    # dhcpcd does not begin without, and may not set it itself.
    yield f"net/ipv4/conf/{name}/promote_secondaries", "1"
    yield f"net/ipv6/conf/{name}/accept_redirects", "0"
    # Before IPv6 is switched on, which makes the kernel ask for a router.
    yield f"net/ipv6/conf/{name}/accept_ra", "2" if listens else "0"
    yield f"net/ipv6/conf/{name}/disable_ipv6", "0"
