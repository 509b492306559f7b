"""The world of these tests: a router, three hosts on its LAN ports, and the Internet.

Everything is in namespaces of its own, on wires of its own. The uplink is a veth that carries a
PPP interface's name: point to point, without ARP (both ends have the same hardware address).
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.lab.netns import Namespace

PREFIX = "mgnet-"
LAN = "192.168.77"
ROUTER = f"{LAN}.1"
UPLINK, PEER = "198.51.100.10", "198.51.100.1"  # the router's address, the provider's end
SERVER = "203.0.113.80"  # on the Internet
MODEM_MAC = "02:00:00:00:99:01"
CONFIG = """
[[uplink]]
kind = "modem"
name = "modem1"
port = "/dev/ttyAMA0"
number = "5551000"
"""
ROOT = Path(__file__).parents[2]


def link(address: str = UPLINK, **more: Any) -> dict[str, Any]:
    """The status of the modem's uplink when it is up."""
    return {
        "name": "modem1", "state": "up", "reason": {"code": "up", "text": "Up."}, "since_at": 0.0,
        "interface": "ppp-modem1", "address": address, "peer": PEER, **more,
    }  # fmt: skip


def facts(address: str = UPLINK, **more: Any) -> dict[str, Any]:
    """What the supervisor knows while the modem's call is up."""
    return {"active": "modem1", "links": [link(address)], **more}


class Router:
    """The driver's process in the router's namespace."""

    def __init__(self, space: Namespace, folder: Path) -> None:
        self.space = space
        self.folder = folder
        self.run_folder = folder / "run"
        self.run_folder.mkdir()
        folder.chmod(0o755)
        command = space.command([sys.executable, "-m", "tests.network.driver", str(folder)])
        environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'firmware'}:{ROOT}"}
        self._log = (folder / "driver.log").open("wb")
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log,
            text=True, cwd=ROOT, env=environment,
        )  # fmt: skip

    def call(self, method: str, *arguments: Any) -> Any:
        """Call the driver; AssertionError with its words if it failed."""
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(json.dumps({"method": method, "arguments": arguments}) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, f"the driver died: {(self.folder / 'driver.log').read_text()[-2000:]}"
        reply = json.loads(line)
        assert "error" not in reply, reply["error"]
        return reply["result"]

    def apply(self, known: dict[str, Any] | None = None, config: str = CONFIG) -> list[str]:
        """Apply, with the modem's call up unless told otherwise; the problems' codes."""
        problems: list[str] = self.call("apply", config, facts() if known is None else known)
        return problems

    def forwarding(self) -> bool:
        """Whether every host's port of the bridge passes frames."""
        states = self.space.run(["sh", "-c", "cat /sys/class/net/br0/brif/*/state"]).stdout
        return states.split() == ["3"] * 3

    def tool(self, *command: str) -> str:
        """What a tool says in the router's namespace; AssertionError if it fails."""
        done = self.space.run(command)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def log(self) -> str:
        """What the code under test logged."""
        return (self.folder / "driver.log").read_text()

    def close(self) -> None:
        """End the driver, and dnsmasq with it."""
        assert self._process.stdin
        self._process.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(20)
        self._process.kill()
        self._process.wait()
        self._log.close()


class World:
    """Router, hosts A, B and C, and the Internet."""

    def __init__(self, folder: Path) -> None:
        tag = f"{PREFIX}{os.getpid()}-"
        self.spaces = {name: Namespace(tag + name) for name in ("r", "i", "a", "b", "c")}
        self.internet = self.spaces["i"]
        self.hosts = [self.spaces[name] for name in "abc"]
        try:
            for space in self.spaces.values():
                space.create()
            self._wire()
            self.router = Router(self.spaces["r"], folder)
        except BaseException:
            self._remove()
            raise

    def dial(self, address: str = UPLINK) -> None:
        """The call comes up: the interface appears with its address, as pppd makes it."""
        self.internet.ip(
            f"link add isp0 mtu 1500 address {MODEM_MAC} type veth peer name ppp-modem1"
            f" netns {self.router.space.name} mtu 1500 address {MODEM_MAC}",
            "link set isp0 arp off up",
            f"addr add {PEER} peer {address}/32 dev isp0",
        )
        self.router.space.ip(
            "link set ppp-modem1 arp off up",
            f"addr add {address} peer {PEER}/32 dev ppp-modem1",
        )

    def hang_up(self) -> None:
        """The call ends: the interface vanishes."""
        self.internet.ip("link del isp0")

    def introduce(self) -> None:
        """Tell the hosts their gateway's hardware address, so that no packet waits for ARP."""
        mac = self.router.tool("cat", "/sys/class/net/br0/address").strip()
        for host in self.hosts:
            host.ip(f"neigh replace {ROUTER} lladdr {mac} dev eth0 nud permanent")

    def udp(self, space: Namespace, address: str = "0.0.0.0", port: int = 0) -> socket.socket:
        """A UDP socket in a namespace, with patience."""
        return space.inside(lambda: _bound(socket.SOCK_DGRAM, address, port))

    def tcp(self, space: Namespace, address: str = "0.0.0.0", port: int = 0) -> socket.socket:
        """A TCP socket in a namespace, with patience."""
        return space.inside(lambda: _bound(socket.SOCK_STREAM, address, port))

    def close(self) -> None:
        self.router.close()
        self._remove()

    def _wire(self) -> None:
        for index, host in enumerate(self.hosts):
            host.ip(
                f"link add eth0 type veth peer name eth{index} netns {self.spaces['r'].name}",
                "link set eth0 up",
                f"addr add {LAN}.{11 + index}/24 dev eth0",
                f"route add default via {ROUTER}",
            )
        self.internet.ip(f"addr add {SERVER}/32 dev lo")

    def _remove(self) -> None:
        for space in self.spaces.values():
            subprocess.run(["ip", "netns", "del", space.name], capture_output=True, check=False)


def eventually(true: Callable[[], bool], what: str, patience_s: float = 60.0) -> None:
    """Wait until something that must come true does; AssertionError if it never does."""
    end = time.monotonic() + patience_s
    while not true():
        assert time.monotonic() < end, f"never: {what}"
        time.sleep(0.02)


def _bound(kind: socket.SocketKind, address: str, port: int) -> socket.socket:
    bound = socket.socket(socket.AF_INET, kind)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.bind((address, port))
    bound.settimeout(20)
    return bound


def remove_leftovers() -> None:
    """Remove namespaces of runs whose process is gone."""
    listed = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=True)
    for line in listed.stdout.splitlines():
        name = line.split()[0] if line.split() else ""
        if not name.startswith(PREFIX):
            continue
        pid = name.removeprefix(PREFIX).split("-")[0]
        if pid.isdecimal() and not Path(f"/proc/{pid}").exists():
            subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)


@contextlib.contextmanager
def world(folder: Path) -> Iterator[World]:
    """A world, with the modem's call up."""
    remove_leftovers()
    made = World(folder)
    try:
        made.dial()
        yield made
    finally:
        made.close()
