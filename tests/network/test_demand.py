"""Dial on demand: what the LAN sends while the link is down dials, waits, and is not lost."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest
from scapy.layers.dns import DNS, DNSQR
from scapy.layers.inet import ICMP, IP, TCP, UDP

from .router import CONFIG, LAN, ROUTER, SERVER, UPLINK, World, eventually
from .router import link as up
from .wire import Wire

DEMAND = CONFIG + 'mode = "demand"\n'
DOWN = {"active": "", "demand": "modem1"}
PUBLIC = "9.9.9.9"  # answers that name addresses of test networks are dropped
HOST = f"{LAN}.11"


@pytest.fixture
def resting(bare: World) -> World:
    """The world with a router whose link is down, and dialed by the next packet."""
    bare.hang_up()
    assert bare.router.apply(DOWN, DEMAND) == [], bare.router.log()
    bare.router.call("copies")
    eventually(bare.router.forwarding, "the bridge passes frames")
    bare.introduce()
    return bare


@pytest.fixture
def inside(resting: World) -> Iterator[Wire]:
    wire = Wire(resting.hosts[0], "eth0")
    yield wire
    wire.close()


def wanted(world: World) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = world.router.call("wanted")
    return found


def router_mac(world: World) -> str:
    return world.router.tool("cat", "/sys/class/net/br0/address").strip()


def come_up(world: World) -> Wire:
    """The call comes up; what was kept is sent. Returns the provider's end of the wire."""
    world.dial()
    wire = Wire(world.internet, "isp0")
    known = {"active": "modem1", "links": [up(dns=[SERVER])]}
    assert world.router.apply(known, DEMAND) == []
    return wire


def test_the_first_connection_succeeds(resting: World) -> None:
    """Whether by the SYN that was kept or by its repetition: with the uplink's address alone."""
    listener = resting.tcp(resting.internet, SERVER, 80)
    listener.listen()
    client = resting.tcp(resting.hosts[0], HOST, 4567)
    client.setblocking(False)
    client.connect_ex((SERVER, 80))
    eventually(lambda: bool(wanted(resting)), "the packet is a reason to dial")
    reason = wanted(resting)[0]
    assert (reason["source"], reason["destination"]) == (HOST, SERVER)
    assert (reason["protocol"], reason["source_port"], reason["port"]) == ("tcp", 4567, 80)
    wire = come_up(resting)
    assert resting.router.call("release") == 1
    connection, peer = listener.accept()
    assert peer == (UPLINK, 4567)
    connection.sendall(b"hello")
    client.setblocking(True)
    client.settimeout(20)
    assert client.recv(5) == b"hello"
    client.sendall(b"marker")
    sent = wire.packets_until(b"marker")
    assert {packet.src for packet in sent} == {UPLINK}
    assert sent[0][TCP].flags == "S"
    wire.close()


def test_what_is_kept_is_the_newest_of_each_flow_and_nothing_is_sent_without_a_way(
    resting: World,
) -> None:
    server = resting.udp(resting.internet, SERVER, 7)
    sender = resting.udp(resting.hosts[0], HOST, 5000)
    for text in (b"one", b"two", b"three"):
        sender.sendto(text, (SERVER, 7))
    resting.udp(resting.hosts[1], f"{LAN}.12", 5000).sendto(b"other", (SERVER, 7))
    eventually(lambda: len(wanted(resting)) == 4, "the packets are reasons to dial")
    wire = come_up(resting)
    assert resting.router.call("release") == 2
    assert [server.recvfrom(9)[0] for _ in range(2)] == [b"three", b"other"]
    resting.udp(resting.router.space).sendto(b"marker", (SERVER, 9))
    sent = wire.packets_until(b"marker")
    assert [(packet.src, bytes(packet[UDP].payload)) for packet in sent] == [
        (UPLINK, b"three"),
        (UPLINK, b"other"),
    ]
    assert [packet.ttl for packet in sent] == [63, 63]
    assert resting.router.call("release") == 0
    wire.close()


