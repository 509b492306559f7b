"""The terminal: a dumb one, 80 by 24, plain ASCII, reached over a serial line."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import termios
import time
from collections.abc import Sequence
from pathlib import Path

from masqgate.core.line import Key, LineEditor
from masqgate.core.words import ascii_only

ABANDONED_S = 120.0  # input that nobody goes on with is dropped
LONGEST_SECRET = 128  # characters
QUIET_S, SETTLED_S = 2.0, 60.0  # silence after which nobody sends any more; the longest wait


class HungUp(Exception):
    """The terminal is gone."""


class Interrupted(Exception):
    """Ctrl-C or Ctrl-D: back to the menu."""


class Terminal:
    """Lines in and out. Keys that would send signals are only bytes here."""

    def __init__(self, source: int = 0, sink: int = 1) -> None:
        self._source, self._sink = source, sink
        self._editor = LineEditor()
        self._pending = bytearray()
        self._column = 0
        self._take_over()

    @property
    def name(self) -> str:
        """The serial port's name, for example ttyAMA0; empty if it is none."""
        try:
            return Path(os.ttyname(self._source)).name
        except OSError:
            return ""

    def say(self, *lines: str) -> None:
        """Print lines."""
        if self._column:
            self._write("\n")
        self._write("".join(f"{ascii_only(line)}\n" for line in lines))

    def prompt(self, text: str) -> None:
        """Print a prompt, and what has been typed behind it so far."""
        if self._column:
            self._write("\n")
        self._write(text + (self._editor.text if self._editor.echo else ""))

    def ask(self, question: str) -> str:
        """Ask for a line; Interrupted if it is declined, HungUp if the terminal is gone."""
        self.prompt(question)
        while (line := self.read(ABANDONED_S)) is None:
            pass
        return line.strip()

    def ask_secret(self, question: str) -> str:
        """Ask for a line without an echo; '' if it is declined, HungUp if nobody is there."""
        self._editor = LineEditor(echo=False, longest=LONGEST_SECRET)
        try:
            return self.ask(question)
        except Interrupted:
            return ""
        finally:
            self._editor = LineEditor()

    def settle(self, text: str = "") -> None:
        """Print something to a program at the other end, then ignore what it still sends."""
        self._write(text)
        end = time.monotonic() + SETTLED_S
        while time.monotonic() < end and self._receive(QUIET_S):
            self._pending.clear()
        self._column = 0

    def read(self, wait_s: float) -> str | None:
        """Return a line; None if nothing has been typed for so long.

        Interrupted on Ctrl-C and Ctrl-D, HungUp if the terminal is gone.
        """
        quiet_since = time.monotonic()
        while True:
            while self._pending:
                show, found = self._editor.feed(self._pending.pop(0))
                self._write(show)
                if isinstance(found, Key):
                    raise Interrupted
                if found is not None:
                    return found
            if self._receive(wait_s):
                quiet_since = time.monotonic()
            elif not self._editor.text:
                return None
            elif time.monotonic() - quiet_since > ABANDONED_S:
                self._editor.text = ""
                self._write("\n")
                return None

    def interrupted(self, wait_s: float = 0.0) -> bool:
        """Whether Ctrl-C is typed within this time; anything else waits for its turn."""
        self._receive(wait_s)
        if 3 not in self._pending:
            return False
        self._pending.clear()
        return True

    def run(
        self,
        command: Sequence[str],
        environment: dict[str, str],
        folder: str,
        *,
        raw: bool = False,
    ) -> int:
        """Lend the terminal to a program; return its exit code, 127 if it cannot be run.

        With `raw`, bytes go through as they are, without an echo, from the first one on.
        """
        if not raw:
            self._give_back()
        try:
            return subprocess.run(command, cwd=folder, env=environment, check=False).returncode
        except OSError:
            return 127
        finally:
            self._take_over()

    def _take_over(self) -> None:
        """Bytes as they come, no echo, no signals; whatever was running here is done."""
        # A program that was killed may still hold the terminal; taking it would stop us.
        signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGTTOU,))
        with contextlib.suppress(OSError):
            os.tcsetpgrp(self._source, os.getpgrp())
        self._set(termios.IGNBRK, 0)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGTTOU,))
        self._column = 0

    def _give_back(self) -> None:
        """As a login would have it."""
        self._set(
            termios.ICRNL | termios.IGNBRK,
            termios.ICANON | termios.ISIG | termios.IEXTEN
            | termios.ECHO | termios.ECHOE | termios.ECHOK,
        )  # fmt: skip

    def _set(self, input_flags: int, local_flags: int) -> None:
        with contextlib.suppress(termios.error):
            mode = termios.tcgetattr(self._source)
            mode[0] = input_flags
            mode[1] = termios.OPOST | termios.ONLCR
            mode[3] = local_flags
            if not local_flags:
                mode[6][termios.VMIN], mode[6][termios.VTIME] = 1, 0
            termios.tcsetattr(self._source, termios.TCSANOW, mode)

    def _receive(self, wait_s: float) -> bool:
        """Wait for bytes; whether some came."""
        try:
            ready, _, _ = select.select([self._source], [], [], wait_s)
            if not ready:
                return False
            data = os.read(self._source, 256)
        except OSError as error:
            raise HungUp from error
        if not data:
            raise HungUp
        self._pending += data
        return True

    def _write(self, text: str) -> None:
        data = text.encode("ascii", "replace")
        try:
            while data:
                data = data[os.write(self._sink, data) :]
        except OSError as error:
            raise HungUp from error
        if text:
            self._column = len(text) - (text.rfind("\n") + 1)


def ignore_signals() -> None:
    """Nothing that is typed, and no stopped program, ends or stops the console.

    They are handled, not ignored: what is ignored would stay so in the programs of the shell.
    """
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGTSTP, signal.SIGTTOU, signal.SIGTTIN):
        signal.signal(number, lambda *_: None)
