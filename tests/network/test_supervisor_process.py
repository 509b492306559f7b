"""The supervisor as the process that runs on the router: real kernel, real rules, systemd played.

It lives in network and mount namespaces of its own; the dialer is played on a real socket.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest
from masqgate.contract.errors import MasqgateError
from masqgate.contract.status import LinkState

from tests.unit.router import DEADLINE_S, DOCUMENT, FakeDialer, link, until

from .board import MODEM, Board, boarded, cable

CABLE = cable("probe = { enabled = false }")


@pytest.fixture
def board() -> Iterator[Board]:
    with boarded(Board) as made:
        yield made


def test_it_brings_the_router_up_and_tells_the_service_manager(board: Board) -> None:
    board.start()
    status = board.client.status()
    assert (status.active, status.firewall, status.warnings) == ("modem1", "open", ())
    assert status.lan.ports == ("eth0", "eth1")
    assert "192.168.77.1/24" in board.run("ip", "addr", "show", "br0")
    assert "default" in board.routes()
    assert "masquerade" in board.rules()
    board.wait_told("WATCHDOG=1")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
@pytest.mark.parametrize("document", [DOCUMENT, CABLE + MODEM])
def test_its_end_and_return_disturb_neither_route_nor_rules(
    board: Board, number: int, document: str
) -> None:
    board.paths.config.write_text(document)
    board.start()
    active = "cable" if "cable" in document else "modem1"
    until(lambda: board.client.status().active == active)
    until(lambda: "default" in board.routes())
    before = (board.rules(), board.routes())
    watcher = subprocess.Popen(
        ["nsenter", f"--target={board.keeper.pid}", "--net", "ip", "monitor", "route", "address"],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert board.end(number) == (-number if number == signal.SIGKILL else 0)
        assert (board.rules(), board.routes()) == before
        board.start()
        assert board.client.status().active == active
        assert (board.rules(), board.routes()) == before
    finally:
        watcher.terminate()
        seen, _ = watcher.communicate(timeout=DEADLINE_S)
    assert "Deleted" not in seen


def test_a_call_that_ends_meanwhile_is_noticed_by_the_next_supervisor(board: Board) -> None:
    board.start()
    board.end(signal.SIGKILL)
    dialer = FakeDialer(board.paths, "modem1", link(state=LinkState.WAITING))
    board.start()
    until(lambda: board.client.status().uplinks[0].state is LinkState.WAITING)
    assert board.client.status().active == ""
    assert "default" not in board.routes()
    dialer.close()


def test_a_configuration_is_put_in_force_in_the_kernel_and_taken_back(board: Board) -> None:
    board.start()
    other = DOCUMENT.replace('"192.168.77.1/24"', '"10.1.0.1/16"\ndhcp = false')
    board.client.config_apply(other)
    assert "10.1.0.1/16" in board.run("ip", "addr", "show", "br0")
    assert "192.168.77.1" not in board.run("ip", "addr", "show", "br0")
    board.client.config_previous()
    assert "192.168.77.1/24" in board.run("ip", "addr", "show", "br0")


def test_what_somebody_takes_away_comes_back_by_itself(board: Board) -> None:
    board.start()
    board.run("ip", "addr", "flush", "dev", "br0")
    until(lambda: "192.168.77.1/24" in board.run("ip", "addr", "show", "br0"))
    board.run("ip", "link", "del", "br0")
    until(lambda: "br0" in board.run("ip", "-o", "link") and "192.168.77.1/24" in board.run(
        "ip", "addr", "show", "br0"))  # fmt: skip


def test_without_nft_the_firewall_has_failed_and_is_told_of(
    board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool = board.paths.run.parent / "tools" / "nft"
    tool.write_text("#!/bin/sh\necho broken >&2\nexit 1\n")
    tool.chmod(0o755)
    board.start()
    status = board.client.status()
    assert status.firewall == "failed"
    assert board.run("cat", "/proc/sys/net/ipv4/ip_forward").strip() == "0"
    tool.unlink()
    until(lambda: board.client.status().firewall == "open")
    until(lambda: board.run("cat", "/proc/sys/net/ipv4/ip_forward").strip() == "1")


def test_a_second_one_takes_the_socket_over(board: Board) -> None:
    board.start()
    board.end(signal.SIGKILL)
    assert board.paths.socket.exists()
    with pytest.raises(MasqgateError):
        board.client.status()
    board.start()
    board.client.status()


def test_a_packet_of_the_lan_dials_and_goes_out_when_the_call_is_up(board: Board) -> None:
    """Real supervisor, rules and packets; only the dialer is played."""
    board.paths.config.write_text(DOCUMENT + 'mode = "demand"\n')
    dialer = FakeDialer(board.paths, "modem1", link(state=LinkState.IDLE))
    board.start()
    until(lambda: "dial0" in board.routes())
    until(lambda: "forwarding" in board.run("bridge", "link", "show"))
    street = ["nsenter", f"--target={board.street.pid}", "--net"]
    send = (
        "import socket;s=socket.socket(socket.AF_INET,socket.SOCK_DGRAM);"
        "s.sendto(b'hello',('9.9.9.9',7))"
    )
    for command in (
        ["ip", "addr", "add", "192.168.77.50/24", "dev", "far0"],
        ["ip", "route", "add", "default", "via", "192.168.77.1"],
        [sys.executable, "-c", send],
    ):
        subprocess.run([*street, *command], check=True)
    until(lambda: "dial" in dialer.commands, "it dials")
    dialer.tell(link(state=LinkState.DIALING))
    trigger = board.client.status().uplinks[0].trigger
    assert trigger is not None
    assert trigger.text == "192.168.77.50 sent UDP to 9.9.9.9, port 7"
    dialer.tell(link())
    until(lambda: board.client.status().active == "modem1")

    def went() -> bool:
        flows = board.client.flows()
        return ("192.168.77.50", "9.9.9.9") in [(one.source, one.destination) for one in flows]

    until(went, "the packet went to the uplink")
    dialer.close()
