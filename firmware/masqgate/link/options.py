"""pppd's options file (pppd(8), 'OPTIONS FILES'). Pure: configuration in, text out.

The file holds the password and is for root only; nothing of it is on a command line, where
everybody can read it. pppd gets neither `persist` nor `demand`: the link machine alone redials.
"""

from __future__ import annotations

import string

from ..contract.config import AuthMethod
from ..contract.dialer import DialerConfig
from .facts import inside

# What a peer gets that asks for an address of its own: pppd's own habit, or one out of the LAN.
PEER_ADDRESSES = ("10.64.64.64", "172.31.64.64")
ECHO_FAILURES = 4
SLOW = 4800  # bit/s; a packet of the negotiation takes up to a second there and back
SLOW_RESTART_S = 10
MAX_WORD = 1023  # bytes; pppd cuts longer words
_PLAIN = frozenset((string.ascii_letters + string.digits + "-_.:/@+=,%").encode())
_REFUSALS: tuple[tuple[AuthMethod | None, str], ...] = (
    ("pap", "refuse-pap"),
    ("chap", "refuse-chap"),
    (None, "refuse-mschap"),  # MS-CHAP version 1 gives the password away
    ("mschapv2", "refuse-mschap-v2"),
    (None, "refuse-eap"),
)


def quote(value: str) -> str:
    """Write a word such that pppd reads exactly this text.

    Everything but letters, digits and a few signs becomes a three-digit octal escape of its
    UTF-8 bytes. ValueError for NUL, which ends a word in C, and for words that pppd would cut.
    """
    raw = value.encode("utf-8", "surrogatepass")
    if b"\0" in raw or len(raw) > MAX_WORD:
        raise ValueError("the value holds a NUL or is too long for pppd")
    return '"' + "".join(chr(b) if b in _PLAIN else f"\\{b:03o}" for b in raw) + '"'


def is_slow(rate: int | None) -> bool:
    """Tell whether a line of this rate (bit/s) needs patience."""
    return rate is not None and rate < SLOW


def render(config: DialerConfig, *, carrier_wire: bool, rate: int | None = None) -> str:
    """Return the options for one call.

    `carrier_wire`: the port's DCD line can be trusted. `rate`: of the line, in bit/s, if known:
    on a slow one packets take seconds, and repeating them too soon only adds to the queue.
    """
    modem = config.modem
    peers = [address for address in PEER_ADDRESSES if not inside(address, config.lan)]
    words = [
        "nodetach", "nopersist", "maxfail 1", "lock", "debug", "hide-password", "logfd 1",
        "modem" if carrier_wire else "local",
        "crtscts" if modem.flow_control else "nocrtscts",
        "noauth", "noproxyarp", "+ipv6" if modem.ipv6 else "noipv6", "noccp", "asyncmap 0",
        f"mtu {modem.mtu}", f"mru {modem.mtu}",
        "nodefaultroute", "noipdefault", "usepeerdns",
        "ipcp-accept-local", "ipcp-accept-remote", f":{peers[0]}",
        f"lcp-echo-interval {modem.echo_interval_s}", f"lcp-echo-failure {ECHO_FAILURES}",
        "lcp-echo-adaptive",
        f"ifname {quote(config.interface)}",
        # Routes and name servers are the supervisor's: no script of the distribution runs.
        "ip-up-script /bin/true", "ip-down-script /bin/true",
        *(("ipv6-up-script /bin/true", "ipv6-down-script /bin/true") if modem.ipv6 else ()),
    ]  # fmt: skip
    if is_slow(rate):
        protocols = ("lcp", "pap", "ipcp", *(("ipv6cp",) if modem.ipv6 else ()))
        words += [f"{protocol}-restart {SLOW_RESTART_S}" for protocol in protocols]
    words += [word for method, word in _REFUSALS if method not in modem.auth]
    if modem.user:
        words.append(f"user {quote(modem.user)}")
        words.append(f"password {quote(modem.password.reveal())}")
    return "\n".join(words) + "\n"
