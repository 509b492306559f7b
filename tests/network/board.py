"""The router's namespaces on this machine, with a supervisor as the process that it is there."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest
from masqgate.contract.client import Client
from masqgate.contract.paths import Paths

from tests.unit.router import DEADLINE_S, DOCUMENT, FakeDialer, link

ROOT = Path(__file__).resolve().parents[2]
# A namespace that stays while supervisors come and go, with a LAN port and a call's interface.
KEEPER = """\
mount -t sysfs sysfs /sys && ip link set lo up
ip link add eth0 type veth peer name far0
ip link add eth1 type veth peer name far1
ip tuntap add dev ppp-modem1 mode tun
ip addr add 198.51.100.7/32 peer 198.51.100.1/32 dev ppp-modem1 && ip link set ppp-modem1 up
echo ready; exec sleep 100000
"""
# The other ends of the cables are elsewhere.
STREET = "echo ready; exec sleep 100000"
_CABLE = """
[[uplink]]
kind = "ethernet"
name = "cable"
port = "eth1"
address = "203.0.113.5/24"
gateway = "203.0.113.1"
"""
MODEM = DOCUMENT.split("\n\n", 2)[2]


def cable(*rest: str) -> str:
    """An uplink whose cable leads to the street; `rest`: further lines."""
    return _CABLE + "".join(f"{line}\n" for line in rest)


class Board:
    """The router's namespaces, folders and service manager."""

    def __init__(self, folder: Path) -> None:
        self.paths = Paths(folder / "run", folder / "data", folder / "share")
        for path in (self.paths.run, self.paths.share, self.paths.config.parent):
            path.mkdir(parents=True)
        for name in ("config.toml", "closed.nft"):
            text = (ROOT / "rootfs-overlay/usr/share/masqgate" / name).read_text()
            (self.paths.share / name).write_text(text)
        self.paths.config.write_text(DOCUMENT)
        self.paths.password.write_text("scrypt$16384$8$1$AAAA$AAAA\n")
        self.client = Client(self.paths.socket, DEADLINE_S)
        self._tools = folder / "tools"
        self._tools.mkdir()
        (self._tools / "systemctl").write_text("#!/bin/sh\nexit 0\n")
        (self._tools / "systemctl").chmod(0o755)
        self.told = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.told.bind(str(folder / "notify"))
        self.told.settimeout(1.0)
        self._notify = str(folder / "notify")
        self.log = folder / "log"
        self.supervisor: subprocess.Popen[bytes] | None = None
        self.keeper = _namespaces("--net", "--mount", script=KEEPER)
        self._inside = ["nsenter", f"--target={self.keeper.pid}", "--net", "--mount", "--root"]
        self.street = _namespaces("--net", script=STREET)
        for far in ("far0", "far1"):
            self.run("ip", "link", "set", far, "netns", str(self.street.pid), "up")

    def start(self) -> None:
        """Start a supervisor, and wait until it says that it is ready."""
        environment = {
            **os.environ,
            "PATH": f"{self._tools}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT / "firmware"),
            "MASQGATE_RUN": str(self.paths.run),
            "MASQGATE_DATA": str(self.paths.data),
            "MASQGATE_SHARE": str(self.paths.share),
            "NOTIFY_SOCKET": self._notify,
            "WATCHDOG_USEC": "3000000",
        }
        with self.log.open("ab") as log:
            self.supervisor = subprocess.Popen(
                [*self._inside, sys.executable, "-m", "masqgate.supervisor"],
                env=environment, cwd="/", stdout=log, stderr=log,
            )  # fmt: skip
        self.wait_told("READY=1")

    def wait_told(self, what: str) -> None:
        """Wait until the service manager is told something."""
        end = time.monotonic() + DEADLINE_S
        while time.monotonic() < end:
            assert self.supervisor is not None
            assert self.supervisor.poll() is None, self.log.read_text()
            with contextlib.suppress(TimeoutError):
                if what in self.told.recv(4096).decode().splitlines():
                    return
        pytest.fail(f"{what} was not told; {self.log.read_text()}")

    def end(self, number: int = signal.SIGTERM) -> int:
        """End the supervisor by a signal; return how it ended."""
        assert self.supervisor is not None
        self.supervisor.send_signal(number)
        return self.supervisor.wait(DEADLINE_S)

    def run(self, *command: str) -> str:
        """Run a command in the router's namespaces; return what it prints."""
        done = subprocess.run(
            [*self._inside, *command], capture_output=True, text=True, timeout=DEADLINE_S,
            check=True,
        )  # fmt: skip
        return done.stdout

    def rules(self) -> str:
        return self.run("nft", "--stateless", "list", "ruleset")

    def routes(self) -> str:
        return self.run("ip", "route", "show", "proto", "77")

    def close(self) -> None:
        for process in (self.supervisor, self.keeper, self.street):
            if process is not None:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                process.wait(DEADLINE_S)
        self.told.close()


def _namespaces(*kinds: str, script: str) -> subprocess.Popen[str]:
    """Start a process that keeps namespaces of its own."""
    keeper = subprocess.Popen(
        ["unshare", *kinds, "sh", "-ec", script],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert keeper.stdout is not None
    if keeper.stdout.readline() != "ready\n":
        keeper.wait()
        assert keeper.stderr is not None
        pytest.fail(f"no namespaces here: {keeper.stderr.read().strip()}")
    return keeper


B = TypeVar("B", bound=Board)


@contextlib.contextmanager
def boarded(kind: Callable[[Path], B]) -> Iterator[B]:
    """A board whose modem's dialer is played."""
    with tempfile.TemporaryDirectory(prefix="masqgate-") as folder:
        made = kind(Path(folder))
        dialer = FakeDialer(made.paths, "modem1", link())
        try:
            yield made
        finally:
            dialer.close()
            made.close()
