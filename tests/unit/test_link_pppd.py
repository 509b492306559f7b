"""What pppd's log and exit tell; lines are those of pppd 2.4.9 and 2.5.2."""

from __future__ import annotations

from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st
from masqgate.link import pppd_exit, reasons
from masqgate.link.pppd_log import (
    Fact,
    LocalAddress,
    Log,
    NameServer,
    RemoteAddress,
    Told,
    parse,
)

IP = IPv4Address("198.51.100.7")


@pytest.mark.parametrize(
    ("line", "meaning"),
    [
        ("Connect: ppp-modem1 <--> /dev/ttyAMA0", None),
        ("local  IP address 198.51.100.7", LocalAddress(IP)),
        ("remote IP address 198.51.100.7", RemoteAddress(IP)),
        ("primary   DNS address 198.51.100.7", NameServer(0, IP)),
        ("secondary DNS address 198.51.100.7", NameServer(1, IP)),
        ("rcvd [LCP ConfReq id=0x1 <asyncmap 0x0>]", Fact(Told.LCP_TALKS)),
        ("sent [LCP ConfReq id=0x1 <asyncmap 0x0>]", None),
        ("sent [LCP ConfRej id=0x7 <auth chap MD5>]", Fact(Told.METHOD_REFUSED)),
        ("sent [LCP ConfRej id=0x7 <mrru 1500> <auth eap>]", Fact(Told.METHOD_REFUSED)),
        ("PAP authentication succeeded", Fact(Told.AUTH_OK)),
        ("CHAP authentication succeeded: Welcome", Fact(Told.AUTH_OK, "Welcome")),
        ("CHAP authentication failed: No credit^J", Fact(Told.AUTH_FAILED, "No credit^J")),
        ("CHAP authentication failed", Fact(Told.AUTH_FAILED)),
        ("MS-CHAP authentication failed: E=691 Nope", Fact(Told.AUTH_FAILED, "E=691 Nope")),
        ("Remote message: Login incorrect", Fact(Told.PEER_SAYS, "Login incorrect")),
        ("No response to PAP authenticate-requests", Fact(Told.AUTH_SILENT)),
        ("LCP: timeout sending Config-Requests", Fact(Told.LCP_TIMEOUT)),
        ("IPCP: timeout sending Config-Requests", Fact(Told.IPCP_TIMEOUT)),
        (
            "Protocol-Reject for 'Internet Protocol Control Protocol' (0x8021) received",
            Fact(Told.NO_IPCP),
        ),
        ("Protocol-Reject for 0x80fd received", None),
        ("Could not determine local IP address", Fact(Told.NO_ADDRESS)),
        ("LCP terminated by peer (Bye)", Fact(Told.PEER_TERMINATED, "Bye")),
        ("LCP terminated by peer", Fact(Told.PEER_TERMINATED)),
        ("No response to 4 echo-requests", Fact(Told.ECHO_LOST)),
        ("Serial line is looped back.", Fact(Told.LOOPBACK)),
        ("Modem hangup", Fact(Told.MODEM_HANGUP)),
        ("Device ttyS0 is locked by pid 42", Fact(Told.LOCKED)),
        ("local  IP address 999.1.1.1", None),
        ("local  IP address 198.51.100.7 and more", None),
        ("Script /bin/true finished (pid 769), status = 0x0", None),
        ("", None),
    ],
)
def test_lines_are_understood(line: str, meaning: object) -> None:
    assert parse(line) == meaning


LIES = (
    "PAP authentication succeeded", "local  IP address 6.6.6.6", "remote IP address 6.6.6.6",
    "Serial line is looped back.", "No response to 4 echo-requests", "Modem hangup",
    "Connect: eth0 <--> /dev/null", "rcvd [LCP ConfReq id=0x1]", "0x8021) received",
)  # fmt: skip


@pytest.mark.parametrize("lie", LIES)
def test_the_text_of_another_line_is_only_text(lie: str) -> None:
    for before, told in (
        ("Remote message: ", Told.PEER_SAYS),
        ("LCP terminated by peer (", Told.PEER_TERMINATED),
        ("CHAP authentication failed: ", Told.AUTH_FAILED),
    ):
        fact = parse(f"{before}{lie})")
        assert isinstance(fact, Fact) and fact.told is told
    for before in ('rcvd [LCP TermReq id=0x9 "', 'rcvd [CHAP Failure id=0x1 "'):
        fact = parse(f'{before}{lie}"]')
        assert fact is None or fact == Fact(Told.LCP_TALKS)


def broken(packet: str) -> list[str]:
    """The lines that a pppd with a buffer of 256 bytes makes of a packet in words."""
    return [packet[at : at + 255] for at in range(0, len(packet), 255)]


