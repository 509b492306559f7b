"""pppd's log lines (2.4.9 to 2.5.3), one at a time, turned into what they tell.

Lines are matched from their beginning only. The peer's own words come last in a line, and never
choose what the line means: a peer that sends the text of another line gains nothing. Nor does
one whose text is so long that pppd begins a new line with it: `Log` leaves such lines out.
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
    CALLER_OK = auto()  # who called has logged in; the text is the name
    CALLER_REFUSED = auto()  # …or has not; the text is the name that was tried
    CALLER_NO_LOGIN = auto()  # who called does not want to log in
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


PppFact = Fact | LocalAddress | RemoteAddress | NameServer

_PACKET = ("rcvd [", "sent [")
BROKEN_AFTER = 255  # characters; pppd's buffer for a packet in words
MOST_PIECES = 64  # a packet of 1500 bytes, four characters each, has 24
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
    (r"Peer ([A-Za-z0-9._@-]{1,63}) authenticated with (?:PAP|CHAP)$", Told.CALLER_OK),
    (r"Peer (.*) failed CHAP authentication$", Told.CALLER_REFUSED),
    (r"PAP peer authentication failed for (.*)", Told.CALLER_REFUSED),
    (r"No CHAP secret found for authenticating (.*)", Told.CALLER_REFUSED),
    (r"peer refused to authenticate", Told.CALLER_NO_LOGIN),
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
_ADDRESSES: tuple[tuple[re.Pattern[str], Callable[[IPv4Address], PppFact]], ...] = (
    (re.compile("local  IP address " + _IP), LocalAddress),
    (re.compile("remote IP address " + _IP), RemoteAddress),
    (re.compile("primary   DNS address " + _IP), lambda address: NameServer(0, address)),
    (re.compile("secondary DNS address " + _IP), lambda address: NameServer(1, address)),
)


def parse(line: str) -> PppFact | None:
    """Return what the line tells; None for lines that matter to nobody."""
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


@dataclass(slots=True)
class Log:
    """One pppd's log, without the later pieces of packets that it broke into several lines.

    A packet in words is `rcvd [...]` or `sent [...]`; text of the peer is in quotes there, and a
    quote or backslash in it has a backslash before it. What follows is the packet's until its
    bracket closes, whatever it looks like. A longer line was cut, not broken: nothing follows.
    """

    _depth: int = 0  # of brackets
    _quoted: bool = False
    _escaped: bool = False
    _pieces: int = 0

    def take(self, line: str) -> PppFact | None:
        """Return what the next line tells."""
        if self._depth > 0 and self._pieces < MOST_PIECES:
            self._pieces += 1
            self._follow(line)
            return None
        self._depth = self._pieces = 0
        self._quoted = self._escaped = False
        if line.startswith(_PACKET) and len(line) <= BROKEN_AFTER:
            self._follow(line)
        return parse(line)

    def _follow(self, text: str) -> None:
        """Look for the end of the packet."""
        for character in text:
            if self._escaped:
                self._escaped = False
            elif self._quoted and character == "\\":
                self._escaped = True
            elif character == '"':
                self._quoted = not self._quoted
            elif character in "[]" and not self._quoted:
                self._depth += 1 if character == "[" else -1
                if self._depth == 0:
                    return
