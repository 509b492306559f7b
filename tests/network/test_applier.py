"""The applier: changes only what differs, repairs what was broken, and survives what fails."""

from __future__ import annotations

import re
import socket
from pathlib import Path

import pytest

from .router import CONFIG, LAN, PEER, ROUTER, SERVER, UPLINK, World, eventually, facts
from .wire import Wire

SECOND = "198.51.100.77"  # the address after a redial


def rules(world: World) -> str:
    """The ruleset without what the kernel counts."""
    text = world.router.tool("nft", "--stateless", "list", "ruleset")
    return re.sub(r"\tset flows_of_host \{.*?\n\t\}\n", "", text, flags=re.DOTALL)


def forwarding(world: World) -> str:
    return world.router.tool("cat", "/proc/sys/net/ipv4/ip_forward").strip()


def reaches_internet(world: World) -> str:
    """The source that the Internet sees of a new flow of host A; empty if it does not arrive."""
    world.introduce()
    wire = Wire(world.internet, "isp0")
    world.udp(world.hosts[0]).sendto(b"new flow", (SERVER, 9))
    world.udp(world.router.space, UPLINK).sendto(b"marker", (PEER, 9))
    seen = [packet.src for packet in wire.packets_until(b"marker")]
    wire.close()
    return ",".join(seen)


def test_the_second_time_changes_nothing(online: World) -> None:
    assert reaches_internet(online) == UPLINK, "the kernel counts a flow, which is no change"
    # Nor is it one that the kernel has found its own IPv6 addresses to be nobody else's.
    eventually(lambda: "tentative" not in online.router.tool("ip", "addr"), "addresses are ready")
    before = rules(online), online.router.tool("ip", "addr"), online.router.log()
    files = {path: path.stat().st_ino for path in online.router.run_folder.glob("*.conf")}
    online.router.call("services_called")
    with generation(online) as unchanged:
        assert online.router.apply() == []
        assert unchanged()
    after = rules(online), online.router.tool("ip", "addr"), online.router.log()
    assert after == before, "neither kernel nor log show a change"
    assert online.router.call("services_called") == []
    assert {path: path.stat().st_ino for path in online.router.run_folder.glob("*.conf")} == files


class generation:
    """Whether the rules of the router's kernel were replaced meanwhile, even by the same ones."""

    def __init__(self, world: World) -> None:
        self._world = world

    def __enter__(self) -> object:
        before = self._handles()
        return lambda: self._handles() == before

    def __exit__(self, *_: object) -> None:
        """Nothing is held."""

    def _handles(self) -> str:
        return self._world.router.tool(
            "nft", "--handle", "--terse", "--stateless", "list", "ruleset"
        )


def test_what_others_broke_is_repaired(online: World) -> None:
    whole = rules(online)
    for damage in (
        ["nft", "flush", "ruleset"],
        ["nft", "flush", "chain", "inet", "masqgate", "departure"],
        ["nft", "add", "rule", "inet", "masqgate", "input", "accept"],
        ["nft", "add", "element", "inet", "masqgate", "uplinks", '{ "eth0" }'],
        ["ip", "addr", "add", "10.9.9.9/24", "dev", "br0"],
        ["ip", "addr", "del", f"{ROUTER}/24", "dev", "br0"],
        ["ip", "addr", "add", "10.9.9.9/24", "dev", "eth1"],
        ["ip", "link", "set", "eth1", "nomaster"],
        ["ip", "link", "set", "eth1", "down"],
        ["ip", "link", "set", "br0", "down"],
        ["ip", "link", "del", "br0"],
        ["ip", "route", "flush", "proto", "77"],
        ["ip", "route", "add", "10.0.0.0/8", "dev", "br0", "proto", "77"],
        ["sh", "-c", "echo 2 > /proc/sys/net/ipv4/conf/br0/rp_filter"],
        ["sh", "-c", "echo 0 > /proc/sys/net/ipv4/ip_forward"],
        ["sh", "-c", "echo 30 > /proc/sys/net/netfilter/nf_conntrack_udp_timeout"],
    ):
        online.router.tool(*damage)
        assert online.router.apply() == [], damage
        assert rules(online) == whole, damage
        eventually(online.router.forwarding, f"the bridge passes frames after {damage}")
        assert reaches_internet(online) == UPLINK, damage
    addresses = online.router.tool("ip", "-4", "-brief", "addr")
    assert "10.9.9.9" not in addresses
    assert online.router.tool("ip", "route", "show", "10.0.0.0/8") == ""


