"""Who has the modem's UART after this start: the dialer or, if somebody asked, the console.

A Pi 3 and a Zero 2 W have pins for one UART only. Three things ask for the console: a file on the
card, a jumper, and a key within a window of seconds (`core/window.py`).
"""

from __future__ import annotations

import contextlib
import logging
import os
import select
import termios
import time
from collections.abc import Callable
from pathlib import Path

from masqgate.contract.paths import Paths
from masqgate.core.window import Window, announcement

from . import atomic

JUMPER = 24  # GPIO 24, pin 18 of the header, beside pin 17 (3.3 V)
SPEED = termios.B115200
POLL_S = 0.1
BY_KEY = "window"

log = logging.getLogger(__name__)


def why_console(wanted: Path, jumper: Callable[[], bool], window: Callable[[], bool]) -> str:
    """Return what asks for the console: 'file', 'jumper', BY_KEY, or '' for nothing."""
    if wanted.exists():
        return "file"
    try:
        if jumper():
            return "jumper"
    except OSError as error:
        log.warning("the jumper cannot be read: %s", error.strerror)
    try:
        return BY_KEY if window() else ""
    except (OSError, termios.error) as error:
        log.warning("there is no window on the modem's UART: %s", error)
        return ""


def listen(device: str, seconds: int) -> bool:
    """Announce the window, and wait for the key; OSError if the port does not work."""
    if seconds == 0:
        return False
    handle = os.open(device, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        _prepare(handle)
        window, end = Window(), time.monotonic() + seconds
        window.feed(b"\0", time.monotonic())  # silence is counted from here
        with contextlib.suppress(BlockingIOError):
            os.write(handle, announcement(seconds))
        while (now := time.monotonic()) < end:
            if window.asked(now):
                return True
            ready, _, _ = select.select([handle], [], [], POLL_S)
            if ready:
                with contextlib.suppress(BlockingIOError):
                    if not (data := os.read(handle, 1024)):
                        return False
                    window.feed(data, time.monotonic())
        return window.asked(time.monotonic() + 1.0)
    finally:
        os.close(handle)


def lend(paths: Paths, name: str, why: str) -> None:
    """Write down that a port is the console's; the dialer looks there before it opens one."""
    atomic.write(paths.lent(name), why.encode())


def lent_by_key(paths: Paths, name: str) -> bool:
    """Whether a port is the console because of what came over itself.

    It may have come from the other end of a call that outlived a restart, and not from a person
    with a cable.
    """
    try:
        return bool(name) and paths.lent(name).read_bytes() == BY_KEY.encode()
    except OSError:
        return False


def is_kernels(name: str, active: Path = Path("/sys/class/tty/console/active")) -> bool:
    """Whether the kernel has its console on this port."""
    try:
        return name in active.read_text("ascii", "replace").split()
    except OSError:
        return False


def _prepare(handle: int) -> None:
    """115200 8N1, raw, without flow control; what came before is thrown away."""
    mode = termios.tcgetattr(handle)
    mode[0] = termios.IGNBRK
    mode[1] = mode[3] = 0
    mode[2] = termios.CS8 | termios.CREAD | termios.CLOCAL | termios.HUPCL
    mode[4] = mode[5] = SPEED
    mode[6][termios.VMIN], mode[6][termios.VTIME] = 0, 0
    termios.tcsetattr(handle, termios.TCSANOW, mode)
    termios.tcflush(handle, termios.TCIFLUSH)
