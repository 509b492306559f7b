"""pppd's options and secrets where callers log in (pppd(8), 'AUTHENTICATION'). Pure."""

from __future__ import annotations

from ..contract.config import AuthMethod, Caller, DialIn
from ..contract.dialer import AnswerConfig
from .options import ECHO_FAILURES, SLOW_RESTART_S, is_slow, quote

PAP_PATIENCE_S = 20  # until the caller must have logged in by PAP
_REQUIRED: dict[AuthMethod, str] = {
    "pap": "require-pap", "chap": "require-chap", "mschapv2": "require-mschap-v2",
}  # fmt: skip


def render(config: AnswerConfig, *, carrier_wire: bool, rate: int | None = None) -> str:
    """Return the options for one call; the paths of the secrets are added by who writes them.

    The caller must log in, gets the address that stands with its secret, and no route, no name
    server and no address of its own choice is taken from it.
    """
    line = config.line
    words = [
        "nodetach", "nopersist", "maxfail 1", "lock", "debug", "hide-password", "logfd 1",
        "modem" if carrier_wire else "local",
        "crtscts" if line.flow_control else "nocrtscts",
        "auth", *(_REQUIRED[method] for method in _REQUIRED if method in line.auth),
        # We log in nowhere: a caller that asks for it learns nothing.
        "refuse-pap", "refuse-chap", "refuse-mschap", "refuse-mschap-v2", "refuse-eap",
        f"pap-timeout {PAP_PATIENCE_S}",
        f"name {quote(line.name)}",
        # The supervisor owns routes and neighbours, proxy ARP included.
        "nodefaultroute", "noproxyarp", "noipdefault", "noipv6", "noccp", "asyncmap 0",
        f"mtu {line.mtu}", f"mru {line.mtu}",
        f"{config.router}:", f"ms-dns {config.router}",
        f"lcp-echo-interval {line.echo_interval_s}", f"lcp-echo-failure {ECHO_FAILURES}",
        "lcp-echo-adaptive",
        f"ifname {quote(config.interface)}",
        "ip-up-script /bin/true", "ip-down-script /bin/true",
    ]  # fmt: skip
    if line.idle_minutes:
        words.append(f"idle {60 * line.idle_minutes}")
    if line.session_minutes:
        words.append(f"maxconnect {60 * line.session_minutes}")
    if is_slow(rate):
        words += [f"{protocol}-restart {SLOW_RESTART_S}" for protocol in ("lcp", "chap", "ipcp")]
    return "\n".join(words) + "\n"


def secrets(line: DialIn) -> str:
    """Return the secrets file: who may log in on this line, and with which address.

    Without a caller it is empty, and nobody may.
    """
    rows = [
        f"{quote(caller.name)} {quote(line.name)} {quote(caller.password.reveal())}"
        f" {address_of(line, caller)}"
        for caller in line.caller
    ]
    return "\n".join(rows) + "\n"


def address_of(line: DialIn, caller: Caller) -> str:
    """Return the address that a caller gets."""
    return caller.address or line.address
