"""Time windows in words: `mon-fri 07:00-19:00`, `sat,sun 09:00-12:00`, `daily 22:00-06:00`."""

from __future__ import annotations

import re
from dataclasses import dataclass

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY_MIN = 1440  # minutes
_WINDOW = re.compile(
    r"(daily|[a-z]{3}(?:-[a-z]{3})?(?:,[a-z]{3}(?:-[a-z]{3})?)*)"
    r" ([0-9]{2}):([0-5][0-9])-([0-9]{2}):([0-5][0-9])"
)


@dataclass(frozen=True)
class Window:
    """Days (0 is Monday) on which it begins, minutes of the day when it begins and ends.

    An end that is not after the beginning is on the next day.
    """

    days: frozenset[int]
    begin: int
    end: int

    @property
    def minutes(self) -> int:
        """How long it is: up to a day."""
        return (self.end - self.begin) % DAY_MIN or DAY_MIN


def window(text: str) -> Window:
    """Read a window; ValueError, with a sentence, if it is none."""
    found = _WINDOW.fullmatch(text)
    if found is None:
        raise ValueError(f"'{text}' is no time window.")
    days = frozenset(_days(found[1]))
    begin, end = (int(found[i]) * 60 + int(found[i + 1]) for i in (2, 4))
    if begin >= DAY_MIN or end > DAY_MIN:
        raise ValueError(f"'{text}' holds a time that no day has.")
    return Window(days, begin, end)


def _days(text: str) -> set[int]:
    if text == "daily":
        return set(range(7))
    found: set[int] = set()
    for part in text.split(","):
        ends = part.split("-")
        if any(end not in DAYS for end in ends):
            raise ValueError(f"'{part}' names no day; days are {', '.join(DAYS)}.")
        first, last = DAYS.index(ends[0]), DAYS.index(ends[-1])
        found |= {day % 7 for day in range(first, last + (7 if last < first else 0) + 1)}
    return found
