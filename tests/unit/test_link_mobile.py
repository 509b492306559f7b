"""Mobile modems: the SIM's PIN is guarded, the network is waited for, the signal is read."""

from __future__ import annotations

from typing import Any

import pytest
from masqgate.contract.secret import Secret
from masqgate.contract.status import LinkState
from masqgate.link import events as ev
from masqgate.link import mobile
from masqgate.link.at import Parser
from masqgate.link.dialog import Answer, Ask

from tests.unit.link_world import World, config

S = LinkState


class Sim:
    """A SIM in a modem that has a voice in the simulated world."""

    def __init__(self, right: str = "1234", attempts: int = 3, **answers: str) -> None:
        self.right = right
        self.attempts = attempts
        self.locked = True
        self.tried: list[str] = []
        self.counter = "+CPINR: SIM PIN,{n},3"
        self.command = "AT+CPINR"
        self.answers = {
            "AT+CEREG?": "+CEREG: 0,1", "AT+COPS?": '+COPS: 0,0,"Telekom.de",7',
            "AT+CESQ": "+CESQ: 99,99,255,255,20,45", **answers,
        }  # fmt: skip

    def answer(self, line: str) -> str:
        if line == "AT+CPIN?":
            state = "READY" if not self.locked else "SIM PIN" if self.attempts else "SIM PUK"
            return f"\r\n+CPIN: {state}\r\n\r\nOK\r\n"
        if line.startswith("AT+CPIN="):
            return self.enter(line.split('"')[1])
        if line == self.command:
            return f"\r\n{self.counter.format(n=self.attempts)}\r\n\r\nOK\r\n"
        if line in ("AT+CPINR", "AT+QPINC?", "AT+SPIC", "AT^CPIN?", "AT#PCT"):
            return "\r\nERROR\r\n"
        return f"\r\n{self.answers.get(line, '')}\r\n\r\nOK\r\n"

    def enter(self, pin: str) -> str:
        self.tried.append(pin)
        if pin == self.right:
            self.locked, self.attempts = False, 3
            return "\r\nOK\r\n"
        self.attempts = max(0, self.attempts - 1)
        return "\r\n+CME ERROR: 16\r\n"


def world(sim: Sim, pin: str = "1234", **fields: Any) -> World:
    made = World(config(mode="manual", apn="internet", number="*99#", dial="plain",
                        pin=Secret(pin), **fields))  # fmt: skip
    made.voice = sim.answer
    made.call(ev.ConnectCalled())
    return made


def test_the_right_pin_opens_the_way() -> None:
    sim = Sim()
    made = world(sim)
    made.reach(S.UP)
    assert sim.tried == ["1234"]
    assert 'AT+CGDCONT=1,"IP","internet"' in made.written
    assert "ATD*99#" in made.written
    status = made.machine.status(made.now, 0.0)
    assert (status.operator, status.signal_dbm) == ("Telekom.de", -96)
    assert [c.mark for c in made.marks] == [mobile.mark("1234"), ""]


def test_a_wrong_pin_is_tried_once_for_ever() -> None:
    sim = Sim()
    made = world(sim, "9999")
    made.reach(S.WAITING)
    assert made.machine.reason.code == "pin_wrong"
    assert made.machine.reason.text.startswith("Not dialing: the SIM refuses the PIN. ")
    made.run_for(100_000.0)
    for _ in range(5):
        made.call(ev.ConnectCalled())
        made.run_for(1000.0)
    made.call(ev.ConfigLoaded(config(apn="other", number="*99#", pin=Secret("9999"))))
    made.run_for(10_000.0)
    assert sim.tried == ["9999"]
    assert "9999" not in " ".join(note.text for note in made.notes)


def test_the_mark_survives_the_dialer() -> None:
    sim = Sim()
    made = world(sim, "9999")
    made.machine.modem.pin_mark = mobile.mark("9999")
    made.reach(S.WAITING)
    assert (made.machine.reason.code, sim.tried) == ("pin_wrong", [])


def test_another_pin_is_another_try_but_the_last_two_are_not_ours() -> None:
    sim = Sim()
    made = world(sim, "0000")
    for pin in ("1111", "2222", "3333"):
        made.reach(S.WAITING)
        made.call(ev.ConfigLoaded(config(apn="a", number="*99#", pin=Secret(pin))))
        made.call(ev.ConnectCalled())
    made.reach(S.WAITING)
    assert made.machine.reason.code == "pin_last_tries"
    assert (sim.tried, sim.attempts) == (["0000", "1111"], 1)


