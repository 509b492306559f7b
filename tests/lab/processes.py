"""Programs that run for as long as the lab does, and their logs."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

from .state import State

STOP_S = 5.0


class LabError(Exception):
    """Something in the lab did not work; the text says what, and what to look at."""


class Processes:
    """Starts programs, each with a log `LOGS/NAME.log`, in sessions of their own."""

    def __init__(self, state: State, logs: Path) -> None:
        self.logs = logs
        self._state = state
        logs.mkdir(parents=True, exist_ok=True)

    def start(
        self,
        name: str,
        command: Sequence[str],
        *,
        fds: Sequence[int] = (),
        cwd: Path | None = None,
    ) -> subprocess.Popen[bytes]:
        """Start a program; `fds` stay open in it. Ctrl-C at the terminal does not reach it."""
        with (self.logs / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=tuple(fds),
                cwd=cwd,
            )
        self._state.process(process.pid)
        return process

    def check(self, name: str, process: subprocess.Popen[bytes]) -> None:
        """LabError with the end of its log if the program has ended."""
        if process.poll() is not None:
            raise LabError(f"{name} ended with {process.returncode}: {self.tail(name)}")

    def tail(self, name: str, lines: int = 8) -> str:
        """Return the last lines of a program's log."""
        path = self.logs / f"{name}.log"
        text = path.read_text(errors="replace") if path.exists() else ""
        return "\n".join(text.splitlines()[-lines:]) or "(its log is empty)"


def stop(process: subprocess.Popen[bytes], *, kill: bool = False) -> None:
    """End a program and its children: TERM, and KILL if it takes longer than 5 s (or at once).

    A program of `Processes` leads a group of its own.
    """
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL if kill else signal.SIGTERM)
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
