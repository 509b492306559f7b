"""The router's clocks. Every timer runs on `monotonic`; `wall` is only for people to read."""

from __future__ import annotations

import time
from pathlib import Path

SYNCHRONIZED = Path("/run/systemd/timesync/synchronized")  # systemd-timesyncd(8)


class Clock:
    """The kernel's clocks; tests bring their own."""

    def monotonic(self) -> float:
        """Seconds since the router started, suspended time included; never jumps."""
        return time.clock_gettime(time.CLOCK_BOOTTIME)

    def known(self) -> bool:
        """Whether the time of day was learnt since the router started."""
        return SYNCHRONIZED.exists()

    def wall(self) -> float:
        """Unix time; jumps when the time of day becomes known."""
        return time.time()
