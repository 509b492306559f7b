"""Uplinks on Ethernet ports: a lease of a provider's real DHCP server, or a static address."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from tests.lab.netns import Namespace

from .router import CONFIG, SERVER, UPLINK, World, eventually, facts, link

FIBRE = """
[[uplink]]
kind = "ethernet"
name = "fibre"
port = "wan0"
"""
STATIC = """
[[uplink]]
kind = "ethernet"
name = "fibre"
port = "wan0"
address = "192.0.2.50/24"
gateway = "192.0.2.1"
dns = ["203.0.113.80"]
"""
GATEWAY = "192.0.2.1"


class Provider:
    """The provider's end of the fibre, with a DHCP server that gives one address after another."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.space: Namespace = world.internet
        self._server: subprocess.Popen[bytes] | None = None
        self.space.ip(
            f"link add isp1 type veth peer name wan0 netns {world.router.space.name}",
            f"addr add {GATEWAY}/24 dev isp1", "link set isp1 up",
        )  # fmt: skip

    def serve(self, address: str = "192.0.2.100", gateway: str = GATEWAY) -> None:
        """Give out one address to everybody."""
        self.stop()
        command = [
            "dnsmasq",
            "--keep-in-foreground",
            "--conf-file=/dev/null",
            "--pid-file",
            "--log-facility=-",
            "--user=root",
            "--port=0",
            "--interface=isp1",
            "--bind-interfaces",
            "--leasefile-ro",
            "--no-ping",
            "--dhcp-authoritative",
            f"--dhcp-range={address},{address},255.255.255.0,2m",
            f"--dhcp-option=option:router,{gateway}",
            f"--dhcp-option=option:dns-server,{SERVER}",
        ]
        with (self.world.router.folder / "provider.log").open("ab") as log:
            self._server = subprocess.Popen(
                self.space.command(command), stdout=log, stderr=log, stdin=subprocess.DEVNULL
            )

    def stop(self) -> None:
        if self._server is not None:
            self._server.terminate()
            self._server.wait(10)
            self._server = None


@pytest.fixture
def provider(bare: World) -> Iterator[Provider]:
    lease = bare.router.run_folder / "lease"
    lease.mkdir()
    os.chown(lease, 65534, 65534)  # the DHCP client is not root
    made = Provider(bare)
    yield made
    made.stop()


def status(world: World) -> dict[str, Any]:
    links = world.router.call("ethernet_links")
    return links[0] if links else {"state": "", "reason": {"code": ""}}


def becomes(world: World, state: str, code: str = "") -> dict[str, Any]:
    """Wait until the uplink has a state (and a reason); its status then."""

    def reached() -> bool:
        now = status(world)
        return now["state"] == state and code in ("", now["reason"]["code"])

    eventually(reached, f"{state} {code}", 60)
    return status(world)


def go_online(world: World, config: str, **more: Any) -> dict[str, Any]:
    """What the supervisor does when the uplink is up."""
    found = becomes(world, "up")
    known = {"active": "fibre", "links": [found, *more.get("links", [])]}
    assert world.router.apply(known, config) == []
    return found


def seen_source(world: World) -> str:
    """Which source the Internet sees of a new flow of host A."""
    server = world.udp(world.internet, SERVER, 7000)
    client = world.udp(world.hosts[0])

    def arrives() -> bool:
        client.sendto(b"hello", (SERVER, 7000))
        server.settimeout(0.5)
        try:
            arrives.source = server.recvfrom(100)[1][0]  # type: ignore[attr-defined]
        except TimeoutError:
            return False
        return True

    eventually(arrives, "a host reaches the Internet")
    server.close()
    return str(arrives.source)  # type: ignore[attr-defined]


def test_dhcp_gives_address_route_and_names(provider: Provider, bare: World) -> None:
    provider.serve()
    assert bare.router.apply(facts(active="", links=[]), FIBRE) == []
    bare.router.call("ethernet", FIBRE)
    found = go_online(bare, FIBRE)
    assert (found["interface"], found["address"], found["peer"]) == (
        "wan0", "192.0.2.100", GATEWAY,
    )  # fmt: skip
    assert found["dns"] == [SERVER]
    route = bare.router.tool("ip", "route", "show", "default")
    assert route.startswith(f"default via {GATEWAY} dev wan0 proto 77")
    assert "wan0" not in bare.router.tool("bridge", "link", "show")
    assert seen_source(bare) == "192.0.2.100"
    assert f"nameserver {SERVER}" in (bare.router.run_folder / "resolv.conf").read_text()
    assert bare.router.tool("ip", "-6", "addr", "show", "dev", "wan0", "scope", "global") == ""


def test_a_static_address_needs_no_server(provider: Provider, bare: World) -> None:
    assert bare.router.apply(facts(active="", links=[]), STATIC) == []
    bare.router.call("ethernet", STATIC)
    found = go_online(bare, STATIC)
    assert (found["address"], found["peer"], found["dns"]) == ("192.0.2.50", GATEWAY, [SERVER])
    assert seen_source(bare) == "192.0.2.50"
    assert "masqgate-dhcp" not in str(bare.router.call("services_called"))


