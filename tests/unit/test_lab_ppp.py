"""The lab's PPP peer: frames, authentication arithmetic, and whole dialogues without I/O."""

from __future__ import annotations

import random
from ipaddress import IPv4Address

import pytest

from tests.lab import hdlc
from tests.lab.ppp_auth import (
    Auth,
    Credentials,
    authenticator_response,
    challenge_hash,
    chap_md5,
    nt_password_hash,
    nt_response,
)
from tests.lab.ppp_fsm import Code, Option, pack_options, packet, parse_options
from tests.lab.ppp_options import PeerFaults, PeerSettings
from tests.lab.ppp_peer import LCP, Phase, PppPeer

ACCOUNT = Credentials("masqgate", "lab-secret")
ISP = IPv4Address("198.51.100.1")
CLIENT = IPv4Address("198.51.100.100")
DNS = IPv4Address("198.51.100.53")

# RFC 2759, section 9.2
AUTH_CHALLENGE = bytes.fromhex("5B5D7C7D7B3F2F3E3C2C602132262628")
PEER_CHALLENGE = bytes.fromhex("21402324255E262A28295F2B3A337C7E")


def server_settings(auth: Auth | None = Auth.CHAP) -> PeerSettings:
    return PeerSettings(
        require=auth, accounts=(ACCOUNT,), own_address=ISP, peer_address=CLIENT, dns=(DNS,)
    )


def client_settings(login: Credentials | None = ACCOUNT) -> PeerSettings:
    return PeerSettings(name="router", login=login, ask_dns=True)


class Link:
    """A server and a client joined by a perfect line, on a clock of its own."""

    def __init__(self, server: PeerSettings, client: PeerSettings, **faults: object) -> None:
        self.now = 0.0
        self.faults = PeerFaults(**faults)  # type: ignore[arg-type]
        self.server = PppPeer(server, self.faults, random=random.Random(1).randbytes)
        self.client = PppPeer(client, random=random.Random(2).randbytes)
        self.server.start(0.0)
        self.client.start(0.0)
        self.settle()

    def settle(self) -> None:
        for _ in range(200):
            to_client, to_server = self.server.take_output(), self.client.take_output()
            if not to_client and not to_server:
                return
            self.client.receive(to_client, self.now)
            self.server.receive(to_server, self.now)
        raise AssertionError("the peers never stop talking")

    def run(self, seconds: float) -> None:
        end = self.now + seconds
        for _ in range(1000):
            due = [t for t in (self.server.deadline, self.client.deadline) if t is not None]
            if not due or min(due) > end:
                break
            self.now = min(due)
            self.server.tick(self.now)
            self.client.tick(self.now)
            self.settle()
        self.now = end


def test_fcs_of_the_classic_check_string() -> None:
    assert hdlc.fcs16(b"123456789") ^ 0xFFFF == 0x906E  # CRC-16/X-25 check value


def test_a_frame_seen_on_a_real_line_decodes() -> None:
    """pppd's first Configure-Request, as RFC 1662 escapes it with the default ACCM."""
    frame = hdlc.Frame(LCP, packet(Code.CONF_REQ, 1, pack_options([Option(2, bytes(4))])))
    wire = hdlc.encode(frame, hdlc.FramingOptions())
    assert wire.startswith(bytes.fromhex("7eff7d23c0217d217d217d207d2a7d227d26"))
    assert hdlc.Decoder().feed(wire) == [frame]


@pytest.mark.parametrize("accm", [0, 0xFFFFFFFF, 0x000A0000])
def test_every_byte_survives_framing_in_single_bytes(accm: int) -> None:
    frame = hdlc.Frame(0x21, bytes(range(256)) * 2)
    wire = hdlc.encode(frame, hdlc.FramingOptions(accm, True, True))
    decoder = hdlc.Decoder()
    got = [f for byte in wire for f in decoder.feed(bytes([byte]))]
    assert got == [frame] and decoder.bad_frames == 0


def test_damage_is_counted_and_the_next_frame_still_decodes() -> None:
    decoder = hdlc.Decoder()
    wire = hdlc.encode(hdlc.Frame(0x21, b"hello"), hdlc.FramingOptions())
    assert decoder.feed(wire.replace(b"hello", b"hellp")) == []
    assert decoder.bad_frames == 1
    assert len(decoder.feed(b"garbage" + wire)) == 1
    decoder.feed(b"x" * 1_000_000)
    assert len(decoder._buffer) <= hdlc.MAX_FRAME


def test_chap_md5_is_md5_of_identifier_secret_challenge() -> None:
    value = chap_md5(1, "secret", b"challenge")
    assert value.hex() == __import__("hashlib").md5(b"\x01secretchallenge").hexdigest()


def test_mschapv2_vectors_of_rfc_2759() -> None:
    assert challenge_hash(PEER_CHALLENGE, AUTH_CHALLENGE, "User").hex() == "d02e4386bce91226"
    assert nt_password_hash("clientPass").hex() == "44ebba8d5312b8d611474411f56989ae"
    response = nt_response(AUTH_CHALLENGE, PEER_CHALLENGE, "User", "clientPass")
    assert response.hex() == "82309ecd8d708b5ea08faa3981cd83544233114a3d85d6df"
    assert (
        authenticator_response("clientPass", response, PEER_CHALLENGE, AUTH_CHALLENGE, "User")
        == "S=407A5589115FD0D6209F510FE9C04566932CDA56"
    )


