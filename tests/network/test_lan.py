"""What hosts of the LAN get from the router: addresses, names, the page, and nothing else."""

from __future__ import annotations

import re
import socket
import threading
from pathlib import Path

import pytest
from dnslib import EDNS0, QTYPE, RR, A, DNSRecord
from masqgate.desired.nft import FLOWS_PER_HOST
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import ICMPv6EchoRequest, IPv6

from tests.lab.netns import Namespace

from .router import CONFIG, LAN, ROUTER, SERVER, World, eventually, facts, link
from .wire import Wire, with_port

IGMP = 2
CLIENT = """#!/bin/sh
[ "$1" = bound ] || exit 0
echo "$ip $mask $router $dns $domain $lease" > "$FOLDER/$interface.lease"
ip addr add "$ip/$mask" dev "$interface"
"""


SIGNATURE = (
    "signed.example.test. 60 RRSIG A 8 3 60 20300101000000 20200101000000 12345"
    " example.test. c2lnbmF0dXJl"
)
PUBLIC = "192.88.99.5"  # documentation ranges are refused in answers, as private ones are


def dhcp(
    host: Namespace, folder: Path, name: str = "box", more: list[str] | None = None
) -> list[str]:
    """Ask for an address as any host does; address, mask length, router, DNS, domain, seconds.

    `more`: what the host says of itself instead of its name, as the client's options.
    """
    script = folder / "client.sh"
    script.write_text(CLIENT)
    script.chmod(0o755)
    host.ip("addr flush dev eth0 scope global")
    command = [
        "env",
        f"FOLDER={folder}",
        "busybox",
        "udhcpc",
        "-n",
        "-q",
        "-f",
        "-i",
        "eth0",
        "-t",
        "10",
    ]
    told = more or ["-x", f"hostname:{name}"]
    done = host.run([*command, "-T", "1", "-s", str(script), *told])
    assert done.returncode == 0, done.stderr
    return (folder / "eth0.lease").read_text().split()


def resolve(world: World, host: Namespace, name: str, server: str = ROUTER) -> list[str]:
    """The addresses of a name, asked by UDP and asked again, as any host does."""
    for _ in range(10):
        try:
            return ask(world, host, name, server, 3)
        except TimeoutError:
            continue
    raise AssertionError(f"no answer about {name}")


def ask(world: World, host: Namespace, name: str, server: str, patience_s: float) -> list[str]:
    """The addresses of a name, asked once; TimeoutError if there is no answer in time."""
    asking = world.udp(host)
    asking.settimeout(patience_s)
    asking.sendto(DNSRecord.question(name).pack(), (server, 53))
    return [str(answer.rdata) for answer in DNSRecord.parse(asking.recv(4096)).rr]


def provider(world: World, names: dict[str, str]) -> socket.socket:
    """The provider's name server, which knows some names; it ends with its socket."""
    server = world.udp(world.internet, SERVER, 53)

    def serve() -> None:
        while True:
            try:
                data, client = server.recvfrom(4096)
            except OSError:
                return
            answer = DNSRecord.parse(data).reply()
            name = str(answer.q.qname).rstrip(".")
            if name in names and answer.q.qtype == QTYPE.A:
                answer.add_answer(RR(name, rdata=A(names[name]), ttl=60))
            server.sendto(answer.pack(), client)

    threading.Thread(target=serve, daemon=True).start()
    return server


def asked_server(world: World) -> socket.socket:
    """The provider's name server for a test to play; the router is known to ask it."""
    with provider(world, {"www.example.test": PUBLIC}):
        eventually(
            lambda: resolve(world, world.hosts[0], "www.example.test") == [PUBLIC],
            "an answer of the provider",
        )
    return world.udp(world.internet, SERVER, 53)


@pytest.fixture
def named(online: World) -> World:
    """The world with the provider's name server known, and dnsmasq answering."""
    assert online.router.apply(with_dns()) == []
    eventually(lambda: asks(online), "dnsmasq answers")
    return online


