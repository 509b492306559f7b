"""When a line stops answering: too many refused logins in a while. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limit:
    """So many refused logins within a time (seconds) silence the line for another time."""

    failures: int
    within_s: float
    lockout_s: float


@dataclass(frozen=True, slots=True)
class Lockout:
    """Refused logins so far, and until when the line is silent (monotonic seconds)."""

    failed_at: tuple[float, ...] = ()
    until: float = 0.0


def after_failure(state: Lockout, limit: Limit, now: float) -> Lockout:
    """Count a refused login; the last one that is allowed silences the line."""
    recent = (*(at for at in state.failed_at if now - at < limit.within_s), now)
    if len(recent) < limit.failures:
        return Lockout(recent, state.until)
    return Lockout((), now + limit.lockout_s)


def wait_s(state: Lockout, now: float) -> float:
    """Seconds until the line answers again; 0: it does."""
    return max(0.0, state.until - now)
