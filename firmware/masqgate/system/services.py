"""systemd's units, from the outside: start, stop, restart, reload; never raising to death."""

from __future__ import annotations

import subprocess
from typing import Protocol

TIMEOUT_S = 30.0


class Services(Protocol):
    """What the supervisor and the applier need of an init system; tests bring their own."""

    def start(self, unit: str) -> bool:
        """Start a unit that may run already; whether it worked."""

    def stop(self, unit: str) -> bool:
        """Stop a unit that may be stopped already; whether it worked."""

    def restart(self, unit: str) -> bool:
        """Stop a unit if it runs, and start it; whether it worked."""

    def reload(self, unit: str) -> bool:
        """Make a running unit read its files again, or start it; whether it worked."""

    def active(self, unit: str) -> bool:
        """Whether the unit runs."""


class Systemd:
    """Units by `systemctl`, each call with a time limit.

    A job that takes longer than the limit goes on in the background: systemd has it queued.
    """

    def __init__(self, timeout_s: float = TIMEOUT_S) -> None:
        self._timeout_s = timeout_s

    def start(self, unit: str) -> bool:
        """Start a unit that may run already; whether it worked."""
        return self._systemctl("start", unit)

    def start_later(self, unit: str) -> bool:
        """Have a unit started, without waiting for it; whether that was taken."""
        return self._systemctl("start", "--no-block", unit)

    def stop(self, unit: str) -> bool:
        """Stop a unit that may be stopped already; whether it worked."""
        return self._systemctl("stop", unit)

    def restart(self, unit: str) -> bool:
        """Stop a unit if it runs, and start it; whether it worked."""
        # A unit that failed too often is refused until its counter is reset.
        self._systemctl("reset-failed", unit)
        return self._systemctl("restart", unit)

    def reload(self, unit: str) -> bool:
        """Make a running unit read its files again, or start it; whether it worked."""
        return self._systemctl("reload-or-restart", unit)

    def active(self, unit: str) -> bool:
        """Whether the unit runs."""
        return self._systemctl("is-active", "--quiet", unit)

    def _systemctl(self, verb: str, *arguments: str) -> bool:
        command = ["systemctl", "--no-ask-password", verb, *arguments]
        try:
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=self._timeout_s,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired):
            return False
        return done.returncode == 0
