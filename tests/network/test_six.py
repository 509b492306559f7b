"""IPv6: a real DHCPv6 server delegates, the LAN gets a /64 of it, and nothing begins outside."""

from __future__ import annotations

import contextlib
import json
import os
import socket
from collections.abc import Callable, Iterator
from ipaddress import IPv6Address, IPv6Network
from pathlib import Path

import pytest
from scapy.layers.inet import TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether

from tests.lab.delegation import Delegation, link_local
from tests.lab.netns import Namespace

from .router import World, eventually
from .test_ethernet import GATEWAY, STATIC
from .wire import Wire

SERVER = "2001:db8:ffff::80"
FIRST, SECOND = "2001:db8:100::", "2001:db8:200::"  # /56 each

Heard = tuple[str, int, int]


class Provider(Delegation):
    """The provider's end of the fibre."""

    def __init__(self, world: World) -> None:
        self.space: Namespace = world.internet
        self._router_space = world.router
        self.space.ip(
            f"link add isp1 type veth peer name wan0 netns {world.router.space.name}",
            f"addr add {GATEWAY}/24 dev isp1",
            f"addr add {SERVER}/128 dev lo nodad",
        )
        super().__init__(self.space, "isp1", Path(world.router.folder) / "provider")
        self.space.ip("link set isp1 up")

    def offer(self, prefix: str, lifetime_s: int = 3600) -> None:
        """Delegate one /56, and route it to the router."""
        mac = self._router_space.tool("cat", "/sys/class/net/wan0/address").strip()
        self.delegate(prefix, link_local(mac), lifetime_s)


@pytest.fixture
def provider(bare: World) -> Iterator[Provider]:
    prefix = bare.router.run_folder / "prefix"
    prefix.mkdir()
    os.chown(prefix, 65534, 65534)  # the DHCPv6 client is not root
    made = Provider(bare)
    for host in bare.hosts:
        host.inside(lambda: Path("/proc/sys/net/ipv6/conf/eth0/accept_ra").write_text("2"))
    yield made
    made.stop()


def known(world: World) -> dict[str, object]:
    links = world.router.call("ethernet_links")
    return {"active": "fibre", "links": links}


def online(world: World, prefix: str) -> None:
    """The uplink is up, and has this prefix (empty: none)."""
    assert world.router.call("apply_six", STATIC, known(world)) == []
    eventually(
        lambda: world.router.call("prefix", "wan0") == prefix, f"the prefix {prefix!r}", 120
    )
    assert world.router.call("apply_six", STATIC, known(world)) == []


def go_up(world: World) -> None:
    assert world.router.apply({"active": "", "links": []}, STATIC) == []
    world.router.call("ethernet", STATIC)
    eventually(lambda: bool(world.router.call("ethernet_links")), "the uplink is told")
    eventually(lambda: world.router.call("ethernet_links")[0]["state"] == "up", "it is up")


def addresses(space: Namespace, interface: str = "eth0") -> list[dict[str, object]]:
    done = space.run(["ip", "-6", "-j", "addr", "show", "dev", interface, "scope", "global"])
    listed = json.loads(done.stdout)
    return [one for entry in listed if entry for one in entry["addr_info"] if one]


def has_address(space: Namespace, prefix: str, *, deprecated: bool = False) -> bool:
    """Whether a host has an address of a prefix that is ready for use."""
    network = IPv6Network(f"{prefix}/64")
    return any(
        IPv6Address(one["local"]) in network
        and not one.get("tentative")
        and (one["preferred_life_time"] == 0) is deprecated
        for one in addresses(space)
    )


def source_seen(world: World) -> str:
    """Which source a server on the Internet sees of a new connection of host A."""

    def listening() -> socket.socket:
        made = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((SERVER, 7000))
        made.listen()
        made.settimeout(20)
        return made

    def calling() -> socket.socket:
        made = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
        made.settimeout(20)
        made.connect((SERVER, 7000))
        return made

    with world.internet.inside(listening) as server, world.hosts[0].inside(calling) as client:
        other, (address, *_) = server.accept()
        with other:
            other.sendall(b"hello")
            assert client.recv(10) == b"hello"
    return str(address)


def test_a_host_gets_an_address_and_reaches_the_internet(provider: Provider, bare: World) -> None:
    go_up(bare)
    provider.advertise()
    provider.offer(FIRST)
    online(bare, f"{FIRST}/56")
    host = bare.hosts[0]
    eventually(lambda: has_address(host, FIRST), "the host has an address", 120)
    eventually(lambda: "via fe80" in route(bare), "the router has a way out", 120)
    assert IPv6Address(source_seen(bare)) in IPv6Network(f"{FIRST}/64")
    assert addresses(bare.router.space, "wan0"), "SLAAC on the uplink"
    assert has_address_of_router(bare, FIRST)