def with_dns() -> dict[str, object]:
    return {**facts(), "links": [link(dns=[SERVER, "not an address\nnameserver 6.6.6.6"])]}


def asks(world: World, name: str = "masqgate.lan", address: str = ROUTER) -> bool:
    """Whether the router itself finds a name, by its own dnsmasq."""
    try:
        return ask(world, world.router.space, name, "127.0.0.1", 0.5) == [address]
    except OSError:
        return False


def test_a_host_gets_address_route_names_and_is_listed(named: World, tmp_path: Path) -> None:
    address, mask, router, dns, domain, seconds = dhcp(named.hosts[0], tmp_path, "abox")
    assert address.startswith(f"{LAN}.1")
    assert (mask, router, dns, domain, seconds) == ("24", ROUTER, ROUTER, "lan", "43200")
    (host,) = named.router.call("hosts")
    mac = named.hosts[0].run(["cat", "/sys/class/net/eth0/address"]).stdout.strip()
    assert (host["name"], host["mac"], host["address"]) == ("abox", mac, address)
    assert resolve(named, named.hosts[1], "abox.lan") == [address]


def test_names_are_those_of_the_router_and_of_the_internet(named: World) -> None:
    rebinding = {
        "a.rebind.test": f"{LAN}.12",
        "b.rebind.test": "127.0.0.1",
        "c.rebind.test": "10.0.0.1",
    }
    server = provider(named, {"www.example.test": PUBLIC, **rebinding})
    host = named.hosts[0]
    for name in ("masqgate", "masqgate.lan", "MASQGATE.LAN"):
        assert resolve(named, host, name) == [ROUTER]
    assert resolve(named, host, "www.example.test") == [PUBLIC]
    for name in rebinding:
        assert resolve(named, host, name) == [], "answers do not name addresses of the LAN"
    assert resolve(named, host, "unknown.lan") == []
    assert resolve(named, named.router.space, "www.example.test", "127.0.0.1") == [PUBLIC]
    server.close()


def test_questions_to_the_provider_are_hard_to_guess(named: World) -> None:
    """Port and number of a question are random (RFC 5452, section 9.2)."""
    server = asked_server(named)
    seen: list[tuple[int, int]] = []
    for number in range(24):
        asking = named.udp(named.hosts[0])
        asking.sendto(DNSRecord.question(f"n{number}.example.test").pack(), (ROUTER, 53))
        data, client = server.recvfrom(4096)
        seen.append((client[1], DNSRecord.parse(data).header.id))
        answer = DNSRecord.parse(data).reply()
        answer.add_answer(RR(f"n{number}.example.test", rdata=A(PUBLIC), ttl=60))
        server.sendto(answer.pack(), client)
        asking.recv(4096)
    for values in zip(*seen, strict=True):
        assert len(set(values)) > 20
        assert max(values) - min(values) > 10_000


def test_signatures_of_names_reach_a_host_that_asks_for_them(named: World) -> None:
    """DNSSEC (RFC 4035): the router verifies nothing itself, and is not in the way of who does."""
    server = asked_server(named)
    asking = named.udp(named.hosts[0])
    question = DNSRecord.question("signed.example.test")
    question.add_ar(EDNS0(flags="do", udp_len=1232))
    asking.sendto(question.pack(), (ROUTER, 53))
    data, client = server.recvfrom(4096)
    asked = DNSRecord.parse(data)
    assert asked.ar[0].edns_do == 1
    answer = asked.reply()
    answer.add_answer(*RR.fromZone(f"signed.example.test. 60 A {PUBLIC}\n{SIGNATURE}"))
    answer.add_ar(EDNS0(flags="do", udp_len=1232))
    server.sendto(answer.pack(), client)
    got = DNSRecord.parse(asking.recv(4096))
    assert [QTYPE[record.rtype] for record in got.rr] == ["A", "RRSIG"]
    assert got.rr[1].rdata == answer.rr[1].rdata