@pytest.mark.parametrize(
    ("command", "counter"),
    [
        ("AT+CPINR", "+CPINR: SIM PIN,{n},3"),
        ("AT+QPINC?", '+QPINC: "SC",{n},10'),
        ("AT+SPIC", "+SPIC: {n},10,0,10"),
        ("AT^CPIN?", "^CPIN: SIM PIN,,10,{n},10,3"),
        ("AT#PCT", "#PCT: {n}"),
    ],
)
def test_every_maker_counts_its_own_way(command: str, counter: str) -> None:
    sim = Sim(attempts=1)
    sim.command, sim.counter = command, counter
    made = world(sim)
    made.reach(S.WAITING)
    assert (made.machine.reason.code, sim.tried) == ("pin_last_tries", [])


def test_a_pin_that_was_never_answered_is_not_held_wrong() -> None:
    sim = Sim()
    made = world(sim)
    normal = sim.answer
    made.voice = lambda line: "" if line.startswith("AT+CPIN=") else normal(line)
    made.reach(S.RESETTING, S.WAITING)
    sim.locked = False
    made.voice = normal
    made.reach(S.UP)
    assert made.machine.modem.pin_mark == ""


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ("\r\n+CME ERROR: 10\r\n", "sim_missing"),
        ("\r\n+CME ERROR: SIM not inserted\r\n", "sim_missing"),
        ("\r\n+CPIN: SIM PUK\r\n\r\nOK\r\n", "sim_puk"),
        ("\r\n+CME ERROR: 12\r\n", "sim_puk"),
        ("\r\n+CPIN: PH-NET PIN\r\n\r\nOK\r\n", "sim_puk"),
    ],
)
def test_other_states_of_the_sim_are_named(answer: str, code: str) -> None:
    sim = Sim()
    made = world(sim)
    normal = sim.answer
    made.voice = lambda line: answer if line == "AT+CPIN?" else normal(line)
    made.reach(S.WAITING)
    assert (made.machine.reason.code, sim.tried) == (code, [])


def test_no_pin_is_asked_for_without_one_set() -> None:
    sim = Sim()
    made = world(sim, "")
    made.reach(S.WAITING)
    assert (made.machine.reason.code, sim.tried) == ("pin_missing", [])


def test_the_network_is_waited_for() -> None:
    sim = Sim(**{"AT+CEREG?": "+CEREG: 0,2"})
    made = world(sim)
    made.run_until(lambda: made.machine.reason.code == "registering", 60.0)
    assert made.machine.reason.text == "Waiting for the mobile network."
    made.run_for(30.0)
    sim.answers["AT+CREG?"] = '+CREG: 2,5,"1A2B","01C3D4"'
    made.reach(S.UP)


@pytest.mark.parametrize(
    ("state", "code"), [("2", "not_registered"), ("3", "registration_denied")]
)
def test_a_network_that_does_not_take_us_is_named(state: str, code: str) -> None:
    made = world(Sim(**{"AT+CEREG?": f"+CEREG: 0,{state}"}))
    made.reach(S.WAITING)
    assert made.machine.reason.code == code


def answer(text: str) -> Answer:
    made = Answer()
    for line in Parser().feed(text.encode() + b"\r\n"):
        made.take(line, Ask("AT", 1.0))
    return made


@pytest.mark.parametrize(
    ("text", "dbm"),
    [("+CSQ: 18,99", -77), ("+CSQ: 0,0", -113), ("+CSQ: 31,0", -51), ("+CSQ: 99,99", None),
     ("+CSQ: ", None), ("+CSQ: -1,2", None)],
)  # fmt: skip
def test_signal_of_gsm(text: str, dbm: int | None) -> None:
    assert mobile.signal_gsm(answer(text)) == dbm


@pytest.mark.parametrize(
    ("text", "dbm"),
    [("+CESQ: 99,99,255,255,20,45", -96), ("+CESQ: 99,99,255,255,255,255", None),
     ("+CESQ: 1", None)],
)  # fmt: skip
def test_signal_of_lte(text: str, dbm: int | None) -> None:
    assert mobile.signal_lte(answer(text)) == dbm


def test_an_operators_name_is_hostile_too() -> None:
    assert mobile.operator(answer('+COPS: 0,0,"<b>x</b>",7')) == "<b>x</b>"
    assert mobile.operator(answer("+COPS: 0")) == ""
    assert len(mobile.operator(answer(f'+COPS: 0,0,"{"n" * 300}",7'))) <= 40
