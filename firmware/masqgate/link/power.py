"""How often the power of a modem's USB port was switched, and what people were told of it."""

from __future__ import annotations

from . import events as ev
from .text import harmless

UNANSWERED = ev.PowerSwitched(
    False, "Nobody switched the power of the modem's USB port; the router goes on without."
)


class PowerCuts:
    """The counts, by what was wrong with the modem."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}
        self._cause = ""
        self._told = ""  # why it could not be done, the last time

    def begin(self, cause: str) -> None:
        """It is asked for."""
        self._cause = cause

    def end(self, event: ev.PowerSwitched) -> ev.Note | None:
        """Count it; return what to tell, if that is new."""
        text = harmless(event.text, 240)
        if event.done:
            self.counts[self._cause] = self.counts.get(self._cause, 0) + 1
            self._told = ""
            return ev.Note("usb_power", text, "warning")
        if text == self._told:
            return None
        self._told = text
        return ev.Note("usb_power_unable", text)
