"""The dialer's socket: root alone, many clients, and none that can slow it down."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from masqgate.contract import framing
from masqgate.contract.codec import from_json, to_json
from masqgate.contract.dialer import Command, Report
from masqgate.contract.status import Entry, LinkState, LinkStatus, Reason
from masqgate.system.report_server import MAX_CLIENTS, MAX_COMMAND, ReportServer

PATIENCE_S = 60.0


def status(number: int) -> LinkStatus:
    reason = Reason("up", f"Report {number}.")
    return LinkStatus(name="modem1", state=LinkState.UP, reason=reason, since_at=1.0)


def entry(number: int) -> Entry:
    return Entry(number=number, at=1.0, source="modem1", code="x", text="y")


class Bench:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.commands: list[Command] = []
        self.server = ReportServer(path, self.commands.append)
        self.clients: list[socket.socket] = []

    def connect(self) -> socket.socket:
        client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        client.settimeout(PATIENCE_S)
        client.connect(str(self.path))
        self.clients.append(client)
        return client

    def wait(self, what: Callable[[], bool]) -> None:
        end = time.monotonic() + PATIENCE_S
        while not what():
            assert time.monotonic() < end
            time.sleep(0.01)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path / "dialer" / "modem1.sock")
    try:
        yield made
    finally:
        for client in made.clients:
            client.close()
        made.server.stop()


def receive(client: socket.socket) -> Report:
    payload = framing.receive(client)
    assert payload is not None
    return from_json(payload, Report)


def dropped(client: socket.socket) -> bool:
    try:
        while framing.receive(client) is not None:
            pass
    except ConnectionResetError:
        pass
    return True


def test_a_client_gets_the_present_state_at_once_then_every_change(bench: Bench) -> None:
    bench.server.publish(status(1), (entry(1),))
    client = bench.connect()
    first = receive(client)
    assert (first.status, [e.number for e in first.events]) == (status(1), [1])
    bench.server.publish(status(2), (entry(2), entry(3)))
    assert [e.number for e in receive(client).events] == [2, 3]


def test_events_are_told_once_to_a_client_and_not_again_to_the_next(bench: Bench) -> None:
    bench.server.publish(status(1), (entry(1),))
    assert len(receive(bench.connect()).events) == 1
    assert receive(bench.connect()).events == ()


def test_a_client_that_does_not_read_misses_reports_and_holds_nobody_up(bench: Bench) -> None:
    lazy, quick = bench.connect(), bench.connect()
    bench.server.publish(status(0))
    receive(quick)
    begin = time.monotonic()
    for number in range(1, 20_001):
        bench.server.publish(status(number))
    assert time.monotonic() - begin < PATIENCE_S
    last = f"Report {20_000}."
    while receive(quick).status.reason.text != last:
        pass
    held = [len(client.unsent) for client in bench.server._clients.values()]
    assert max(held) < 4096
    while receive(lazy).status.reason.text != last:
        pass


def test_a_burst_is_told_in_full(bench: Bench) -> None:
    client = bench.connect()
    bench.server.publish(status(0))
    receive(client)
    for number in range(1, 30):
        bench.server.publish(status(number))
    assert [receive(client).status for _ in range(29)] == [status(n) for n in range(1, 30)]


def test_commands_arrive_in_sequence_even_in_pieces(bench: Bench) -> None:
    client = bench.connect()
    payload = to_json(Command("connect"))
    message = len(payload).to_bytes(4, "big") + payload
    for at in range(len(message)):
        client.sendall(message[at : at + 1])
    framing.send(client, to_json(Command("reload")))
    bench.wait(lambda: len(bench.commands) == 2)
    assert [command.verb for command in bench.commands] == ["connect", "reload"]


@pytest.mark.parametrize(
    "message",
    [
        b"\xff\xff\xff\xff",
        (MAX_COMMAND + 1).to_bytes(4, "big"),
        b"\0\0\0\x02{}",
        b"\0\0\0\x04\xff\xfe\0\0",
        b"GET / HTTP/1.1\r\n\r\n",
        b"\0\0\0\x10" + b'{"verb":"reboot"',
    ],
)
def test_nonsense_is_shown_the_door(bench: Bench, message: bytes) -> None:
    bench.server.publish(status(1))
    other, client = bench.connect(), bench.connect()
    receive(other)
    client.sendall(message)
    assert dropped(client)
    bench.server.publish(status(2))
    assert receive(other).status == status(2)
    assert bench.commands == []


def test_there_are_not_too_many_clients(bench: Bench) -> None:
    bench.server.publish(status(1))
    for _ in range(MAX_CLIENTS):
        receive(bench.connect())
    assert dropped(bench.connect())
    bench.clients[0].close()
    bench.wait(lambda: len(bench.server._clients) < MAX_CLIENTS)
    assert receive(bench.connect()).status == status(1)


def test_the_socket_is_for_its_owner_alone(bench: Bench) -> None:
    assert stat.S_IMODE(bench.path.stat().st_mode) == 0o600


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become somebody else")
def test_nobody_but_root_is_served_even_where_the_mode_lets_him() -> None:
    folder = Path(f"/run/masqgate-test-{os.getpid()}")
    made = Bench(folder / "s.sock")
    try:
        folder.chmod(0o755)
        made.path.chmod(0o666)
        made.server.publish(status(1))
        script = (
            "import os, socket, sys; os.setuid(65534); s = socket.socket(socket.AF_UNIX);"
            "s.settimeout(60); s.connect(sys.argv[1]); sys.exit(len(s.recv(9)))"
        )
        ended = subprocess.run([sys.executable, "-S", "-c", script, str(made.path)])
        assert ended.returncode == 0
        assert receive(made.connect()).status == status(1)
    finally:
        for client in made.clients:
            client.close()
        made.server.stop()
        folder.rmdir()
