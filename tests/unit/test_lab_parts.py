"""The lab's parts that need neither root nor namespaces."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from tests.lab import console, qmp, state
from tests.lab.at import Result
from tests.lab.console_line import ConsoleLine
from tests.lab.internet import stun_reply
from tests.lab.pi import card_size
from tests.lab.processes import LabError
from tests.lab.remote import find_lab, parse_faults, parse_value
from tests.lab.runner import Runner
from tests.lab.tun import QUEUE, CallUplink, destination
from tests.lab.web import parse_reply


def ipv4(target: str, size: int = 40) -> bytes:
    """An IPv4 packet to `target`."""
    head = bytes([0x45]) + bytes(15) + IPv4Address(target).packed
    return head + bytes(size - len(head))


@pytest.mark.parametrize(
    ("image", "card"), [(1, 1 << 20), (1 << 20, 1 << 20), ((1 << 29) + 1, 1 << 30)]
)
def test_a_card_is_the_next_power_of_two(image: int, card: int) -> None:
    assert card_size(image) == card


@pytest.mark.parametrize(
    ("packet", "target"),
    [
        (ipv4("198.51.100.7"), IPv4Address("198.51.100.7")),
        (ipv4("198.51.100.7")[:19], None),
        (b"\x60" + bytes(39), None),
        (b"", None),
    ],
)
def test_the_providers_router_reads_where_a_packet_goes(
    packet: bytes, target: IPv4Address | None
) -> None:
    assert destination(packet) == target


class FakeTun:
    """Takes what a call writes."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.forgotten = 0

    def write(self, packet: bytes) -> None:
        self.written.append(packet)

    def forget(self, call: CallUplink) -> None:
        self.forgotten += 1


def test_a_slow_line_makes_packets_wait_and_then_lose() -> None:
    got: list[bytes] = []
    tun = FakeTun()
    call = CallUplink(tun, IPv4Address("198.51.100.100"), got.append)  # type: ignore[arg-type]
    call.take(b"0")
    call.pause(True)
    for number in range(QUEUE + 3):
        call.take(b"%d" % number)
    assert got == [b"0"] and call.dropped == 3
    call.pause(False)
    assert got[1:] == [b"%d" % number for number in range(QUEUE)]
    call.close()
    assert tun.forgotten == 1


def test_a_line_that_fills_again_stops_the_queue() -> None:
    got: list[bytes] = []
    tun = FakeTun()

    def give(packet: bytes) -> None:
        got.append(packet)
        call.pause(True)

    call = CallUplink(tun, IPv4Address("198.51.100.100"), give)  # type: ignore[arg-type]
    for packet in (b"1", b"2", b"3"):
        call.take(packet)
    assert got == [b"1"]
    call.pause(False)
    assert got == [b"1", b"2"]


def test_stun_tells_the_callers_address_as_in_rfc_5769() -> None:
    """Section 2.2: 192.0.2.1:32853 is a147 e112a643 after the exclusive or."""
    transaction = bytes.fromhex("b7e7a701bc34d686fa87dfae")
    request = bytes.fromhex("000100002112a442") + transaction
    reply = stun_reply(request, "192.0.2.1", 32853)
    assert reply is not None
    assert reply[:8] == bytes.fromhex("0101000c2112a442") and reply[8:20] == transaction
    assert reply[20:] == bytes.fromhex("002000080001a147e112a643")


@pytest.mark.parametrize("junk", [b"", b"x" * 19, bytes(20), b"\0\1" + bytes(30)])
def test_stun_answers_nothing_else(junk: bytes) -> None:
    assert stun_reply(junk, "192.0.2.1", 1) is None


def test_a_response_is_read_after_interim_ones() -> None:
    text = (
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 303 See Other\r\nLocation: /login\r\n\r\nbody\r\n"
    )
    reply = parse_reply(text)
    assert (reply.status, reply.headers, reply.body) == (303, {"location": "/login"}, "body\n")


@pytest.mark.parametrize("text", ["", "nonsense", "HTTP/1.1 200 OK"])
def test_what_is_no_response_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not an HTTP response"):
        parse_reply(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("yes", True), ("FALSE", False), ("none", None), ("3", 3), ("0.5", 0.5),
        ("busy", Result.BUSY), ("no-carrier", Result.NO_CARRIER), ("No credit", "No credit"),
    ],
)  # fmt: skip
def test_faults_are_read_as_they_are_typed(text: str, value: object) -> None:
    assert parse_value(text) == value
    assert parse_faults([f"name={text}"]) == {"name": value}


