"""The lab's modem: dialogues and pacing on a clock of their own, and one call over a real pty."""

from __future__ import annotations

import os
import random
import select
import time
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.lab.at import Dial, Order, Result
from tests.lab.modem_core import ModemCore, ModemFaults, ModemState, Transmit
from tests.lab.pacing import PacedQueue
from tests.lab.ppp_auth import Credentials
from tests.lab.ppp_options import PeerSettings
from tests.lab.ppp_peer import Phase, PppPeer
from tests.lab.pty_modem import PtyLab, pty_modem


class Bench:
    """A modem core and a clock."""

    def __init__(self, **faults: object) -> None:
        self.now = 100.0
        self.core = ModemCore(ModemFaults(**faults))  # type: ignore[arg-type]

    def say(self, text: str) -> str:
        self.core.receive(text.encode(), self.now)
        return self.core.take_output(self.now).decode()

    def wait(self, seconds: float) -> str:
        self.now += seconds
        self.core.tick(self.now)
        return self.core.take_output(self.now).decode()

    def go_online(self, rate: int = 33600) -> str:
        self.say("ATE0DT5551000\r")
        self.core.take_orders()
        self.core.connected(rate, self.now)
        return self.core.take_output(self.now).decode()


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("AT\r", "AT\r\r\nOK\r\n"),
        ("at\r", "at\r\r\nOK\r\n"),
        ("ATE0\r", "ATE0\r\r\nOK\r\n"),
        ("ATE0V0\r", "ATE0V0\r0\r"),
        ("ATV0I0\r", "ATV0I0\rLab modem\r\n0\r"),
        ("ATQ1\r", "ATQ1\r"),
        ("AT&F&C1&D2X4S7=60S0=0\r", "AT&F&C1&D2X4S7=60S0=0\r\r\nOK\r\n"),
        ("ATS7=45S7?\r", "ATS7=45S7?\r\r\n045\r\n\r\nOK\r\n"),
        ("AT+GMI;+GMM\r", "AT+GMI;+GMM\r\r\nMasqgate\r\n\r\nLab modem\r\n\r\nOK\r\n"),
        ("AT+GCAP\r", "AT+GCAP\r\r\n+GCAP: +MS,+ES,+DS,+FCLASS\r\n\r\nOK\r\n"),
        ("ATX9\r", "ATX9\r\r\nERROR\r\n"),
        ("AT+NONSENSE\r", "AT+NONSENSE\r\r\nERROR\r\n"),
        ("AT\\N3%C1&K3\r", "AT\\N3%C1&K3\r\r\nOK\r\n"),
        ("ATH0\r", "ATH0\r\r\nOK\r\n"),
        ("ATO\r", "ATO\r\r\nNO CARRIER\r\n"),
        ("noise\r", "noise\r"),
        ("A/", "A/\r\nOK\r\n"),
        ("AXX\bT\r", "AXX\bT\r"),
        ("AX\bT\r", "AX\bT\r\r\nOK\r\n"),
    ],
)
def test_command_lines_get_the_answers_of_v250(line: str, answer: str) -> None:
    assert Bench().say(line) == answer


def test_the_last_line_is_repeated_by_a_slash() -> None:
    bench = Bench()
    bench.say("ATE0S7?\r")
    assert bench.say("A/") == "\r\n050\r\n\r\nOK\r\n"


def test_z_restores_what_w_stored() -> None:
    bench = Bench()
    bench.say("ATE0S7=99&W\r")
    bench.say("ATE1S7=1\r")
    bench.say("ATZ\r")
    assert bench.say("ATS7?\r") == "\r\n099\r\n\r\nOK\r\n"


@pytest.mark.parametrize(
    ("line", "number"),
    [("ATDT5551000\r", "5551000"), ("atdp 555-1000\r", "5551000"), ("ATD9,W555\r", "9555")],
)
def test_dialing_gives_the_network_a_number(line: str, number: str) -> None:
    bench = Bench()
    bench.say(line)
    assert bench.core.take_orders() == [Dial(number)]
    assert bench.core.state is ModemState.DIALING


def test_a_call_from_connect_to_escape_and_back() -> None:
    bench = Bench()
    assert bench.go_online() == "\r\nCONNECT 33600\r\n"
    assert bench.say("data") == "" and bench.core.take_orders() == [Transmit(b"data")]
    bench.wait(1.0)
    for plus in "+++":
        bench.say(plus)
    assert bench.wait(0.9) == ""
    assert bench.wait(0.1) == "\r\nOK\r\n"
    assert bench.core.state is ModemState.ONLINE_COMMAND
    assert bench.say("ATO\r") == "\r\nCONNECT 33600\r\n"
    bench.wait(1.0)
    bench.say("+++")
    bench.wait(1.0)
    bench.core.take_orders()
    assert bench.say("ATH\r") == "\r\nOK\r\n"
    assert bench.core.take_orders() == [Order.HANG_UP]


