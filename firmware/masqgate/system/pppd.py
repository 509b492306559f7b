"""pppd as a child under pexpect: its log lines and its end become events."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pexpect

from ..link.events import Event, PppdEnded, PppdLogged

PPPD = ("/usr/sbin/pppd",)
POLL_S = 0.5
MAX_LINE = 1024  # bytes; the rest of a longer line is thrown away
READ_SIZE = 4096


class Pppd:
    """One pppd that runs. Events come by `emit`, from a thread of its own; the last: PppdEnded.

    The constructor raises OSError or pexpect.ExceptionPexpect if pppd cannot be started.
    """

    def __init__(
        self,
        program: Sequence[str],
        device: str,
        speed: int,
        options: Path,
        emit: Callable[[Event], None],
    ) -> None:
        arguments = [*program[1:], device, str(speed), "file", str(options)]
        self._child = pexpect.spawn(program[0], arguments, timeout=None, echo=False)
        self.pid = int(self._child.pid or 0)
        self._emit = emit
        self._lock = threading.Lock()  # between a signal and the child's burial
        self._buried = False
        self._wake_ups: int | None = None
        self._thread = threading.Thread(target=self._follow, name="pppd", daemon=True)
        self._thread.start()

    def terminate(self) -> None:
        """SIGTERM: end the call in order."""
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL."""
        self._signal(signal.SIGKILL)

    @property
    def stopped(self) -> bool:
        """Whether it stands still by SIGSTOP or a tracer."""
        return process_state(self.pid) in ("T", "t")

    def stirred(self) -> bool:
        """Whether it was awake since the last call of this; a hung process never is."""
        before, self._wake_ups = self._wake_ups, wake_ups(self.pid)
        return self._wake_ups is not None and self._wake_ups != before

    def _signal(self, number: signal.Signals) -> None:
        with self._lock, contextlib.suppress(ProcessLookupError):
            if not self._buried:
                os.kill(self.pid, number)

    def _follow(self) -> None:
        rest = b""
        while (data := self._read()) is not None:
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                self._emit(PppdLogged(line[:MAX_LINE].decode("utf-8", "replace").rstrip("\r")))
            rest = rest[:MAX_LINE]
        self._emit(PppdEnded(self._bury()))

    def _read(self) -> bytes | None:
        """Return some output, perhaps none yet; None when pppd is gone."""
        try:
            data: str | bytes = self._child.read_nonblocking(READ_SIZE, POLL_S)
            return data if isinstance(data, bytes) else data.encode()
        except pexpect.TIMEOUT:
            return b"" if self._alive() else None
        except pexpect.EOF:
            return None

    def _alive(self) -> bool:
        """A child of pppd's may hold the terminal open: its end is looked for, too."""
        with self._lock:
            alive: bool = self._child.isalive()
            self._buried = not alive
            return alive

    def _bury(self) -> int:
        while self._alive():
            time.sleep(POLL_S / 5)
        self._child.close(force=False)
        if self._child.signalstatus is not None:
            return -int(self._child.signalstatus)
        return int(self._child.exitstatus or 0)


def process_state(pid: int) -> str:
    """Return the state's letter from proc(5), stat; an empty string if there is no such one."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return ""


def wake_ups(pid: int) -> int | None:
    """Return how often a process has slept and woken (proc(5), status); None if it is gone."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        text = Path(f"/proc/{pid}/status").read_text()
        return int(text.split("\nvoluntary_ctxt_switches:")[1].split()[0])
    return None


def find_stale(options: Path) -> list[int]:
    """Return the processes that were started with this options file by an earlier dialer."""
    wanted = os.fsencode(options)
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        with contextlib.suppress(OSError):
            arguments = (entry / "cmdline").read_bytes().split(b"\0")
            if wanted in arguments and b"file" in arguments:
                found.append(int(entry.name))
    return found


def clear_stale(options: Path, patience_s: float) -> int:
    """End what an earlier dialer left running on our port; return how many there were."""
    found = find_stale(options)
    for number, patience in ((signal.SIGTERM, patience_s), (signal.SIGKILL, 2.0)):
        end = time.monotonic() + patience
        for pid in find_stale(options):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
                os.kill(pid, number)
        while find_stale(options) and time.monotonic() < end:
            time.sleep(0.1)
    return len(found)


def read_counters(interface: str, root: Path = Path("/sys/class/net")) -> tuple[int, int] | None:
    """Return received and sent bytes of an interface; None if it is not there."""
    folder = root / interface / "statistics"
    try:
        return tuple(int((folder / f"{way}_bytes").read_text()) for way in ("rx", "tx"))  # type: ignore[return-value]
    except (OSError, ValueError):
        return None
