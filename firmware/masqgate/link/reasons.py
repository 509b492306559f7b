"""One table from code to words: why the link is in its state, for people."""

from __future__ import annotations

from dataclasses import dataclass

from ..contract.status import Reason
from .backoff import Cause
from .text import span


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a call ended or never came up.

    `clause` follows a colon ('…: the line was busy.'); `{detail}` in it is filled in.
    """

    clause: str
    hint: str = ""
    cause: Cause = Cause.LINE


_CABLE = "Check the modem's power and cable, and the port's speed and flow control."
_PROVIDER = "If it stays so, ask the provider."
_LOGIN = "Check user and password of this uplink."
_APN = "Write the access point's name as 'apn' of this uplink"
_RESTART = "Restart the router to dial by this port again."
_SELF = "The router tries again by itself."

FAILURES: dict[str, Failure] = {
    # The port
    "port_missing": Failure("the port {detail} is not there", "Plug the modem in."),
    "port_lost": Failure("the port went away in use", "Check the plug and the modem's power."),
    "port_locked": Failure("another program uses the port", "End that program."),
    "port_broken": Failure("the port does not work{detail}", "Is it a serial port?"),
    "port_console": Failure(
        "the port {detail} is the router's own console", "Choose another port."
    ),
    "port_lent_window": Failure(
        "the port {detail} became the console when a key was pressed at the start", _RESTART
    ),
    "port_lent_jumper": Failure(
        "the port {detail} is the console: pins 17 and 18 are joined", f"Part them. {_RESTART}"
    ),
    "port_lent_file": Failure(
        "the port {detail} is the console: console.txt lies on the card",
        f"Remove the file. {_RESTART}",
    ),
    "port_stuck": Failure("the port did not open in time", "Unplug the modem, plug it in again."),
    # The modem
    "modem_silent": Failure("the modem does not answer", _CABLE),
    "modem_garbled": Failure("the modem's answers are garbled", "Set the modem's own speed."),
    "modem_echoes": Failure("the port only sends back what we send", _CABLE),
    "modem_refused": Failure("the modem refuses {detail}", "Correct the commands in 'init'."),
    # The SIM and the mobile network
    "sim_missing": Failure("there is no SIM in the modem", "Put a SIM in.", Cause.BLOCKED),
    "pin_missing": Failure("the SIM wants a PIN", "Set the PIN.", Cause.BLOCKED),
    "pin_wrong": Failure(
        "the SIM refuses the PIN",
        "Set the right PIN; the wrong one is not tried again.",
        Cause.BLOCKED,
    ),
    "pin_last_tries": Failure(
        "fewer than two attempts are left for the SIM's PIN",
        "Put the SIM into a telephone and enter the PIN there.",
        Cause.BLOCKED,
    ),
    "sim_puk": Failure(
        "the SIM is locked and wants its PUK{detail}",
        "Put the SIM into a telephone and enter the PUK there.",
        Cause.BLOCKED,
    ),
    "not_registered": Failure("no mobile network took us", "Check antenna and coverage."),
    "registration_denied": Failure("the mobile network refuses this SIM", _PROVIDER),
    "imsi_unknown": Failure(
        "the SIM does not tell whose it is", f"{_APN} or country and provider.", Cause.BLOCKED
    ),
    "apn_unknown": Failure(
        "no access point is known for this SIM (network {detail})",
        f"{_APN}; the provider tells it.",
        Cause.BLOCKED,
    ),
    "provider_unknown": Failure(
        "no access point of {detail} is known",
        "Correct 'provider' (country and name, like at/A1), or write the access point's name.",
        Cause.BLOCKED,
    ),
    # The call
    "busy": Failure("the line was busy", _SELF),
    "no_dialtone": Failure("there was no dial tone", "Check the telephone cable."),
    "no_answer": Failure("nobody answered", "Check the number."),
    "no_carrier": Failure("no connection came about", "Check number and line."),
    "dial_refused": Failure("the modem refused to dial", "Check the number."),
    "dial_timeout": Failure("the modem did not connect in time", "Allow a longer dial time."),
    # PPP
    "no_ppp": Failure("the other side does not speak PPP", "Check the number."),
    "peer_refused": Failure("the provider ended the call while it was set up{detail}", _PROVIDER),
    "peer_closed": Failure("the provider ended the call{detail}", _SELF),
    "auth_failed": Failure("the provider refused the login{detail}", _LOGIN, Cause.AUTH),
    "auth_silent": Failure("the provider did not answer the login", _PROVIDER),
    "auth_no_secret": Failure(
        "the provider wants a login that is not allowed or not set{detail}",
        "Set user and password, and allow more methods in 'auth'.",
        Cause.AUTH,
    ),
    "auth_refused": Failure("the provider does not want our login", _LOGIN, Cause.AUTH),
    "no_ipcp": Failure("the provider refuses IP", _PROVIDER),
    "no_address": Failure("the provider gave no address", _PROVIDER),
    "address_in_lan": Failure(
        "the provider's address {detail} lies in the LAN", "Give the LAN another network."
    ),
    "no_network": Failure("no agreement on IP came about", _PROVIDER),
    "negotiation_timeout": Failure("PPP was not up in time", _PROVIDER),
    "echo_lost": Failure("the other side fell silent", _SELF),
    "carrier_lost": Failure("the line broke", _SELF),
    "loopback": Failure("the line returned our own packets", "Check number and modem."),
    # pppd itself
    "pppd_silent": Failure("pppd stopped working", _SELF),
    "pppd_stopped": Failure("pppd was stopped", _SELF),
    "pppd_killed": Failure("pppd was killed", _SELF),
    "pppd_terminated": Failure("pppd was told to end", _SELF),
    "pppd_options": Failure("pppd refuses its options", "Check user, password and MTU."),
    "pppd_kernel": Failure("the kernel has no PPP", "Install a complete image."),
    "pppd_failed": Failure("pppd failed{detail}", "See the log of the dialer."),
    # Us
    "config_changed": Failure("the configuration changed"),
}

_STATES: dict[str, tuple[str, str]] = {
    "off": (
        "Switched off in the configuration.",
        "Set the mode to 'always', 'demand' or 'manual'.",
    ),
    "idle": ("Waiting to be told to connect.", "Connect when you need the link."),
    "idle_demand": ("Waiting for traffic, which makes it dial.", ""),
    "disconnected": ("Disconnected by hand.", "Connect to bring the link up again."),
    "port_missing": ("The port {detail} is not there.", "Plug the modem in."),
    "port_locked": ("The port {detail} is in use.", "End the program that uses it."),
    "port_broken": ("The port {detail} does not open.", "Is it a serial port?"),
    "port_console": ("The port {detail} is the router's own console.", "Choose another port."),
    "port_lent_window": (
        "The port {detail} became the console when a key was pressed at the start.",
        _RESTART,
    ),
    "port_lent_jumper": (
        "The port {detail} is the console: pins 17 and 18 are joined.",
        f"Part them. {_RESTART}",
    ),
    "port_lent_file": (
        "The port {detail} is the console: console.txt lies on the card.",
        f"Remove the file. {_RESTART}",
    ),
    "port_stuck": ("The port {detail} does not open in time.", "Plug the modem in anew."),
    "opening": ("Opening the port {detail}.", ""),
    "preparing": ("Preparing the modem.", ""),
    "unlocking": ("Entering the SIM's PIN.", ""),
    "registering": ("Waiting for the mobile network.", ""),
    "dialing": ("Dialing {detail}.", ""),
    "starting_ppp": ("Connected{detail}; starting PPP.", ""),
    "negotiating": ("Negotiating with the provider{detail}.", ""),
    "logged_in": ("Logged in; asking for an address.", ""),
    "up": ("Connected as {detail}.", ""),
    "hanging_up": ("Hanging up: {detail}.", ""),
    "hanging_up_by_hand": ("Hanging up, as told.", ""),
    "pppd_stuck": ("Waiting for pppd, which does not end.", "Restart the router if it stays so."),
    "resetting": ("Bringing the modem back ({detail}).", _SELF),
    "ended": ("The dialer has ended.", ""),
}

PORT_PROBLEMS = {  # of a port that cannot be opened, by what `PortFailed` says
    "missing": "port_missing", "busy": "port_locked", "broken": "port_broken",
    "console": "port_console", "lent_window": "port_lent_window",
    "lent_jumper": "port_lent_jumper", "lent_file": "port_lent_file",
}  # fmt: skip

LADDER_STEPS = {
    "hang_up": "hanging up",
    "dtr": "dropping DTR",
    "restart": "restarting it",
    "usb_power": "switching its USB port off and on",
}


def failure(code: str, detail: str = "") -> tuple[str, str]:
    """Return clause and hint of a failure, with its detail filled in."""
    entry = FAILURES[code]
    return entry.clause.replace("{detail}", detail), entry.hint


def state(code: str, detail: str = "") -> Reason:
    """Return the sentence for a state that is no failure."""
    text, hint = _STATES[code]
    return Reason(code, text.replace("{detail}", detail), hint)


def waiting(code: str, detail: str, seconds: float) -> Reason:
    """'Waiting 12 s before the next dial: the line was busy.'; the code is the failure's."""
    clause, hint = failure(code, detail)
    if FAILURES[code].cause is Cause.BLOCKED:
        text = f"Not dialing: {clause}. The router looks again in {span(seconds)}."
    else:
        text = f"Waiting {span(seconds)} before the next dial: {clause}."
    return Reason(code, text, hint)


def hanging_up(code: str, detail: str = "") -> Reason:
    """Return the sentence for a call that ends, for this failure."""
    clause, hint = failure(code, detail)
    text, _ = _STATES["hanging_up"]
    return Reason(code, text.replace("{detail}", clause), hint)