def test_a_fault_without_a_value_is_refused() -> None:
    with pytest.raises(ValueError, match="NAME=VALUE"):
        parse_faults(["silent"])


# The console


class FakePort:
    """A shell that runs what is typed, behind an echoing terminal with noise on it."""

    flow_control = False

    def __init__(self, script: Callable[[str], str]) -> None:
        self._script = script
        self._on_data: Callable[[bytes], None] = lambda data: None

    def start(self, on_data: Callable[[bytes], None], on_open: Callable[[bool], None]) -> None:
        self._on_data = on_data

    def write(self, data: bytes) -> None:
        self.say(self._script(data.decode()))

    def say(self, text: str) -> None:
        for byte in text.replace("\n", "\r\n").encode():
            self._on_data(bytes([byte]))

    def pause(self, paused: bool) -> None:
        """Never."""

    def speed(self) -> int | None:
        return None

    def close(self) -> None:
        """Nothing to close."""


def real_shell(typed: str) -> str:
    """Echo, a kernel message, what /bin/sh prints, and a prompt."""
    done = subprocess.run(["sh"], input=typed.replace("\r", "\n"), capture_output=True, text=True)
    return typed + "[   12.3] usb 1-1: new device\n" + done.stdout + done.stderr + "# "


@pytest.fixture
def runner() -> Iterator[Runner]:
    runner = Runner()
    yield runner
    runner.stop()


def make_console(
    runner: Runner, tmp_path: Path, script: Callable[[str], str]
) -> tuple[console.Console, FakePort]:
    port = FakePort(script)
    line = runner.call(lambda: ConsoleLine(port, tmp_path / "console.log"))
    return console.Console(line), port


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console, "SETTLE_S", 0.0)
    monkeypatch.setattr(console, "PROBE_S", 2.0)


def test_commands_run_and_tell_output_and_code(runner: Runner, tmp_path: Path) -> None:
    shell, _ = make_console(runner, tmp_path, real_shell)
    assert shell.run("echo one; echo two >&2; exit_code() { return 3; }; exit_code") == (
        console.Done(3, "one\ntwo")
    )
    assert shell.run("printf 'no newline'") == console.Done(0, "no newline")
    assert shell.run("true") == console.Done(0, "")
    assert b"no newline" in (tmp_path / "console.log").read_bytes()


class MenuRouter:
    """The router's menu, with a shell behind `s`."""

    def __init__(self) -> None:
        self.in_menu = True

    def __call__(self, typed: str) -> str:
        if not self.in_menu:
            self.in_menu = "exit" in typed
            return "masqgate> " if self.in_menu else real_shell(typed)
        self.in_menu = typed.strip() != "s"
        return f"{typed}unknown choice\nmasqgate> " if self.in_menu else "\n# "


def test_the_menu_is_left_for_the_shell_and_returned_to(runner: Runner, tmp_path: Path) -> None:
    router = MenuRouter()
    shell, _ = make_console(runner, tmp_path, router)
    for _ in range(2):
        assert shell.run("echo $((6 * 7))").output == "42"
        assert not router.in_menu
        shell.leave_shell()
        assert router.in_menu
    shell.leave_shell()
    assert router.in_menu
    shell.shell()
    shell.lost()
    shell.leave_shell()
    assert router.in_menu


def test_a_file_is_written_whole(runner: Runner, tmp_path: Path) -> None:
    shell, _ = make_console(runner, tmp_path, real_shell)
    data = bytes(range(256)) * 5
    shell.put(str(tmp_path / "file"), data)
    assert (tmp_path / "file").read_bytes() == data


def test_a_dead_console_is_told_with_its_last_lines(runner: Runner, tmp_path: Path) -> None:
    shell, port = make_console(runner, tmp_path, lambda typed: "")
    runner.call(lambda: port.say("Kernel panic\n"))
    with pytest.raises(LabError, match=r"(?s)no root shell.*Kernel panic"):
        shell.shell(timeout_s=0.1)


def test_after_a_command_that_hung_the_shell_is_found_anew(runner: Runner, tmp_path: Path) -> None:
    hangs = False

    def router(typed: str) -> str:
        return typed if hangs else real_shell(typed)

    shell, _ = make_console(runner, tmp_path, router)
    shell.run("true")
    hangs = True
    with pytest.raises(LabError, match="the end of 'cat'"):
        shell.run("cat", timeout_s=0.1)
    hangs = False
    assert shell.run("echo back").output == "back"


