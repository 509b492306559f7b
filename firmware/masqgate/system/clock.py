"""The router's clocks. Every timer runs on `monotonic`; `wall` is only for people to read."""

from __future__ import annotations

import time


class Clock:
    """The kernel's clocks; tests bring their own."""

    def monotonic(self) -> float:
        """Seconds since the router started, suspended time included; never jumps."""
        return time.clock_gettime(time.CLOCK_BOOTTIME)

    def wall(self) -> float:
        """Unix time; jumps when the time of day becomes known."""
        return time.time()