@pytest.mark.parametrize("text", ["x+++", "++++", "+++x"])
def test_plus_signs_within_data_do_not_escape(text: str) -> None:
    bench = Bench()
    bench.go_online()
    bench.wait(0.5)
    for char in text:
        bench.say(char)
    assert bench.wait(5.0) == "" and bench.core.state is ModemState.ONLINE


def test_plus_signs_without_quiet_before_them_do_not_escape() -> None:
    bench = Bench()
    bench.go_online()
    bench.wait(0.5)
    bench.say("+++")
    assert bench.wait(5.0) == "" and bench.core.state is ModemState.ONLINE


def test_s2_above_127_switches_the_escape_off() -> None:
    bench = Bench()
    bench.say("ATS2=255\r")
    bench.go_online()
    bench.wait(2.0)
    bench.say("+++")
    assert bench.wait(2.0) == ""


def test_results_of_a_dial_depend_on_x_and_v() -> None:
    bench = Bench()
    bench.say("ATE0\r")
    for setting, result, answer in [
        ("X4", Result.BUSY, "\r\nBUSY\r\n"),
        ("X4", Result.NO_DIALTONE, "\r\nNO DIALTONE\r\n"),
        ("X4", Result.NO_ANSWER, "\r\nNO ANSWER\r\n"),
        ("X0", Result.BUSY, "\r\nNO CARRIER\r\n"),
        ("V0X4", Result.BUSY, "7\r"),
    ]:
        bench.say(f"AT{setting}DT1\r")
        bench.core.failed(result, bench.now)
        assert bench.core.take_output(bench.now).decode() == answer


def test_no_carrier_comes_after_s7_seconds() -> None:
    bench = Bench()
    bench.say("ATE0S7=30DT1\r")
    assert bench.wait(29.9) == ""
    assert bench.wait(0.1) == "\r\nNO CARRIER\r\n"
    assert Order.HANG_UP in bench.core.take_orders()


def test_a_character_aborts_a_dial_but_the_line_feed_does_not() -> None:
    bench = Bench()
    bench.say("ATE0DT1\r\n")
    bench.wait(1.0)
    assert bench.core.state is ModemState.DIALING
    assert bench.say("x") == "\r\nNO CARRIER\r\n"


def test_a_lost_carrier_says_so_once() -> None:
    bench = Bench()
    bench.go_online()
    bench.core.lost(bench.now)
    bench.core.lost(bench.now)
    assert bench.core.take_output(bench.now) == b"\r\nNO CARRIER\r\n"


def test_ringing_shows_the_caller_and_answers_by_s0() -> None:
    bench = Bench()
    bench.say("ATE0+VCID=1;S0=2\r")
    bench.core.ring("5559001", bench.now)
    assert bench.core.take_output(bench.now) == b"\r\nRING\r\n\r\nNMBR = 5559001\r\n"
    assert bench.core.take_orders() == []
    bench.core.ring("5559001", bench.now)
    assert bench.core.take_orders() == [Order.ANSWER]


@pytest.mark.parametrize(
    ("mode", "orders", "state"),
    [
        (0, [], ModemState.ONLINE),
        (1, [], ModemState.ONLINE_COMMAND),
        (2, [Order.HANG_UP], ModemState.COMMAND),
    ],
)
def test_dtr_obeys_its_setting(mode: int, orders: list[Order], state: ModemState) -> None:
    bench = Bench()
    bench.say(f"AT&D{mode}\r")
    bench.go_online()
    bench.core.drop_dtr(bench.now)
    assert (bench.core.take_orders(), bench.core.state) == (orders, state)


def test_faults_do_what_their_names_say() -> None:
    assert Bench(silent=True).say("AT\r") == ""
    assert Bench(deaf=True).say("AT\r") == ""
    assert Bench(always_error=True).say("AT\r") == "AT\r\r\nERROR\r\n"
    stuck = Bench(echo_stuck=True)
    stuck.say("ATE0\r")
    assert stuck.say("AT\r") == "AT\r\r\nOK\r\n"
    slow = Bench(response_delay_s=3.0)
    assert slow.say("AT\r") == "AT\r"
    assert slow.wait(3.0) == "\r\nOK\r\n"
    assert Bench(hang_connect=True).go_online() == "\r\nCONN"
    loop = Bench(loopback=True)
    loop.go_online()
    assert loop.say("hello") == "hello"


def test_a_megabyte_without_an_end_of_line_stays_small() -> None:
    bench = Bench()
    bench.say("ATE0\r")
    bench.say("A" * 1_000_000)
    assert len(bench.core._line) <= 300
    bench.say("\r")
    assert bench.say("AT\r") == "\r\nOK\r\n"


