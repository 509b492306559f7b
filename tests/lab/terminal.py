"""A terminal on the router's console. Ctrl-] ends it."""

from __future__ import annotations

import os
import select
import socket
import sys
import termios
import tty
from pathlib import Path

ESCAPE = b"\x1d"
CHUNK = 4096


def attach(path: Path) -> None:
    """Join this terminal to the console's socket until Ctrl-] or the lab's end."""
    keyboard = sys.stdin.fileno()
    before = termios.tcgetattr(keyboard) if os.isatty(keyboard) else None
    print("the router's console; Enter shows its menu, Ctrl-] leaves it", flush=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as link:
        link.connect(str(path))
        try:
            if before is not None:
                tty.setraw(keyboard)
            _pass(link, keyboard)
        finally:
            if before is not None:
                termios.tcsetattr(keyboard, termios.TCSADRAIN, before)
    print("\nleft the console")


def _pass(link: socket.socket, keyboard: int) -> None:
    while True:
        ready, _, _ = select.select([link.fileno(), keyboard], [], [])
        if link.fileno() in ready:
            data = link.recv(CHUNK)
            if not data:
                return
            os.write(sys.stdout.fileno(), data)
        if keyboard in ready:
            data = os.read(keyboard, CHUNK)
            if not data or ESCAPE in data:
                return
            link.sendall(data)
