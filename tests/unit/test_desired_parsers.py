"""What the network code reads: leases and flows, from sources that may lie."""

from __future__ import annotations

from ipaddress import IPv4Network

import pytest
from hypothesis import given
from hypothesis import strategies as st
from masqgate.contract.status import Host
from masqgate.system import conntrack, leases

LAN = IPv4Network("192.168.77.0/24")
ACTIVE, OLD = "198.51.100.10", "198.51.100.99"
TCP = (
    "tcp      6 7499 ESTABLISHED src=192.168.77.11 dst=203.0.113.80 sport=5000 dport=80 "
    "src=203.0.113.80 dst=198.51.100.10 sport=80 dport=61000 [ASSURED] mark=0 use=1"
)
UNREPLIED = (
    "udp      17 119 src=192.168.77.11 dst=203.0.113.80 sport=5060 dport=7000 [UNREPLIED] "
    "src=203.0.113.80 dst=198.51.100.10 sport=7000 dport=5060 mark=0 use=1"
)
PING = (
    "icmp     1 59 src=192.168.77.11 dst=203.0.113.80 type=8 code=0 id=7 "
    "src=203.0.113.80 dst=198.51.100.10 type=0 code=0 id=7 mark=0 use=1"
)


def test_leases_by_address_with_clean_names() -> None:
    text = (
        "1700000600 AA:bb:cc:00:00:02 192.168.77.101 <b>x</b>;$(id) 01:aa\n"
        "1700000000 aa:bb:cc:00:00:01 192.168.77.100 * *\n"
        "duid 00:01:00:01:2a\n"
        "1700000000 00:01 fe80::1 six 00:01\n"
        "x y z\n\n"
    )
    assert leases.parse(text) == (
        Host(name="", mac="aa:bb:cc:00:00:01", address="192.168.77.100", expires_at=1.7e9),
        Host(
            name="bxbid", mac="aa:bb:cc:00:00:02", address="192.168.77.101", expires_at=1700000600
        ),
    )


@given(st.text())
def test_names_hold_nothing_but_letters_digits_and_three_signs(name: str) -> None:
    cleaned = leases.clean_name(name)
    assert len(cleaned) <= 63
    assert all(
        c in "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-" for c in cleaned
    )


@given(st.text())
def test_no_text_breaks_the_parsers(text: str) -> None:
    leases.parse(text)
    conntrack.parse(text)


@given(st.lists(st.sampled_from([*TCP.split(), "src=", "sport=x", "dst=::1", "6", "99999"])))
def test_no_mangled_flow_breaks_the_parser(words: list[str]) -> None:
    flow = conntrack.parse(" ".join(words))
    if flow is not None:
        conntrack.is_stale(flow, LAN, ACTIVE, {ACTIVE})


def test_a_flow_has_both_tuples() -> None:
    flow = conntrack.parse(TCP)
    assert flow is not None
    assert (flow.protocol, flow.state, flow.timeout_s) == ("tcp", "ESTABLISHED", 7499)
    assert (flow.source, flow.source_port) == ("192.168.77.11", 5000)
    assert (flow.destination, flow.destination_port) == ("203.0.113.80", 80)
    assert (flow.reply_destination, flow.reply_destination_port) == (ACTIVE, 61000)
    assert flow.masqueraded


def test_flows_without_state_or_ports() -> None:
    udp, ping = conntrack.parse(UNREPLIED), conntrack.parse(PING)
    assert udp is not None and ping is not None
    assert (udp.state, udp.reply_destination_port) == ("", 5060)
    assert (ping.protocol, ping.source_port, ping.reply_destination) == ("icmp", None, ACTIVE)


def flow(source: str, destination: str, seen: str) -> conntrack.Tracked:
    return conntrack.Tracked("udp", source, destination, destination, seen)


@pytest.mark.parametrize(
    ("source", "destination", "seen", "stale"),
    [
        ("192.168.77.11", "203.0.113.80", ACTIVE, False),
        ("192.168.77.11", "203.0.113.80", OLD, True),
        ("192.168.77.11", "203.0.113.80", "192.168.77.11", True),  # missed the masquerade
        ("192.168.77.11", "192.168.77.1", "192.168.77.11", False),
        ("192.168.77.11", "224.0.0.251", "192.168.77.11", False),
        ("192.168.77.11", ACTIVE, "192.168.77.11", False),
        ("192.168.77.11", OLD, "192.168.77.11", True),
        ("192.168.77.1", "192.168.77.11", "192.168.77.1", False),
        (ACTIVE, "203.0.113.80", ACTIVE, False),
        (OLD, "203.0.113.80", OLD, True),
        ("127.0.0.1", "127.0.0.1", "127.0.0.1", False),
        ("0.0.0.0", "255.255.255.255", "0.0.0.0", False),
    ],
)
def test_what_is_stale(source: str, destination: str, seen: str, stale: bool) -> None:
    assert conntrack.is_stale(flow(source, destination, seen), LAN, ACTIVE, {ACTIVE}) is stale


def test_without_an_active_uplink_every_masqueraded_flow_is_stale() -> None:
    assert conntrack.is_stale(flow("192.168.77.11", "203.0.113.80", OLD), LAN, "", set())
    assert not conntrack.is_stale(
        flow("192.168.77.11", "192.168.77.1", "192.168.77.11"), LAN, "", set()
    )