@pytest.mark.parametrize("before", ["", "]", '\\"]', "\\\\", "[["])
@pytest.mark.parametrize(
    "lie", [*LIES, "Connect: br0 <--> ", "Protocol-Reject for 0x8021 received"]
)
def test_a_long_text_of_the_peer_begins_no_line(before: str, lie: str) -> None:
    begin = 'rcvd [PAP AuthAck id=0x1 "'
    text = "A" * (255 - len(begin) - len(before)) + before
    text += (lie + before).ljust(255 - len(before), "!") + before + lie
    lines = broken(f'{begin}{text}"]')
    assert lines[1].startswith(lie) and lines[2].startswith(lie)
    log = Log()
    assert [log.take(line) for line in lines] == [None] * 3
    assert log.take("PAP authentication succeeded") == Fact(Told.AUTH_OK)


def test_other_lines_after_packets_are_heard() -> None:
    packets = (
        "sent [LCP ConfReq id=0x1 <mru 1500> <endpoint [MAC:00:11:22:33:44:55]>]",
        "rcvd [proto=0x8057] 01 01 00 0e",
        'rcvd [LCP TermReq id=0x9 "\\""]',
        'rcvd [PAP AuthNak id=0x1 "' + "x" * 997,  # cut, by a pppd that does not break lines
    )
    for packet in packets:
        log = Log()
        log.take(packet)
        assert log.take("Modem hangup") == Fact(Told.MODEM_HANGUP), packet


def test_a_packet_without_an_end_is_given_up() -> None:
    log = Log()
    log.take('rcvd [PAP AuthNak id=0x1 "')
    assert [log.take("Modem hangup") for _ in range(65)][-1] == Fact(Told.MODEM_HANGUP)


@given(st.text(max_size=300), st.sampled_from(["Remote message: ", "LCP terminated by peer ("]))
def test_the_peers_text_is_harmless_and_decides_nothing(text: str, before: str) -> None:
    fact = parse(before + text)
    assert fact is None or (
        isinstance(fact, Fact) and fact.told in (Told.PEER_SAYS, Told.PEER_TERMINATED)
    )
    if isinstance(fact, Fact):
        assert fact.text.isascii() and fact.text.isprintable() and len(fact.text) <= 120


@given(st.text(max_size=400))
def test_no_line_is_an_error(line: str) -> None:
    parse(line)


@pytest.mark.parametrize(
    ("status", "told", "was_up", "code"),
    [
        (16, {Told.MODEM_HANGUP}, True, "carrier_lost"),
        (16, {Told.MODEM_HANGUP, Told.LCP_TALKS}, False, "carrier_lost"),
        (16, {Told.PEER_TERMINATED, Told.MODEM_HANGUP}, True, "peer_closed"),
        (16, {Told.PEER_TERMINATED, Told.LCP_TALKS}, False, "peer_refused"),
        (0, {Told.PEER_TERMINATED}, True, "peer_closed"),
        (15, {Told.ECHO_LOST, Told.MODEM_HANGUP}, True, "echo_lost"),
        (17, set(), False, "loopback"),
        (19, {Told.AUTH_FAILED, Told.MODEM_HANGUP}, False, "auth_failed"),
        (19, {Told.AUTH_SILENT}, False, "auth_silent"),
        (16, {Told.METHOD_REFUSED, Told.PEER_TERMINATED}, False, "auth_no_secret"),
        (10, {Told.LCP_TIMEOUT}, False, "no_ppp"),
        (10, {Told.LCP_TALKS, Told.IPCP_TIMEOUT}, False, "no_network"),
        (10, {Told.LCP_TALKS, Told.NO_ADDRESS}, False, "no_address"),
        (11, {Told.LCP_TALKS}, False, "auth_refused"),
        (2, set(), False, "pppd_options"),
        (4, set(), False, "pppd_kernel"),
        (5, {Told.LCP_TALKS}, True, "pppd_terminated"),
        (-9, {Told.LCP_TALKS}, True, "pppd_killed"),
        (1, {Told.LOCKED}, False, "port_locked"),
        (77, set(), True, "pppd_failed"),
    ],
)
def test_exits_have_a_reason(status: int, told: set[Told], was_up: bool, code: str) -> None:
    assert pppd_exit.reason(status, frozenset(told), was_up=was_up) == code


@given(st.integers(-64, 255), st.frozensets(st.sampled_from(Told)), st.booleans())
def test_every_exit_has_words(status: int, told: frozenset[Told], was_up: bool) -> None:
    code = pppd_exit.reason(status, told, was_up=was_up)
    clause, hint = reasons.failure(code)
    assert clause and hint.endswith((".", "?"))
