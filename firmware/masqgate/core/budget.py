"""How much of its budget a modem has used in this day and this month. Pure."""

from __future__ import annotations

from datetime import date

import msgspec

from masqgate.contract.config import Budget

MEGABYTE = 1_000_000


class Used(msgspec.Struct, frozen=True):
    """Use of one uplink. Days and months are local ones, like 2026-12-01 and 2026-12."""

    day: str = ""
    month: str = ""
    day_s: float = 0.0
    month_s: float = 0.0
    day_bytes: int = 0
    month_bytes: int = 0
    probe_bytes: int = 0  # of the uplink's probes, in a day of their own
    probe_age_s: float = 0.0  # how long that day has lasted


def spent(used: Used, today: date | None, seconds: float = 0.0, count: int = 0) -> Used:
    """Add what was used, in a new day or month from zero; None: nobody knows the day.

    A day before the last one is a clock that was put right: what is used stays used.
    """
    day = used.day if today is None else today.isoformat()
    month = used.month if today is None else day[:7]
    new_day = bool(used.day) and day > used.day
    new_month = bool(used.month) and month > used.month
    return msgspec.structs.replace(
        used,
        day=day,
        month=month,
        day_s=(0.0 if new_day else used.day_s) + seconds,
        month_s=(0.0 if new_month else used.month_s) + seconds,
        day_bytes=(0 if new_day else used.day_bytes) + count,
        month_bytes=(0 if new_month else used.month_bytes) + count,
    )


def limit(budget: Budget, used: Used) -> tuple[str, str]:
    """What is used up, and when it begins anew, in words; empty if nothing is."""
    for minutes, megabytes, seconds, count, when, again in (
        (budget.month_minutes, budget.month_megabytes, used.month_s, used.month_bytes,
         "this month", "on the first of the next month"),
        (budget.day_minutes, budget.day_megabytes, used.day_s, used.day_bytes,
         "today", "tomorrow at 00:00"),
    ):  # fmt: skip
        if minutes and seconds >= minutes * 60:
            return f"The {minutes} min of its budget for {when} are used up", again
        if megabytes and count >= megabytes * MEGABYTE:
            return f"The {megabytes} MB of its budget for {when} are used up", again
    return "", ""
