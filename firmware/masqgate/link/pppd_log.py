"""pppd's log lines (2.4.9 to 2.5.3), one at a time, turned into what they tell.

Lines are matched from their beginning only. The peer's own words come last in a line, and never
choose what the line means: a peer that sends the text of another line gains nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from ipaddress import IPv4Address

from .text import harmless


class Told(Enum):
    """What a line may tell besides addresses."""

    NEGOTIATING = auto()  # the line discipline is set: LCP begins
    LCP_TALKS = auto()  # the peer speaks PPP
    AUTH_OK = auto()
    AUTH_FAILED = auto()  # the peer refused our login
    AUTH_SILENT = auto()  # the peer does not answer our login
    NO_SECRET = auto()  # the peer wants a login, or a method, that we do not have
    METHOD_REFUSED = auto()  # we refused the login that the peer wants
    PEER_SAYS = auto()  # the peer's message to its user
    LCP_TIMEOUT = auto()  # nobody answers LCP
    IPCP_TIMEOUT = auto()
    NO_IPCP = auto()  # the peer rejects IP
    NO_ADDRESS = auto()
    PEER_TERMINATED = auto()
    ECHO_LOST = auto()
    LOOPBACK = auto()
    MODEM_HANGUP = auto()
    LOCKED = auto()  # another process has the port


@dataclass(frozen=True, slots=True)
class Fact:
    """One line's meaning; `text` is the peer's own words, made harmless."""

    told: Told
    text: str = ""


@dataclass(frozen=True, slots=True)
class LocalAddress:
    """Our address, from the peer."""

    address: IPv4Address


@dataclass(frozen=True, slots=True)
class RemoteAddress:
    """The peer's address; it is printed last, when IP flows."""

    address: IPv4Address


@dataclass(frozen=True, slots=True)
class NameServer:
    """A name server, from the peer: the first (0) or the second (1)."""

    index: int
    address: IPv4Address


@dataclass(frozen=True, slots=True)
class InterfaceNamed:
    """The interface that pppd really has; another than asked for if that name was taken."""

    name: str


PppFact = Fact | LocalAddress | RemoteAddress | NameServer | InterfaceNamed

_IP = r"(\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3})$"
_TABLE: tuple[tuple[str, Told], ...] = (
    (r"rcvd \[LCP ", Told.LCP_TALKS),
    (r"(?:PAP|CHAP|EAP) authentication succeeded(?:: (.*))?$", Told.AUTH_OK),
    (r"(?:PAP|CHAP|EAP) authentication failed(?:: (.*))?$", Told.AUTH_FAILED),
    (r"MS-CHAP authentication failed: (.*)", Told.AUTH_FAILED),
    (r"Unknown MS-CHAP authentication failure: (.*)", Told.AUTH_FAILED),
    (r"MS-CHAPv2 mutual authentication failed", Told.AUTH_FAILED),
    (r"No response to PAP authenticate-requests", Told.AUTH_SILENT),
    (r"No (?:auth is possible|secret found for PAP login)", Told.NO_SECRET),
    (r"No CHAP secret found for authenticating us", Told.NO_SECRET),
    (r"sent \[LCP ConfRej id=\S+ (?:<[^>]*> )*<auth ", Told.METHOD_REFUSED),
    (r"Remote message: (.*)", Told.PEER_SAYS),
    (r"LCP: timeout sending Config-Requests", Told.LCP_TIMEOUT),
    (r"IPCP: timeout sending Config-Requests", Told.IPCP_TIMEOUT),
    (r"Protocol-Reject for (?:'[\w /()-]+' \()?0x8021\)? received", Told.NO_IPCP),
    (r"Could not determine local IP address", Told.NO_ADDRESS),
    (r"Peer refused to agree to (?:our|his) IP address", Told.NO_ADDRESS),
    (r"LCP terminated by peer(?: \((.*)\))?$", Told.PEER_TERMINATED),
    (r"No response to \d+ echo-requests", Told.ECHO_LOST),
    (r"Serial line is looped back", Told.LOOPBACK),
    (r"Modem hangup", Told.MODEM_HANGUP),
    (r"Device \S+ is locked by pid \d+", Told.LOCKED),
)
_COMPILED = tuple((re.compile(pattern), told) for pattern, told in _TABLE)
_CONNECT = re.compile(r"Connect: (\S{1,15}) <--> ")
_RENAMED = re.compile(r"Detected interface name change from \S+ to (\S{1,15})\.")
_ADDRESSES: tuple[tuple[re.Pattern[str], Callable[[IPv4Address], PppFact]], ...] = (
    (re.compile("local  IP address " + _IP), LocalAddress),
    (re.compile("remote IP address " + _IP), RemoteAddress),
    (re.compile("primary   DNS address " + _IP), lambda address: NameServer(0, address)),
    (re.compile("secondary DNS address " + _IP), lambda address: NameServer(1, address)),
)


def parse(line: str) -> PppFact | None:
    """Return what the line tells; None for lines that matter to nobody."""
    if match := _CONNECT.match(line) or _RENAMED.match(line):
        return InterfaceNamed(harmless(match[1]))
    for pattern, fact in _ADDRESSES:
        if match := pattern.match(line):
            try:
                return fact(IPv4Address(match[1]))
            except ValueError:
                return None
    for pattern, told in _COMPILED:
        if match := pattern.match(line):
            return Fact(told, harmless((match[1] or "") if match.re.groups else ""))
    return None
