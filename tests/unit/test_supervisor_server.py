"""The supervisor's socket, attacked: who may call, sizes, times, garbage, defects."""

from __future__ import annotations

import contextlib
import os
import socket
import stat
import struct
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from masqgate.contract import calls, framing
from masqgate.contract.calls import Reply
from masqgate.contract.client import Client
from masqgate.contract.codec import from_json
from masqgate.contract.errors import MasqgateError
from masqgate.core.messages import Message
from masqgate.system import server as module
from masqgate.system.server import Limits, Server

from tests.unit.router import until

ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become another user")
PROGRAM = """\
import os, sys
from pathlib import Path
from masqgate.contract.client import Client
from masqgate.contract.errors import MasqgateError
os.setuid(int(sys.argv[2]))
try:
    getattr(Client(Path(sys.argv[1]), 20.0), sys.argv[3])()
    print("done")
except MasqgateError as error:
    print(error.code)
"""


class Bench:
    """A server whose calls are answered by a function."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "supervisor.sock"
        self.made: list[Message] = []
        self.answer: Callable[[Any], Any] = lambda made: calls.Nothing()
        self.server = Server(self.path, self._post, web_uid=60_001, limits=Limits(4, 4))
        self.client = Client(self.path, 20.0)

    def _post(self, message: Any) -> None:
        self.made.append(message)
        message.answer(self.answer(message))

    def connect(self) -> socket.socket:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.settimeout(20.0)
        sock.connect(str(self.path))
        return sock

    def raw(self, payload: bytes) -> Reply | None:
        with self.connect() as sock:
            framing.send(sock, payload)
            data = framing.receive(sock)
        return None if data is None else from_json(data, Reply)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.server.close()


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user may enter."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def code(call: Callable[[], object]) -> str:
    with pytest.raises(MasqgateError) as caught:
        call()
    return caught.value.code


def test_only_root_and_the_pages_group_can_reach_the_socket(bench: Bench) -> None:
    assert stat.S_IMODE(bench.path.stat().st_mode) == 0o660


def test_a_call_arrives_with_its_types_and_its_caller(bench: Bench) -> None:
    bench.client.connect("modem1")
    (made,) = bench.made
    assert made.call is calls.CONNECT  # type: ignore[union-attr]
    assert made.arguments == calls.UplinkName("modem1")  # type: ignore[union-attr]
    assert made.peer.pid == os.getpid()  # type: ignore[union-attr]
    assert made.peer.root  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("payload", "wanted"),
    [
        (b"", "bad_request"),
        (b"\0\xff\xfe", "bad_request"),
        (b"[]", "bad_request"),
        (b'{"call": 7}', "bad_request"),
        (b"[" * 100_000, "bad_request"),
        (b'{"call": "__class__"}', "unknown_call"),
        (b'{"call": "' + b"x" * 10_000 + b'"}', "unknown_call"),
        (b'{"call": "connect", "arguments": {"uplink": 7}}', "bad_arguments"),
        (b'{"call": "connect", "arguments": {"name": "x"}}', "bad_arguments"),
        (b'{"call": "log", "arguments": {"limit": "all"}}', "bad_arguments"),
        (b'{"call": "connect", "arguments": ' + b"[" * 100_000 + b"}", "bad_request"),
    ],
)
def test_garbage_gets_a_sentence(bench: Bench, payload: bytes, wanted: str) -> None:
    reply = bench.raw(payload)
    assert reply is not None
    assert reply.failure is not None
    assert reply.failure.code == wanted
    assert len(reply.failure.text) < 300
    assert not bench.made
    bench.client.connect()


@pytest.mark.parametrize(
    "data", [b"", b"\0", b"\0\0\0\x10half", b"\xff\xff\xff\xff", struct.pack(">I", 1 << 20)]
)
def test_a_caller_that_breaks_off_or_wants_too_much_is_dropped(bench: Bench, data: bytes) -> None:
    with bench.connect() as sock:
        sock.sendall(data)
        sock.shutdown(socket.SHUT_WR)
        with contextlib.suppress(ConnectionResetError):
            assert sock.recv(100) == b""
    bench.client.connect()


def test_a_slow_caller_is_given_up(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RECEIVE_S", 0.2)
    with bench.connect() as sock:
        sock.sendall(b"\0")
        assert sock.recv(100) == b""


def test_many_idle_callers_are_bounded_and_their_places_come_free(bench: Bench) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(4):
            stack.enter_context(bench.connect())
        assert code(bench.client.connect) == "busy"
    until(lambda: works(bench.client.connect), "a free place")


def test_a_caller_that_goes_while_the_supervisor_is_busy_leaves_its_place(bench: Bench) -> None:
    bench.server.close()
    held: list[Any] = []
    bench.server = Server(bench.path, held.append, limits=Limits(1, 1))
    with bench.connect() as sock:
        framing.send(sock, b'{"call": "status"}')
        until(lambda: len(held) == 1)
        assert code(bench.client.status) == "busy"

    def admitted() -> bool:
        """Ask once more, and let go; whether the server took the call."""
        with bench.connect() as sock, contextlib.suppress(OSError):
            sock.settimeout(1.0)
            framing.send(sock, b'{"call": "status"}')
            framing.receive(sock)
        return len(held) > 1

    until(admitted, "a free place")


def works(call: Callable[[], object]) -> bool:
    with contextlib.suppress(MasqgateError):
        call()
        return True
    return False


def test_a_defect_is_logged_and_not_shown(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    bench.answer = lambda made: ValueError("secret detail")
    with pytest.raises(MasqgateError) as caught:
        bench.client.connect()
    assert caught.value.code == "internal"
    assert "secret detail" not in str(caught.value)
    assert "secret detail" in caplog.text


def test_a_result_of_the_wrong_kind_is_not_a_traceback(bench: Bench) -> None:
    bench.answer = lambda made: calls.Document("not a status")
    assert code(bench.client.status) == "supervisor_other_version"


def test_a_supervisor_that_does_not_answer_in_time_is_told_of(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ANSWER_S", 0.1)
    monkeypatch.setattr(bench, "_post", None)
    server = Server(bench.path, lambda message: None)
    assert code(bench.client.connect) == "slow"
    server.close()


def test_without_a_supervisor_the_client_says_so(tmp_path: Path) -> None:
    assert code(Client(tmp_path / "nothing").status) == "supervisor_unreachable"


def test_after_close_nobody_is_served_and_a_new_server_takes_the_path(
    bench: Bench, tmp_path: Path
) -> None:
    bench.server.close()
    assert code(bench.client.connect) == "supervisor_unreachable"
    bench.server = Server(bench.path, bench._post)
    bench.client.connect()


@ROOT
@pytest.mark.parametrize(
    ("uid", "verb", "wanted"),
    [
        (60_001, "connect", "done"),
        (60_001, "password_reset", "not_allowed"),
        (60_001, "config_factory", "not_allowed"),
        (60_001, "config_previous", "not_allowed"),
        (60_002, "connect", "not_allowed"),
        (0, "password_reset", "done"),
    ],
)
def test_the_caller_is_known_by_the_kernel(
    open_folder: Path, uid: int, verb: str, wanted: str
) -> None:
    bench = Bench(open_folder)
    bench.path.chmod(0o666)  # the modes are another guard; this one must do without them
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(bench.path), str(uid), verb],
        env={**os.environ, "PYTHONPATH": str(Path("firmware").absolute())},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    bench.server.close()
    assert done.stdout.strip() == wanted, done.stderr
