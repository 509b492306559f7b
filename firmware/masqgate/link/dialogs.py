"""What the dialer says to any modem: waking it, preparing it, dialing, hanging up, reset."""

from __future__ import annotations

from ..contract.config import Modem
from .access import Find
from .at import Final
from .dialog import (
    DIAL_FINALS,
    FINALS,
    Answer,
    Ask,
    Dialog,
    Escape,
    LowerDtr,
    Pause,
    shown,
    unanswered,
)
from .facts import CallFacts, ModemFacts
from .mobile import join_network
from .text import harmless
from .timings import Timings

TRIES = 2
LADDER = ("hang_up", "dtr", "restart", "usb_power")  # steps of the recovery ladder, by level
POWER = 3  # taken again after so many other steps as POWER_EVERY says
POWER_EVERY = 8
RESTART = 2  # taken meanwhile
_DIAL_FAILURES = {
    Final.BUSY: "busy",
    Final.NO_DIALTONE: "no_dialtone",
    Final.NO_ANSWER: "no_answer",
    Final.NO_CARRIER: "no_carrier",
    Final.ERROR: "dial_refused",
}
_DIAL = {"tone": "ATDT", "pulse": "ATDP", "plain": "ATD"}


def wake(timings: Timings) -> Dialog:
    """Bring the modem to command state, whatever state it is in, and make it answer.

    Without a DTR wire a modem may still be in a call: +++ with silence around it, then ATH
    (V.250, 5.8 and TIA-602). It may also be set to give no results: Q0 undoes that. Some obey
    nothing but a reset after noise on the line; one that answers is never reset here.
    """
    heard = Answer()
    for line, patience_s in (("AT", timings.probe), ("ATZ", timings.late_probe)):
        answer = yield Ask(line, patience_s)
        if answer.result is not None:
            if patience_s == timings.late_probe:
                yield Pause(timings.probe + timings.settle)  # for the answer to the second one
            return None
        _add(heard, answer)
    yield Pause(timings.guard)
    yield Escape()
    yield Pause(timings.guard)
    answer = yield Ask("ATQ0V1E0H", timings.late_probe, FINALS | {Final.NO_CARRIER})
    if answer.result is not None:
        yield Pause(timings.settle)
        return None
    _add(heard, answer)
    return unanswered(heard), ""


def prepare(modem: Modem, facts: ModemFacts, timings: Timings, find: Find) -> Dialog:
    """From an open port to a modem that can dial."""
    if failure := (yield from wake(timings)):
        return failure
    for line in modem.init:
        if failure := (yield from initialise(line, timings)):
            return failure
    if not facts.name:
        yield from identify(facts, timings)
    if modem.apn:
        return (yield from join_network(modem, facts, timings, find))
    return None


def dial(modem: Modem, call: CallFacts, timings: Timings) -> Dialog:
    """Dial, and wait for CONNECT."""
    line = _DIAL[modem.dial] + modem.number
    answer = yield Ask(line, modem.dial_timeout_s, DIAL_FINALS)
    if answer.result is None:
        return "dial_timeout", ""
    if answer.result.final is Final.CONNECT:
        call.connect_rate = answer.result.rate
        call.connect_text = harmless(answer.result.text)
        return None
    return _DIAL_FAILURES[answer.result.final], ""


def hang_up(timings: Timings) -> Dialog:
    """Make sure that no call is up (V.250, 6.3.6). DTR was low before."""
    if failure := (yield from wake(timings)):
        return failure
    answer = yield Ask("ATH", timings.command, FINALS | {Final.NO_CARRIER})
    return None if answer.result is not None else (unanswered(answer), "")


def step_at(level: int) -> str:
    """Return the step of a level; there are more levels than steps."""
    if level < POWER:
        return LADDER[level]
    return LADDER[POWER if (level - POWER) % POWER_EVERY == 0 else RESTART]


def climb(step: str, mobile: bool, timings: Timings) -> Dialog:
    """Take one step of the recovery ladder; None if the modem answers after it."""
    if step == "dtr":
        yield LowerDtr()
        yield Pause(timings.settle)
    elif step == "restart":
        yield Ask("AT+CFUN=1,1" if mobile else "ATZ", timings.slow_command)
        yield Pause(timings.restart if mobile else timings.settle)
    return (yield from hang_up(timings))


def initialise(line: str, timings: Timings) -> Dialog:
    """Send a configured line. It may hold a password, so its value is told to nobody."""
    for _ in range(TRIES):
        answer = yield Ask(line, timings.command, secret=True)
        if answer.error:
            return "modem_refused", f"'{harmless(shown(line))}'"
        if answer.ok:
            if line.upper().startswith(("ATZ", "AT&F")):
                yield Pause(timings.settle)
            return None
    return unanswered(answer), ""


def identify(facts: ModemFacts, timings: Timings) -> Dialog:
    """Ask who made the modem (V.250, 6.1); one that does not tell is good enough."""
    for line in ("AT+GMM", "ATI3", "ATI"):
        answer = yield Ask(line, timings.command, digits=False)
        if answer.ok and answer.lines:
            facts.name = harmless(answer.lines[0], 60)
            return None
    return None


def _add(heard: Answer, answer: Answer) -> None:
    heard.garbage += answer.garbage
    heard.echoed |= answer.echoed
