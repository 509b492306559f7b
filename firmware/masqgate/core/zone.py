"""Local time from a zone's rule (POSIX.1-2024, 8.3: TZ). Pure.

A rule is one like `CET-1CEST,M3.5.0,M10.5.0/3`; of its date forms only M is read, as no zone of
today has another.
"""

from __future__ import annotations

import re
from calendar import monthrange
from datetime import UTC, datetime, timedelta

_NAME, _TIME = r"(?:[A-Za-z]{3,}|<[+\-0-9A-Za-z]+>)", r"[+-]?[0-9]{1,3}(?::[0-9]{2})?"
_DATE = rf"M([0-9]+)\.([1-5])\.([0-6])(?:/({_TIME}))?"
_RULE = re.compile(rf"{_NAME}({_TIME})(?:{_NAME}({_TIME})?,{_DATE},{_DATE})?")
_EPOCH = datetime(1970, 1, 1)


def local(rule: str, wall: float) -> datetime:
    """Local time, without a zone, at a Unix time; ValueError if the rule cannot be read."""
    found = _RULE.fullmatch(rule)
    if found is None:
        raise ValueError(f"'{rule}' is no rule of a time zone.")
    utc = datetime.fromtimestamp(wall, UTC).replace(tzinfo=None)
    standard = -_seconds(found[1])
    if found[3] is None:
        return utc + timedelta(seconds=standard)
    summer = -_seconds(found[2]) if found[2] else standard + 3600
    year = (utc + timedelta(seconds=standard)).year
    begin = _moment(year, found.group(3, 4, 5, 6)) - timedelta(seconds=standard)
    end = _moment(year, found.group(7, 8, 9, 10)) - timedelta(seconds=summer)
    # South of the equator summer goes over the turn of the year.
    is_summer = begin <= utc < end if begin < end else not end <= utc < begin
    return utc + timedelta(seconds=summer if is_summer else standard)


def unix(rule: str, moment: datetime) -> float:
    """The Unix time at which it is that local time; an hour that is skipped counts as standard."""
    guess = (moment - _EPOCH).total_seconds()
    for _ in range(2):
        guess += (moment - local(rule, guess)).total_seconds()
    return guess


def _moment(year: int, date: tuple[str, ...]) -> datetime:
    """When a change is, in the local time before it: month, week (5: the last), day of week."""
    month, week, day, time = int(date[0]), int(date[1]), int(date[2]), date[3] or "2"
    first, days = monthrange(year, month)  # the weekday of the first, 0 is Monday
    on = 1 + (day - 1 - first) % 7 + 7 * (week - 1)
    if on > days:
        on -= 7
    return datetime(year, month, on) + timedelta(seconds=_seconds(time))


def _seconds(text: str) -> int:
    hours, _, minutes = text.lstrip("+-").partition(":")
    seconds = int(hours) * 3600 + int(minutes or 0) * 60
    return -seconds if text.startswith("-") else seconds
