"""Network namespaces: commands in them, and sockets, tun and tap devices made in them."""

from __future__ import annotations

import ctypes
import fcntl
import os
import struct
import subprocess
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from .processes import LabError

T = TypeVar("T")
CLONE_NEWNET = 0x40000000
TUNSETIFF = 0x400454CA
IFF_TUN, IFF_TAP, IFF_NO_PI = 0x0001, 0x0002, 0x1000
RUN_S = 120.0


class Namespace:
    """A named network namespace. It has no way out but the links that the lab puts in."""

    def __init__(self, name: str) -> None:
        self.name = name

    def create(self) -> None:
        """Make it, with its loopback up."""
        _ip("netns", "add", self.name)
        self.ip("link set lo up")

    def ip(self, *lines: str) -> None:
        """Run lines of `ip` in it, e.g. `ns.ip("link set eth0 up")`; LabError if one fails."""
        _ip("-n", self.name, "-batch", "-", text="\n".join(lines) + "\n")

    def command(self, command: Sequence[str]) -> list[str]:
        """Return the command line that runs `command` in it, with its own resolv.conf."""
        return ["ip", "netns", "exec", self.name, *command]

    def run(
        self, command: Sequence[str], *, timeout_s: float = RUN_S, text: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a command to its end; `subprocess.TimeoutExpired` after `timeout_s` seconds."""
        return subprocess.run(
            self.command(command), capture_output=True, text=True, errors="replace",
            input=text, timeout=timeout_s,
        )  # fmt: skip

    def inside(self, function: Callable[[], T]) -> T:
        """Run a function in a thread that is in the namespace; what it opens stays there."""
        results: list[T] = []
        problems: list[BaseException] = []

        def work() -> None:
            try:
                _enter(self.name)
                results.append(function())
            except BaseException as error:  # handed to the caller, whatever it is
                problems.append(error)

        thread = threading.Thread(target=work, name=f"in-{self.name}")
        thread.start()
        thread.join()
        if problems:
            raise problems[0]
        return results[0]

    def open_tun(self, name: str) -> int:
        """Return the descriptor of the tun device `name` (IP packets, no header)."""
        return self.inside(lambda: _open_device(name, IFF_TUN))

    def open_tap(self, name: str) -> int:
        """Return the descriptor of the tap device `name` (Ethernet frames, no header)."""
        return self.inside(lambda: _open_device(name, IFF_TAP))


def _enter(name: str) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    fd = os.open(f"/run/netns/{name}", os.O_RDONLY | os.O_CLOEXEC)
    try:
        if libc.setns(fd, CLONE_NEWNET) != 0:
            number = ctypes.get_errno()
            raise OSError(number, f"setns {name}: {os.strerror(number)}")
    finally:
        os.close(fd)


def _open_device(name: str, kind: int) -> int:
    fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", name.encode(), kind | IFF_NO_PI))
    return fd


def _ip(*arguments: str, text: str | None = None) -> None:
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, input=text)
    if done.returncode != 0:
        raise LabError(f"ip {' '.join(arguments)} failed: {done.stderr.strip()} ({text})")


def resolver_folder(name: str) -> Path:
    """Where `ip netns exec` looks for the namespace's own resolv.conf."""
    return Path("/etc/netns") / name