def test_options_with_broken_lengths_are_refused() -> None:
    assert parse_options(b"\x01\x04\x05\xdc") == [Option(1, b"\x05\xdc")]
    assert parse_options(b"\x01\x01") is None
    assert parse_options(b"\x01\x09\x00") is None


@pytest.mark.parametrize("auth", [None, Auth.PAP, Auth.CHAP, Auth.MSCHAPV2])
def test_a_call_comes_up_and_carries_packets(auth: Auth | None) -> None:
    link = Link(server_settings(auth), client_settings())
    assert (link.server.phase, link.client.phase) == (Phase.UP, Phase.UP)
    assert link.client.own_address == CLIENT and link.client.peer_address == ISP
    assert link.client.ipcp_policy.dns == [DNS, DNS]
    assert link.server.user == ("masqgate" if auth else "")
    assert link.client.send_packet(b"E" * 1500)
    link.settle()
    assert link.server.take_packets() == [b"E" * 1500]


@pytest.mark.parametrize("auth", [Auth.PAP, Auth.CHAP, Auth.MSCHAPV2])
def test_a_wrong_password_ends_the_call_with_a_message(auth: Auth) -> None:
    link = Link(server_settings(auth), client_settings(Credentials("masqgate", "wrong")))
    link.run(60)
    assert (link.server.phase, link.client.phase) == (Phase.DEAD, Phase.DEAD)
    assert any("failed" in line and "Login incorrect" in line for line in link.client.log)


def test_refused_authentication_gives_the_scripted_message() -> None:
    link = Link(server_settings(), client_settings(), refuse_auth="No credit")
    assert any("No credit" in line for line in link.client.log)


def test_a_client_without_a_password_is_not_let_in() -> None:
    link = Link(server_settings(), client_settings(login=None))
    link.run(60)
    assert link.server.phase is Phase.DEAD
    assert "the peer refuses to authenticate" in link.server.log


def test_echo_is_answered_until_told_not_to() -> None:
    link = Link(server_settings(), client_settings())
    link.client.send_echo(link.now)
    link.settle()
    assert link.server.echoes_answered == 1
    link.faults.no_echo = True
    link.client.send_echo(link.now)
    link.settle()
    assert link.server.echoes_answered == 1


def test_termination_reaches_both_ends() -> None:
    link = Link(server_settings(), client_settings())
    link.server.terminate(link.now)
    link.settle()
    assert (link.server.phase, link.client.phase) == (Phase.DEAD, Phase.DEAD)


def test_silence_and_hang_say_nothing_and_await_nothing() -> None:
    link = Link(server_settings(), client_settings(), lcp_silent=True)
    link.run(120)
    assert link.client.phase is Phase.DEAD and "LCP down: time-out" in link.client.log
    link = Link(server_settings(), client_settings())
    link.faults.hang = True
    assert not link.server.send_packet(b"E") and link.server.deadline is None


def test_faults_of_ipcp_have_their_names() -> None:
    link = Link(server_settings(), client_settings(), no_dns=True)
    assert link.client.phase is Phase.UP
    assert link.client.ipcp_policy.dns == [IPv4Address(0), IPv4Address(0)]
    link = Link(server_settings(), client_settings(), zero_address=True)
    assert link.client.own_address == IPv4Address(0)
    link = Link(server_settings(), client_settings(), reject_ipcp=True)
    link.run(30)
    assert link.client.phase is Phase.DEAD
    link = Link(server_settings(), client_settings(), nak_loop=True)
    link.run(120)
    assert link.client.phase is not Phase.UP


def test_a_server_may_ask_for_its_own_address() -> None:
    client = PeerSettings(
        login=ACCOUNT, own_address=IPv4Address("10.0.0.9"), peer_address=IPv4Address("10.0.0.1")
    )
    link = Link(server_settings(), client, ask_own_address=True)
    link.run(1)
    assert link.server.own_address == IPv4Address("10.0.0.1")


def test_unknown_protocols_and_codes_are_rejected() -> None:
    link = Link(server_settings(), client_settings())
    ccp = hdlc.Frame(0x80FD, packet(Code.CONF_REQ, 1))
    link.server.receive(hdlc.encode(ccp, hdlc.FramingOptions()), link.now)
    reply = hdlc.Decoder().feed(link.server.take_output())
    assert reply[0].payload[0] == Code.PROTO_REJ and reply[0].payload[4:6] == b"\x80\xfd"
    odd = hdlc.Frame(LCP, packet(77, 5))
    link.server.receive(hdlc.encode(odd, hdlc.FramingOptions()), link.now)
    assert hdlc.Decoder().feed(link.server.take_output())[0].payload[0] == Code.CODE_REJ


def test_the_peer_may_renegotiate_lcp_in_mid_call() -> None:
    link = Link(server_settings(), client_settings())
    link.client = PppPeer(client_settings(), random=random.Random(9).randbytes)
    link.client.start(link.now)
    link.settle()
    link.run(10)
    assert (link.server.phase, link.client.phase) == (Phase.UP, Phase.UP)
