"""Telling systemd how we are (sd_notify(3)); silent where there is no systemd."""

from __future__ import annotations

import contextlib
import os
import socket


def notify(*lines: str) -> None:
    """Send 'READY=1', 'WATCHDOG=1', 'STATUS=…' and the like; errors are of no interest."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    with (
        contextlib.suppress(OSError),
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock,
    ):
        sock.setblocking(False)
        sock.sendto("\n".join(lines).encode(), address)


def watchdog_s() -> float | None:
    """Return how often to send WATCHDOG=1, in seconds; None without a watchdog."""
    text = os.environ.get("WATCHDOG_USEC", "")
    return int(text) / 1e6 / 3 if text.isdigit() and int(text) else None
