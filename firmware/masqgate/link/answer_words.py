"""Where the telephone is answered: why a call ended, from pppd's exit to words for people."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ..contract.status import Reason
from . import reasons
from .pppd_log import Told
from .text import span

Level = Literal["info", "warning", "error"]


@dataclass(frozen=True, slots=True)
class End:
    """Why a call ended; `clause` follows a colon, `{detail}` in it is filled in."""

    clause: str
    hint: str = ""
    level: Level = "info"


_MODEM = "Check the modem's power and cable, and the port's speed and flow control."
_SELF = "The line answers again by itself."

ENDS: dict[str, End] = {
    "caller_hung_up": End("the caller hung up"),
    "caller_lost": End("the line broke", _SELF),
    "caller_silent": End("the caller fell silent", _SELF),
    "idle": End("no packet came or went for a while", "See 'idle_minutes'."),
    "session_over": End("the longest time for a call was over", "See 'session_minutes'."),
    "hung_up_by_hand": End("it was hung up here"),
    "login_refused": End("a login was refused{detail}", "Check name and password.", "warning"),
    "login_missing": End(
        "the caller did not log in{detail}",
        "The caller must agree to one of the ways in 'auth'.",
        "warning",
    ),
    "no_ppp": End("the caller does not speak PPP", "It may be a fax, or a person.", "warning"),
    "no_network": End("no agreement on IP came about", "", "warning"),
    "address_refused": End("the caller wants another address", "", "warning"),
    "no_connect": End("no connection came about", "The caller may have given up.", "warning"),
    "answer_timeout": End("the modem did not connect in time", _MODEM, "warning"),
    "negotiation_timeout": End("PPP was not up in time", "", "warning"),
    "loopback": End("the line returned our own packets", _MODEM, "error"),
    "config_changed": End("the configuration changed"),
    "port_lost": End("the port went away in use", "Check the plug.", "error"),
    "port_stuck": End("the port did not obey in time", "Plug the modem in anew.", "error"),
    "pppd_silent": End("pppd stopped working", _SELF, "error"),
    "pppd_stopped": End("pppd was stopped", _SELF, "error"),
    "pppd_killed": End("pppd was killed", _SELF, "error"),
    "pppd_terminated": End("pppd was told to end", _SELF, "warning"),
    "pppd_options": End("pppd refuses its options", "See the log.", "error"),
    "pppd_kernel": End("the kernel has no PPP", "Install a complete image.", "error"),
    "pppd_failed": End("pppd failed{detail}", "See the log.", "error"),
    "ended": End("the router ends its service"),
}
_BY_EXIT = {
    0: "caller_hung_up", 2: "pppd_options", 3: "pppd_options", 4: "pppd_kernel",
    5: "pppd_terminated", 6: "port_stuck", 7: "port_stuck", 10: "no_network",
    11: "login_refused", 12: "idle", 13: "session_over", 15: "caller_silent", 16: "caller_lost",
    17: "loopback",
}  # fmt: skip
AUTH_EXIT = 11  # pppd(8), 'EXIT STATUS': the peer failed to authenticate itself

_STATES = {
    "listening": ("Waiting for a call.", ""),
    "ringing": ("The telephone rings{detail}.", ""),
    "answering": ("Answering a call{detail}.", ""),
    "connected": ("A modem is connected{detail}; the caller must log in.", ""),
    "logged_in": ("{detail} has logged in.", ""),
    "up": ("Connected: {detail}.", ""),
    "locked": (
        "Too many logins were refused: the line does not answer for {detail}.",
        "Have the line listen again at once by 'connect'.",
    ),
}


def state(code: str, detail: str = "") -> Reason:
    """Return the sentence for a state that is no failure."""
    text, hint = _STATES[code]
    return Reason(code, text.replace("{detail}", detail), hint)


def hanging_up(code: str, detail: str = "") -> Reason:
    """'Hanging up: the caller fell silent.'"""
    end = ENDS[code]
    return Reason(code, f"Hanging up: {end.clause.replace('{detail}', detail)}.", end.hint)


def pausing(code: str, detail: str, seconds: float) -> Reason:
    """Return the sentence for a modem that does not work, by its code among the failures."""
    clause, hint = reasons.failure(code, detail)
    return Reason(code, f"Trying the modem again in {span(seconds)}: {clause}.", hint)


def why_ended(status: int, told: frozenset[Told], *, was_up: bool) -> str:
    """Return why pppd ended; `status` is its exit code, or minus the signal that ended it."""
    if status < 0:
        return "pppd_killed"
    if Told.LOOPBACK in told:
        return "loopback"
    if not was_up and Told.CALLER_REFUSED in told:
        return "login_refused"
    if not was_up and Told.CALLER_NO_LOGIN in told:
        return "login_missing"
    if status == AUTH_EXIT:
        return "login_missing"
    if not was_up and Told.LCP_TALKS not in told and status in (10, 16):
        return "no_ppp"
    if Told.ECHO_LOST in told:
        return "caller_silent"
    if status in (12, 13):
        return _BY_EXIT[status]
    if Told.NO_ADDRESS in told:
        return "address_refused"
    if Told.PEER_TERMINATED in told:
        return "caller_hung_up"
    if not was_up and Told.IPCP_TIMEOUT in told:
        return "no_network"
    return _BY_EXIT.get(status, "pppd_failed")
