"""Timers by name; pure: the caller brings the time."""

from __future__ import annotations


class Timers:
    """When what is due, on the monotonic clock, in seconds."""

    def __init__(self) -> None:
        self._at: dict[str, float] = {}

    def set(self, name: str, at: float) -> None:
        """Set a timer, whether it was set or not."""
        self._at[name] = at

    def at_latest(self, name: str, at: float) -> None:
        """Set a timer, unless it is due earlier anyhow."""
        self._at[name] = min(at, self._at.get(name, at))

    def clear(self, name: str) -> None:
        """Unset a timer."""
        self._at.pop(name, None)

    def due(self, now: float) -> list[str]:
        """Take out the timers that are due, the earliest first."""
        names = [name for name, at in self._at.items() if at <= now]
        names.sort(key=lambda name: self._at[name])
        for name in names:
            del self._at[name]
        return names

    def wait_s(self, now: float, longest: float) -> float:
        """Seconds until the next is due."""
        return max(0.0, min([longest, *(at - now for at in self._at.values())]))
