"""The world around the router, all in network namespaces: its LAN, and an Internet.

```
 A-box  B-box  C-box                      Internet: web, echo, STUN, DNS
   └──────┼──────┘                          │ isp0 (tun): callers of the provider
   lan: bridge ─ tap `pi0`                  │ br-wan ─ tap `wan0`: Ethernet uplink, with DHCP
```
The host's own network is not touched, and no namespace has a way out of the lab.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

from . import places
from .boxes import Box
from .isp import GATEWAY
from .netns import Namespace
from .processes import LabError, Processes
from .runner import wait_until
from .state import State

ROOT = Path(__file__).resolve().parents[2]
START_S = 30.0
CALLERS = "198.51.100.0/24"


class World:
    """Namespaces, links, boxes and servers."""

    def __init__(self, state: State, processes: Processes) -> None:
        self._state = state
        self._processes = processes
        self.lan = self._namespace("lan")
        self.internet = self._namespace("net")
        self.boxes = {
            letter: Box(letter, self._namespace(letter.lower()), state) for letter in places.BOXES
        }

    def start(self) -> None:
        """Make namespaces and links, and start the servers; LabError if one does not come up."""
        _need_root()
        for namespace in (self.lan, self.internet):
            namespace.create()
        self._make_lan()
        self._make_internet()
        self._start_servers()
        for box in self.boxes.values():
            box.start_dhcp(self._processes)

    def namespace(self, name: str) -> Namespace:
        """Make one more namespace, e.g. for a computer that dials in."""
        namespace = self._namespace(name)
        namespace.create()
        return namespace

    def break_ethernet(self, broken: bool) -> None:
        """Have the Ethernet uplink's gateway pass nothing on, or all again; LabError if not."""
        gateway = f"{{ {places.ETHERNET_GATEWAY}, 255.255.255.255 }}"
        rules = "table ip beyond\ndelete table ip beyond\n"
        if broken:
            rules += (
                "table ip beyond { chain arrival { type filter hook prerouting priority raw;\n"
                f' iifname "br-wan" ip daddr != {gateway} drop\n}}\n}}\n'
            )
        done = self.internet.run(["nft", "-f", "-"], text=rules)
        if done.returncode != 0:
            raise LabError(f"the lab's gateway cannot be told: {done.stderr.strip()}")

    def _namespace(self, name: str) -> Namespace:
        full = f"{self._state.name}-{name}"
        self._state.namespace(full)
        return Namespace(full)

    def _make_lan(self) -> None:
        self.lan.ip(
            "link add br-lan type bridge", "link set br-lan up",
            "tuntap add dev pi0 mode tap", "link set pi0 master br-lan up",
        )  # fmt: skip
        for box in self.boxes.values():
            box.namespace.create()
            box.prepare()
            port = f"port-{box.letter.lower()}"
            other = box.namespace.name
            self.lan.ip(
                f"link add {port} type veth peer name eth0 address {box.mac} netns {other}",
                f"link set {port} master br-lan up",
            )

    def _make_internet(self) -> None:
        addresses = {*places.NAMES.values(), places.DNS_SERVER}
        self.internet.ip(
            "tuntap add dev isp0 mode tun", f"address add {GATEWAY}/24 dev isp0 noprefixroute",
            "link set isp0 up mtu 1500",
            "link add br-wan type bridge", "link set br-wan up",
            f"address add {places.ETHERNET_GATEWAY}/24 dev br-wan",
            "tuntap add dev wan0 mode tap", "link set wan0 master br-wan",
            *(f"address add {address}/32 dev lo" for address in sorted(addresses)),
            # Whoever looks for the router from here comes from the Internet, not from next door.
            f"route add {CALLERS} dev isp0 src {places.WEB}",
            f"address add {places.WEB6}/128 dev lo nodad",
            f"route add {places.CALLERS6} dev isp0",
        )  # fmt: skip
        # Callers reach one another, and packets with a foreign source are seen, not hidden.
        for key, value in (("ip_forward", "1"), ("conf/all/rp_filter", "0")):
            path = f"/proc/sys/net/ipv4/{key}"
            self.internet.inside(lambda p=path, v=value: Path(p).write_text(v))  # type: ignore[misc]
        forwarding = Path("/proc/sys/net/ipv6/conf/all/forwarding")
        self.internet.inside(lambda: forwarding.write_text("1"))

    def _start_servers(self) -> None:
        servers = {
            "internet": [sys.executable, "-m", "tests.lab.internet"],
            "dns": dnsmasq(self._processes.logs / "dns-queries.log"),
        }
        for name, command in servers.items():
            process = self._processes.start(name, self.internet.command(command), cwd=ROOT)
            probe = _web_answers if name == "internet" else _dns_answers

            def ready(name: str = name, probe: Callable[[Namespace], bool] = probe) -> bool:
                self._processes.check(name, process)  # noqa: B023 - called before the next turn
                return probe(self.internet)

            wait_until(ready, START_S, f"the lab's {name} server answers", 0.1)


def dnsmasq(log: Path) -> list[str]:
    """The Internet's DNS server, which is also the DHCP server of the Ethernet uplink."""
    first, last = places.ETHERNET_POOL
    names = [f"--address=/{name}/{address}" for name, address in places.NAMES.items()]
    return [
        "dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv", "--no-hosts",
        "--user=root", "--pid-file=", "--local=/#/", "--log-queries", f"--log-facility={log}",
        f"--dhcp-range=set:wan,{first},{last},255.255.255.0,10m", "--dhcp-leasefile=/dev/null",
        f"--dhcp-option=tag:wan,option:router,{places.ETHERNET_GATEWAY}",
        f"--dhcp-option=tag:wan,option:dns-server,{places.ETHERNET_DNS}", *names,
    ]  # fmt: skip


def _web_answers(namespace: Namespace) -> bool:
    return namespace.run(["curl", "-s", f"http://{places.WEB}/"]).returncode == 0


def _dns_answers(namespace: Namespace) -> bool:
    """Ask by hand: there is no resolver program that is on every host."""
    query = b"\0\7\1\0\0\1\0\0\0\0\0\0\2ns\7example\0\0\1\0\1"
    return namespace.inside(lambda: _ask(query))


def _ask(query: bytes) -> bool:
    import socket

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as link:
        link.settimeout(1.0)
        try:
            link.sendto(query, (places.DNS_SERVER, 53))
            return link.recv(512)[:2] == query[:2]
        except OSError:
            return False


def _need_root() -> None:
    if os.geteuid() != 0:
        raise LabError("the lab makes network namespaces and must be started as root")
