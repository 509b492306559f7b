"""How well an uplink is, from what its probes show. Pure: the caller brings the time.

An uplink whose link is up may still be dead beyond. `follow` takes over what the link tells,
`probed` what a probe showed. One lost answer means nothing: a verdict changes after several in
a row. A gateway that nobody named may be one that answers no pings by choice; its silence says
nothing unless it has answered before, or nobody is at its address at all (ARP).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from masqgate.contract.config import Ethernet, Modem, Probe, Uplink
from masqgate.contract.rules import PROBE_BYTES
from masqgate.contract.status import LinkHealth, LinkState, LinkStatus

Verdict = Literal["", "unknown", "good", "bad", "link_only"]
DAY_S = 86_400.0
LONGEST_TEXT = 200


@dataclass(frozen=True)
class Way:
    """What a probe leaves by: an interface, with our address and the provider's end on it."""

    interface: str = ""
    address: str = ""
    peer: str = ""


@dataclass(frozen=True)
class Job:
    """What is to be probed: each target in turn until one answers, every `interval_s`."""

    name: str
    way: Way
    targets: tuple[str, ...]
    interval_s: float


@dataclass(frozen=True)
class Outcome:
    """What one probe showed; `ms` None: no target answered."""

    target: str
    ms: float | None = None
    error: str = ""
    gone: bool = False  # nobody is at the target's address on the link (no answer to ARP)
    spent: int = PROBE_BYTES  # bytes of IP, there and back


@dataclass(frozen=True)
class Health:
    """What is known of one uplink. Times are monotonic seconds unless they end in `_wall`."""

    way: Way = Way()
    verdict: Verdict = ""
    good: int = 0  # answered probes in a row
    bad: int = 0  # probes in a row without an answer
    answered: bool = False  # whether this way has ever had an answer
    well_since: float | None = None  # since when nothing speaks against it
    last: Outcome | None = None
    last_wall: float | None = None
    rtt_ms: float | None = None
    day_began: float = 0.0
    spent: int = 0  # bytes since `day_began`


def is_up(link: LinkStatus | None) -> bool:
    """Whether an uplink could carry traffic, as far as its link goes."""
    return link is not None and link.state is LinkState.UP and bool(link.address)


def follow(health: Health, uplink: Uplink, link: LinkStatus, now: float) -> Health:
    """Take over what the link tells, and the day's end."""
    if now - health.day_began >= DAY_S:
        health = replace(health, day_began=now, spent=0)
    if not is_up(link):
        return replace(health, verdict="", good=0, bad=0, well_since=None, last=None)
    way = Way(link.interface, link.address, link.peer)
    if way != health.way:
        fresh = Health(way=way, day_began=health.day_began, spent=health.spent)
        return _begin(fresh, uplink, now)
    if not health.verdict:
        return _begin(health, uplink, now)
    watched = bool(targets(uplink, way)) and not exhausted(uplink, health)
    if not watched and health.verdict in ("good", "unknown"):
        return replace(health, verdict="link_only", well_since=health.well_since or now)
    if not targets(uplink, way) and health.verdict == "bad":
        return replace(health, verdict="link_only", well_since=now, good=0, bad=0)
    return health


def _begin(health: Health, uplink: Uplink, now: float) -> Health:
    """The link has come up."""
    if targets(uplink, health.way) and not exhausted(uplink, health):
        return replace(health, verdict="unknown", well_since=None)
    return replace(health, verdict="link_only", well_since=now)


def targets(uplink: Uplink, way: Way) -> tuple[str, ...]:
    """Whom to ask; nobody on a modem unless named: there LCP's echo watches the peer.

    A modem that dials on demand is not probed: the probes would hold its call for ever.
    """
    if not uplink.probe.enabled:
        return ()
    if isinstance(uplink, Modem) and uplink.mode not in ("always", "manual"):
        return ()
    if uplink.probe.targets:
        return uplink.probe.targets
    return (way.peer,) if isinstance(uplink, Ethernet) and way.peer else ()


def exhausted(uplink: Uplink, health: Health) -> bool:
    """Whether the day's budget has no room for another probe with all its targets."""
    budget = uplink.probe.bytes_per_day
    cost = PROBE_BYTES * max(1, len(targets(uplink, health.way)))
    return bool(budget) and health.spent + cost > budget


def job(uplink: Uplink, health: Health) -> Job | None:
    """What is to be probed now; None: nothing."""
    whom = targets(uplink, health.way)
    if not health.verdict or not whom or exhausted(uplink, health):
        return None
    return Job(uplink.name, health.way, whom, float(uplink.probe.interval_s))


def probed(health: Health, probe: Probe, outcome: Outcome, now: float, wall: float) -> Health:
    """Take over what a probe showed; `wall` is Unix time."""
    if not health.verdict:
        return health  # the link went down meanwhile
    health = replace(health, last=outcome, last_wall=wall, spent=health.spent + outcome.spent)
    if outcome.ms is not None:
        return _answered(replace(health, rtt_ms=outcome.ms), probe, now)
    health = replace(health, good=0, bad=health.bad + 1)
    if health.bad < probe.down_after or health.verdict == "bad":
        return health
    if probe.targets or health.answered or outcome.gone:
        return replace(health, verdict="bad", well_since=None)
    return replace(health, verdict="link_only", well_since=health.well_since or now)


def _answered(health: Health, probe: Probe, now: float) -> Health:
    health = replace(health, good=health.good + 1, bad=0, answered=True)
    if health.verdict == "good" or (health.verdict == "bad" and health.good < probe.up_after):
        return health
    since = health.well_since if health.verdict == "link_only" else None
    return replace(health, verdict="good", well_since=now if since is None else since)


def told(health: Health, uplink: Uplink, unused: str) -> LinkHealth:
    """The health as people see it."""
    return LinkHealth(
        verdict=health.verdict,
        text=words(health, uplink)[:LONGEST_TEXT],
        probed_at=health.last_wall,
        rtt_ms=health.rtt_ms,
        spent_bytes=health.spent,
        unused=unused,
    )


def words(health: Health, uplink: Uplink) -> str:
    """Say how it is."""
    if not health.verdict:
        return ""
    if not targets(uplink, health.way):
        return _unwatched(uplink)
    if exhausted(uplink, health):
        tail = "what was last known counts." if health.verdict == "bad" else "the link counts."
        return f"The day's {uplink.probe.bytes_per_day} bytes for probes are used up; {tail}"
    if health.verdict == "link_only" and health.bad:
        peer = health.way.peer
        return f"{peer} has never answered a ping; the link counts. Name `targets` that answer."
    if health.last is None:
        return "The first probe is under way."
    if health.last.ms is not None:
        text = f"{health.last.target} answered after {health.last.ms:.0f} ms."
        if health.verdict == "bad":
            text += f" That is {health.good} of the {uplink.probe.up_after} in a row it takes."
        return text
    return f"{health.last.target}: {health.last.error or 'no answer'}, {health.bad} in a row."


def _unwatched(uplink: Uplink) -> str:
    if not uplink.probe.enabled:
        return "Probes are switched off; the link counts."
    if isinstance(uplink, Modem):
        return "Not probed; LCP echoes watch the provider's end."
    return "There is nobody to probe; the link counts."
