"""Conversations with the modem, as generators without I/O.

A conversation yields what to do next and gets back how it went; it returns the code of a failure
(and a detail), or None. Who runs it keeps the time and does the reading and writing:

    answer = yield Ask("AT", 1.5)
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field

from .at import Final, Garbage, Information, Line, Result

FINALS = frozenset({Final.OK, Final.ERROR})
DIAL_FINALS = frozenset(Final) - {Final.OK}
MAX_LINES = 64  # of one answer; more is not kept


@dataclass(frozen=True, slots=True)
class Ask:
    """Send a command line and wait for its final result."""

    line: str
    timeout_s: float
    finals: frozenset[Final] = FINALS
    secret: bool = False
    digits: bool = True  # whether a lone digit is a result (V0), not information


def shown(line: str) -> str:
    """Return what people and logs may see of a line that may hold a secret: not its value."""
    head, equals, _ = line.partition("=")
    return head + "=..." if equals else head


@dataclass(frozen=True, slots=True)
class Pause:
    """Wait, and throw away what the modem says meanwhile."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Escape:
    """Send +++ (the silence around it is the conversation's business)."""


@dataclass(frozen=True, slots=True)
class LowerDtr:
    """Make DTR low for a moment."""


@dataclass(frozen=True, slots=True)
class Progress:
    """Tell people what the conversation does now: a code of `reasons`."""

    code: str


@dataclass(frozen=True, slots=True)
class Remember:
    """Keep the mark of a PIN that is about to be tried; an empty one: the PIN was right."""

    mark: str


@dataclass(frozen=True, slots=True)
class Tell:
    """Write down for people what was found out."""

    code: str
    text: str


@dataclass(slots=True)
class Answer:
    """How it went; no `result` after a time-out."""

    result: Result | None = None
    lines: list[str] = field(default_factory=list)
    echoed: bool = False
    garbage: int = 0  # bytes

    @property
    def ok(self) -> bool:
        """Whether the modem said OK."""
        return self.result is not None and self.result.final is Final.OK

    @property
    def error(self) -> bool:
        """Whether the modem said ERROR."""
        return self.result is not None and self.result.final is Final.ERROR

    def value(self, prefix: str) -> str | None:
        """Return what follows `prefix` in the answer's first line that has it."""
        return next(iter(self.values(prefix)), None)

    def values(self, prefix: str) -> list[str]:
        """Return the same of each line that has it: some may have come unasked."""
        lines = (line for line in self.lines if line.upper().startswith(prefix))
        return [line[len(prefix) :].strip() for line in lines]

    def take(self, line: Line, ask: Ask) -> bool:
        """Take one line of the modem; True if the answer is complete with it."""
        if isinstance(line, Garbage):
            self.garbage += line.size
        elif isinstance(line, Information):
            self._information(line.text, ask)
        elif isinstance(line, Result):
            if line.numeric and not ask.digits:
                self._information(line.text, ask)
            elif line.final in ask.finals:
                self.result = line
                return True
        return False

    def _information(self, text: str, ask: Ask) -> None:
        if text == ask.line:
            self.echoed = True
        elif len(self.lines) < MAX_LINES:
            self.lines.append(text)


def unanswered(heard: Answer) -> str:
    """Return the code for a modem that gave no result: silent, garbled, or a mere echo."""
    if heard.garbage:
        return "modem_garbled"
    return "modem_echoes" if heard.echoed else "modem_silent"


Step = Ask | Pause | Escape | LowerDtr | Progress | Remember | Tell
Outcome = tuple[str, str] | None  # failure code and detail
Dialog = Generator[Step, Answer, Outcome]
