"""Dial on demand: the interface that goes nowhere, and the rules that judge what may dial.

Theory of operation (docs/DIALMODES.md). While no uplink is up, the default route leads to an
interface that leads nowhere. What the LAN sends there, and what dnsmasq asks there for the LAN,
is judged by these rules and copied to the supervisor (NFLOG); nothing of it leaves, and no flow
of it is remembered.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..contract.config import Lan, Modem
from ..contract.traffic import NUMBERS, kind
from .facts import SINK

GROUP = 77  # of NFLOG
SNAP = 1600  # bytes of a packet that are copied: all of it, on Ethernet
PACKET, ASK, LOOKUP = "packet", "ask", "lookup"  # what a copy is: its prefix
COUNTERS = {"tcp": "used_tcp", "udp": "used_udp", "icmp": "used_icmp", "other": "used_other"}

# Destinations that are nowhere on the Internet: private, link-local, multicast, and the like.
_NOWHERE = (
    "0.0.0.0/8, 10.0.0.0/8, 127.0.0.0/8, 169.254.0.0/16, 172.16.0.0/12, 192.168.0.0/16,"
    " 224.0.0.0/3"
)
_SYN = "tcp flags & (fin | syn | rst | ack) != syn"
_MOST = "limit rate over 100/second burst 200 packets"


def copied(what: str) -> str:
    """The statement that gives the supervisor a copy."""
    return f'log prefix "{what}" snaplen {SNAP} group {GROUP}'


def ignored(modem: Modem, verdict: str) -> Iterator[str]:
    """The rules about kinds of traffic that do not count."""
    for text in modem.ignore:
        wanted = kind(text)
        if (wanted.first, wanted.last) == (0, 65535):
            match = f"meta l4proto {wanted.protocol}"
        else:
            name = "tcp" if wanted.protocol == NUMBERS["tcp"] else "udp"
            ports = f"{wanted.first}-{wanted.last}"
            match = f"{name} dport {wanted.first if wanted.first == wanted.last else ports}"
        yield f'{match} {verdict} comment "does not count: {text}"'


def dial_rules(modem: Modem) -> list[str]:
    """What the LAN sends while the link is down."""
    # Programs are told by this code at once; they are not by 'no route'.
    unreachable = "counter reject with icmpx admin-prohibited"
    return [
        f'{_SYN} counter reject with tcp reset comment "a flow of an earlier call"',
        f'ip daddr {{ {_NOWHERE} }} {unreachable} comment "nowhere on the Internet"',
        *ignored(modem, unreachable),
        'icmp type != echo-request counter drop comment "errors and answers of ICMP"',
        f'{_MOST} counter drop comment "more than anybody waits for"',
        f'{copied(PACKET)} comment "this makes it dial"',
        'counter drop comment "the supervisor sends its copy when the link is up"',
    ]


def use_rules(modem: Modem) -> list[str]:
    """What the LAN sends while the link is up: counted, so that an idle link is known."""
    return [
        'tcp flags & (fin | rst) != 0 return comment "ends of flows do not count"',
        'icmp type != echo-request return comment "errors and answers of ICMP do not count"',
        'icmpv6 type != echo-request return comment "the same of IPv6"',
        *ignored(modem, "return"),
        *(
            f'meta l4proto {name} counter name "{COUNTERS[name]}" return'
            for name in ("tcp", "udp", "icmp")
        ),
        f'meta l4proto ipv6-icmp counter name "{COUNTERS["icmp"]}" return',
        f'counter name "{COUNTERS["other"]}"',
    ]


def ask_rule(lan: Lan) -> str:
    """A LAN host's question to the router's DNS: who asked for the name that made it dial."""
    return f"ip daddr {lan.interface.ip} udp dport 53 limit rate 100/second {copied(ASK)}"


def lookup_rules() -> Sequence[str]:
    """The router's own packets to nowhere: only dnsmasq's questions may have a reason."""
    return (
        f'oifname "{SINK}" udp dport 53 {copied(LOOKUP)} accept'
        ' comment "dials, if a host of the LAN asked for this name"',
        f'oifname "{SINK}" counter drop comment "the router\'s own traffic does not dial"',
    )