def test_others_routes_and_tables_are_not_touched(online: World) -> None:
    online.router.tool("nft", "add", "table", "inet", "somebody")
    online.router.tool("ip", "route", "add", "10.0.0.0/8", "dev", "br0", "proto", "static")
    assert online.router.apply(facts(active="")) == []
    assert online.router.apply() == []
    assert "table inet somebody" in rules(online)
    assert "10.0.0.0/8" in online.router.tool("ip", "route")


def test_without_active_uplink_nothing_is_forwarded(online: World) -> None:
    assert online.router.apply(facts(active="")) == []
    assert online.router.tool("ip", "route", "show", "default") == ""
    online.router.space.ip("route add default dev ppp-modem1")
    assert reaches_internet(online) == ""


@pytest.mark.parametrize("tools", ["", "broken"])
def test_nft_that_is_missing_or_fails_leaves_the_rules(
    online: World, tools: str, tmp_path: Path
) -> None:
    before = rules(online)
    if tools:
        broken = tmp_path / "nft"
        broken.write_text("#!/bin/sh\necho 'Error: no' >&2\nexit 1\n")
        broken.chmod(0o755)
    online.router.call("path", str(tmp_path))
    problems = online.router.apply(facts(active=""))
    assert "firewall_not_loaded" in problems
    assert rules(online) == before
    assert forwarding(online) == "1", "the old rules are in force: hosts stay online"
    online.router.call("path", "/usr/sbin:/usr/bin:/sbin:/bin")
    assert online.router.apply() == []
    assert reaches_internet(online) == UPLINK


def test_rules_killed_in_mid_load_are_the_old_ones(online: World, tmp_path: Path) -> None:
    before = rules(online)
    killed = tmp_path / "nft"
    killed.write_text("#!/bin/sh\nkill -9 $$\n")
    killed.chmod(0o755)
    online.router.call("path", f"{tmp_path}:/usr/sbin:/usr/bin:/sbin:/bin")
    assert "firewall_not_loaded" in online.router.apply(facts(active=""))
    assert rules(online) == before


def test_nothing_is_forwarded_before_rules_are_loaded(bare: World) -> None:
    bare.router.call("path", "/nonexistent")
    assert "firewall_not_loaded" in bare.router.apply()
    assert forwarding(bare) == "0"
    bare.router.call("path", "/usr/sbin:/usr/bin:/sbin:/bin")
    assert bare.router.apply() == []
    assert forwarding(bare) == "1"


@pytest.mark.parametrize("file", ["missing", "empty", "broken", "image"])
def test_closed_rules_pass_nothing_whatever_became_of_their_file(online: World, file: str) -> None:
    share = online.router.folder / "share"
    share.mkdir()
    image = Path(__file__).parents[2] / "rootfs-overlay/usr/share/masqgate/closed.nft"
    texts = {"empty": "", "broken": "table inet masqgate {", "image": image.read_text()}
    if file in texts:
        (share / "closed.nft").write_text(texts[file])
    assert online.router.call("close") == []
    assert rules(online).count("policy drop") == 2
    assert forwarding(online) == "0"
    wire = Wire(online.internet, "isp0")
    listener = online.tcp(online.router.space, port=80)
    listener.listen()
    online.udp(online.hosts[0]).sendto(b"out", (SERVER, 9))
    assert online.internet.run(["ping", "-c", "1", "-W", "1", UPLINK]).returncode == 1
    with pytest.raises(OSError):
        online.internet.inside(lambda: socket.create_connection((UPLINK, 80), 1))
    online.udp(online.router.space, UPLINK).sendto(b"marker", (PEER, 9))
    assert wire.packets_until(b"marker") == []
    wire.close()
    assert online.router.apply() == []
    assert reaches_internet(online) == UPLINK


