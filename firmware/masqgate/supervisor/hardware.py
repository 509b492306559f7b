"""Looks after board, card and data partition, and notes in the history what comes and goes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from masqgate.contract.hardware import Hardware
from masqgate.contract.status import Reason
from masqgate.core.hardware import reasons

if TYPE_CHECKING:
    from .supervisor import Supervisor

KEPT_S = 5.0  # many pages may ask


class Sensing(Protocol):
    """Reads the sensors; see `system/sensors.py`."""

    def read(self) -> Hardware:
        """Look at all."""


class HardwareWatch:
    """Called from the supervisor's loop alone: at each apply, so once a minute, and when asked."""

    def __init__(self, supervisor: Supervisor, sensors: Sensing) -> None:
        self._supervisor = supervisor
        self._sensors = sensors
        self._read_at: float | None = None
        self._seen = Hardware()
        self.warnings: tuple[Reason, ...] = ()

    def look(self) -> Hardware:
        """What is known now; warnings that are new, or over, are noted."""
        now = self._supervisor.parts.clock.monotonic()
        if self._read_at is None or now - self._read_at >= KEPT_S:
            self._read_at = now
            self._seen = self._sensors.read()
            self._judge()
        return self._seen

    def _judge(self) -> None:
        before = {warning.code: warning for warning in self.warnings}
        self.warnings = reasons(self._seen, before)
        codes = {warning.code for warning in self.warnings}
        for warning in self.warnings:
            if warning.code not in before:
                text = f"{warning.text} {warning.hint}"
                self._supervisor.record("system", warning.code, text, "warning")
        for code, warning in before.items():
            if code not in codes:
                text = f"No longer so: {warning.text}"
                self._supervisor.record("system", f"{code}_over", text)