def test_hosts_cannot_take_the_names_of_the_router(named: World, tmp_path: Path) -> None:
    plain = ("masqgate", "wpad", "localhost")
    whole = ("masqgate.lan", "wpad.lan", "WPAD.LAN", "isatap.lan")
    for option in (*(f"-xhostname:{name}" for name in (*plain, *whole)), "-Fwpad", "-Fwpad.lan"):
        address, *_ = dhcp(named.hosts[0], tmp_path, more=[option])
        for name in (*plain, "isatap"):
            assert address not in resolve(named, named.hosts[1], f"{name}.lan"), option
    assert resolve(named, named.hosts[1], "masqgate.lan") == [ROUTER]


def test_hostile_host_names_stay_harmless(named: World, tmp_path: Path) -> None:
    dhcp(named.hosts[0], tmp_path, "<b>x</b>;`$(id)`\\\"' 1.2.3.4")
    (host,) = named.router.call("hosts")
    assert all(c.isalnum() or c in ".-_" for c in host["name"])


def test_other_domain_and_lan(named: World, tmp_path: Path) -> None:
    lan = """
[system]
hostname = "gate"
[lan]
address = "10.20.30.254/16"
dhcp_first = "10.20.1.1"
dhcp_last = "10.20.1.9"
lease_minutes = 2
domain = "home.example"
"""
    assert named.router.apply(with_dns(), CONFIG + lan) == []
    eventually(lambda: asks(named, address="10.20.30.254"), "dnsmasq started anew")
    assert named.router.tool("ip", "-4", "-brief", "addr", "show", "br0").split()[2:] == [
        "10.20.30.254/16"
    ]
    host = named.hosts[0]
    address, mask, router, dns, domain, seconds = dhcp(host, tmp_path)
    assert address.startswith("10.20.1.")
    assert (mask, router, dns) == ("16", "10.20.30.254", "10.20.30.254")
    assert (domain, seconds) == ("home.example", "120")
    for name in ("gate", "gate.home.example", "masqgate.lan"):
        assert resolve(named, host, name, router) == ["10.20.30.254"]


def test_no_uplink_no_servers_and_a_quick_answer(named: World) -> None:
    assert named.router.apply(facts(active="", links=[])) == []
    text = (named.router.run_folder / "resolv.conf").read_text()
    assert "nameserver" not in text.replace("name servers", "")
    eventually(lambda: quick(named), "names are refused at once while there is no uplink")


def quick(world: World) -> bool:
    asking = world.udp(world.hosts[0])
    asking.settimeout(1)
    asking.sendto(DNSRecord.question("www.example.test").pack(), (ROUTER, 53))
    try:
        return DNSRecord.parse(asking.recv(4096)).header.rcode != 0
    except TimeoutError:
        return False


def test_hostile_name_servers_do_not_get_into_the_file(named: World) -> None:
    text = (named.router.run_folder / "resolv.conf").read_text()
    assert [line for line in text.splitlines() if not line.startswith("#")] == [
        f"nameserver {SERVER}"
    ]


def test_the_lan_reaches_ping_names_and_page_only(named: World) -> None:
    page = named.tcp(named.router.space, port=80)
    page.listen()
    other = named.tcp(named.router.space, port=22)
    other.listen()
    host = named.hosts[0]
    named.tcp(host).connect((ROUTER, 80))
    named.tcp(host).connect((ROUTER, 53))
    for port in (22, 443):
        with pytest.raises(ConnectionRefusedError):
            named.tcp(host).connect((ROUTER, port))
    assert host.run(["ping", "-c", "1", "-W", "9", ROUTER]).returncode == 0
    assert scan(named, host) == documented_ports() == [53, 80]


