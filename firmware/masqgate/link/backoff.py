"""How long to wait before the next dial. Pure: chance is passed in, and it never gives up."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum

from .timings import Timings

AUTH_TRIES = 3
JITTER = 0.2  # share of the wait, both ways: many routers must not redial in step


class Cause(Enum):
    """Kinds of failures, by what must be waited for."""

    LINE = "line"  # busy, no carrier, lost call, silent modem: the world may be better soon
    AUTH = "auth"  # the provider refuses us: it may lock the account if we insist
    BLOCKED = "blocked"  # only a person can help


class Backoff:
    """Counts failures and says how long to wait.

    First redial within 15 s, doubling to about five minutes. After refused logins: three tries,
    five minutes, three tries, then every 30 minutes.
    """

    def __init__(self, timings: Timings, chance: Callable[[], float]) -> None:
        self._timings = timings
        self._chance = chance  # uniform in [0, 1)
        self._line = 0
        self._auth = 0

    @property
    def failures(self) -> int:
        """Failures of the line since the last good call."""
        return self._line

    def good_call(self) -> None:
        """A call lasted: start anew."""
        self._line = 0

    def logged_in(self) -> None:
        """The provider took our login."""
        self._auth = 0

    def forget(self) -> None:
        """A person intervened: start anew in everything."""
        self._line = self._auth = 0

    def wait(self, cause: Cause) -> float:
        """Count a failure; return the seconds until the next dial."""
        if cause is Cause.BLOCKED:
            return self._jitter(self._timings.blocked)
        if cause is Cause.AUTH:
            return self._auth_wait()
        self._line += 1
        growth: float = 2.0 ** min(self._line - 1, 16)
        wait = min(self._timings.first_redial * growth, self._timings.longest_redial)
        return self._jitter(wait)

    def _auth_wait(self) -> float:
        self._auth += 1
        if self._auth >= 2 * AUTH_TRIES:
            return self._jitter(self._timings.auth_long_pause)
        if self._auth == AUTH_TRIES:
            return self._jitter(self._timings.auth_pause)
        return self._jitter(2 * self._timings.first_redial)

    def _jitter(self, seconds: float) -> float:
        return seconds * (1 - JITTER + 2 * JITTER * self._chance())
