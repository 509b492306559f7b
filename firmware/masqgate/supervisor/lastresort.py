"""Restarts the router when no uplink comes up, if that is configured. See `core/lastresort.py`."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Protocol

from masqgate.core import lastresort
from masqgate.core.lastresort import Reboots

if TYPE_CHECKING:
    from .supervisor import Supervisor

log = logging.getLogger(__name__)


class Rebooting(Protocol):
    """The restarts so far, and the next one; see `system/reboot.py`."""

    def read(self) -> Reboots:
        """What is known of earlier ones."""

    def write(self, reboots: Reboots) -> bool:
        """Keep the count on the card; whether that worked."""

    def reboot(self) -> bool:
        """Restart the router; whether that was ordered."""


class LastResort:
    """Called from the supervisor's loop alone, at each apply."""

    def __init__(self, supervisor: Supervisor, rebooting: Rebooting) -> None:
        self._supervisor = supervisor
        self._rebooting = rebooting
        self._reboots = rebooting.read()
        self._out_since: float | None = None  # monotonic: since when there is no Internet
        self._ordered = False

    @property
    def causes(self) -> dict[str, int]:
        """How many restarts there were, by cause."""
        return self._reboots.causes

    def look(self) -> None:
        """Restart the router if it is time to."""
        supervisor = self._supervisor
        minutes, now = supervisor.config.system.reboot_after_minutes, supervisor.parts.clock
        links, dead = supervisor.links.values(), supervisor.choosing.dead()
        if supervisor.active and supervisor.active not in dead:
            self._recovered()
            return
        code = lastresort.cause(links, supervisor.active, dead, supervisor.demand.armed)
        if not code:  # nobody wants an uplink, or a restart would not help
            self._out_since = None
            return
        if self._out_since is None:
            self._out_since = now.monotonic()
        out_s = now.monotonic() - self._out_since
        if minutes and out_s >= lastresort.wait_s(minutes, self._reboots):
            self._reboot(code, out_s)

    def _recovered(self) -> None:
        self._out_since = None
        if self._reboots.in_vain:
            self._reboots = lastresort.recovered(self._reboots)
            self._rebooting.write(self._reboots)

    def _reboot(self, code: str, out_s: float) -> None:
        """Only once what bounds the restarts is on the card: one that forgets has no end."""
        if self._ordered:
            return
        self._ordered = True
        reboots = lastresort.counted(self._reboots, code)
        if not self._rebooting.write(reboots):
            text = "The router is not restarted: the card does not take the count of restarts."
            self._supervisor.record("system", "reboot_not_counted", text, "error")
            return
        self._reboots = reboots
        minutes = round(out_s / 60)
        text = f"No uplink for {minutes} min ({code}): the router restarts, as configured."
        log.error("%s", text)
        self._supervisor.record("system", "reboot", text, "warning")
        if not self._rebooting.reboot():
            text = "The restart could not be ordered."
            self._supervisor.record("system", "reboot_failed", text, "error")