def test_chatter_does_not_dial_and_is_told_at_once(resting: World, inside: Wire) -> None:
    mac = router_mac(resting)
    for packet in (
        UDP(sport=123, dport=123) / b"time",
        UDP(sport=137, dport=137) / b"NetBIOS",
        TCP(sport=9, dport=139, flags="S"),
        TCP(sport=9, dport=80, flags="R"),
        TCP(sport=9, dport=80, flags="FA"),
        TCP(sport=9, dport=80, flags="PA") / b"of an earlier call",
        ICMP(type="echo-reply"),
        ICMP(type="dest-unreach"),
    ):
        inside.send(IP(src=HOST, dst=SERVER) / packet, mac)
    for destination in ("224.0.0.251", "239.255.255.250", "255.255.255.255", f"{LAN}.255"):
        inside.send(IP(src=HOST, dst=destination) / UDP(sport=9, dport=9) / b"many", mac)
    for destination in ("10.1.2.3", "169.254.1.1", "192.168.1.1"):
        inside.send(IP(src=HOST, dst=destination) / UDP(sport=9, dport=9) / b"nowhere", mac)
    # The router's own: its time, and a name that no host has asked for.
    own = resting.udp(resting.router.space)
    with pytest.raises(PermissionError):
        own.sendto(b"time", (SERVER, 123))
    own.sendto(bytes(DNS(qd=DNSQR(qname="pool.example"))), (SERVER, 53))
    inside.send(IP(src=HOST, dst=SERVER) / ICMP() / b"ping", mac)
    eventually(lambda: bool(wanted(resting)), "the ping is a reason to dial")
    assert [reason["protocol"] for reason in wanted(resting)] == ["icmp"]
    client = resting.udp(resting.hosts[1])
    client.connect((SERVER, 123))
    client.send(b"time")
    with pytest.raises(OSError, match="No route to host"):
        client.recv(9)


def test_a_look_up_dials_for_the_host_that_asked_and_is_answered(resting: World) -> None:
    """dnsmasq has no name server yet; the question waits, and is asked again by us."""
    asking = resting.udp(resting.hosts[0], HOST, 6000)
    query = bytes(DNS(id=77, rd=1, qd=DNSQR(qname="web.example")))

    def asked() -> bool:
        asking.sendto(query, (ROUTER, 53))  # dnsmasq may have to start first
        time.sleep(0.3)
        return bool(wanted(resting))

    eventually(asked, "the look-up is a reason to dial")
    reason = wanted(resting)[0]
    assert (reason["source"], reason["asked"]) == (HOST, "web.example")
    server = resting.udp(resting.internet, SERVER, 53)
    wire = come_up(resting)
    time.sleep(1)
    resting.router.call("release")
    data, peer = server.recvfrom(512)
    assert peer[0] == UPLINK
    question = DNS(data)
    assert question.qd[0].qname.lower() == b"web.example."
    answer = f"{question.id:04x}8180{'0001' * 2}{'0000' * 2}"
    record = b"\xc0\x0c" + bytes.fromhex("0001000100000e100004") + socket.inet_aton(PUBLIC)
    end = 12 + data[12:].index(b"\0") + 5
    server.sendto(bytes.fromhex(answer) + data[12:end] + record, peer)
    told = asking.recv(512)
    assert (DNS(told).id, told[-4:]) == (77, socket.inet_aton(PUBLIC))
    wire.close()


def test_what_a_call_is_used_for_is_counted(resting: World, inside: Wire) -> None:
    come_up(resting).close()
    mac = router_mac(resting)
    for packet in (
        UDP(sport=9, dport=9) / b"counts",
        UDP(sport=9, dport=123) / b"does not",
        TCP(sport=9, dport=80, flags="S"),
        TCP(sport=9, dport=80, flags="R"),
        ICMP() / b"ping",
    ):
        inside.send(IP(src=HOST, dst=SERVER) / packet, mac)
    counts = {"tcp": 1, "udp": 1, "icmp": 1, "other": 0}
    eventually(lambda: resting.router.call("used") == counts, "three packets count")


def test_applying_again_changes_nothing_and_the_way_to_nowhere_goes(resting: World) -> None:
    before = resting.router.tool("ip", "-4", "route", "show", "default")
    assert "dial0" in before
    assert resting.router.apply(DOWN, DEMAND) == []
    assert resting.router.tool("ip", "-4", "route", "show", "default") == before
    assert resting.router.apply({"active": ""}, DEMAND) == []
    assert resting.router.tool("ip", "-4", "route", "show", "default") == ""
    assert resting.router.apply({**DOWN, "password_set": False}, DEMAND) == []
    assert resting.router.tool("ip", "-4", "route", "show", "default") == ""
