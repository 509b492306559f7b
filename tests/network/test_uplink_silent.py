"""Nothing on the uplink is answered, nothing forged comes in: probes by hand, answers by capture.

Every test ends with a marker that a LAN host sends to the Internet. Links deliver in order, so
an answer would have come before it.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP, fragment
from scapy.layers.inet6 import ICMPv6EchoRequest, ICMPv6MLReport2, ICMPv6ND_NS, IPv6
from scapy.packet import Packet, Raw

from .router import LAN, MODEM_MAC, PEER, ROUTER, SERVER, UPLINK, World
from .wire import Wire, with_port

STRANGER = "8.8.4.4"


@pytest.fixture
def uplink(online: World) -> Iterator[Wire]:
    wire = Wire(online.internet, "isp0")
    yield wire
    wire.close()


def answers(world: World, uplink: Wire) -> list[Packet]:
    """What came out of the router until now."""
    world.udp(world.hosts[0]).sendto(b"marker", (SERVER, 9))
    return [frame for frame in uplink.frames_until(b"marker") if not is_of_its_own(frame)]


def is_of_its_own(frame: Packet) -> bool:
    """What the kernel says unasked when an address comes: its groups (RFC 3810), and DAD."""
    return ICMPv6MLReport2 in frame or (ICMPv6ND_NS in frame and frame[IPv6].src == "::")


def probe(uplink: Wire, packet: Packet) -> None:
    uplink.send(packet, MODEM_MAC)


def template_of(wire: Wire, protocol: type[Packet]) -> bytes:
    """A frame for `with_port`."""
    segment = protocol(sport=40000, dport=0, chksum=0)
    return wire.frame(IP(src=STRANGER, dst=UPLINK) / segment, MODEM_MAC)


def test_without_rules_the_same_probes_are_answered(bare: World) -> None:
    """The proof that these tests can see an answer at all."""
    wire = Wire(bare.internet, "isp0")
    listener = bare.tcp(bare.router.space, port=80)
    listener.listen()
    bare.router.space.ip(f"route add {STRANGER} dev ppp-modem1")
    for packet in (ICMP(id=1), TCP(sport=999, dport=80), TCP(dport=81), UDP(dport=82)):
        probe(wire, IP(src=STRANGER, dst=UPLINK) / packet)
    bare.udp(bare.router.space).sendto(b"marker", (PEER, 9))
    assert len(wire.packets_until(b"marker")) == 4
    wire.close()


@pytest.mark.parametrize("protocol", [TCP, UDP])
def test_no_port_answers(online: World, uplink: Wire, protocol: type[Packet]) -> None:
    """All 65,536 ports, while the router's services listen."""
    page = online.tcp(online.router.space, port=80)
    page.listen()
    template = template_of(uplink, protocol)
    for port in range(65536):
        uplink.socket.send(with_port(template, port))
    assert answers(online, uplink) == []


def test_the_scan_would_find_an_open_port(bare: World) -> None:
    """The packets of the scan above are well-formed: without rules a listener answers them."""
    wire = Wire(bare.internet, "isp0")
    page = bare.tcp(bare.router.space, port=80)
    page.listen()
    bare.router.space.ip(f"route add {STRANGER} dev ppp-modem1")
    for protocol, port in ((TCP, 80), (TCP, 81), (UDP, 81)):
        wire.socket.send(with_port(template_of(wire, protocol), port))
    bare.udp(bare.router.space).sendto(b"marker", (PEER, 9))
    found = wire.packets_until(b"marker")
    assert [str(packet[TCP].flags) for packet in found if TCP in packet] == ["SA", "RA"]
    assert sum(ICMP in packet for packet in found) == 1
    wire.close()


def test_ping_and_other_protocols_are_not_answered(online: World, uplink: Wire) -> None:
    for source in (STRANGER, PEER, SERVER):
        for kind in (8, 13, 15, 17, 10):
            probe(uplink, IP(src=source, dst=UPLINK) / ICMP(type=kind))
        for number in (2, 41, 47, 50, 51, 58, 89, 132):
            probe(uplink, IP(src=source, dst=UPLINK, proto=number) / Raw(b"x" * 40))
        for flags in ("A", "SA", "R", "F", "FPU", "", "SF", "SR"):
            probe(uplink, IP(src=source, dst=UPLINK) / TCP(sport=9, dport=80, flags=flags))
    probe(uplink, IP(src=STRANGER, dst=UPLINK, ttl=1) / UDP(dport=33434))
    assert answers(online, uplink) == []