@contextlib.contextmanager
def sniffed(space: Namespace, interface: str) -> Iterator[Callable[[], list[Heard]]]:
    """What arrives at an interface: source, protocol and destination port (0: none) of IPv6.

    Neighbour discovery is left out: without it no link works.
    """
    wire = Wire(space, interface)

    def heard() -> list[Heard]:
        found = []
        wire.socket.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                frame = Ether(wire.socket.recv(65536))
                if IPv6 in frame and frame[IPv6].hlim != 255:
                    packet = frame[IPv6]
                    port = packet.dport if TCP in packet or UDP in packet else 0
                    found.append((packet.src, packet.nh, port))
        return found

    yield heard
    wire.close()


def route(world: World) -> str:
    return world.router.tool("ip", "-6", "route", "show", "default")


def has_address_of_router(world: World, prefix: str) -> bool:
    return f"{IPv6Address(prefix) + 1}/64" in world.router.tool("ip", "-6", "addr", "show", "br0")


def go_online(world: World, provider: Provider) -> None:
    """Host A has an address of the first prefix, and the router a way out."""
    go_up(world)
    provider.advertise()
    provider.offer(FIRST)
    online(world, f"{FIRST}/56")
    eventually(lambda: has_address(world.hosts[0], FIRST), "the host has an address", 120)
    eventually(lambda: "via fe80" in route(world), "the router has a way out", 120)


def address_of(world: World, prefix: str) -> str:
    """Host A's address of a prefix."""
    network = IPv6Network(f"{prefix}/64")
    found = (str(one["local"]) for one in addresses(world.hosts[0]))
    return next(one for one in found if IPv6Address(one) in network)


def test_nothing_begins_outside(provider: Provider, bare: World) -> None:
    """Pings and connections to host and router, and to addresses of the prefix that nobody has."""
    go_online(bare, provider)
    assert source_seen(bare)
    wan = str(addresses(bare.router.space, "wan0")[0]["local"])
    host = address_of(bare, FIRST)
    silent = [host, wan, f"{FIRST}1", f"{FIRST}99", f"{FIRST[:-1]}7::1"]
    with sniffed(bare.internet, "isp1") as heard:
        for target in silent:
            bare.internet.run(["ping", "-c", "1", "-W", "1", "-I", SERVER, target])
            # With one hop left, a router would tell that it is over.
            bare.internet.run(["ping", "-c", "1", "-W", "1", "-t", "1", "-I", SERVER, target])
            bare.internet.run(["curl", "-s", "-m", "1", f"http://[{target}]/"])
        assert source_seen(bare), "what begins inside passes all the while"
        answers = heard()
    assert [packet for packet in answers if packet[0] in silent[1:]] == []
    # The host's own packets are those of its connection to port 7000.
    assert {packet[1:] for packet in answers if packet[0] == host} == {(6, 7000)}


def test_another_prefix_deprecates_the_old_one_at_once(provider: Provider, bare: World) -> None:
    go_online(bare, provider)
    provider.stop("kea")
    provider.offer(SECOND)
    online(bare, f"{SECOND}/56")
    host = bare.hosts[0]
    eventually(lambda: has_address(host, SECOND), "the host has an address of the new one", 120)
    eventually(lambda: has_address(host, FIRST, deprecated=True), "the old one is left", 120)
    assert IPv6Address(source_seen(bare)) in IPv6Network(f"{SECOND}/64")
    old = [one for one in addresses(host) if str(one["local"]).startswith(FIRST[:-1])]
    assert all(one["valid_life_time"] <= 2700 for one in old)
    pinged = host.run(["ping", "-c", "1", "-W", "5", "-I", address_of(bare, FIRST), SERVER])
    assert "+1 errors" in pinged.stdout, f"the router says why (RFC 7084, L-14): {pinged.stdout}"


def test_a_prefix_that_is_lost_is_deprecated_and_ipv6_ends(
    provider: Provider, bare: World
) -> None:
    go_online(bare, provider)
    bare.router.call("services_called")
    assert bare.router.call("apply_six", STATIC, {"active": "", "links": []}) == []
    host = bare.hosts[0]
    eventually(lambda: has_address(host, FIRST, deprecated=True), "the prefix is left", 120)
    assert addresses(bare.router.space, "wan0") == [], "nor does the uplink speak IPv6"
    called = bare.router.call("services_called")
    eventually(
        lambda: (
            "stop masqgate-dhcp6@wan0.service" in [*called, *bare.router.call("services_called")]
        ),
        "the client is ended",
    )
    assert "goto forward_six" not in bare.router.tool("nft", "list", "table", "inet", "masqgate")
