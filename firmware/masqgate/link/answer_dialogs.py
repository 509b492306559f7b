"""What is said to a modem that answers the telephone: prepare it, look after it, answer."""

from __future__ import annotations

from ..contract.config import DialIn
from .at import Final
from .dialog import DIAL_FINALS, Answer, Ask, Dialog, Pause, unanswered
from .dialogs import identify, initialise, wake
from .facts import CallFacts, ModemFacts
from .text import harmless
from .timings import Timings

# The modem must not answer by itself: who logs in is pppd's business, not that of what dialed
# in before it was there. Not every modem tells who calls.
_LAST = ("ATS0=0", "AT+VCID=1", "AT+CLIP=1")


def prepare(line: DialIn, facts: ModemFacts, timings: Timings) -> Dialog:
    """From an open port to a modem that waits for a call."""
    if failure := (yield from wake(timings)):
        return failure
    for command in line.init:
        if failure := (yield from initialise(command, timings)):
            return failure
    for command in _LAST:
        yield Ask(command, timings.command)  # one that is refused does not matter
    if not facts.name:
        yield from identify(facts, timings)
    return None


def check(timings: Timings) -> Dialog:
    """Whether a modem that says nothing is there; it may be busy with a ring."""
    heard = Answer()
    for patience_s in (timings.probe, timings.late_probe, timings.command):
        answer = yield Ask("AT", patience_s)
        if answer.result is not None:
            if patience_s != timings.probe:
                yield Pause(timings.settle)  # for the answer to an earlier one
            return None
        heard.garbage += answer.garbage
        heard.echoed |= answer.echoed
    return unanswered(heard), ""


def answer(line: DialIn, call: CallFacts) -> Dialog:
    """Lift the receiver, and wait for CONNECT."""
    heard = yield Ask("ATA", line.answer_timeout_s, DIAL_FINALS)
    if heard.result is None:
        return "answer_timeout", ""
    if heard.result.final is Final.CONNECT:
        call.connect_rate = heard.result.rate
        call.connect_text = harmless(heard.result.text)
        return None
    return "no_connect", ""
