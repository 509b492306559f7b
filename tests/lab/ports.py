"""What the modem's serial side is plugged into: a pty, or QEMU's Unix socket."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import pty
import socket
import termios
import tty
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

RETRY_S = 0.05
READ_SIZE = 4096
MAX_BACKLOG = 1 << 20

_SPEEDS = {
    getattr(termios, f"B{rate}"): rate
    for rate in (0, 300, 1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200, 230400, 460800,
                 921600)
}  # fmt: skip


class Port(Protocol):
    """A byte stream that can pause reading, as CTS does on a real port."""

    flow_control: bool

    def start(self, on_data: Callable[[bytes], None], on_open: Callable[[bool], None]) -> None:
        """Begin; `on_open` tells when the computer opens and closes the port."""

    def write(self, data: bytes) -> None:
        """Send to the computer."""

    def pause(self, paused: bool) -> None:
        """Stop or go on reading."""

    def speed(self) -> int | None:
        """The computer's rate in bit/s, 0 for B0 (DTR low), None if it cannot be seen."""

    def close(self) -> None:
        """Unplug."""


class _FdPort:
    """Common part: a non-blocking file descriptor on the asyncio loop."""

    flow_control = False

    def __init__(self) -> None:
        self._fd = -1
        self._paused = False
        self._reading = False
        self._pending = bytearray()
        self._on_data: Callable[[bytes], None] = lambda data: None
        self._on_open: Callable[[bool], None] = lambda is_open: None
        self._loop = asyncio.get_running_loop()
        self.is_open = False

    def start(self, on_data: Callable[[bytes], None], on_open: Callable[[bool], None]) -> None:
        """Begin to read."""
        self._on_data, self._on_open = on_data, on_open

    def write(self, data: bytes) -> None:
        """Send, or keep up to 1 MiB until the other side reads."""
        if self._fd < 0:
            return
        self._pending += data
        del self._pending[:-MAX_BACKLOG]
        self._flush()

    def pause(self, paused: bool) -> None:
        """Stop or go on reading."""
        self._paused = paused
        self._watch()

    def speed(self) -> int | None:
        """Not visible here."""
        return None

    def close(self) -> None:
        """Give the descriptor back."""
        self._release()

    def _watch(self) -> None:
        wanted = self._fd >= 0 and self.is_open and not self._paused
        if wanted and not self._reading:
            self._loop.add_reader(self._fd, self._readable)
        elif not wanted and self._reading and self._fd >= 0:
            self._loop.remove_reader(self._fd)
        self._reading = wanted

    def _readable(self) -> None:
        try:
            data = os.read(self._fd, READ_SIZE)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            data = b""
        if data:
            self._on_data(data)
        else:
            self._lost()

    def _flush(self) -> None:
        try:
            while self._pending:
                sent = os.write(self._fd, self._pending)
                del self._pending[:sent]
        except (BlockingIOError, InterruptedError):
            self._loop.add_writer(self._fd, self._flush)
            return
        except OSError:
            self._pending.clear()
        self._loop.remove_writer(self._fd)

    def _set_open(self, is_open: bool) -> None:
        changed, self.is_open = is_open is not self.is_open, is_open
        self._watch()
        if changed:
            self._on_open(is_open)

    def _lost(self) -> None:
        self._set_open(False)

    def _release(self) -> None:
        if self._fd >= 0:
            self._loop.remove_reader(self._fd)
            self._loop.remove_writer(self._fd)
            os.close(self._fd)
        self._fd, self._reading, self.is_open = -1, False, False


class PtyPort(_FdPort):
    """A pseudo-terminal; the computer opens `path`. Closing it there counts as DTR going low."""

    flow_control = True

    def __init__(self, link: Path | None = None) -> None:
        super().__init__()
        self._link = link
        self._timer: asyncio.TimerHandle | None = None
        self.path = Path()
        self._make()

    def start(self, on_data: Callable[[bytes], None], on_open: Callable[[bool], None]) -> None:
        """Begin to read."""
        super().start(on_data, on_open)
        self._poll()

    def speed(self) -> int | None:
        """The rate that the computer set by termios."""
        try:
            return _SPEEDS.get(termios.tcgetattr(self._fd)[5])
        except termios.error:
            return None

    def replug(self) -> None:
        """The adapter vanishes and comes back under another name (`link` then points there)."""
        self._release()
        self._on_open(False)
        self._make()

    def close(self) -> None:
        """Unplug for good."""
        if self._timer is not None:
            self._timer.cancel()
        self._release()
        if self._link is not None:
            self._link.unlink(missing_ok=True)

    def _make(self) -> None:
        master, slave = pty.openpty()
        tty.setraw(slave)
        self.path = Path(os.ttyname(slave))
        os.close(slave)
        os.set_blocking(master, False)
        self._fd = master
        if self._link is not None:
            self._link.unlink(missing_ok=True)
            self._link.symlink_to(self.path)

    def _poll(self) -> None:
        """With no computer on it, a pty's master reads EIO: ask again and again."""
        self._timer = self._loop.call_later(RETRY_S, self._poll)
        if self.is_open or self._fd < 0:
            return
        try:
            data = os.read(self._fd, READ_SIZE)
        except OSError as error:
            if error.errno == errno.EAGAIN:
                self._set_open(True)
            return
        self._set_open(True)
        self._on_data(data)


class SocketPort(_FdPort):
    """A Unix socket on which QEMU's serial port listens; connects again after each restart.

    It never stops reading: QEMU would stop the whole emulated board, not just its port.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self._socket: socket.socket | None = None
        self._timer: asyncio.TimerHandle | None = None

    def start(self, on_data: Callable[[bytes], None], on_open: Callable[[bool], None]) -> None:
        """Begin to connect."""
        super().start(on_data, on_open)
        self._connect()

    def close(self) -> None:
        """Unplug for good."""
        if self._timer is not None:
            self._timer.cancel()
        self._release()

    def _connect(self) -> None:
        link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            link.connect(str(self.path))
        except OSError:
            link.close()
            self._timer = self._loop.call_later(RETRY_S, self._connect)
            return
        link.setblocking(False)
        self._fd = link.detach()
        self._set_open(True)

    def _lost(self) -> None:
        with contextlib.suppress(OSError):
            self._release()
        self._on_open(False)
        self._timer = self._loop.call_later(RETRY_S, self._connect)
