"""Tell systemd that the service is ready, alive, and how it is (sd_notify(3))."""

from __future__ import annotations

import logging
import os
import socket

log = logging.getLogger(__name__)


class Notify:
    """The service manager's socket; does nothing where there is none."""

    def __init__(self, address: str = "", watchdog_s: float = 0.0) -> None:
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self.watchdog_s = watchdog_s  # 0: nobody watches

    @classmethod
    def from_environment(cls) -> Notify:
        """What systemd passed, removed from the environment, so that children do not use it."""
        address = os.environ.pop("NOTIFY_SOCKET", "")
        microseconds = os.environ.pop("WATCHDOG_USEC", "")
        pid = os.environ.pop("WATCHDOG_PID", "")
        if not microseconds.isdigit() or (pid and pid != str(os.getpid())):
            microseconds = "0"
        return cls(address, int(microseconds) / 1e6)

    def ready(self) -> None:
        """The service does its work."""
        self._tell("READY=1")

    def alive(self) -> None:
        """The main loop turns."""
        self._tell("WATCHDOG=1")

    def status(self, text: str) -> None:
        """One line for `systemctl status`."""
        self._tell(f"STATUS={text}")

    def stopping(self) -> None:
        """The service ends."""
        self._tell("STOPPING=1")

    def _tell(self, text: str) -> None:
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
                sock.settimeout(1.0)
                sock.sendto(text.encode(), self._address)
        except OSError as error:
            log.warning("systemd was not told %r: %s", text, error)
