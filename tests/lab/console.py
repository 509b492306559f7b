"""Commands on the router by its serial console, whatever else is printed there.

The router shows a menu on which `s` and Enter give a root shell; an image without the menu
gives a shell at once. Both are found out by asking. Output is told from echo and kernel
messages by marks that are never typed in one piece.
"""

from __future__ import annotations

import base64
import re
import shlex
import threading
import time
from dataclasses import dataclass
from itertools import count

from .console_line import ConsoleLine
from .processes import LabError

MENU = r"^masqgate> ?$"
READY = MENU + r"|^[^\n]{0,40}[#$] ?$"  # the menu, or a shell's prompt; not U-Boot's `=> `
PROBE_S = 8.0
SILENT_S = 180.0  # from power-on to the first byte
SETTLE_S = 1.0  # between the menu's choice and the first command
SHELL_S = 180.0
RUN_S = 120.0
CHUNK = 600  # characters of base64 in one line: a terminal takes 4,095


@dataclass(frozen=True, slots=True)
class Done:
    """How a command ended, and what it printed on both outputs, without the last line ends."""

    code: int
    output: str


def wrap(command: str, mark: str) -> str:
    """Return the line that runs `command` between the marks `<mark` and `mark CODE>`."""
    half, rest = mark[:2], mark[2:]
    begin = f"printf '\\n<%s%s\\n' {half} {rest}"
    end = f"printf '\\n%s%s %d>\\n' {half} {rest} $?"
    return f" {begin}; {{ {command}\n}} 2>&1; {end}\n"


def ended(mark: str) -> str:
    """Return the regular expression of a wrapped command's end."""
    return rf"^{mark} (\d+)>$"


def unwrap(text: str, mark: str) -> Done | None:
    """Find a wrapped command's output in what the console showed; None if it is not over."""
    end = re.search(ended(mark), text, re.MULTILINE)
    begin = re.search(rf"^<{mark}$\n?", text, re.MULTILINE)
    if end is None or begin is None:
        return None
    output = text[begin.end() : end.start()]
    return Done(int(end[1]), output.rstrip("\n"))


class Console:
    """A shell on the router. Commands of several threads wait for one another."""

    def __init__(self, line: ConsoleLine) -> None:
        self.line = line
        self._turn = threading.RLock()
        self._numbers = count(1)
        self._in_shell = False
        self._switched_on = 0

    def booted(self, timeout_s: float) -> None:
        """Wait for menu or shell after the power was switched on (see `restarted`)."""
        silent = "anything from the boot loader: does it have its console on another port?"
        self.line.wait_for(r"\S", min(timeout_s, SILENT_S), self._switched_on, silent)
        kernel = r"Linux version|Starting kernel|Booting Linux"
        begin = self.line.wait_for(kernel, timeout_s, self._switched_on, "the kernel's start")
        self.line.wait_for(READY, timeout_s, begin, "the menu or a shell")

    def restarted(self) -> None:
        """The router is about to boot: what was shown so far does not count."""
        self._switched_on = self.line.position
        self.lost()

    def lost(self) -> None:
        """There may be no shell any more: look anew before the next command."""
        self._in_shell = False

    def leave_shell(self, timeout_s: float = SHELL_S) -> None:
        """Return to the menu and wait until it is quiet; LabError if there is no menu."""
        end = time.monotonic() + timeout_s
        leave = " stty echo; exit\r"  # no key of the menu: no harm there
        typed = leave if self._in_shell else "\r"
        self._in_shell = False
        while True:
            start = self.line.position
            self.line.send(typed)
            try:
                self.line.wait_for(MENU, PROBE_S, start, "the menu")
                break
            except LabError:
                if time.monotonic() >= end:
                    raise
            typed = leave
        self._settle()

    def shell(self, timeout_s: float = SHELL_S) -> None:
        """Get a root shell, from menu or prompt; LabError if there is none in time."""
        if self._in_shell:
            return
        end = time.monotonic() + timeout_s
        while time.monotonic() < end:
            if self._asked_for_shell():
                self._in_shell = True
                # Kernel messages stay off the console, and nothing is echoed or coloured.
                self.run("dmesg -n 1; stty -echo; PS1='# '; export TERM=dumb PAGER=cat")
                return
        tail = "\n".join(self.line.text().splitlines()[-15:])
        raise LabError(f"no root shell on the console within {timeout_s:g} s. It ends:\n{tail}")

    def run(self, command: str, timeout_s: float = RUN_S) -> Done:
        """Run a shell command; LabError if it is not over after `timeout_s` seconds."""
        with self._turn:
            return self._run(command, timeout_s)

    def _run(self, command: str, timeout_s: float) -> Done:
        self.shell()
        mark = f"MG{next(self._numbers):06d}E"
        start = self.line.position
        self.line.send(wrap(command, mark))
        try:
            self.line.wait_for(ended(mark), timeout_s, start, f"the end of {command!r}")
        except LabError:
            self.interrupt()
            self.lost()  # whatever holds the terminal: find the shell anew next time
            raise
        done = unwrap(self.line.text(start), mark)
        if done is None:
            raise LabError(f"the console lost the output of {command!r}")
        return done

    def put(self, path: str, data: bytes) -> None:
        """Write a file on the router."""
        text = base64.b64encode(data).decode()
        where = shlex.quote(path)
        self._must(f": > {where}.b64")
        for at in range(0, len(text), CHUNK):
            self._must(f"printf %s {text[at : at + CHUNK]} >> {where}.b64")
        self._must(f"base64 -d < {where}.b64 > {where} && rm {where}.b64")

    def interrupt(self) -> None:
        """Type Ctrl-C."""
        self.line.send("\x03")

    def _settle(self) -> None:
        """Wait until nothing more comes."""
        before = -1
        while before != (now := self.line.position):
            before = now
            time.sleep(SETTLE_S)

    def _must(self, command: str) -> None:
        done = self.run(command)
        if done.code != 0:
            raise LabError(f"on the router, {command!r} failed: {done.output}")

    def _asked_for_shell(self) -> bool:
        """Choose `s` in case there is a menu, then see whether a shell obeys."""
        self.line.send("\rs\r")
        time.sleep(SETTLE_S)
        mark = f"MG{next(self._numbers):06d}S"
        start = self.line.position
        self.line.send(f" printf '<%s%s>' {mark[:2]} {mark[2:]}\r")
        try:
            self.line.wait_for(f"<{mark}>", PROBE_S, start)
        except LabError:
            return False
        return True
