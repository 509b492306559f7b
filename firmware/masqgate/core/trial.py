"""Whether a system on trial may stay. Pure: what was seen comes in, a verdict comes out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

CRASHES = 5  # starts of one service in a row, after which waiting is of no use
PARTS = {"masqgate.service": "the supervisor", "masqgate-web.service": "the page"}
_DIALER = ("masqgate-dialer@", ".service")


@dataclass(frozen=True)
class Limits:
    """How long a new system has, in seconds since its trial began.

    Emulated and loaded boards are slow; an uplink may need several calls.
    """

    basic_s: float = 900.0
    uplink_s: float = 1200.0


@dataclass(frozen=True)
class Seen:
    """What the new system looks like at one moment."""

    supervisor: bool = False
    lan: bool = False
    page: str = ""  # why the page does not answer; empty: it does
    dead_dialers: tuple[str, ...] = ()
    uplink: bool = False
    crashes: dict[str, int] = field(default_factory=dict)  # restarts, by service


@dataclass(frozen=True)
class Verdict:
    """What follows, and what is missing, in words."""

    kind: Literal["good", "wait", "failed"]
    text: str = ""


def judge(seen: Seen, uplink_wanted: bool, elapsed_s: float, limits: Limits) -> Verdict:
    """Judge a system on trial.

    Good is one that has all it needs, and an uplink if there was one before the update.
    """
    crashing = [
        f"{_part(unit)} ({unit})"
        for unit, count in sorted(seen.crashes.items())
        if count >= CRASHES
    ]
    if crashing:
        return Verdict("failed", f"{' and '.join(crashing)} ended again and again")
    missing = _missing(seen)
    if missing:
        kind: Literal["wait", "failed"] = "failed" if elapsed_s >= limits.basic_s else "wait"
        return Verdict(kind, ", ".join(missing))
    if uplink_wanted and not seen.uplink:
        kind = "failed" if elapsed_s >= limits.uplink_s else "wait"
        return Verdict(kind, "no uplink came up, and one was up before the update")
    return Verdict("good")


def dialer_unit(name: str) -> str:
    """The service that dials for the uplink of this name."""
    return name.join(_DIALER)


def _part(unit: str) -> str:
    if unit.startswith(_DIALER[0]):
        return f"the dialer of {unit.removeprefix(_DIALER[0]).removesuffix(_DIALER[1])}"
    return PARTS.get(unit, "a service")


def _missing(seen: Seen) -> list[str]:
    found = []
    if not seen.supervisor:
        found.append("the supervisor does not answer")
    elif not seen.lan:
        found.append("the LAN has no address")
    if seen.page:
        found.append(f"the page does not answer ({seen.page})")
    found += [f"the dialer of {name} does not run" for name in seen.dead_dialers]
    return found
