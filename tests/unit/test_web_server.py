"""The page's worker: what its deadline does to a connection."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from masqgate.contract.config import Config
from masqgate.system.certificate import certificate_for
from masqgate_web.server import Worker


class Connection:
    """What gunicorn keeps of one."""

    def __init__(self, sock: ssl.SSLSocket) -> None:
        self.sock = sock


@pytest.fixture
def pair(tmp_path: Path) -> tuple[ssl.SSLSocket, ssl.SSLSocket]:
    """Server and client of one encrypted connection."""
    kept = tmp_path / "page.pem"
    certificate_for(Config(), kept)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(kept)
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
    one, two = socket.socketpair()
    ours = server.wrap_socket(one, server_side=True, do_handshake_on_connect=False)
    shaking = threading.Thread(target=ours.do_handshake)
    shaking.start()
    theirs = client.wrap_socket(two)
    shaking.join()
    return ours, theirs


def test_an_answer_after_the_deadline_is_still_encrypted(
    pair: tuple[ssl.SSLSocket, ssl.SSLSocket],
) -> None:
    ours, theirs = pair
    worker = Worker.__new__(Worker)
    worker.tmp = SimpleNamespace(notify=lambda: None)
    worker._lock = threading.Lock()
    worker._reading = {Connection(ours): time.monotonic() - 1}
    worker.notify()
    assert worker._reading == {}
    ours.sendall(b"an answer")
    assert theirs.recv(100) == b"an answer"
    assert ours.recv(100) == b""  # and nothing more is read
