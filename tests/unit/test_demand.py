"""Dial on demand without a kernel: reading packets, keeping them, idle calls, the supervisor."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from masqgate.contract.config import Modem
from masqgate.contract.status import Host, LinkState, Reason, Trigger
from masqgate.contract.traffic import Kind, kind
from masqgate.core.demand import ASKED_S, KEEP_S, MOST, Waiting
from masqgate.core.idle import Idle, kind_of
from masqgate.core.messages import LinkReported, PacketCopied
from masqgate.core.packets import Packet, question, read, summed
from masqgate.core.words import link_lines
from masqgate.system.copies import packets
from scapy.layers.dns import DNS, DNSQR
from scapy.layers.inet import ICMP, IP, TCP, UDP

from tests.unit.router import DOCUMENT, FakeDialer, Router, link, until

HOST, SERVER, ROUTER = "192.168.77.100", "9.9.9.9", "192.168.77.1"
SYN = bytes(IP(src=HOST, dst=SERVER) / TCP(sport=5000, dport=80, flags="S"))
ASK = bytes(IP(src=HOST, dst=ROUTER) / UDP(sport=6000) / DNS(qd=DNSQR(qname="Web.Example")))
LOOKUP = bytes(IP(src=ROUTER, dst=SERVER) / UDP(sport=7000) / DNS(qd=DNSQR(qname="wEB.eXAMPLE")))
REST = Reason("idle_demand", "Waiting for traffic.")


def packet(data: bytes) -> Packet:
    found = read(data)
    assert found is not None
    return found


def test_packets_tell_who_wants_what() -> None:
    assert packet(SYN) == Packet(HOST, SERVER, "tcp", 5000, 80)
    assert packet(ASK) == Packet(HOST, ROUTER, "udp", 6000, 53, "web.example")
    assert packet(bytes(IP(src=HOST, dst=SERVER) / ICMP())) == Packet(HOST, SERVER, "icmp")
    assert packet(bytes(IP(src=HOST, dst=SERVER, proto=47))) == Packet(HOST, SERVER, "gre")
    assert packet(bytes(IP(src=HOST, dst=SERVER, proto=200))) == Packet(HOST, SERVER, "200")


@given(st.binary(max_size=80) | st.binary(max_size=60).map(lambda data: SYN[:20] + data))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    found = read(data)
    if found is not None:
        IPv4Address(found.source)
        assert found.port is None or 0 <= found.port <= 65535


@given(st.binary(max_size=300))
def test_a_name_is_one_line_of_what_hosts_are_called_by(data: bytes) -> None:
    found = question(data)
    assert len(found) <= 253
    assert all(c.isalnum() or c in "-._?" for c in found)


@given(st.binary(max_size=64), st.sampled_from([TCP, UDP]))
def test_checksums_are_those_of_others(body: bytes, layer: type) -> None:
    right = bytes(IP(src=HOST, dst=SERVER) / layer(sport=1, dport=2) / body)
    at = 36 if layer is TCP else 26
    wrong = right[:at] + b"\x12\x34" + right[at + 2 :]
    assert summed(wrong) == right


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("tcp", Kind(6)),
        ("udp/123", Kind(17, 123, 123)),
        ("tcp/137-139", Kind(6, 137, 139)),
        ("igmp", Kind(2)),
        ("41", Kind(41)),
    ],
)
def test_kinds_of_traffic(text: str, wanted: Kind) -> None:
    assert kind(text) == wanted


@pytest.mark.parametrize(
    "text", ["", "tcp/", "tcp/0", "tcp/9-8", "udp/65536", "icmp/8", "300", "TCP", "spx", "udp/1\n"]
)
def test_what_is_no_kind_of_traffic(text: str) -> None:
    with pytest.raises(ValueError, match=r"\.$"):
        kind(text)


def test_a_packet_of_the_lan_is_a_reason_and_waits() -> None:
    waiting = Waiting()
    assert waiting.take("packet", packet(SYN), SYN, 100.0) == packet(SYN)
    assert waiting.release(101.0) == ([SYN], [])
    assert waiting.release(102.0) == ([], [])


def test_a_look_up_is_a_reason_only_if_a_host_has_asked_for_that_name() -> None:
    waiting = Waiting()
    assert waiting.take("lookup", packet(LOOKUP), LOOKUP, 100.0) is None
    assert waiting.take("ask", packet(ASK), ASK, 101.0) is None
    assert waiting.take("lookup", packet(LOOKUP), LOOKUP, 101.1) == packet(ASK)
    assert waiting.take("lookup", packet(LOOKUP), LOOKUP, 101.2 + ASKED_S) is None
    other = bytes(IP(src=ROUTER, dst=SERVER) / UDP() / DNS(qd=DNSQR(qname="ntp.example")))
    assert waiting.take("lookup", packet(other), other, 101.2) is None
    assert waiting.release(102.0) == ([], [ASK]), "the question is sent again, the look-up is not"


def test_what_is_kept_is_bounded_and_grows_old() -> None:
    waiting = Waiting()
    for port in range(1, MOST + 10):
        data = bytes(IP(src=HOST, dst=SERVER) / UDP(sport=port, dport=9))
        waiting.take("packet", packet(data), data, 100.0)
    waiting.take("packet", packet(SYN), SYN, 100.0 + KEEP_S)
    assert waiting.release(101.0 + KEEP_S) == ([SYN], [])


def test_questions_are_kept_apart_and_parts_of_packets_do_not_go() -> None:
    waiting = Waiting()
    waiting.take("ask", packet(ASK), ASK, 1.0)
    waiting.take("packet", packet(SYN), SYN, 2.0)
    long = bytes(IP(src=HOST, dst=SERVER) / UDP(sport=9) / bytes(3000))[:1600]
    assert waiting.take("packet", packet(long), long, 3.0) == packet(long)
    assert waiting.release(4.0) == ([SYN], [ASK])


def modem(**more: object) -> Modem:
    return Modem(name="modem1", port="/dev/ttyS0", number="1", mode="demand", **more)  # type: ignore[arg-type]


def test_a_call_is_idle_when_every_kind_has_been_quiet_for_its_time() -> None:
    idle = Idle("udp", 100.0)
    one = modem(idle_minutes=2, idle_hold={"tcp": 30})
    assert idle.over_at(one) == 100 + 120
    idle.counted({"tcp": 5, "udp": 0}, 200.0)
    assert idle.over_at(one) == 200 + 30 * 60
    idle.counted({"tcp": 5, "udp": 0}, 300.0)
    assert idle.over_at(one) == 200 + 30 * 60, "nothing new was counted"
    idle.counted({"tcp": 2}, 400.0)
    assert idle.over_at(one) == 400 + 30 * 60, "the counters began anew"
    idle.counted({}, 500.0)
    assert idle.over_at(one) == 400 + 30 * 60
    assert idle.over_at(modem(idle_minutes=0)) is None


def test_a_call_by_hand_waits_for_all_kinds() -> None:
    assert Idle(None, 100.0).over_at(modem(idle_minutes=1, idle_hold={"icmp": 9})) == 100 + 540
    assert kind_of("icmp") == "icmp"
    assert kind_of("gre") == "other"


def test_messages_of_the_kernel_are_read_whatever_their_bytes() -> None:
    def attribute(number: int, value: bytes) -> bytes:
        return struct.pack("=HH", 4 + len(value), number) + value + bytes(-len(value) % 4)

    body = b"\x02\0\0\0" + attribute(10, b"packet\0") + attribute(9, SYN)
    message = struct.pack("=IHHII", 16 + len(body), 4 << 8, 0, 0, 0) + body
    assert list(packets(message * 2)) == [("packet", SYN)] * 2
    assert list(packets(message[:-1])) == []


@given(st.binary(max_size=200))
def test_broken_messages_of_the_kernel_are_left_out(data: bytes) -> None:
    list(packets(struct.pack("=IH", len(data) + 6, 4 << 8) + data))


# The supervisor


@pytest.fixture
def router(tmp_path: Path) -> Iterator[Router]:
    made = Router(tmp_path, DOCUMENT + 'mode = "demand"\nidle_minutes = 2\n')
    made.applier.known_hosts = (
        Host(name="A-box", mac="02:00:00:00:00:01", address=HOST, expires_at=2e9),
    )
    yield made
    made.close()


def resting(router: Router) -> FakeDialer:
    dialer = router.dialer("modem1", link(state=LinkState.IDLE, reason=REST))
    router.start()
    until(lambda: bool(router.applier.applied) and router.applied()[1].demand == "modem1")
    return dialer


def test_a_packet_makes_it_dial_once_and_is_sent_when_the_link_is_up(router: Router) -> None:
    dialer = resting(router)
    for _ in range(3):
        router.inbox.put(PacketCopied("packet", packet(SYN), SYN))
    until(lambda: "dial" in dialer.commands)
    dialer.tell(link(state=LinkState.DIALING))
    until(lambda: router.client.status().uplinks[0].state is LinkState.DIALING)
    trigger = router.client.status().uplinks[0].trigger
    assert trigger is not None
    assert trigger.text == f"A-box ({HOST}) sent TCP to {SERVER}, port 80"
    told = [entry.text for entry in router.client.log() if entry.code == "demand"]
    assert told == [f"modem1 dials, because {trigger.text}."]
    assert router.copies.sent == []
    dialer.tell(link())
    until(lambda: router.copies.sent == [SYN], "the packet is sent")
    assert dialer.commands.count("dial") == 1


def test_nothing_is_kept_and_nothing_dials_while_another_uplink_is_up(tmp_path: Path) -> None:
    cable = '\n[[uplink]]\nkind = "ethernet"\nname = "cable"\nport = "eth1"\n'
    router = Router(tmp_path, DOCUMENT + 'mode = "demand"\n' + cable)
    dialer = router.dialer("modem1", link(state=LinkState.IDLE, reason=REST))
    router.start()
    router.inbox.put(_cable_up())
    until(lambda: router.client.status().active == "cable")
    router.inbox.put(PacketCopied("packet", packet(SYN), SYN))
    router.client.status()
    assert "dial" not in dialer.commands
    router.close()


def test_a_person_who_hung_up_is_obeyed(router: Router) -> None:
    dialer = resting(router)
    dialer.tell(link(state=LinkState.IDLE, reason=Reason("disconnected", "By hand.")))
    until(lambda: router.applied()[1].demand == "", "the way to nowhere goes")
    router.inbox.put(PacketCopied("packet", packet(SYN), SYN))
    router.client.status()
    assert "dial" not in dialer.commands


def test_a_call_that_nobody_uses_is_hung_up(router: Router) -> None:
    dialer = resting(router)
    router.inbox.put(PacketCopied("packet", packet(SYN), SYN))
    until(lambda: "dial" in dialer.commands)
    dialer.tell(link())
    until(lambda: router.client.status().active == "modem1")
    router.applier.uses = {"tcp": 3}
    for passed in (20.0, 100.0):  # used at the first look, quiet since, but not for long enough
        router.clock.added_s += passed
        router.inbox.put(_nothing())
        router.client.status()
    assert "rest" not in dialer.commands
    router.clock.added_s += 60.0
    router.inbox.put(_nothing())
    until(lambda: "rest" in dialer.commands, "it is hung up")
    until(lambda: "idle_hung_up" in router.codes())


def _nothing() -> PacketCopied:
    """A message that only wakes the loop."""
    return PacketCopied("", packet(SYN), b"")


def _cable_up() -> LinkReported:
    return LinkReported(link("cable", kind="ethernet", interface="eth1"))


def test_why_it_dialed_is_told_on_the_command_line() -> None:
    trigger = Trigger(
        at=1.8e9, source=HOST, protocol="udp", destination=ROUTER, asked="web.example"
    )
    lines = link_lines(link(trigger=trigger), 1.8e9, active=True)
    assert f"  Dialed for 2027-01-15 08:00:00: {HOST} looked up web.example" in lines
