"""The uplinks' health and the choice among them, kept for the supervisor's loop.

What is decided is in `core/health.py` and `core/failover.py`.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import msgspec

from masqgate.contract.config import Uplink
from masqgate.contract.status import LinkStatus
from masqgate.core import failover, health
from masqgate.core.health import Health
from masqgate.core.messages import Probed
from masqgate.desired.facts import interface_of

if TYPE_CHECKING:
    from .supervisor import Supervisor

log = logging.getLogger(__name__)


class Choosing:
    """Who carries the traffic, and how each uplink is. Called from the supervisor's loop alone."""

    def __init__(self, supervisor: Supervisor) -> None:
        self._supervisor = supervisor
        self._healths: dict[str, Health] = {}
        self._spent: set[str] = set()  # uplinks whose budget for probes is told to be used up
        self.active = ""
        self.again_at: float | None = None  # monotonic: when the choice may be another one

    def resume(self) -> None:
        """Find the uplink that a supervisor before this one chose: it is not left for nothing."""
        way_out = self._supervisor.parts.applier.way_out()
        named = (
            one.name for one in self._supervisor.config.uplink if interface_of(one) == way_out
        )
        self.active = next(named, "")
        for uplink in self._supervisor.config.uplink:
            count, age_s = self._supervisor.budgets.probes(uplink.name)
            self._healths[uplink.name] = Health(day_began=self._now() - age_s, spent=count)

    def choose(self) -> None:
        """Choose the uplink that carries the traffic, and have the right ones probed."""
        self.follow()
        supervisor = self._supervisor
        choice = failover.choose(
            supervisor.config,
            supervisor.links,
            self._healths,
            self.active,
            self._now(),
            dials=supervisor.demand.armed,
        )
        self.again_at = choice.again_at
        if choice.name != self.active:
            self._switch(choice)

    def follow(self) -> None:
        """Take over what the links tell."""
        supervisor, now = self._supervisor, self._now()
        known = {uplink.name: uplink for uplink in supervisor.config.uplink}
        self._healths = {
            name: health.follow(self._healths.get(name, Health()), uplink, link, now)
            for name, uplink in known.items()
            if (link := supervisor.links.get(name)) is not None
        }
        jobs = (health.job(known[name], one) for name, one in self._healths.items())
        supervisor.parts.prober.update([job for job in jobs if job is not None])
        for name, one in self._healths.items():
            self._tell_budget(known[name], one)
        self.keep()

    def keep(self) -> None:
        """Have kept what the probes with a budget have cost."""
        limited = {one.name for one in self._supervisor.config.uplink if one.probe.bytes_per_day}
        now = self._now()
        costs = {
            name: (one.spent, now - one.day_began)
            for name, one in self._healths.items()
            if name in limited
        }
        self._supervisor.budgets.probed(costs)

    def probed(self, message: Probed) -> bool:
        """Take over what a probe showed; whether the choice may be another one now."""
        name, supervisor = message.job.name, self._supervisor
        uplink = next((one for one in supervisor.config.uplink if one.name == name), None)
        before = self._healths.get(name)
        if uplink is None or before is None or before.way != message.job.way:
            return False
        clock = supervisor.parts.clock
        after = health.probed(
            before, uplink.probe, message.outcome, clock.monotonic(), clock.wall()
        )
        self._healths[name] = after
        if health.exhausted(uplink, after):
            self.follow()
        after = self._healths[name]
        if after.verdict == before.verdict:
            return False
        self._tell_verdict(uplink, before, after)
        return True

    def dead(self) -> set[str]:
        """The uplinks that are up, but dead beyond their links."""
        return {name for name, one in self._healths.items() if one.verdict == "bad"}

    def told(self, link: LinkStatus) -> LinkStatus:
        """A link's status with its health, and why it does not carry the traffic."""
        supervisor = self._supervisor
        uplink = next((one for one in supervisor.config.uplink if one.name == link.name), None)
        if uplink is None:
            return link
        unused = failover.unused(
            supervisor.config, supervisor.links, self._healths, self.active, self._now()
        )
        one = self._healths.get(link.name, Health())
        seen = health.told(one, uplink, unused.get(link.name, ""))
        return msgspec.structs.replace(link, health=seen)

    def _switch(self, choice: failover.Choice) -> None:
        supervisor, before = self._supervisor, self.active
        self.active = choice.name
        if not choice.name:
            text = "No uplink carries the traffic."
        elif before:
            text = f"Traffic goes through {choice.name} now, no longer through {before}."
        else:
            text = f"Traffic goes through {choice.name}."
        text = f"{text} {choice.why}".strip()
        supervisor.record("system", "uplink_chosen", text)
        log.info("%s", text)
        supervisor.parts.heartbeat.status(text)

    def _tell_verdict(self, uplink: Uplink, before: Health, after: Health) -> None:
        words = health.words(after, uplink)
        if after.verdict == "bad":
            text = f"{uplink.name} is up, but dead beyond: {words}"
            self._supervisor.record(uplink.name, "probes_lost", text, "warning")
        elif before.verdict == "bad" and after.verdict == "good":
            text = f"{uplink.name} answers probes again: {words}"
            self._supervisor.record(uplink.name, "probes_answered", text)

    def _tell_budget(self, uplink: Uplink, one: Health) -> None:
        if not health.exhausted(uplink, one):
            self._spent.discard(uplink.name)
        elif uplink.name not in self._spent:
            self._spent.add(uplink.name)
            self._supervisor.record(
                uplink.name, "probe_budget", health.words(one, uplink), "warning"
            )

    def _now(self) -> float:
        return self._supervisor.parts.clock.monotonic()