def test_the_marks_are_not_in_what_is_typed() -> None:
    line = console.wrap("true", "MG000001E")
    assert console.unwrap(line, "MG000001E") is None


def test_the_boot_is_seen_and_uboots_prompt_is_not_taken_for_a_shell(
    runner: Runner, tmp_path: Path
) -> None:
    shell, port = make_console(runner, tmp_path, real_shell)
    runner.call(lambda: port.say("U-Boot 2025.01\n=> \nStarting kernel ...\n"))
    with pytest.raises(LabError, match="the menu or a shell"):
        shell.booted(0.2)
    runner.call(lambda: port.say("[ 1.0] Linux version 6.12\n\nmasqgate> "))
    shell.booted(10.0)
    shell.restarted()
    with pytest.raises(LabError, match="anything from the boot loader"):
        shell.booted(0.2)
    runner.call(lambda: port.say("U-Boot 2025.01\n"))
    with pytest.raises(LabError, match="the kernel's start"):
        shell.booted(0.2)


# QEMU's monitor, and what a lab leaves behind


def serve_once(path: Path, answers: list[bytes]) -> threading.Thread:
    """A monitor that greets and then gives one answer to each request."""
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    server.bind(str(path))
    server.listen()

    def work() -> None:
        link, _ = server.accept()
        with link, link.makefile("rwb") as stream:
            stream.write(b'{"QMP": {}}\n')
            stream.flush()
            for answer in answers:
                stream.readline()
                stream.write(answer)
                stream.flush()
        server.close()

    thread = threading.Thread(target=work)
    thread.start()
    return thread


def test_a_monitor_command_skips_events(tmp_path: Path) -> None:
    event = b'{"event": "RESET"}\n'
    thread = serve_once(tmp_path / "qmp", [b'{"return": {}}\n', event + b'{"return": {"a": 1}}\n'])
    assert qmp.execute(tmp_path / "qmp", "query-status") == {"a": 1}
    thread.join()


def test_a_monitors_refusal_has_its_words(tmp_path: Path) -> None:
    refusal = json.dumps({"error": {"desc": "no such command"}}).encode() + b"\n"
    thread = serve_once(tmp_path / "qmp", [b'{"return": {}}\n', refusal])
    with pytest.raises(LabError, match="no such command"):
        qmp.execute(tmp_path / "qmp", "nonsense")
    thread.join()


def test_a_monitor_that_is_gone_is_told(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="does not answer"):
        qmp.execute(tmp_path / "qmp", "system_reset")


def dead_lab(root: Path, *processes: int) -> Path:
    """What a killed lab leaves: its owner's pid belongs to somebody else by now."""
    folder = root / "mg0"
    folder.mkdir(parents=True)
    (folder / "owner").write_text(f"{os.getpid()} 1\n")
    lines = [f"{pid} {state.start_time(pid)}\n" for pid in processes]
    (folder / "processes").write_text("".join(lines))
    (folder / "paths").write_text(f"{root / 'left'}\n")
    (root / "left").mkdir()
    return folder


def test_the_next_lab_removes_what_a_killed_one_left(tmp_path: Path) -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    folder = dead_lab(tmp_path / "run", child.pid)
    assert state.sweep(tmp_path / "run") == ["mg0"]
    assert child.wait() != 0
    assert not folder.exists() and not (tmp_path / "run" / "left").exists()
    assert child.stdin is not None
    child.stdin.close()


def test_a_pid_that_was_used_again_is_spared(tmp_path: Path) -> None:
    folder = dead_lab(tmp_path / "run")
    (folder / "processes").write_text(f"{os.getpid()} 1\n")
    state.sweep(tmp_path / "run")
    assert not folder.exists()


def test_a_running_lab_is_left_alone_and_found(tmp_path: Path) -> None:
    root = tmp_path / "run"
    with pytest.raises(LabError, match="no lab is running"):
        find_lab(root=root)
    folder = root / "mg3"
    folder.mkdir(parents=True)
    (folder / "owner").write_text(f"{os.getpid()} {state.start_time(os.getpid())}\n")
    (folder / "control").touch()
    assert state.sweep(root) == []
    assert find_lab(root=root) == find_lab("mg3", root) == folder
    with pytest.raises(LabError, match="no lab mg4 is running"):
        find_lab("mg4", root)


def test_the_loops_exceptions_reach_the_caller(runner: Runner) -> None:
    async def fail() -> None:
        await asyncio.sleep(0)
        raise LabError("told")

    with pytest.raises(LabError, match="told"):
        runner.wait(fail())
