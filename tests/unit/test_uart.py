"""One UART for modem and console: the window, the jumper, the file; and the dialer keeps off."""

from __future__ import annotations

import os
import pty
import re
import threading
import time
import tty
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from masqgate.contract.paths import Paths
from masqgate.core.window import GUARD_S, Window, announcement
from masqgate.link import events as ev
from masqgate.link import reasons
from masqgate.system import gpio, uart
from masqgate.system.serialport import PortRule

from tests.lab.modem_core import ModemCore, ModemState

OVERLAY = Path(__file__).resolve().parents[2] / "rootfs-overlay"
UNITS = OVERLAY / "usr/lib/systemd/system"
LONG_S = 60


def outcome(*arrivals: tuple[float, bytes]) -> bool:
    """Whether the console is asked for, some time after these bytes (seconds, data)."""
    window = Window()
    window.feed(b"\0", 0.0)
    for at, data in arrivals:
        window.feed(data, at)
    return window.asked(max(at for at, _ in arrivals) + 2 * GUARD_S)


def test_three_keys_ask_and_fewer_do_not() -> None:
    assert outcome((1.0, b"#"), (1.4, b"#"), (2.5, b"#"))
    assert outcome((1.0, b"###"))
    assert outcome((1.0, b"#" * 40))  # held down
    assert not outcome((1.0, b"#"), (1.4, b"#"))
    assert not outcome((1.0, b"x"), (2.0, b"\r\n\r\n"))


def test_a_wrong_key_and_once_more() -> None:
    assert not outcome((1.0, b"##x"))
    assert outcome((1.0, b"##x"), (2.0, b"#"), (2.2, b"#"), (2.4, b"#"))


def test_keys_without_silence_around_them_are_no_keys() -> None:
    assert not outcome((1.0, b"~}#!###x~"))
    assert not outcome((1.0, b"~###"))
    assert not outcome((1.0, b"###"), (1.0 + GUARD_S / 2, b"~"))
    window = Window()
    window.feed(b"###", 1.0)
    assert not window.asked(1.0 + GUARD_S / 2)


@given(st.lists(st.binary(min_size=1, max_size=300), max_size=20))
def test_a_stream_never_asks(chunks: list[bytes]) -> None:
    """A call's bytes: frames begin and end with a flag (RFC 1662), however they are read."""
    window = Window()
    window.feed(b"\0", 0.0)
    for number, chunk in enumerate(chunks):
        window.feed(b"~" + chunk + b"~", 1.0 + number)
        assert not window.asked(1.9 + number)


@pytest.mark.parametrize("seconds", [1, 5, 60])
def test_the_announcement_is_no_command_and_its_echo_no_key(seconds: int) -> None:
    line = announcement(seconds)
    assert b"a" not in line.lower()  # neither AT nor A/
    assert b"+" not in line
    assert line.isascii() and line.count(b"\n") == 2 and len(line) < 80
    assert not outcome((1.0, line))
    assert not any(outcome((1.0, line[:cut]), (1.5, line[cut:])) for cut in range(1, len(line)))


def test_a_modem_takes_no_notice_of_it() -> None:
    modem = ModemCore()
    modem.receive(announcement(5), 1.0)
    modem.tick(9.0)
    assert modem.commands == []
    assert modem.state is ModemState.COMMAND
    assert not outcome((1.0, modem.take_output(9.0)))  # its echo
    modem.receive(b"ATE0\r", 10.0)
    modem.tick(19.0)
    assert modem.take_output(19.0).endswith(b"\r\nOK\r\n")


# --- the port --------------------------------------------------------------------------------


@pytest.fixture
def line() -> Iterator[tuple[int, str]]:
    master, slave = pty.openpty()
    tty.setraw(slave)
    yield master, os.ttyname(slave)
    os.close(master)
    os.close(slave)


def listening(device: str, seconds: int) -> tuple[threading.Thread, list[bool]]:
    found: list[bool] = []
    thread = threading.Thread(target=lambda: found.append(uart.listen(device, seconds)))
    thread.start()
    return thread, found


def test_somebody_presses_the_key(line: tuple[int, str]) -> None:
    master, device = line
    thread, found = listening(device, LONG_S)
    heard = b""
    while b"console.\r\n" not in heard:
        heard += os.read(master, 100)
    assert heard == announcement(LONG_S)
    while thread.is_alive():  # again, until it is over: the first may come too early
        time.sleep(GUARD_S * 2)
        os.write(master, b"###")
        thread.join(GUARD_S * 3)
    assert found == [True]


