"""A call that comes in: what is known of it, and what is kept of it when it is over."""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec

from ..contract.config import Caller, DialIn
from ..contract.dialer import AnswerConfig
from ..contract.status import CallRecord
from .answer_words import ENDS
from .facts import CallFacts
from .ringing import Ringing

# Fields that matter to no call that is under way.
_NEXT_CALL = {
    "enabled", "init", "rings", "answer_timeout_s", "idle_minutes", "session_minutes", "admin",
    "failures", "failures_within_minutes", "lockout_minutes", "caller", "echo_interval_s",
}  # fmt: skip


@dataclass(slots=True)
class Visit:
    """One call, from the first ring on."""

    ringing: Ringing = field(default_factory=Ringing)
    began: float | None = None  # when it was answered, monotonic seconds
    caller: str = ""  # who has logged in
    tried: str = ""  # the name that was refused
    end: str = ""  # the code of why it ended
    detail: str = ""

    @property
    def caller_id(self) -> str:
        """The number that the telephone network told."""
        return self.ringing.caller_id

    @property
    def number(self) -> str:
        """' (number 5554000)', or nothing."""
        return f" (number {self.caller_id})" if self.caller_id else ""

    def record(self, line: str, call: CallFacts, now: float) -> CallRecord:
        """Return what is kept of it; its beginning is for the keeper of the clock."""
        name = f" of {self.caller}" if self.caller else ""
        clause = ENDS[self.end].clause.replace("{detail}", self.detail)
        return CallRecord(
            line=line,
            began_at=0.0,
            duration_s=0.0 if self.began is None else now - self.began,
            caller=self.caller,
            caller_id=self.caller_id,
            address=call.peer if call.up else "",
            counters=call.counters,
            why=self.end,
            text=f"The call{name}{self.number} is over: {clause}.",
        )


def must_end(old: AnswerConfig, new: AnswerConfig, caller: str) -> bool:
    """Whether a call made with `old` cannot go on with `new`; `caller` has logged in, or ''."""
    if (old.interface, old.router) != (new.interface, new.router):
        return True
    names = {each.name for each in msgspec.structs.fields(DialIn)} - _NEXT_CALL
    if any(getattr(old.line, name) != getattr(new.line, name) for name in names):
        return True
    return _entries(old.line, caller) != _entries(new.line, caller)


def _entries(line: DialIn, caller: str) -> tuple[Caller, ...]:
    """Those of a line that the call depends on: everybody's until somebody has logged in."""
    return tuple(each for each in line.caller if caller in ("", each.name))
