"""The page's process: what clients that misbehave do to those that do not."""

from __future__ import annotations

import contextlib
import http.client
import socket
import threading
from urllib.parse import urlsplit

import pytest

from tests.browser.conftest import Visit

THREADS = 8
LIMIT_S = 120  # never reached unless the page is blocked for good


def connect(url: str) -> socket.socket:
    place = urlsplit(url)
    return socket.create_connection((str(place.hostname), place.port or 80), LIMIT_S)


@pytest.mark.parametrize(
    "beginning",
    [
        b"GET / HTTP/1.1\r\nHost: localhost\r\n",
        b"POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n"
        b"Content-Type: application/x-www-form-urlencoded\r\n"
        b"Cookie: masqgate=" + b"A" * 43 + b"\r\n\r\nform",
    ],
)
def test_clients_that_stop_in_the_middle_hold_nobody_up(visit: Visit, beginning: bytes) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(THREADS):
            stack.enter_context(connect(visit.url)).sendall(beginning)
        place = urlsplit(visit.url)
        browser = http.client.HTTPConnection(str(place.hostname), place.port, timeout=LIMIT_S)
        browser.request("GET", "/", headers={"Host": "localhost"})
        assert browser.getresponse().status == 200
        browser.close()


def test_clients_that_drip_hold_nobody_up(visit: Visit) -> None:
    """They are never silent for long, and never done."""
    done = threading.Event()

    def drip(client: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while not done.wait(2):
                client.sendall(b"a")

    beginnings = (
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX: ",
        b"POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n"
        b"Content-Type: application/x-www-form-urlencoded\r\n\r\npassword=",
    )
    with contextlib.ExitStack() as stack:
        stack.callback(done.set)
        for number in range(THREADS):
            client = stack.enter_context(connect(visit.url))
            client.sendall(beginnings[number % 2])
            threading.Thread(target=drip, args=(client,), daemon=True).start()
        place = urlsplit(visit.url)
        browser = http.client.HTTPConnection(str(place.hostname), place.port, timeout=LIMIT_S)
        browser.request("GET", "/", headers={"Host": "localhost"})
        assert browser.getresponse().status == 200
        browser.close()


@pytest.mark.parametrize(
    "request_text",
    [
        b"GET / HTTP/1.0\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: \xff\xfe\r\n\r\n",
        b"GET http://evil.example/ HTTP/1.1\r\nHost: evil.example\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n",
        b"nonsense\r\n\r\n",
        b"POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: -5\r\n\r\n",
        b"POST /login HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /static/../../site.py HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /static/%2e%2e/site.py HTTP/1.1\r\nHost: localhost\r\n\r\n",
    ],
)
def test_odd_requests_are_refused(visit: Visit, request_text: bytes) -> None:
    with connect(visit.url) as client:
        client.sendall(request_text)
        with contextlib.suppress(ConnectionResetError):
            answer = client.recv(65536)
            assert answer[:13].startswith((b"HTTP/1.1 4", b"HTTP/1.0 4")), answer[:200]


@pytest.mark.parametrize(
    "body", [b"a" * 65536, b"1\r\na\r\n0\r\n" + b"x" * 65536, b"5\r\nhello\r\n0\r\n\r\n"]
)
def test_a_body_in_chunks_is_not_read(visit: Visit, body: bytes) -> None:
    """The first two are lines without an end, as it seems."""
    head = b"POST /login HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
    with connect(visit.url) as client:
        client.sendall(head)
        assert client.recv(64).startswith(b"HTTP/1.1 411")
        with contextlib.suppress(OSError):
            client.sendall(body)
            while client.recv(65536):
                pass


def test_a_body_that_is_too_large_is_refused_unread(visit: Visit) -> None:
    head = b"POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 900000000\r\n\r\n"
    with connect(visit.url) as client:
        client.sendall(head)
        assert client.recv(64).startswith((b"HTTP/1.1 413", b"HTTP/1.1 403"))