@pytest.mark.parametrize("rate", [300, 33_600, 115_200, 921_600])
def test_bytes_cross_at_ten_bits_each(rate: int) -> None:
    queue, now, got = PacedQueue(rate), 50.0, 0
    queue.push(b"x" * 1000, now)
    while (due := queue.due()) is not None:
        now = due
        got += len(queue.pop(now))
    assert got == 1000
    assert now - 50.0 == pytest.approx(10_000 / rate, rel=1e-6)


def test_a_late_reader_gets_what_is_due_and_no_more() -> None:
    queue = PacedQueue(9600)
    queue.push(b"x" * 2000, 0.0)
    assert len(queue.pop(1.0)) == 960
    assert len(queue.pop(1.0)) == 0


def test_an_idle_line_saves_no_credit() -> None:
    queue = PacedQueue(9600)
    queue.push(b"x", 0.0)
    queue.pop(1.0)
    queue.push(b"x" * 100, 60.0)
    assert queue.pop(60.0) == b""


def test_delay_is_added_to_pacing() -> None:
    queue = PacedQueue(9600, delay_s=2.5)
    queue.push(b"x" * 96, 0.0)
    queue.pop(0.1)
    assert queue.pop(2.5) == b""
    assert len(queue.pop(2.7)) == 96


@pytest.mark.parametrize("rate", [299, 921_601, 0])
def test_rates_out_of_range_are_refused(rate: int) -> None:
    with pytest.raises(ValueError, match="outside"):
        PacedQueue(rate)


class Computer:
    """A computer's end of the pty."""

    def __init__(self, path: Path) -> None:
        self.fd = os.open(path, os.O_RDWR | os.O_NOCTTY)
        tty.setraw(self.fd)
        self.seen = b""

    def expect(self, wanted: bytes, seconds: float = 10.0) -> None:
        end = time.monotonic() + seconds
        while wanted not in self.seen:
            assert time.monotonic() < end, f"no {wanted!r} in {self.seen!r}"
            self.seen += self.read()
        self.seen = self.seen.partition(wanted)[2]

    def read(self) -> bytes:
        ready = select.select([self.fd], [], [], 0.05)[0]
        return os.read(self.fd, 4096) if ready else b""

    def say(self, data: bytes) -> None:
        os.write(self.fd, data)


@contextmanager
def computer() -> Iterator[tuple[PtyLab, Computer]]:
    with pty_modem() as lab:
        end = Computer(lab.path)
        try:
            yield lab, end
        finally:
            os.close(end.fd)


def test_the_numbers_of_the_lab_answer_as_documented() -> None:
    with computer() as (lab, end):
        for number, answer in [(b"5553000", b"BUSY"), (b"5553002", b"NO DIALTONE"),
                               (b"1", b"NO CARRIER")]:  # fmt: skip
            end.say(b"ATDT" + number + b"\r")
            end.expect(b"\r\n" + answer + b"\r\n")
        lab.modem.fault(dial_result=Result.NO_ANSWER)
        end.say(b"ATDT5551000\r")
        end.expect(b"\r\nNO ANSWER\r\n")
        assert lab.network.dialed == ["5553000", "5553002", "1", "5551000"]


def test_a_call_over_a_pty_brings_ppp_up_and_the_cut_is_seen() -> None:
    with computer() as (lab, end):
        end.say(b"ATDT5551000\r")
        end.expect(b"CONNECT 115200\r\n")
        login = Credentials("masqgate", "lab-secret")
        client = PppPeer(
            PeerSettings(login=login, ask_dns=True), random=random.Random(3).randbytes
        )
        client.start(time.monotonic())
        limit = time.monotonic() + 60
        while client.phase is not Phase.UP and time.monotonic() < limit:
            end.say(client.take_output())
            client.receive(end.read(), time.monotonic())
            client.tick(time.monotonic())
        assert str(client.own_address) == lab.isp.wait_up(60) == "198.51.100.100"
        lab.modem.drop_carrier()
        end.expect(b"NO CARRIER")
        lab.isp.wait_down(60)


def test_closing_the_port_hangs_up() -> None:
    with pty_modem() as lab:
        end = Computer(lab.path)
        end.say(b"ATDT5551003\r")
        end.expect(b"CONNECT")
        os.close(end.fd)
        lab.modem.wait_idle(60)


def test_a_replugged_adapter_comes_back_under_another_name() -> None:
    with pty_modem() as lab:
        before = lab.path.resolve()
        keep = os.open(before, os.O_RDWR | os.O_NOCTTY)
        lab.modem.replug()
        os.close(keep)
        end = Computer(lab.path)
        end.say(b"AT\r")
        end.expect(b"OK")
        os.close(end.fd)