def test_an_echo_is_not_somebody_and_the_window_closes(line: tuple[int, str]) -> None:
    master, device = line
    thread, found = listening(device, 2)
    heard = b""
    while b"console.\r\n" not in heard:
        heard += os.read(master, 100)
    os.write(master, heard)
    thread.join(LONG_S)
    assert found == [False]


def test_no_window_says_nothing(line: tuple[int, str]) -> None:
    assert not uart.listen("/nonexistent", 0)


def _broken() -> bool:
    raise OSError(5, "Input/output error")


@pytest.mark.parametrize(
    ("file", "jumper", "window", "why"),
    [
        (True, lambda: False, lambda: False, "file"),
        (False, lambda: True, lambda: False, "jumper"),
        (False, lambda: False, lambda: True, "window"),
        (False, lambda: False, lambda: False, ""),
        (False, _broken, lambda: True, "window"),
        (False, lambda: False, _broken, ""),
        (True, _broken, _broken, "file"),
    ],
)
def test_three_things_ask_for_the_console(
    tmp_path: Path, file: bool, jumper: Callable[[], bool], window: Callable[[], bool], why: str
) -> None:
    wanted = tmp_path / "wanted"
    if file:
        wanted.touch()
    assert uart.why_console(wanted, jumper, window) == why


def test_nothing_is_said_to_the_port_if_file_or_jumper_ask(tmp_path: Path) -> None:
    def never() -> bool:
        raise AssertionError("the window was opened")

    (tmp_path / "wanted").touch()
    assert uart.why_console(tmp_path / "wanted", never, never) == "file"
    assert uart.why_console(tmp_path / "none", lambda: True, never) == "jumper"


def test_the_kernels_console_is_found(tmp_path: Path) -> None:
    active = tmp_path / "active"
    active.write_text("tty0 ttyS1\n")
    assert uart.is_kernels("ttyS1", active)
    assert not uart.is_kernels("ttyAMA0", active)
    assert not uart.is_kernels("ttyAMA0", tmp_path / "none")


def test_without_a_gpio_chip_there_is_no_jumper(tmp_path: Path) -> None:
    assert not gpio.is_high(uart.JUMPER, devices=tmp_path)


def test_a_pin_is_asked_for_as_the_kernel_has_it() -> None:
    """linux/gpio.h: struct gpio_v2_line_request has 592 bytes; an input, pulled down."""
    wanted = bytes(gpio.request(24))
    assert len(wanted) == 592
    assert wanted[:4] == (24).to_bytes(4, "little")
    assert int.from_bytes(wanted[288:296], "little") == 0x204
    assert gpio._GET_LINE == 0xC250B407
    assert gpio._GET_VALUES == 0xC010B40E
    assert gpio._GET_INFO == 0x8044B401


# --- the dialer ------------------------------------------------------------------------------


@pytest.mark.parametrize("why", ["file", "jumper", "window"])
def test_a_lent_port_is_not_opened_and_says_why(tmp_path: Path, why: str) -> None:
    paths = Paths(tmp_path)
    rule = PortRule(re.compile("/dev/.*"), tmp_path / "none", paths.lent("x").parent)
    assert rule.refusal("/dev/ttyAMA0") is None
    uart.lend(paths, "ttyAMA0", why)
    assert rule.refusal("/dev/ttyAMA0") == ev.PortFailed(f"lent_{why}")  # type: ignore[arg-type]
    assert rule.refusal("/dev/ttyUSB0") is None
    reason = reasons.state(f"port_lent_{why}", "/dev/ttyAMA0")
    assert "/dev/ttyAMA0" in reason.text and "console" in reason.text
    assert "Restart" in reason.hint


def test_a_note_that_cannot_be_read_counts(tmp_path: Path) -> None:
    (tmp_path / "ttyAMA0").mkdir()
    rule = PortRule(re.compile("/dev/.*"), tmp_path / "none", tmp_path)
    assert rule.refusal("/dev/ttyAMA0") == ev.PortFailed("lent_window")


def test_no_console_starts_on_the_modems_port_by_itself_and_no_dialer_before_it_is_decided() -> (
    None
):
    preset = (OVERLAY / "usr/lib/systemd/system-preset/10-masqgate.preset").read_text()
    assert "ttyAMA" not in preset
    assert "ttyAMA" not in "".join(path.read_text() for path in UNITS.glob("masqgate-console*"))
    dialer = (UNITS / "masqgate-dialer@.service").read_text()
    assert re.search(r"^After=.*masqgate-uart\.service", dialer, re.MULTILINE)
    assert "CAP_SYS_TTY_CONFIG" in (UNITS / "masqgate-uart.service").read_text()
