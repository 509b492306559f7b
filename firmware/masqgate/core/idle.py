"""When a call on demand has been idle for long enough. Pure; times on the monotonic clock."""

from __future__ import annotations

from collections.abc import Mapping

from masqgate.contract.config import Modem, Traffic

KINDS: tuple[Traffic, ...] = ("tcp", "udp", "icmp", "other")


def kind_of(protocol: str) -> Traffic:
    """The kind of traffic of a protocol's name."""
    return next((kind for kind in KINDS if kind == protocol), "other")


class Idle:
    """When which kind of traffic was last seen in the call, or on the way to it."""

    def __init__(self, kind: Traffic | None, now: float) -> None:
        # Without a packet that made it dial (a person did), it waits for all kinds.
        self._last: dict[Traffic, float] = dict.fromkeys([kind] if kind else KINDS, now)
        self._counts: dict[str, int] = {}

    def seen(self, kind: Traffic, now: float) -> None:
        """A packet came."""
        self._last[kind] = now

    def counted(self, counts: Mapping[str, int], now: float) -> None:
        """Take the counters; they begin anew with each ruleset, so less is news, too."""
        for kind in KINDS:
            count = counts.get(kind, 0)
            if count not in (0, self._counts.get(kind, 0)):
                self._last[kind] = now
        self._counts = dict(counts)

    def over_at(self, modem: Modem) -> float | None:
        """When the call is to end if nothing more comes; None: never."""
        if not modem.idle_minutes:
            return None
        holds = {kind: modem.idle_hold.get(kind, modem.idle_minutes) for kind in KINDS}
        return max(at + 60.0 * holds[kind] for kind, at in self._last.items())
