"""Whether a modem may dial at this hour, and when that changes. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from masqgate.contract.windows import DAYS, Window

from .zone import local, unix

_WEEK = 7


@dataclass(frozen=True)
class Hours:
    """`opens`: in words, when they begin again; `change_at`: Unix time of the next change."""

    within: bool
    opens: str = ""
    change_at: float | None = None


ALWAYS = Hours(within=True)


def hours(windows: Iterable[Window], rule: str, wall: float, *, known: bool) -> Hours:
    """Whether `wall` (Unix time) is within one of the windows, in the zone of this rule.

    Without windows every hour is. So it is while the time is not known: the router would never
    learn it if it did not dial.
    """
    spans = list(windows)
    if not spans or not known:
        return ALWAYS
    now = local(rule, wall)
    midnight = datetime(now.year, now.month, now.day)
    found = sorted(
        (begin, begin + timedelta(minutes=span.minutes))
        for span in spans
        for days in range(-1, _WEEK + 1)
        if (midnight + timedelta(days=days)).weekday() in span.days
        for begin in [midnight + timedelta(days=days, minutes=span.begin)]
    )
    end = now
    for first, last in found:  # windows that touch are one
        if first <= end < last:
            end = last
    if end > now:
        whole_week = end - now >= timedelta(days=_WEEK - 1)
        return ALWAYS if whole_week else Hours(within=True, change_at=unix(rule, end))
    begin = min(first for first, _ in found if first > now)
    return Hours(within=False, opens=_words(begin, midnight), change_at=unix(rule, begin))


def _words(begin: datetime, midnight: datetime) -> str:
    """'at 07:00', 'tomorrow at 07:00', 'on mon at 07:00'."""
    days = (begin - midnight).days
    day = "" if days == 0 else "tomorrow " if days == 1 else f"on {DAYS[begin.weekday()]} "
    return f"{day}at {begin:%H:%M}"
