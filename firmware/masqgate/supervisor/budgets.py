"""What each modem uses of its budget. Called from the supervisor's loop alone."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING

import msgspec

from masqgate.contract.config import Modem
from masqgate.contract.status import LinkState, LinkStatus, Reason
from masqgate.contract.zones import rule
from masqgate.core.budget import Used, limit, spent
from masqgate.core.zone import local

if TYPE_CHECKING:
    from .supervisor import Supervisor


class Budgets:
    """Counts calls' time and bytes, as the dialers tell them."""

    def __init__(self, supervisor: Supervisor) -> None:
        self._supervisor = supervisor
        self._used: dict[str, Used] = {}
        self._seen: dict[str, tuple[float, int]] = {}  # when a call was last seen, and its bytes
        self._told: set[str] = set()

    def start(self) -> None:
        """Take over what an earlier supervisor has counted."""
        self._used = self._supervisor.parts.usage.restore()

    def told(self, link: LinkStatus) -> None:
        """Count what a call has used since it was last told of."""
        if link.kind != "modem":
            return
        now = self._supervisor.parts.clock.monotonic()
        count = link.counters.rx_bytes + link.counters.tx_bytes
        before = self._seen.pop(link.name, None)
        if link.state is LinkState.UP:
            self._seen[link.name] = (now, count)
        if before is not None:
            at, bytes_before = before
            more = count - bytes_before if count >= bytes_before else count
            self._spend(link.name, now - at, more)
        ended = before is not None and link.state is not LinkState.UP
        self._supervisor.parts.usage.keep(self._used, now, ending=ended)

    def keep(self) -> None:
        """Write down what is known: the supervisor ends."""
        now = self._supervisor.parts.clock.monotonic()
        self._supervisor.parts.usage.keep(self._used, now, ending=True)

    def probes(self, name: str) -> tuple[int, float]:
        """What an uplink's probes had cost in their day, in bytes, and its age in seconds."""
        used = self._used.get(name, Used())
        return used.probe_bytes, used.probe_age_s

    def probed(self, costs: Mapping[str, tuple[int, float]]) -> None:
        """Keep what uplinks' probes have cost; see `probes`."""
        for name, (count, age_s) in costs.items():
            used = self._used.get(name, Used())
            self._used[name] = msgspec.structs.replace(used, probe_bytes=count, probe_age_s=age_s)
        if costs:
            now = self._supervisor.parts.clock.monotonic()
            self._supervisor.parts.usage.keep(self._used, now)

    def forget(self) -> None:
        """The factory's state: nothing was ever used; MasqgateError if a file stays."""
        self._used.clear()
        self._supervisor.parts.usage.forget()

    def limit(self, modem: Modem) -> tuple[str, str]:
        """What is used up, and when it begins anew; empty if nothing is. Told once."""
        self._spend(modem.name, 0.0, 0)
        text, again = limit(modem.budget, self._used[modem.name])
        if text and modem.name not in self._told:
            self._told.add(modem.name)
            self._supervisor.record(modem.name, "budget_used", f"{text}.", "warning")
        elif not text:
            self._told.discard(modem.name)
        return text, again

    def warnings(self) -> list[Reason]:
        """The budgets that are used up, for people."""
        found = ((modem, self.limit(modem)) for modem in self._supervisor.config.modems)
        return [
            Reason("budget_used", f"{modem.name}: {text}.", f"It begins anew {again}.")
            for modem, (text, again) in found
            if text
        ]

    def _spend(self, name: str, seconds: float, count: int) -> None:
        used = self._used.get(name, Used())
        self._used[name] = spent(used, self._today(), seconds, count)

    def _today(self) -> date | None:
        clock = self._supervisor.parts.clock
        zone = rule(self._supervisor.config.system.timezone) or "UTC0"
        return local(zone, clock.wall()).date() if clock.known() else None
