"""Only the uplink's own address leaves by the uplink, whatever happens."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from scapy.layers.inet import IP, TCP, UDP

from .router import CONFIG, LAN, SERVER, UPLINK, World, facts
from .wire import Wire


@pytest.fixture
def uplink(online: World) -> Iterator[Wire]:
    wire = Wire(online.internet, "isp0")
    yield wire
    wire.close()


def router_mac(world: World) -> str:
    return world.router.tool("cat", "/sys/class/net/br0/address").strip()


def test_the_router_itself_sends_no_private_source(online: World, uplink: Wire) -> None:
    lan = online.udp(online.router.space, f"{LAN}.1")
    lan.sendto(b"the LAN's", (SERVER, 9))
    online.router.space.ip("addr add 10.5.5.5/32 dev lo")
    private = online.udp(online.router.space, "10.5.5.5")
    with pytest.raises(PermissionError):  # the packet filter refuses it to the sender's face
        private.sendto(b"private", (SERVER, 9))
    online.udp(online.router.space).sendto(b"marker", (SERVER, 9))
    assert [packet.src for packet in uplink.packets_until(b"marker")] == [UPLINK]


def test_packets_of_no_flow_do_not_slip_past_the_masquerade(online: World, uplink: Wire) -> None:
    """Invalid packets are not translated: nat never sees them."""
    inside = Wire(online.hosts[0], "eth0")
    mac = router_mac(online)
    for flags in ("SA", "A", "FA", "R", "RA", "PA"):
        inside.send(IP(src=f"{LAN}.11", dst=SERVER) / TCP(sport=9, dport=80, flags=flags), mac)
    for source in ("10.9.9.9", f"{LAN}.1", f"{LAN}.255", "8.8.8.8", UPLINK, "127.0.0.1"):
        inside.send(IP(src=source, dst=SERVER) / UDP(sport=9, dport=53) / b"forged", mac)
    online.udp(online.hosts[0]).sendto(b"marker", (SERVER, 9))
    assert [p.summary() for p in uplink.packets_until(b"marker")] == []
    inside.close()


def test_without_masquerade_nothing_leaves(online: World, uplink: Wire) -> None:
    """The last chain alone keeps private sources in, should the masquerade be missing."""
    online.router.tool("nft", "flush", "chain", "inet", "masqgate", "translate")
    online.udp(online.hosts[0]).sendto(b"un-NATed", (SERVER, 9))
    online.udp(online.router.space).sendto(b"marker", (SERVER, 9))
    assert uplink.packets_until(b"marker") == []


def test_a_tcp_flow_of_an_earlier_call_is_reset_at_once(online: World, uplink: Wire) -> None:
    inside = Wire(online.hosts[0], "eth0")
    segment = TCP(sport=9, dport=80, flags="PA", seq=100, ack=200)
    inside.send(IP(src=f"{LAN}.11", dst=SERVER) / segment / b"data", router_mac(online))
    online.udp(online.router.space).sendto(b"marker", (f"{LAN}.11", 9))
    (reset,) = [p for p in inside.packets_until(b"marker") if TCP in p]
    assert (reset[TCP].flags, reset[TCP].seq, reset.src) == ("R", 200, SERVER)
    inside.close()
    online.udp(online.router.space).sendto(b"marker", (SERVER, 9))
    assert uplink.packets_until(b"marker") == [], "the router itself resets it"


def test_reloads_under_traffic_let_no_private_source_out(online: World, uplink: Wire) -> None:
    """Rules are replaced again and again, other ones each time, while flows begin all the time."""
    inside = Wire(online.hosts[0], "eth0")
    mac, done = router_mac(online), threading.Event()

    def traffic() -> None:
        port = 1024
        while not done.is_set():
            port = port + 1 if port < 65000 else 1024
            inside.send(IP(src=f"{LAN}.11", dst=SERVER) / UDP(sport=port, dport=9) / b"new", mac)
            segment = TCP(sport=port, dport=80, flags="A")
            inside.send(IP(src=f"{LAN}.11", dst=SERVER) / segment, mac)

    thread = threading.Thread(target=traffic)
    thread.start()
    try:
        for _ in range(15):
            for known in (facts(), facts(active=""), facts(password_set=False)):
                assert online.router.apply(known) == []
            assert online.router.call("close") == []
        assert online.router.apply() == []
    finally:
        done.set()
        thread.join()
    online.udp(online.hosts[0]).sendto(b"marker", (SERVER, 9))
    packets = uplink.packets_until(b"marker")
    assert {packet.src for packet in packets} <= {UPLINK}
    assert packets, "some of the traffic got through"
    inside.close()


def test_before_a_password_is_set_the_lan_does_not_reach_the_internet(online: World) -> None:
    wire = Wire(online.internet, "isp0")
    assert online.router.apply(facts(password_set=False)) == []
    online.udp(online.hosts[0]).sendto(b"too early", (SERVER, 9))
    online.udp(online.router.space).sendto(b"marker", (SERVER, 9))
    assert wire.packets_until(b"marker") == []
    wire.close()


def test_an_uplink_that_is_not_active_carries_no_lan_host(online: World, uplink: Wire) -> None:
    other = CONFIG + CONFIG.replace("modem1", "modem2").replace("AMA0", "USB0")
    assert online.router.apply(facts(active="modem2"), other) == []
    assert online.router.tool("ip", "route", "show", "default") == ""
    online.router.space.ip("route add default dev ppp-modem1")
    online.udp(online.hosts[0]).sendto(b"by the wrong way", (SERVER, 9))
    online.udp(online.router.space).sendto(b"marker", (SERVER, 9))
    assert uplink.packets_until(b"marker") == []
