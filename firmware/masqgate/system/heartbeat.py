"""What the supervisor tells systemd: ready, alive, ending."""

from __future__ import annotations

from .notify import notify, watchdog_s


class Heartbeat:
    """Tells the service manager, where there is one; tests bring their own."""

    def __init__(self) -> None:
        self.interval_s = watchdog_s() or 0.0  # between two beats; 0: nobody listens

    def ready(self) -> None:
        """The service does its work."""
        notify("READY=1")

    def alive(self) -> None:
        """The main loop turns."""
        if self.interval_s:
            notify("WATCHDOG=1")

    def status(self, text: str) -> None:
        """One line for `systemctl status`."""
        notify(f"STATUS={text}")

    def stopping(self) -> None:
        """The service ends."""
        notify("STOPPING=1")