def test_flows_of_the_old_address_are_forgotten_after_a_redial(online: World) -> None:
    """A telephone keeps its port for days: it must not stay bound to an address that is gone."""
    server = online.udp(online.internet, SERVER, 7000)
    telephone = online.udp(online.hosts[0], port=5060)
    telephone.sendto(b"first", (SERVER, 7000))
    assert server.recvfrom(100)[1] == (UPLINK, 5060)
    router = online.udp(online.router.space)
    router.sendto(b"router", (SERVER, 7000))
    server.recv(100)
    # The worst case: the interface stays, so the kernel itself forgets nothing.
    online.router.space.ip(
        f"addr del {UPLINK} peer {PEER}/32 dev ppp-modem1",
        f"addr add {SECOND} peer {PEER}/32 dev ppp-modem1",
        "route add default dev ppp-modem1",
    )
    online.internet.ip(f"route add {SECOND} dev isp0")
    telephone.sendto(b"stale", (SERVER, 7000))
    assert online.router.apply(facts(SECOND)) == []
    telephone.sendto(b"second", (SERVER, 7000))
    message, address = server.recvfrom(100)
    while message == b"stale":
        message, address = server.recvfrom(100)
    assert (message, address) == (b"second", (SECOND, 5060))
    assert UPLINK not in online.router.tool("conntrack", "-L")


def test_a_redial_brings_everything_back(online: World) -> None:
    online.hang_up()
    assert online.router.apply(facts(active="", links=[])) == []
    online.dial(SECOND)
    assert online.router.apply(facts(SECOND)) == []
    server = online.udp(online.internet, SERVER, 7000)
    online.udp(online.hosts[0], port=5060).sendto(b"again", (SERVER, 7000))
    assert server.recvfrom(100)[1] == (SECOND, 5060)


def test_a_call_that_vanished_unseen_is_a_problem_not_a_crash(online: World) -> None:
    online.hang_up()
    assert online.router.apply() == ["network_change"]
    assert online.router.apply(facts(active="", links=[])) == []


def test_a_port_that_appears_later_joins_the_bridge(online: World) -> None:
    online.router.call("watch")
    online.router.call("wait_change", 0)
    assert online.router.call("ports") == ["eth0", "eth1", "eth2"]
    online.hosts[2].ip(
        f"link add usb0 type veth peer name eth9 netns {online.router.space.name}",
        "link set usb0 up", "addr flush dev eth0", f"addr add {LAN}.99/24 dev usb0",
    )  # fmt: skip
    assert online.router.call("wait_change", 20), "the watch tells"
    assert online.router.call("ports") == ["eth0", "eth1", "eth2", "eth9"]
    assert online.router.apply() == []
    router = online.udp(online.router.space, port=9000)
    host = online.udp(online.hosts[2])

    def arrives() -> bool:
        host.sendto(b"here", (ROUTER, 53))
        return "eth9" in online.router.tool("bridge", "-o", "link", "show")

    eventually(arrives, "the new port is in the bridge")
    eventually(lambda: online.hosts[2].run(["ping", "-c1", "-W1", ROUTER]).returncode == 0, "ping")
    router.close()
    online.hosts[2].ip("link del usb0")
    assert online.router.call("wait_change", 20)
    assert online.router.apply() == []
    assert online.router.call("ports") == ["eth0", "eth1", "eth2"]


def test_the_bridge_keeps_its_hardware_address(online: World) -> None:
    """Hosts know their gateway by it: a port with a lower address must not change it."""
    before = online.router.tool("cat", "/sys/class/net/br0/address")
    for last in (1, 2):
        online.hosts[2].ip(
            f"link add usb{last} type veth peer name eth9{last} address 02:00:00:00:00:0{last}"
            f" netns {online.router.space.name}"
        )
        assert online.router.apply() == []
        assert f"eth9{last}" in online.router.tool("bridge", "link", "show")
        assert online.router.tool("cat", "/sys/class/net/br0/address") == before


def test_only_ethernet_ports_are_ports(online: World) -> None:
    online.router.space.ip("link add br9 type bridge", "link add ifb9 type ifb")
    online.router.space.open_tap("tap9")
    assert online.router.call("ports") == ["eth0", "eth1", "eth2"]


def test_dnsmasq_is_started_and_restarted_only_when_needed(bare: World) -> None:
    called = lambda: bare.router.call("services_called")  # noqa: E731
    unit = "masqgate-dnsmasq.service"
    assert bare.router.apply(facts(active="")) == []
    assert called() == [f"restart {unit}"]
    assert bare.router.apply(facts(active="")) == []
    assert called() == []
    assert bare.router.apply(facts(links=[{**facts()["links"][0], "dns": [SERVER]}])) == []
    assert called() == [f"reload {unit}"], "other name servers interrupt nobody"
    assert bare.router.apply(config=CONFIG + "[lan]\ndhcp = false\n") == []
    assert called()[-1] == f"restart {unit}"
