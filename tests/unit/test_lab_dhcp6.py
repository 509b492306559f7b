"""The lab's delegating router, against packets and a reader that nobody here wrote."""

from __future__ import annotations

from ipaddress import IPv6Address, IPv6Network

from scapy.layers.dhcp6 import (
    DUID_LL,
    DHCP6_Advertise,
    DHCP6_Release,
    DHCP6_Reply,
    DHCP6_Request,
    DHCP6_Solicit,
    DHCP6OptClientId,
    DHCP6OptIA_PD,
    DHCP6OptIAPrefix,
    DHCP6OptServerId,
)
from scapy.layers.inet import UDP
from scapy.layers.inet6 import IPv6
from scapy.packet import Packet

from tests.lab.dhcp6 import Delegating

SERVER = Delegating(IPv6Address("fe80::1"), IPv6Network("2001:db8:100::/56"))
ME = DHCP6OptClientId(duid=DUID_LL(lladdr="02:00:00:00:00:01"))


def asked(message: Packet, *options: Packet, target: str = "ff02::1:2") -> Packet | None:
    packet = IPv6(src="fe80::7", dst=target, hlim=1) / UDP(sport=546, dport=547) / message
    for option in (ME, *options):
        packet = packet / option
    answer = SERVER.answer(bytes(packet))
    return None if answer is None else IPv6(answer)


def test_who_asks_is_offered_a_prefix_and_gets_it() -> None:
    for question, answer in ((DHCP6_Solicit, DHCP6_Advertise), (DHCP6_Request, DHCP6_Reply)):
        found = asked(question(trid=7), DHCP6OptIA_PD(iaid=1))
        assert found is not None
        assert (found.src, found.dst, found[UDP].dport) == ("fe80::1", "fe80::7", 546)
        assert found[answer].trid == 7
        assert found[DHCP6OptIA_PD].iaid == 1
        given = found[DHCP6OptIAPrefix]
        assert (given.prefix, given.plen, given.validlft) == ("2001:db8:100::", 56, 3600)
        assert DHCP6OptServerId in found
        checksum, found[UDP].chksum = found[UDP].chksum, None
        assert IPv6(bytes(found))[UDP].chksum == checksum


def test_a_release_is_acknowledged_without_a_prefix() -> None:
    found = asked(DHCP6_Release(trid=1), DHCP6OptIA_PD(iaid=1))
    assert found is not None
    assert DHCP6OptIAPrefix not in found


def test_what_is_not_for_a_server_is_left_alone() -> None:
    assert asked(DHCP6_Solicit(), target="fe80::1") is None
    assert SERVER.answer(b"\x45" + b"\0" * 60) is None
    assert SERVER.answer(b"") is None
    assert SERVER.answer(bytes(IPv6(dst="ff02::1:2") / UDP(dport=547))) is None
