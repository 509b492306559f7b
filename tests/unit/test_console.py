"""The console under a pty of 80 by 24, as somebody with a serial cable meets it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from masqgate.contract.document import parse
from masqgate.contract.hardware import Board, Card, Data, Hardware
from masqgate.contract.status import LinkState, Reason
from masqgate.core.line import Key, LineEditor
from pexpect import TIMEOUT
from pexpect.fdpexpect import fdspawn

from tests.unit.router import DEADLINE_S, DOCUMENT, Router, link, until

FIRMWARE = Path(__file__).resolve().parents[2] / "firmware"
PROMPT = "masqgate> "
YES_NO = r"\[y/N\] "


class Screen:
    """Somebody at the other end of the line."""

    def __init__(self, router: Router, tools: Path) -> None:
        self.tools = tools
        environment = {
            **os.environ,
            "PATH": f"{tools}:{os.environ['PATH']}",
            "PYTHONPATH": str(FIRMWARE),
            "MASQGATE_RUN": str(router.paths.run),
            "MASQGATE_DATA": str(router.paths.data),
            "MASQGATE_SHARE": str(router.paths.share),
            "TERM": "vt100",
        }
        master, slave = os.openpty()
        termios.tcsetwinsize(slave, (24, 80))
        # Not pexpect.spawn: it forks, and this process has threads.
        self.process = subprocess.Popen(
            ["setsid", "--ctty", sys.executable, "-m", "masqgate.console"],
            env=environment, stdin=slave, stdout=slave, stderr=slave,
        )  # fmt: skip
        os.close(slave)
        self.child = fdspawn(master, timeout=DEADLINE_S, encoding="latin-1")
        self.seen = ""

    def expect(self, what: str = re.escape(PROMPT)) -> str:
        """Wait for a pattern, the prompt by default; return what came before it."""
        self.child.expect(what)
        self.seen += self.child.before + self.child.after
        return str(self.child.before)

    def key(self, text: str, what: str = re.escape(PROMPT)) -> str:
        """Type a line, and wait."""
        self.child.send(text + "\r")
        return self.expect(what)

    def commands(self) -> list[str]:
        """What systemctl was called with."""
        path = self.tools / "log"
        return path.read_text().splitlines() if path.exists() else []


@pytest.fixture
def router(tmp_path: Path) -> Iterator[Router]:
    made = Router(tmp_path)
    yield made
    made.close()


@pytest.fixture
def console(router: Router, tmp_path: Path) -> Iterator[Callable[[], Screen]]:
    """Starts consoles, with a systemctl that only writes down what it is told."""
    tools = tmp_path / "tools"
    tools.mkdir()
    systemctl = tools / "systemctl"
    systemctl.write_text(f'#!/bin/sh\necho "$@" >> {tools}/log\n')
    systemctl.chmod(0o755)
    screens: list[Screen] = []

    def start() -> Screen:
        screen = Screen(router, tools)
        screens.append(screen)
        screen.expect()
        return screen

    yield start
    for screen in screens:
        assert "Traceback" not in screen.seen
        assert all(len(line) < 80 for line in screen.seen.split("\r\n"))
        assert screen.seen.isascii()
        screen.process.kill()
        screen.process.wait(DEADLINE_S)
        screen.child.close()


def running(router: Router, state: LinkState = LinkState.UP) -> None:
    router.dialer("modem1", link(state=state))
    router.start()
    until(lambda: router.client.status().uplinks[0].state is state)


def test_banner_state_and_menu_fit_the_screen(
    router: Router, console: Callable[[], Screen]
) -> None:
    running(router)
    screen = console()
    assert "Masqgate" in screen.seen
    assert "modem1     up with 198.51.100.7" in screen.seen
    assert "root shell" in screen.seen
    assert screen.seen.count("\r\n") < 24


def test_whatever_is_wrong_fits_the_screen(router: Router, console: Callable[[], Screen]) -> None:
    """At the start, and after each key that only tells something."""
    long = Reason("auth_failed", "The provider refused user name or password.", "Again. " * 30)
    router.dialer("modem1", link(state=LinkState.WAITING, reason=long))
    router.sensors.hardware = Hardware(
        board=Board(model="Raspberry Pi 4 Model B Rev 1.4", temperature_c=91, under_voltage=True),
        card=Card(errors=3, last_error_at=1.79e9, worn_percent=100, spare="urgent"),
        data=Data(state="volatile", size_bytes=1 << 25, used_percent=50),
    )
    router.start()
    until(lambda: len(router.client.status().warnings) > 4)
    until(lambda: router.client.status().uplinks[0].state is LinkState.WAITING)
    screen = console()
    assert screen.seen.count("\r\n") < 24
    assert "WARNING" in screen.seen
    for key in ("", "h", "k", "l", "t"):
        assert screen.key(key).count("\r\n") < 24, key
    assert "Temperature     91 C" in screen.seen


def test_a_root_shell_with_a_plain_prompt_and_back(
    router: Router, console: Callable[[], Screen]
) -> None:
    running(router)
    screen = console()
    screen.key("s", "[#$] ")
    screen.key("echo $((6*7)) from; tty", "42 from")
    screen.expect("[#$] ")
    screen.child.send("sleep 1000\r")
    screen.expect("1000\r\n")
    # More than once: a shell that is about to start its program takes the first for itself.
    end = time.monotonic() + DEADLINE_S
    while time.monotonic() < end:
        screen.child.send("\x03")
        if screen.child.expect(["[#$] ", TIMEOUT], timeout=1) == 0:
            break
    screen.child.send("\r")
    screen.expect("[#$] ")
    screen.key("exit 3")
    assert "up with" in screen.key("")


def test_a_shell_that_leaves_the_terminal_in_a_mess(
    router: Router, console: Callable[[], Screen]
) -> None:
    running(router)
    screen = console()
    screen.key("s", "[#$] ")
    screen.child.send("stty -icanon -echo -opost; kill -9 $$\r")
    screen.expect()
    assert "up with" in screen.key("")


def test_nothing_that_is_typed_ends_it(router: Router, console: Callable[[], Screen]) -> None:
    running(router)
    screen = console()
    for nasty in ("\x03", "\x04", "\x1c", "\x1a", "x\x03", "\x04\x04"):
        screen.child.send(nasty)
    screen.child.send("\x00\x80\xff\x1b[A\x1bOP\x1b[15~\x13\x11")
    screen.child.send("z" * 3000 + "\r")
    screen.expect("no key of this menu")
    screen.expect()
    screen.key("'; rm -rf / $(reboot) `reboot`", "no key of this menu")
    screen.expect()
    assert "up with" in screen.key("")
    assert screen.commands() == []


def test_connect_and_disconnect(router: Router, console: Callable[[], Screen]) -> None:
    running(router)
    screen = console()
    assert "told to hang up" in screen.key("d")
    assert "told to dial" in screen.key("c")
    until(lambda: router.dialers["modem1"].commands[-2:] == ["disconnect", "connect"])


def test_a_change_is_told_by_itself_but_not_into_what_is_being_typed(
    router: Router, console: Callable[[], Screen]
) -> None:
    running(router, LinkState.DIALING)
    screen = console()
    router.dialers["modem1"].tell(link())
    screen.expect("up with 198.51.100.7, carries the traffic")
    screen.expect()
    screen.child.send("hel")
    screen.expect("hel")
    router.dialers["modem1"].tell(link(state=LinkState.DIALING))
    until(lambda: router.client.status().active == "")
    shown = screen.key("p")
    assert "dialing" not in shown
    assert "no key" in shown


def test_the_log(router: Router, console: Callable[[], Screen]) -> None:
    running(router)
    screen = console()
    assert "The supervisor started" in screen.key("l")


def test_board_and_card_without_the_supervisor(console: Callable[[], Screen]) -> None:
    shown = console().key("k")
    assert re.search(r"Data partition  \d+ % full", shown)
    assert "does not answer" not in shown


def test_the_self_test(router: Router, console: Callable[[], Screen]) -> None:
    running(router, LinkState.DIALING)
    screen = console()
    shown = screen.key("t")
    assert "An uplink is up: FAILED" in shown
    assert "The test is over" in shown


def test_the_lan_address_moves_with_its_pool(
    router: Router, console: Callable[[], Screen]
) -> None:
    running(router)
    screen = console()
    screen.key("a", "leave it\\): ")
    shown = screen.key("10.1.2.3")
    assert "http://10.1.2.3/" in shown
    lan = parse(router.paths.config.read_text()).lan
    assert (lan.address, lan.dhcp_first, lan.dhcp_last) == (
        "10.1.2.3/24", "10.1.2.100", "10.1.2.199",
    )  # fmt: skip
    assert "dial-secret" in router.paths.config.read_text()


@pytest.mark.parametrize("text", ["bogus", "8.8.8.8", "10.0.0.0/24", "10.0.0.1/31", "1.2.3.4/99"])
def test_a_bad_lan_address_changes_nothing(
    router: Router, console: Callable[[], Screen], text: str
) -> None:
    running(router)
    screen = console()
    screen.key("a", "leave it\\): ")
    shown = screen.key(text)
    assert "." in shown
    assert parse(router.paths.config.read_text()).lan.address == "192.168.77.1/24"


def test_the_password_is_reset_only_after_a_yes(
    router: Router, console: Callable[[], Screen]
) -> None:
    running(router)
    router.client.password_set("correct horse battery")
    screen = console()
    screen.key("p", YES_NO)
    assert "Nothing was changed" in screen.key("")
    screen.key("p", YES_NO)
    screen.child.send("\x03")
    assert "Nothing was changed" in screen.expect()
    assert router.client.status().password_set
    screen.key("p", YES_NO)
    screen.key("y")
    assert not router.client.status().password_set


def test_previous_and_factory(router: Router, console: Callable[[], Screen]) -> None:
    running(router)
    router.client.config_apply(DOCUMENT.replace("5551000", "5552000"))
    screen = console()
    screen.key("v", YES_NO)
    screen.key("y")
    assert "5551000" in router.client.config_show()
    screen.key("f", "go on: ")
    assert "Nothing was changed" in screen.key("yes")
    screen.key("f", "go on: ")
    screen.key("factory")
    assert router.client.status().hostname == "factory"


def test_reboot_and_restart_ask_first(router: Router, console: Callable[[], Screen]) -> None:
    running(router)
    screen = console()
    screen.key("r", YES_NO)
    screen.key("n")
    assert screen.commands() == []
    screen.key("r", YES_NO)
    screen.key("y")
    screen.key("u", YES_NO)
    screen.key("y")
    assert screen.commands() == ["reboot", "restart --no-block masqgate.service"]


def test_without_a_supervisor_the_files_are_changed(
    router: Router, console: Callable[[], Screen]
) -> None:
    router.paths.previous_config.write_text(DOCUMENT.replace("5551000", "5552000"))
    router.paths.password.write_text("scrypt$")
    screen = console()
    assert "does not answer" in screen.seen
    assert "restart" in screen.key("c")
    screen.key("a", "leave it\\): ")
    screen.key("10.9.8.7/24", YES_NO)
    screen.key("y")
    saved = parse(router.paths.config.read_text())
    assert saved.lan.address == "10.9.8.7/24"
    assert saved.modems[0].password.reveal() == "dial-secret"
    screen.key("p", YES_NO)
    screen.key("y", YES_NO)
    screen.key("y")
    assert not router.paths.password.exists()
    screen.key("v", YES_NO)
    screen.key("y", YES_NO)
    screen.key("y")
    assert parse(router.paths.config.read_text()).lan.address == "192.168.77.1/24"
    screen.key("f", "go on: ")
    screen.key("factory", YES_NO)
    screen.key("y")
    assert parse(router.paths.config.read_text()).system.hostname == "factory"
    assert not router.paths.previous_config.exists()
    router.start()
    screen.expect("Firewall   in force")


def test_with_everything_broken_there_is_still_a_menu(
    router: Router, console: Callable[[], Screen]
) -> None:
    router.paths.config.write_bytes(b"\0\xff")
    router.paths.previous_config.mkdir()
    router.paths.factory_config.unlink()
    screen = console()
    screen.key("v", YES_NO)
    screen.key("y", YES_NO)
    assert "cannot be used" in screen.key("y")
    screen.key("a", "leave it\\): ")
    screen.key("10.9.8.7", YES_NO)
    screen.key("y")
    screen.key("s", "[#$] ")
    screen.key("exit")


def test_it_ends_when_the_terminal_goes(router: Router, console: Callable[[], Screen]) -> None:
    running(router)
    screen = console()
    screen.process.send_signal(signal.SIGINT)
    screen.process.send_signal(signal.SIGTSTP)
    assert "up with" in screen.key("")
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, screen.child.child_fd)  # the line is cut
    os.close(null)
    screen.process.wait(DEADLINE_S)


def typed(editor: LineEditor, data: bytes) -> tuple[str, list[str | Key]]:
    echo, found = "", []
    for byte in data:
        show, one = editor.feed(byte)
        echo += show
        if one is not None:
            found.append(one)
    return echo, found


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"abc\r", ["abc"]),
        (b"abc\r\ndef\n\n", ["abc", "def", ""]),
        (b"abx\x7fc\r", ["abc"]),
        (b"abx\x08\x08\x08\x08\x08c\r", ["c"]),
        (b"wrong\x15right\r", ["right"]),
        (b"half\x03\r", [Key.INTERRUPT, ""]),
        (b"\x04", [Key.END]),
        (b"half\x04\r", ["half"]),
        (b"a\x1b[1;5Ab\x1bOPc\x1b[15~d\r", ["abcd"]),
        (b"\x1b\rx\r", ["", "x"]),
        (b"\x00\x01\x9b\xc3\xbc\tq\r", ["q"]),
        (b"y" * 500 + b"\r", ["y" * 40]),
    ],
)
def test_the_line_editor(data: bytes, found: list[str | Key]) -> None:
    echo, lines = typed(LineEditor(), data)
    assert lines == found
    assert re.fullmatch(r"[ -~\n\b]*", echo)


def test_secrets_are_not_echoed() -> None:
    assert typed(LineEditor(echo=False), b"secret\x7f\r") == ("\n", ["secre"])
