"""The recovery window on the modem's UART: is there a person at the other end, or a modem? Pure.

What is said there may reach a modem, and what comes may come from one:

- In command state a modem takes nothing but lines that begin with 'AT', and 'A/', which repeats
  the last one (V.250, sections 5.2.1 and 5.2.4). There is no letter A in the announcement.
- In a call that outlived a restart, the line is noise in somebody's PPP: a frame without a right
  FCS, which is dropped (RFC 1662). It is too short to be taken for the escape '+++'.
- A modem that echoes sends the announcement back, with its one '#'. A call sends anything. So a
  key counts only if it is pressed three times, with silence before and after, like the escape
  that modems themselves listen for.
"""

from __future__ import annotations

from dataclasses import dataclass

KEY = ord("#")
TIMES = 3
GUARD_S = 0.3  # silence, between what is no key and the first, and after the last


def announcement(seconds: int) -> bytes:
    """Return the one line that is said."""
    return f"\r\nPress # three times within {seconds} s for the console.\r\n".encode()


@dataclass
class Window:
    """What has come so far. Times are monotonic seconds."""

    _count: int = 0
    _quiet_since: float = 0.0  # the last byte that was no key
    _last_key: float = 0.0

    def feed(self, data: bytes, now: float) -> None:
        """Take bytes as they come."""
        for byte in data:
            if byte != KEY:
                self._count = 0
                self._quiet_since = now
            elif self._count or now - self._quiet_since >= GUARD_S:
                self._count += 1
                self._last_key = now

    def asked(self, now: float) -> bool:
        """Whether somebody has asked for the console."""
        return self._count >= TIMES and now - self._last_key >= GUARD_S
