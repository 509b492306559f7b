"""Which IPv6 prefix the LAN has, and which it had before (RFC 7084, L-13; RFC 9096). Pure.

Hosts go on with a prefix that is gone until they are told otherwise: it is told as deprecated for
as long as they may have been promised it. What was told before a power cut is remembered, since
the provider may give another prefix then.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

MOST = 4  # prefixes of before; who gets a new one with every call has many
# A little less than the kernel keeps their addresses: it must not be made to renew them.
TOLD_S = 2690.0


class Stale(msgspec.Struct, frozen=True):
    """A prefix (/64) that the LAN had before."""

    prefix: str
    until: float  # monotonic seconds


class Known(msgspec.Struct, frozen=True):
    """The LAN's prefixes."""

    current: str = ""  # 2001:db8:100::/64; empty: none
    stale: tuple[Stale, ...] = ()  # the newest one first

    @property
    def prefixes(self) -> tuple[str, ...]:
        """All of them, the newest first."""
        return tuple([self.current] * bool(self.current) + [one.prefix for one in self.stale])

    @property
    def again_at(self) -> float | None:
        """When the next one is to be forgotten."""
        return min((one.until for one in self.stale), default=None)


def resumed(prefixes: Iterable[str], now: float) -> Known:
    """What a router that starts knows: any of them may be somebody else's by now."""
    return Known(stale=tuple(Stale(prefix, now + TOLD_S) for prefix in prefixes)[:MOST])


def follow(known: Known, current: str, now: float) -> Known:
    """Take over the prefix that the LAN has now (empty: none)."""
    stale = [one for one in known.stale if one.prefix != current and one.until > now]
    if known.current and known.current != current:
        stale = [Stale(known.current, now + TOLD_S), *stale]
    return Known(current, tuple(stale[:MOST]))