def test_forged_packets_reach_nobody(online: World, uplink: Wire) -> None:
    """Private, LAN, own, loopback and broadcast sources; LAN and broadcast destinations."""
    inside = Wire(online.hosts[0], "eth0")
    sources = ["10.1.2.3", "172.16.9.9", "192.168.1.1", f"{LAN}.12", ROUTER, UPLINK, "127.0.0.1"]
    sources += [
        "0.0.0.0",
        "255.255.255.255",
        "224.0.0.5",
        "169.254.1.1",
        "100.64.3.4",
        "240.1.1.1",
    ]
    for destination in (UPLINK, f"{LAN}.11", ROUTER, f"{LAN}.255", "255.255.255.255", "224.0.0.1"):
        for source in [*sources, STRANGER]:
            probe(uplink, IP(src=source, dst=destination) / UDP(sport=53, dport=53) / b"forged")
            probe(uplink, IP(src=source, dst=destination) / TCP(sport=80, dport=80) / b"forged")
            probe(uplink, IP(src=source, dst=destination) / ICMP() / b"forged")
    assert answers(online, uplink) == []
    online.udp(online.router.space).sendto(b"inside-marker", (f"{LAN}.11", 9))
    assert [p for p in inside.packets_until(b"inside-marker") if b"forged" in bytes(p)] == []
    inside.close()


def test_strangers_do_not_join_a_flow(online: World, uplink: Wire) -> None:
    """Only the address and port that a host spoke to may answer (RFC 4787: restricted)."""
    client = online.udp(online.hosts[0], port=5000)
    client.sendto(b"hello", (SERVER, 7000))
    assert list(uplink.frames_until(b"hello")) == []
    probe(uplink, IP(src=STRANGER, dst=UPLINK) / UDP(sport=7000, dport=5000) / b"stranger")
    probe(uplink, IP(src=SERVER, dst=UPLINK) / UDP(sport=7001, dport=5000) / b"stranger")
    probe(uplink, IP(src=SERVER, dst=UPLINK) / UDP(sport=7000, dport=5000) / b"friend")
    assert client.recv(100) == b"friend"
    assert answers(online, uplink) == []


def test_fragments_of_an_answer_arrive_whole_and_strays_do_not(
    online: World, uplink: Wire
) -> None:
    client = online.udp(online.hosts[0], port=5000)
    client.sendto(b"hello", (SERVER, 7000))
    list(uplink.frames_until(b"hello"))
    whole = IP(src=SERVER, dst=UPLINK, id=7) / UDP(sport=7000, dport=5000) / (b"y" * 2000)
    for part in reversed(fragment(whole, 600)):
        probe(uplink, part)
    assert client.recv(4000) == b"y" * 2000
    for part in fragment(IP(src=STRANGER, dst=UPLINK, id=8) / UDP(dport=80) / (b"z" * 900), 400)[
        1:
    ]:
        probe(uplink, part)
    assert answers(online, uplink) == []


def test_ipv6_on_the_uplink_is_not_answered(online: World, uplink: Wire) -> None:
    for destination in ("ff02::1", "fe80::1", "2001:db8::1"):
        probe(uplink, IPv6(src="fe80::99", dst=destination) / ICMPv6EchoRequest())
    assert answers(online, uplink) == []
    show = ("ip", "-6", "addr", "show", "dev", "ppp-modem1", "scope", "global")
    assert online.router.tool(*show) == "", "nobody delegated a prefix"


def test_errors_about_our_flows_come_through(online: World, uplink: Wire) -> None:
    """Path MTU discovery depends on them, and routers on the way often have private addresses."""
    client = online.udp(online.hosts[0], port=5000)
    client.connect((SERVER, 7000))
    client.send(b"hello")
    list(uplink.frames_until(b"hello"))
    about = IP(src=UPLINK, dst=SERVER) / UDP(sport=5000, dport=7000) / b"hello"
    probe(uplink, IP(src="10.0.0.1", dst=UPLINK) / ICMP(type=3, code=3) / about)
    with pytest.raises(ConnectionRefusedError):
        client.recv(100)
