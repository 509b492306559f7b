"""Which uplink carries the traffic, and why: the order, the probes' verdicts and the hold. Pure.

The first uplink in the order that is up and not known to be dead carries the traffic. Leaving a
dead one is immediate; returning to a preferred one waits until it has been well for `hold_s`, so
that a line that comes and goes does not break everybody's connections each time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from masqgate.contract.config import Config, Uplink
from masqgate.contract.status import LinkStatus

from .health import Health, is_up, words

Links = Mapping[str, LinkStatus]
Healths = Mapping[str, Health]


@dataclass(frozen=True)
class Choice:
    """Who carries the traffic (empty: nobody), why, and when to ask again (monotonic)."""

    name: str
    why: str = ""  # a sentence, if it is another one than before
    again_at: float | None = None


def choose(
    config: Config, links: Links, healths: Healths, current: str, now: float, *, dials: str = ""
) -> Choice:
    """Choose the uplink; `current` carries the traffic now (empty: none).

    `dials`: a modem that a packet of the LAN makes dial while nobody carries the traffic.
    """
    up = [uplink for uplink in config.uplink if is_up(links.get(uplink.name))]
    alive = [uplink for uplink in up if not _dead(healths, uplink)]
    if not alive:
        if up and dials and not is_up(links.get(dials)):
            those = " and ".join(uplink.name for uplink in up)
            why = f"{those}: up, but dead beyond. The next packet of the LAN makes {dials} dial."
            return Choice("", why if current else "")
        return _last_resort(up, links, current)
    names = [uplink.name for uplink in alive]
    if current not in names:
        return Choice(names[0], _why_left(current, links, healths, config))
    again: list[float] = []
    for uplink in alive[: names.index(current)]:
        ends = _hold_ends(healths, uplink)
        if ends is not None and ends <= now:
            why = f"{uplink.name} is preferred, and has been well for {uplink.hold_s} s."
            return Choice(uplink.name, why)
        if ends is not None:
            again.append(ends)
    return Choice(current, again_at=min(again, default=None))


def unused(
    config: Config, links: Links, healths: Healths, active: str, now: float
) -> dict[str, str]:
    """Why each uplink but the active one does not carry the traffic, a sentence each."""
    found: dict[str, str] = {}
    before = True  # whether it comes before the active one in the order
    for uplink in config.uplink:
        if uplink.name == active:
            before = False
        elif not is_up(links.get(uplink.name)):
            found[uplink.name] = "Its link is not up."
        elif _dead(healths, uplink):
            found[uplink.name] = "Its link is up, but its probes are not answered."
        elif active and before:
            found[uplink.name] = _waiting(_hold_ends(healths, uplink), now)
        else:
            found[uplink.name] = f"{active} is preferred." if active else ""
    return found


def _waiting(ends: float | None, now: float) -> str:
    if ends is None:
        return "It is up again; its first probe has to be answered."
    return f"It is well again; traffic returns in {max(0, round(ends - now))} s if it stays so."


def _last_resort(up: list[Uplink], links: Links, current: str) -> Choice:
    """None is known to be alive: stay, since probes may be wrong, and moving gains nothing."""
    names = [uplink.name for uplink in up]
    if current in names:
        return Choice(current)
    if names:
        return Choice(names[0], "No uplink's probes are answered; this one's link is up.")
    link = links.get(current)
    return Choice("", f"{current}: {link.reason.text}" if link is not None else "")


def _dead(healths: Healths, uplink: Uplink) -> bool:
    health = healths.get(uplink.name)
    return health is not None and health.verdict == "bad"


def _hold_ends(healths: Healths, uplink: Uplink) -> float | None:
    """When traffic may return to it; None: it is not well, or not known to be."""
    health = healths.get(uplink.name)
    if health is None or health.well_since is None:
        return None
    return health.well_since + uplink.hold_s


def _why_left(current: str, links: Links, healths: Healths, config: Config) -> str:
    link = links.get(current)
    if not current:
        return ""
    uplink = next((one for one in config.uplink if one.name == current), None)
    if link is None or uplink is None:
        return f"{current} is not configured any more."
    if not is_up(link):
        return f"{current} is down: {link.reason.text}"
    health = healths.get(current, Health())
    return f"{current} is dead beyond its link: {words(health, uplink)}"
