"""How long to wait after wrong passwords: counted over all clients, so that none can guess on."""

from __future__ import annotations

import msgspec

FREE = 10  # wrong passwords in a row that cost nothing
FIRST_S = 60.0  # the wait after that many
LONGEST_S = 300.0  # longer, and a guest could keep the administrator out


class Lockout(msgspec.Struct, frozen=True):
    """Wrong passwords since the last right one, and until when none is taken (monotonic)."""

    failures: int = 0
    until_s: float = 0.0


def after_failure(state: Lockout, now: float) -> Lockout:
    """Count a wrong password; from the tenth in a row each doubles the wait."""
    failures = state.failures + 1
    if failures < FREE:
        return Lockout(failures)
    doublings = min(failures - FREE, 16)
    return Lockout(failures, now + min(FIRST_S * 2**doublings, LONGEST_S))


def wait_s(state: Lockout, now: float) -> float:
    """Seconds until a password is taken again; 0: now."""
    return min(max(0.0, state.until_s - now), LONGEST_S)
