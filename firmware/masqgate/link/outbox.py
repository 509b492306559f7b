"""What a machine has decided: commands in sequence, and the timers that run."""

from __future__ import annotations

from typing import Literal

from .events import CancelTimer, Command, Note, SetTimer, Timer


class Outbox:
    """Collects the commands of one event; knows at any time which timers run."""

    def __init__(self) -> None:
        self.now = 0.0  # monotonic seconds
        self.deadlines: dict[Timer, float] = {}  # monotonic seconds
        self._commands: list[Command] = []

    def begin(self, now: float) -> None:
        """Start with an event that happens `now`."""
        self.now, self._commands = now, []

    def take(self) -> tuple[Command, ...]:
        """Return what the event has led to."""
        return tuple(self._commands)

    def add(self, command: Command) -> None:
        """Do this, after what was decided before."""
        if isinstance(command, SetTimer):
            self.deadlines[command.timer] = self.now + command.seconds
        self._commands.append(command)

    def set(self, timer: Timer, seconds: float) -> None:
        """(Re)start a timer."""
        self.add(SetTimer(timer, seconds))

    def cancel(self, timer: Timer) -> None:
        """Stop a timer, if it runs."""
        if self.deadlines.pop(timer, None) is not None:
            self.add(CancelTimer(timer))

    def cancel_all(self) -> None:
        """Stop all timers."""
        for timer in list(self.deadlines):
            self.cancel(timer)

    def expired(self, timer: Timer) -> bool:
        """Take note that a timer ran out; False if it was stopped meanwhile."""
        return self.deadlines.pop(timer, None) is not None

    def note(
        self, code: str, text: str, level: Literal["info", "warning", "error"] = "info"
    ) -> None:
        """Write down that something happened, for people."""
        self.add(Note(code, text, level))