def test_the_cable_is_pulled_and_plugged_into_another_network(
    provider: Provider, bare: World
) -> None:
    provider.serve("192.0.2.100")
    assert bare.router.apply(facts(active="", links=[]), FIBRE) == []
    bare.router.call("ethernet", FIBRE)
    go_online(bare, FIBRE)
    assert seen_source(bare) == "192.0.2.100"
    provider.space.ip("link set isp1 down")
    lost = becomes(bare, "no_port", "no_carrier")
    assert lost["address"] == ""
    assert bare.router.apply({"active": "", "links": [lost]}, FIBRE) == []
    assert "192.0.2.100" not in bare.router.tool("ip", "addr", "show", "dev", "wan0")
    provider.serve("192.0.2.123")
    provider.space.ip("link set isp1 up")
    assert go_online(bare, FIBRE)["address"] == "192.0.2.123"
    assert seen_source(bare) == "192.0.2.123"
    assert "192.0.2.100" not in bare.router.tool("conntrack", "-L")


def test_failover_to_the_modem_and_back_leaves_no_stale_flow(
    provider: Provider, bare: World
) -> None:
    both = FIBRE + CONFIG
    provider.serve()
    assert bare.router.apply(facts(active="", links=[]), both) == []
    bare.router.call("ethernet", both)
    fibre = go_online(bare, both, links=[link()])
    server = bare.udp(bare.internet, SERVER, 7001)
    telephone = bare.udp(bare.hosts[0], port=5060)

    def source() -> str:
        telephone.sendto(b"register", (SERVER, 7001))
        return str(server.recvfrom(100)[1][0])

    eventually(bare.router.forwarding, "the bridge passes frames")
    assert source() == "192.0.2.100"
    for active, address in (("modem1", UPLINK), ("fibre", "192.0.2.100"), ("modem1", UPLINK)):
        known = {"active": active, "links": [fibre, link()]}
        assert bare.router.apply(known, both) == []
        assert source() == address, "the same flow goes on with the new uplink's address"
        others = {UPLINK, "192.0.2.100"} - {address}
        flows = bare.router.call("flows", 100)
        assert not [flow for flow in flows if flow["masqueraded"] in others]


def test_while_the_modem_is_preferred_the_fibre_takes_nothing(
    provider: Provider, bare: World
) -> None:
    """Its provider's network may hold the other one's name servers."""
    both = CONFIG + FIBRE
    provider.space.ip("addr add 9.9.9.1/24 dev isp1")
    provider.serve("9.9.9.100", "9.9.9.1")
    assert bare.router.apply(facts(active="", links=[]), both) == []
    bare.router.call("ethernet", both)
    fibre = becomes(bare, "up")
    for active, interface in (
        ("modem1", "ppp-modem1"),
        ("fibre", "wan0"),
        ("modem1", "ppp-modem1"),
    ):
        known = {"active": active, "links": [fibre, link()]}
        assert bare.router.apply(known, both) == []
        assert f"dev {interface} " in bare.router.tool("ip", "route", "get", "9.9.9.9")


def test_a_network_that_overlaps_the_lan_is_told_and_kept_off(
    provider: Provider, bare: World
) -> None:
    provider.space.ip("addr add 192.168.77.254/24 dev isp1")
    provider.serve("192.168.77.50", "192.168.77.254")
    assert bare.router.apply(facts(active="", links=[]), FIBRE) == []
    bare.router.call("ethernet", FIBRE)
    found = becomes(bare, "waiting", "overlaps_lan")
    assert bare.router.apply({"active": "", "links": [found]}, FIBRE) == []
    assert "192.168.77.50" not in bare.router.tool("ip", "addr")


def test_switched_off_or_removed_ends_the_client(provider: Provider, bare: World) -> None:
    provider.serve()
    assert bare.router.apply(facts(active="", links=[]), FIBRE) == []
    bare.router.call("ethernet", FIBRE)
    go_online(bare, FIBRE)
    off = FIBRE + "enabled = false\n"
    bare.router.call("ethernet", off)
    becomes(bare, "off")
    stopped = "stop masqgate-dhcp@wan0.service"
    eventually(lambda: stopped in bare.router.call("services_called"), "the client is stopped")
    assert bare.router.apply({"active": ""}, off) == []
    assert bare.router.tool("ip", "-4", "addr", "show", "dev", "wan0") == ""
    assert "wan0" not in bare.router.tool("bridge", "link", "show"), "the line may be plugged in"
    bare.router.call("ethernet", CONFIG)
    assert bare.router.apply({"active": ""}, CONFIG) == []
    assert "wan0" in bare.router.tool("bridge", "link", "show"), "now it is a port of the LAN"


def test_the_client_outlives_the_supervisor(provider: Provider, bare: World) -> None:
    provider.serve()
    assert bare.router.apply(facts(active="", links=[]), FIBRE) == []
    bare.router.call("ethernet", FIBRE)
    go_online(bare, FIBRE)
    bare.router.call("ethernet_close")
    bare.router.call("services_called")
    bare.router.call("ethernet", FIBRE)
    assert becomes(bare, "up")["address"] == "192.0.2.100"
    assert bare.router.call("services_called") == ["start masqgate-dhcp@wan0.service"]


def test_without_cable_or_server_it_says_so(provider: Provider, bare: World) -> None:
    assert bare.router.apply(facts(active="", links=[]), FIBRE) == []
    bare.router.call("ethernet", FIBRE)
    becomes(bare, "negotiating", "dhcp")
    provider.space.ip("link set isp1 down")
    becomes(bare, "no_port", "no_carrier")
    provider.space.ip("link del isp1")
    becomes(bare, "no_port", "no_port")
    told = bare.router.call("ethernet_told")
    assert [entry for entry in told if entry[1] == "up"] == []
