"""The ruleset's part for callers: hosts of the LAN at the other end of a telephone line. Pure.

A caller is let in with the one address that it was given, and only while the call is up: the set
`callers` holds interface and address of those who have logged in, and is empty otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator

from ..contract.config import Config
from .facts import BRIDGE, Facts, interface_of_line

SET = "callers"
KIND = "ifname . ipv4_addr"
_LOG = "limit rate 6/minute burst 5 packets log prefix"


def elements(facts: Facts) -> Iterator[str]:
    """The set's elements."""
    return (f'"{guest.interface}" . {guest.address}' for guest in sorted(facts.guests))


def arrival() -> Iterator[str]:
    """What cannot be honest, before connection tracking."""
    yield 'meta nfproto != ipv4 counter drop comment "callers speak IPv4 only"'
    strange = f"iifname . ip saddr != @{SET}"
    yield f'{strange} {_LOG} "masqgate spoof caller: " comment "forged source, log"'
    yield f'{strange} counter drop comment "not the address that this caller was given"'
    yield 'jump sane comment "malformed packets"'


def input_rules(config: Config, facts: Facts) -> Iterator[str]:
    """What a caller gets of the router itself; answers are let in before.

    The page only once it has a password: the first one is set from the LAN or on the console.
    """
    router = config.lan.interface.ip
    yield 'icmp type echo-request accept comment "ping"'
    names, pages = "{ tcp . 53, udp . 53 }", "{ 80, 443 }"
    yield f'ip daddr {router} meta l4proto . th dport {names} accept comment "DNS"'
    for line in config.lines:
        if line.admin and facts.password_set:
            name = interface_of_line(line)
            yield (
                f'iifname "{name}" ip daddr {router} tcp dport {pages} accept'
                ' comment "the admin page, where the line\'s callers may see it"'
            )
    yield 'fib daddr type != local counter drop comment "broadcasts of other services"'
    yield 'meta l4proto tcp counter reject with tcp reset comment "no such service"'
    yield 'counter reject comment "no such service"'


def inside(lines: list[str]) -> str:
    """The interfaces whose hosts may begin flows to the Internet."""
    names = [f'"{name}"' for name in (BRIDGE, *lines)]
    return names[0] if len(names) == 1 else f"{{ {', '.join(names)} }}"


def forward(lines: list[str]) -> list[str]:
    """Between the LAN and callers, and among callers: they are hosts of one network."""
    if not lines:
        return []
    here = inside(lines)
    return [
        f'iifname {here} oifname {here} ct state new,established,related accept'
        ' comment "the LAN and its callers"'
    ]  # fmt: skip


def departure(lines: list[str]) -> list[str]:
    """Nothing goes to a line but what is for the caller on it."""
    if not lines:
        return []
    return [f'oifname . ip daddr @{SET} accept comment "to a caller"']
