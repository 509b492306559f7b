"""A provider's end of an Ethernet line with IPv6: a router that advertises, Kea delegates.

Real programs (dnsmasq, kea-dhcp6) in a namespace that was made for the purpose.
"""

from __future__ import annotations

import json
import os
import subprocess
from ipaddress import IPv6Address
from pathlib import Path

from .netns import Namespace

LINE = "2001:db8:0:1::"  # the network of the uplink's line
ISP = f"{LINE}1"
END_S = 10.0


class Delegation:
    """The servers on one interface of a namespace; `folder`: their files and their log."""

    def __init__(self, space: Namespace, interface: str, folder: Path) -> None:
        self._space, self._interface, self._folder = space, interface, folder
        self._running: list[subprocess.Popen[bytes]] = []
        self._routes: list[str] = []
        folder.mkdir(exist_ok=True)
        for key, value in ((f"{interface}/accept_dad", "0"), ("all/forwarding", "1")):
            path = Path(f"/proc/sys/net/ipv6/conf/{key}")
            space.inside(lambda path=path, value=value: path.write_text(value))  # type: ignore[misc]
        space.ip(f"addr add {ISP}/64 dev {interface} nodad")

    def advertise(self) -> None:
        """Advertise the line's network and the way out."""
        self._start(
            "dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--pid-file", "--port=0",
            "--log-facility=-", "--user=root", f"--interface={self._interface}",
            "--bind-interfaces", "--leasefile-ro", "--enable-ra",
            f"--dhcp-range={LINE},ra-only,64,1h",
        )  # fmt: skip

    def delegate(self, prefix: str, router: IPv6Address, lifetime_s: int = 3600) -> None:
        """Delegate one /56 to whoever asks, and route it by the router's link-local address."""
        config = {
            "interfaces-config": {"interfaces": [self._interface]},
            "lease-database": {"type": "memfile", "persist": False},
            "server-id": {
                "type": "EN",
                "enterprise-id": 32473,
                "identifier": "6D6173",
                "persist": False,
            },
            "preferred-lifetime": lifetime_s,
            "valid-lifetime": lifetime_s,
            "renew-timer": 5,
            "rebind-timer": 8,
            "subnet6": [
                {
                    "id": 1,
                    "subnet": f"{LINE}/64",
                    "interface": self._interface,
                    "pd-pools": [{"prefix": prefix, "prefix-len": 56, "delegated-len": 56}],
                }
            ],
            "loggers": [
                {"name": "kea-dhcp6", "severity": "INFO", "output_options": [{"output": "stdout"}]}
            ],
        }
        path = self._folder / "kea.json"
        path.write_text(json.dumps({"Dhcp6": config}))
        self._start("kea-dhcp6", "-c", str(path))
        self._forget_routes()
        self._routes = [f"{prefix}/56"]
        self._space.ip(f"route add {prefix}/56 via {router} dev {self._interface}")

    def stop(self, name: str = "") -> None:
        """End the servers, or those of a name."""
        for process in list(self._running):
            if name in str(process.args):
                process.terminate()
                process.wait(END_S)
                self._running.remove(process)

    def close(self) -> None:
        """End the servers, and leave the namespace as it was."""
        self.stop()
        self._forget_routes()
        self._space.ip(f"addr del {ISP}/64 dev {self._interface}")

    def _forget_routes(self) -> None:
        for old in self._routes:
            self._space.ip(f"route del {old}")
        self._routes = []

    def _start(self, *command: str) -> None:
        env = {
            **os.environ,
            "KEA_PIDFILE_DIR": str(self._folder),
            "KEA_LOCKFILE_DIR": str(self._folder),
        }
        with (self._folder / "log").open("ab") as log:
            self._running.append(
                subprocess.Popen(
                    self._space.command(list(command)), env=env, stdin=subprocess.DEVNULL,
                    stdout=log, stderr=log,
                )
            )  # fmt: skip


def link_local(mac: str) -> IPv6Address:
    """The link-local address that belongs to a hardware address (RFC 4291, appendix A)."""
    parts = [int(part, 16) for part in mac.split(":")]
    parts = [parts[0] ^ 2, *parts[1:3], 0xFF, 0xFE, *parts[3:]]
    return IPv6Address(0xFE80 << 112 | int.from_bytes(bytes(parts), "big"))