def documented_ports() -> list[int]:
    """The TCP ports of the router that the documentation says are open to the LAN."""
    text = (Path(__file__).parents[2] / "docs/FIREWALL.md").read_text()
    (row,) = [line for line in text.splitlines() if line.startswith("| LAN | the router's LAN ")]
    return sorted(map(int, re.findall(r"TCP (\d+)", row)))


def scan(world: World, host: Namespace) -> list[int]:
    """The TCP ports of the router that take connections from a host; refusals come at once."""
    wire = Wire(host, "eth0")
    mac = world.router.tool("cat", "/sys/class/net/br0/address").strip()
    segment = IP(src=f"{LAN}.11", dst=ROUTER) / TCP(sport=40000, dport=0, chksum=0)
    template = wire.frame(segment, mac)
    for port in range(1, 65536):
        wire.socket.send(with_port(template, port))
    world.udp(world.router.space).sendto(b"marker", (f"{LAN}.11", 9))
    accepted = b"\x12"  # SYN and ACK, in the 14th byte of the TCP header
    taken = [
        int.from_bytes(data[34:36], "big")
        for data in wire.data_until(b"marker")
        if data[23] == socket.IPPROTO_TCP and data[47:48] == accepted
    ]
    wire.close()
    return sorted(set(taken))


def test_forged_sources_on_the_lan_get_no_answer(named: World) -> None:
    wire = Wire(named.hosts[0], "eth0")
    mac = named.router.tool("cat", "/sys/class/net/br0/address").strip()
    for source in (
        "10.1.1.1",
        ROUTER,
        f"{LAN}.255",
        f"{LAN}.0",
        "8.8.8.8",
        "127.0.0.1",
        "0.0.0.0",
    ):
        for packet in (ICMP(), UDP(dport=53), TCP(dport=80)):
            wire.send(IP(src=source, dst=ROUTER) / packet, mac)
    wire.send(IPv6(src="fe80::99", dst="ff02::1") / ICMPv6EchoRequest(), "33:33:00:00:00:01")
    named.udp(named.router.space).sendto(b"marker", (f"{LAN}.11", 9))
    found = [packet for packet in wire.packets_until(b"marker") if packet.src == ROUTER]
    # The kernel tells of multicast groups (IGMP) when it likes; that answers nobody.
    assert [packet.summary() for packet in found if packet.proto != IGMP] == []
    wire.close()


def test_a_flood_of_one_host_leaves_the_others_alone(named: World) -> None:
    """Ten thousand flows of host A: names and page go on for it, the Internet for host B."""
    wire = Wire(named.hosts[0], "eth0")
    mac = named.router.tool("cat", "/sys/class/net/br0/address").strip()
    packet = IP(src=f"{LAN}.11", dst=SERVER) / UDP(sport=40000, dport=0, chksum=0) / b"flood"
    template = wire.frame(packet, mac)
    for port in range(1, 10001):
        wire.socket.send(with_port(template, port))
    named.udp(named.router.space).sendto(b"marker", (f"{LAN}.11", 9))
    list(wire.data_until(b"marker"))
    flows = named.router.tool("conntrack", "-L", "-s", f"{LAN}.11").splitlines()
    assert 2000 < len(flows) <= FLOWS_PER_HOST
    assert resolve(named, named.hosts[0], "masqgate.lan") == [ROUTER]
    server = named.udp(named.internet, SERVER, 7000)
    named.udp(named.hosts[1]).sendto(b"hello", (SERVER, 7000))
    assert server.recv(100) == b"hello"
    wire.close()


def test_names_page_and_ping_need_no_room_in_the_table_of_flows(named: World) -> None:
    page = named.tcp(named.router.space, port=80)
    page.listen()
    named.router.tool("conntrack", "-F")
    host = named.hosts[0]
    assert resolve(named, host, "masqgate.lan") == [ROUTER]
    named.tcp(host).connect((ROUTER, 80))
    assert host.run(["ping", "-c", "1", "-W", "9", ROUTER]).returncode == 0
    assert f"{LAN}.11" not in named.router.tool("conntrack", "-L")
