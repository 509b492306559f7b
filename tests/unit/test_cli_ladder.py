"""The self-test's trials against real sockets, and its ICMP as bytes."""

from __future__ import annotations

import os
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from masqgate.core import icmp
from masqgate.core.ladder import Step
from masqgate.system import ladder
from masqgate.system.ladder import attempt
from masqgate.system.ping import ping

ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="raw sockets need root")


def step(kind: str, target: str, port: int = 0, size: int = 56) -> Step:
    return Step(1, "A step", kind, "It means this.", target, port, size)  # type: ignore[arg-type]


@contextmanager
def answering(reply: bytes) -> Iterator[int]:
    """A TCP server that says one thing to whoever asks; yields its port."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            try:
                while True:
                    sock, _ = server.accept()
                    with sock:
                        sock.recv(4096)
                        sock.sendall(reply)
            except OSError:
                pass

        threading.Thread(target=serve, daemon=True).start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)


def test_a_tcp_connection() -> None:
    with answering(b"") as port:
        assert attempt(step("tcp", "127.0.0.1", port)).verdict == "good"
    result = attempt(step("tcp", "127.0.0.1", 1))
    assert (result.verdict, result.text) == ("failed", "connection refused")


@pytest.mark.parametrize(
    ("reply", "verdict", "text"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", "good", "answers 200 with 2 bytes"),
        (b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n", "good", "answers 302"),
        (b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", "failed", "answers 503"),
        (b"\x00\x01\r\n\r\n", "failed", "no HTTP"),
        (b"", "failed", ""),
    ],
)
def test_a_web_page(reply: bytes, verdict: str, text: str) -> None:
    with answering(reply) as port:
        result = attempt(step("page", f"http://127.0.0.1:{port}/"))
    assert result.verdict == verdict
    assert text in result.text


def test_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    assert attempt(step("name", "localhost")).verdict == "good"

    def unknown(name: str) -> str:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "gethostbyname", unknown)
    result = attempt(step("name", "www.example"))
    assert result.verdict == "failed"
    assert result.text == "www.example: name or service not known"


def test_a_resolver_that_hangs_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()
    monkeypatch.setattr(ladder, "NAME_S", 0.05)
    monkeypatch.setattr(socket, "gethostbyname", lambda name: str(release.wait(60)))
    result = attempt(step("name", "www.example"))
    release.set()
    assert result.text == "www.example: no answer within 0 s"


@ROOT
def test_pings() -> None:
    assert ping("127.0.0.1")
    assert ping("127.0.0.1", 1472)
    assert attempt(step("large", "127.0.0.1", size=1472)).verdict == "good"
    assert not ping("not an address")
    beyond = ping("127.0.0.1", 65_000 + 600)
    assert beyond.ms is None


def test_a_skipped_step_is_not_tried() -> None:
    one = Step(1, "A step", "tcp", "It means this.", skip="no uplink is up")
    assert attempt(one).verdict == "skipped"


def packet(payload: bytes, protocol: int = 1) -> bytes:
    """An IPv4 packet, checksum left out."""
    head = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), 0, 0, 64, protocol, 0,
                       bytes(4), bytes(4))  # fmt: skip
    return head + payload


def reply_to(request: bytes) -> bytes:
    return bytes([icmp.ECHO_REPLY]) + request[1:]


def test_a_request_has_its_size_and_a_good_checksum() -> None:
    for size in (0, 1, 56, 1472):
        request = icmp.echo_request(7, 3, size)
        assert len(request) == 8 + size
        assert icmp.checksum(request) == 0


def test_the_checksum_of_rfc_1071() -> None:
    data = bytes([0x00, 0x01, 0xF2, 0x03, 0xF4, 0xF5, 0xF6, 0xF7])
    assert icmp.checksum(data) == ~0xDDF2 & 0xFFFF


def test_only_answers_to_our_own_requests_count() -> None:
    ours, other = icmp.echo_request(7, 3, 8), icmp.echo_request(8, 3, 8)
    assert icmp.parse(packet(reply_to(ours)), 7) == icmp.Answer(3)
    assert icmp.parse(packet(reply_to(other)), 7) is None
    assert icmp.parse(packet(ours), 7) is None, "an echo of the request itself"


def test_what_routers_say_is_understood() -> None:
    ours = icmp.echo_request(7, 3, 8)
    for kind, code, text in (
        (icmp.UNREACHABLE, 0, "the network is unreachable"),
        (icmp.UNREACHABLE, 13, "forbidden by a filter"),
        (icmp.UNREACHABLE, 99, "the destination is unreachable"),
        (icmp.TIME_EXCEEDED, 0, "the packet went round in circles"),
    ):
        message = struct.pack(">BBHI", kind, code, 0, 0) + packet(ours)
        assert icmp.parse(packet(message), 7) == icmp.Answer(3, text)
    message = struct.pack(">BBHI", icmp.UNREACHABLE, 0, 0, 0) + packet(icmp.echo_request(8, 3, 8))
    assert icmp.parse(packet(message), 7) is None


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=80) | st.binary(max_size=60).map(packet))
def test_no_packet_breaks_it(data: bytes) -> None:
    answer = icmp.parse(data, 7)
    assert answer is None or isinstance(answer, icmp.Answer)
