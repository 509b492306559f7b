"""What pppd's exit tells (pppd(8), 'EXIT STATUS'), together with what its log told before."""

from __future__ import annotations

from .pppd_log import Fact, PppFact, Told

_BY_EXIT: dict[int, str] = {
    0: "peer_closed",
    1: "pppd_failed",
    2: "pppd_options",
    3: "pppd_options",
    4: "pppd_kernel",
    5: "pppd_terminated",
    6: "port_locked",
    7: "port_broken",
    8: "no_ppp",
    10: "no_network",
    11: "auth_refused",
    12: "peer_closed",
    13: "peer_closed",
    14: "pppd_failed",
    15: "echo_lost",
    16: "carrier_lost",
    17: "loopback",
    18: "pppd_failed",
    19: "auth_failed",
}
# Told in the log, and more to the point than the exit code; the first that was told wins.
_BY_LOG: tuple[tuple[Told, str], ...] = (
    (Told.LOOPBACK, "loopback"),
    (Told.LOCKED, "port_locked"),
    (Told.NO_SECRET, "auth_no_secret"),
    (Told.AUTH_FAILED, "auth_failed"),
    (Told.AUTH_SILENT, "auth_silent"),
    (Told.NO_IPCP, "no_ipcp"),
    (Told.NO_ADDRESS, "no_address"),
    (Told.IPCP_TIMEOUT, "no_network"),
    (Told.ECHO_LOST, "echo_lost"),
)
# After these pppd goes on for a while, or for ever: it is told to end at once.
_HOPELESS = {
    Told.ECHO_LOST: "echo_lost",
    Told.LOOPBACK: "loopback",
    Told.NO_IPCP: "no_ipcp",
    Told.NO_SECRET: "auth_no_secret",
}


def hopeless(fact: PppFact) -> str | None:
    """Return the reason to end the call that a line gives; None if it gives none."""
    return _HOPELESS.get(fact.told) if isinstance(fact, Fact) else None


def reason(status: int, told: frozenset[Told], *, was_up: bool) -> str:
    """Return the code (a key of `reasons.FAILURES`) of why pppd ended.

    `status` is its exit code, or minus the signal that ended it.
    """
    if status < 0:
        return "pppd_killed"
    for fact, code in _BY_LOG:
        if fact in told:
            return code
    if Told.METHOD_REFUSED in told and not was_up:
        return "auth_no_secret"
    if Told.LCP_TIMEOUT in told or (
        not was_up and status in (10, 16) and Told.LCP_TALKS not in told
    ):
        return "no_ppp"
    if Told.MODEM_HANGUP in told and Told.PEER_TERMINATED not in told:
        return "carrier_lost"
    if Told.PEER_TERMINATED in told:
        return "peer_closed" if was_up else "peer_refused"
    return _BY_EXIT.get(status, "pppd_failed")
