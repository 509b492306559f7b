"""Links, addresses and routes of the kernel, through netlink."""

from __future__ import annotations

from collections.abc import Callable


class Monitor:
    """A running watch over links and addresses; `close()` ends its thread."""

    def close(self) -> None:
        """End the watching."""
        raise NotImplementedError


def watch(callback: Callable[[], None]) -> Monitor:
    """Call `callback` (from a thread) whenever links appear, vanish or change; many as one."""
    raise NotImplementedError
