"""The serial port's thread, on a pty: opening, reading, hanging up, and never waiting for long."""

from __future__ import annotations

import os
import pty
import re
import termios
import time
import tty
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import Empty, SimpleQueue

import pytest
from masqgate.link import events as ev
from masqgate.system.serialport import PortRule, SerialPort

PTYS = PortRule(re.compile(r"/dev/pts/[0-9]+"))
PATIENCE_S = 60.0


class Line:
    """A pty: the modem's side, and the path of the computer's."""

    def __init__(self, folder: Path) -> None:
        self.master, slave = pty.openpty()
        tty.setraw(slave)
        self.path = folder / "port"
        self.path.symlink_to(os.ttyname(slave))
        os.close(slave)

    def close(self) -> None:
        if self.master >= 0:
            os.close(self.master)
        self.master = -1


@pytest.fixture
def line(tmp_path: Path) -> Iterator[Line]:
    made = Line(tmp_path)
    yield made
    made.close()


class Bench:
    def __init__(self) -> None:
        self.events: SimpleQueue[ev.Event] = SimpleQueue()
        self.ports: list[SerialPort] = []

    def open(
        self, path: Path, former: SerialPort | None = None, rule: PortRule = PTYS
    ) -> SerialPort:
        port = SerialPort(str(path), 9600, False, 0.05, self.events.put, former, rule)
        self.ports.append(port)
        return port

    def next(self) -> ev.Event:
        return self.events.get(timeout=PATIENCE_S)

    def quiet(self) -> bool:
        try:
            self.events.get(timeout=0.3)
        except Empty:
            return True
        return False


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench()
    yield made
    for port in made.ports:
        port.close()
        assert port.closed.wait(PATIENCE_S)


def wait(what: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not what():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_bytes_go_both_ways(line: Line, bench: Bench) -> None:
    port = bench.open(line.path)
    assert bench.next() == ev.PortOpened()
    assert port.device == os.path.realpath(line.path)
    port.write(b"ATZ\r")
    assert os.read(line.master, 100) == b"ATZ\r"
    os.write(line.master, b"\r\nOK\r\n")
    heard = b""
    while heard != b"\r\nOK\r\n":
        event = bench.next()
        assert isinstance(event, ev.PortData)
        heard += event.data


def test_what_was_said_before_is_thrown_away(line: Line, bench: Bench) -> None:
    keep = os.open(line.path, os.O_RDWR | os.O_NOCTTY)
    os.write(line.master, b"NO CARRIER\r\n")
    bench.open(line.path)
    assert bench.next() == ev.PortOpened()
    assert bench.quiet()
    os.close(keep)


@pytest.mark.parametrize("kind", ["missing", "file", "folder"])
def test_a_port_that_is_none_is_named(tmp_path: Path, bench: Bench, kind: str) -> None:
    path = tmp_path / "port"
    if kind == "file":
        path.write_text("")
    if kind == "folder":
        path.mkdir()
    bench.open(path)
    event = bench.next()
    assert isinstance(event, ev.PortFailed)
    assert event.problem == ("missing" if kind == "missing" else "broken")


def test_a_persons_terminal_is_no_port(line: Line, bench: Bench) -> None:
    keep = os.open(line.path, os.O_RDWR | os.O_NOCTTY)
    bench.open(line.path, rule=PortRule())
    event = bench.next()
    assert isinstance(event, ev.PortFailed) and event.problem == "broken"
    assert "no serial port" in event.detail
    os.close(keep)


def test_the_routers_console_is_no_port(line: Line, bench: Bench, tmp_path: Path) -> None:
    active = tmp_path / "active"
    active.write_text(f"tty0 {line.path.resolve().name}\n")
    bench.open(line.path, rule=PortRule(PTYS.devices, active))
    assert bench.next() == ev.PortFailed("console")
    active.write_text("tty0 ttyS1\n")
    bench.open(line.path, rule=PortRule(PTYS.devices, active))
    assert bench.next() == ev.PortOpened()


def test_one_user_at_a_time_and_the_next_waits_for_the_former(line: Line, bench: Bench) -> None:
    first = bench.open(line.path)
    assert bench.next() == ev.PortOpened()
    bench.open(line.path)
    event = bench.next()
    assert isinstance(event, ev.PortFailed) and event.problem == "busy"
    first.close()
    bench.open(line.path, first)
    assert bench.next() == ev.PortOpened()


def test_a_port_that_vanishes_is_lost(line: Line, bench: Bench) -> None:
    bench.open(line.path)
    assert bench.next() == ev.PortOpened()
    line.close()
    assert isinstance(bench.next(), ev.PortLost)


def test_a_lent_port_is_not_read_and_stays_open(line: Line, bench: Bench) -> None:
    port = bench.open(line.path)
    assert bench.next() == ev.PortOpened()
    port.lend()
    assert bench.next() == ev.PortLent(None)  # a pty has no DCD
    os.write(line.master, b"~\xff}#")
    other = os.open(line.path, os.O_RDWR | os.O_NOCTTY)
    assert os.read(other, 10) == b"~\xff}#"
    os.close(other)
    os.write(line.master, b"!")
    assert bench.quiet()


def test_dtr_goes_low_by_the_rate_where_there_is_no_wire(line: Line, bench: Bench) -> None:
    # Low for long: a busy machine must find time to look.
    port = SerialPort(str(line.path), 9600, False, 5.0, bench.events.put, rule=PTYS)
    bench.ports.append(port)
    wait(lambda: termios.tcgetattr(line.master)[5] == termios.B0)
    assert bench.next() == ev.PortOpened()
    assert termios.tcgetattr(line.master)[5] == termios.B9600


def test_a_port_that_takes_nothing_holds_nobody_up(line: Line, bench: Bench) -> None:
    port = bench.open(line.path)
    assert bench.next() == ev.PortOpened()
    for _ in range(3):
        port.write(b"x" * 200_000)
    port.close()
    assert port.closed.wait(PATIENCE_S)


def test_a_closed_port_says_no_more(line: Line, bench: Bench) -> None:
    port = bench.open(line.path)
    assert bench.next() == ev.PortOpened()
    port.close()
    assert port.closed.wait(PATIENCE_S)
    port.write(b"AT\r")
    port.drop_dtr()
    assert bench.quiet()
