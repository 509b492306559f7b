"""The answering machine: rings, logins, lock-out, and that it never stops waiting for calls."""

from __future__ import annotations

from collections.abc import Iterable
from random import Random
from typing import Any

import pytest
from masqgate.contract.config import Caller, DialIn
from masqgate.contract.dialer import AnswerConfig
from masqgate.contract.secret import Secret
from masqgate.contract.status import CallRecord, LinkState
from masqgate.link import events as ev
from masqgate.link.answer_table import ANSWERS
from masqgate.link.answering import AnsweringMachine
from masqgate.link.lockout import Limit, Lockout, after_failure, wait_s
from masqgate.link.ringing import Ringing
from masqgate.link.server_options import render, secrets
from masqgate.link.table import trigger
from masqgate.link.timings import Timings

from tests.unit.pppd_words import words

IDLE, UP, WAITING = LinkState.IDLE, LinkState.UP, LinkState.WAITING
ANSWERING, NEGOTIATING = LinkState.DIALING, LinkState.NEGOTIATING
LOGGED_IN = "Peer anybox authenticated with CHAP"
ADDRESSES = ("local  IP address 192.168.77.1", "remote IP address 192.168.77.60")


def config(**fields: Any) -> AnswerConfig:
    given: dict[str, Any] = {
        "name": "modem2", "port": "/dev/ttyUSB0", "address": "192.168.77.60",
        "caller": (Caller(name="anybox", password=Secret("eight letters")),), **fields,
    }  # fmt: skip
    return AnswerConfig(line=DialIn(**given), interface="ppp-modem2", router="192.168.77.1")


class Line:
    """The machine, with a port and a modem that answers OK unless told otherwise."""

    def __init__(self, lockout: Lockout | None = None, now: float = 1000.0, **fields: Any) -> None:
        self.machine = AnsweringMachine(config(**fields), Timings(), lockout)
        self.now = now
        self.fields = fields
        self.kept = lockout or Lockout()  # what would outlive the process
        self.modem = "OK"  # what it says to all commands; empty: nothing
        self.written: list[str] = []
        self.notes: list[ev.Note] = []
        self.calls: list[CallRecord] = []
        self.started: list[ev.StartPppd] = []
        self.terminated = 0
        self.exited = False
        self.port_there = True
        self._later: list[ev.Event] = []
        self.feed(ev.Began())

    @property
    def state(self) -> LinkState:
        return self.machine.state

    def feed(self, event: ev.Event) -> None:
        """Feed an event, and all that follows from it at once."""
        self._later.append(event)
        while self._later:
            self._one(self._later.pop(0))

    def _one(self, event: ev.Event) -> None:
        before = self.state
        row = ANSWERS[before].get(trigger(event))
        for command in self.machine.handle(event, self.now):
            self._do(command)
        allowed = {before} | (set(row.leads_to) if row else set())
        assert self.state in allowed, f"{before} --{event}--> {self.state}"
        if self.state is not LinkState.OFF:
            assert self.machine.deadlines, f"no timer runs in {self.state} after {event}"

    def _do(self, command: ev.Command) -> None:
        match command:
            case ev.OpenPort():
                there = ev.PortOpened() if self.port_there else ev.PortFailed("missing")
                self._later.append(there)
            case ev.WritePort(data):
                line = data.decode().strip()
                self.written.append(line)
                if self.modem and line != "ATA":
                    self._later.append(ev.PortData(f"\r\n{self.modem}\r\n".encode()))
            case ev.LendPort():
                self._later.append(ev.PortLent(True))
            case ev.StartPppd():
                self.started.append(command)
                self._later.append(ev.PppdBegan(77))
            case ev.TerminatePppd() | ev.KillPppd():
                self.terminated += 1
                self._later.append(ev.PppdEnded(5))
            case ev.Note():
                self.notes.append(command)
            case ev.CallEnded(record):
                self.calls.append(record)
            case ev.RememberLockout(lockout):
                self.kept = lockout
            case ev.Exit():
                self.exited = True

    def restarted(self) -> Line:
        """What comes after this process, with what it has kept."""
        return Line(lockout=self.kept, now=self.now, **self.fields)

    def say(self, *lines: str) -> None:
        self.feed(ev.PortData("".join(f"\r\n{line}\r\n" for line in lines).encode()))

    def pppd(self, *lines: str) -> None:
        for line in lines:
            self.feed(ev.PppdLogged(line))

    def pass_time(self) -> float:
        """Let the next timer run out."""
        timer, at = min(self.machine.deadlines.items(), key=lambda item: item[1])
        passed, self.now = at - self.now, at
        self.feed(ev.TimerExpired(timer))
        return passed

    def until(self, state: LinkState) -> None:
        for _ in range(100):
            if self.state is state:
                return
            self.pass_time()
        raise AssertionError(f"never in {state}; in {self.state}")

    def ring(self) -> None:
        self.until(IDLE)
        self.say("RING", "NMBR = 5554000")
        self.say("RING")

    def negotiate(self) -> None:
        self.ring()
        assert self.state is ANSWERING
        self.say("CONNECT 33600")
        assert self.state is NEGOTIATING

    def come_up(self) -> None:
        self.negotiate()
        self.pppd("rcvd [LCP ConfReq id=0x1]", LOGGED_IN, *ADDRESSES)
        assert self.state is UP

    def refuse(self) -> None:
        self.negotiate()
        self.pppd("Peer bob failed CHAP authentication")
        self.feed(ev.PppdEnded(11))


def test_it_answers_after_the_configured_rings() -> None:
    line = Line(rings=3)
    line.until(IDLE)
    assert "ATS0=0" in line.written
    for _ in range(2):
        line.say("RING")
        assert line.state is IDLE
    line.say("RING")
    assert line.state is ANSWERING
    assert line.written[-1] == "ATA"


def test_a_call_comes_up_and_is_kept_when_it_is_over() -> None:
    line = Line()
    line.come_up()
    status = line.machine.status(line.now, 0.0)
    assert (status.kind, status.caller, status.caller_id) == ("dialin", "anybox", "5554000")
    assert (status.peer, status.address) == ("192.168.77.60", "192.168.77.1")
    line.feed(ev.Counted(700, 900))
    line.now += 61.0
    line.pppd("LCP terminated by peer (User request)")
    line.feed(ev.PppdEnded(0))
    (call,) = line.calls
    assert (call.caller, call.caller_id, call.address) == ("anybox", "5554000", "192.168.77.60")
    assert (call.counters.rx_bytes, call.counters.tx_bytes) == (700, 900)
    assert call.why == "caller_hung_up"
    assert call.duration_s >= 61.0
    line.come_up()
    assert line.machine.calls == 2


@pytest.mark.parametrize(
    ("status", "lines", "why"),
    [
        (12, (), "idle"),
        (13, (), "session_over"),
        (15, ("No response to 4 echo-requests",), "caller_silent"),
        (16, ("Modem hangup",), "caller_lost"),
        (-9, (), "pppd_killed"),
        (5, (), "pppd_terminated"),
    ],
)
def test_why_a_call_is_over(status: int, lines: tuple[str, ...], why: str) -> None:
    line = Line()
    line.come_up()
    line.pppd(*lines)
    line.feed(ev.PppdEnded(status))
    assert [call.why for call in line.calls] == [why]
    line.until(IDLE)


def test_a_refused_login_is_told_with_the_name_made_harmless() -> None:
    line = Line()
    line.negotiate()
    line.pppd("Peer \x1b[31mevil failed CHAP authentication")
    line.feed(ev.PppdEnded(11))
    (call,) = line.calls
    assert (call.why, call.caller) == ("login_refused", "")
    assert "\x1b" not in call.text and 'name ".[31mevil"' in call.text


def test_a_name_does_not_pass_for_a_login() -> None:
    """A caller chooses its name, not what the line that holds it means."""
    line = Line()
    line.negotiate()
    line.pppd("Peer anybox authenticated with CHAP failed CHAP authentication")
    line.pppd("PAP peer authentication failed for anybox authenticated with CHAP")
    line.pppd("Peer somebody authenticated with CHAP")
    assert line.machine.visit.caller == ""
    line.pppd(*ADDRESSES)
    assert line.calls[-1].why == "address_refused"


def test_three_refused_logins_silence_the_line() -> None:
    line = Line(failures=3, lockout_minutes=10)
    for _ in range(2):
        line.refuse()
        line.until(IDLE)
    line.refuse()
    assert line.state is WAITING
    assert line.machine.reason.code == "locked"
    assert "locked" in [note.code for note in line.notes]
    line.feed(ev.LineLoaded(config(failures=3, mtu=576)))
    assert line.state is WAITING, "a change does not end it"
    assert line.pass_time() == pytest.approx(600.0, abs=1.0)
    line.come_up()


def test_connect_ends_the_silence() -> None:
    line = Line(failures=1)
    line.refuse()
    assert line.machine.reason.code == "locked"
    line.feed(ev.ConnectCalled())
    line.come_up()


def test_a_restart_of_the_dialer_forgets_no_refused_login() -> None:
    line = Line(failures=2)
    line.refuse()
    line.until(IDLE)
    line = line.restarted()
    line.refuse()
    assert line.machine.reason.code == "locked"
    line.now += 100.0
    line = line.restarted()
    assert (line.state, line.machine.reason.code) == (WAITING, "locked")
    assert line.pass_time() == pytest.approx(500.0, abs=1.0)
    line.come_up()
    assert line.kept == Lockout()


def test_a_lockout_that_makes_no_sense_is_forgotten() -> None:
    line = Line(lockout=Lockout((), 1e9))
    line.until(IDLE)


def test_refusals_long_ago_do_not_count() -> None:
    limit = Limit(2, 600.0, 60.0)
    state = after_failure(Lockout(), limit, 0.0)
    state = after_failure(state, limit, 601.0)
    assert wait_s(state, 601.0) == 0.0
    state = after_failure(state, limit, 700.0)
    assert wait_s(state, 701.0) == 59.0
    assert wait_s(state, 800.0) == 0.0


def test_a_caller_that_gives_up_is_told_of() -> None:
    line = Line(rings=5)
    line.until(IDLE)
    line.say("RING", "NMBR = 5554000", "RING")
    while line.machine.visit.ringing.rings:
        line.pass_time()
    assert line.notes[-1].code == "not_answered"
    assert "5554000" in line.notes[-1].text and "2 rings" in line.notes[-1].text
    assert line.state is IDLE


def test_a_modem_that_answers_by_itself_is_served() -> None:
    line = Line()
    line.until(IDLE)
    line.say("RING", "CONNECT 9600")
    assert line.state is NEGOTIATING
    assert line.machine.call.connect_rate == 9600


def test_a_ring_in_the_middle_of_a_check_is_not_lost() -> None:
    line = Line(rings=1)
    line.until(IDLE)
    line.modem = ""
    line.pass_time()
    assert line.written[-1] == "AT"
    line.say("RING")
    assert line.state is IDLE
    line.say("OK")
    line.until(ANSWERING)


def test_a_modem_that_falls_silent_is_reset_and_found_again() -> None:
    line = Line()
    line.until(IDLE)
    line.modem = ""
    line.until(LinkState.RESETTING)
    line.until(WAITING)
    line.modem = "OK"
    line.until(IDLE)
    assert line.machine.resets == {"modem_silent": 1}
    assert [note.code for note in line.notes] == ["reset", "modem_silent", "listening"]


def test_a_port_that_vanishes_is_looked_for() -> None:
    line = Line()
    line.until(IDLE)
    line.port_there = False
    line.feed(ev.PortLost("gone"))
    line.until(LinkState.NO_PORT)
    line.pass_time()
    line.port_there = True
    line.until(IDLE)


@pytest.mark.parametrize("stuck", ["answering", "connected", "negotiating"])
def test_stuck_calls_are_given_up(stuck: str) -> None:
    line = Line()
    line.ring()
    if stuck != "answering":
        line.say("CONNECT")
    if stuck == "negotiating":
        line.pppd("rcvd [LCP ConfReq id=0x1]")
    began = line.now
    line.until(IDLE)
    assert line.now - began < 400.0
    assert len(line.calls) == 1


def test_a_change_of_the_password_ends_the_callers_call_but_no_other_does() -> None:
    line = Line()
    line.come_up()
    line.feed(ev.LineLoaded(config(rings=4, idle_minutes=1)))
    assert line.state is UP
    other = (*config().line.caller, Caller(name="bob", password=Secret("another one")))
    line.feed(ev.LineLoaded(config(caller=other)))
    assert line.state is UP
    line.feed(ev.LineLoaded(config(caller=other[1:])))
    assert line.calls[-1].why == "config_changed"


def test_it_ends_in_order() -> None:
    line = Line()
    line.come_up()
    line.feed(ev.ShutdownCalled())
    assert line.terminated == 1
    while not line.exited:
        line.pass_time()
    assert line.machine.ended


def everything() -> Iterable[ev.Event]:
    yield from (ev.Began(), ev.PortOpened(), ev.PortFailed("missing"), ev.PortLost("x"))
    yield from (ev.PortLent(True), ev.PortLent(None), ev.PppdBegan(1), ev.PppdFailed("x"))
    yield from (ev.PppdStirred(), ev.PppdStopped(), ev.Counted(1, 2), ev.ConnectCalled())
    yield from (ev.DisconnectCalled(), ev.LineLoaded(config(rings=1)), ev.ConfigRefused("x"))
    yield from (ev.PppdEnded(status) for status in (0, 5, 11, 12, 16, -9))
    yield from (ev.TimerExpired(timer) for timer in ev.Timer)
    for text in ("RING", "OK", "ERROR", "CONNECT 9600", "NO CARRIER", "\xff\0garbage", "+++"):
        yield ev.PortData(f"\r\n{text}\r\n".encode("latin-1"))
    for text in (LOGGED_IN, *ADDRESSES, "Serial line is looped back", "Modem hangup"):
        yield ev.PppdLogged(text)


@pytest.mark.parametrize("seed", range(40))
def test_whatever_happens_it_waits_for_calls_again(seed: int) -> None:
    """Any events in any order keep to the table, and leave no state without a timer."""
    chance = Random(seed)
    line = Line(failures=100)
    events = list(everything())
    for _ in range(300):
        line.modem = chance.choice(["OK", "OK", "", "ERROR"])
        line.port_there = chance.random() < 0.9
        if chance.random() < 0.3:
            line.pass_time()
        else:
            line.feed(chance.choice(events))
    line.modem, line.port_there = "OK", True
    if line.machine._pppd.runs:
        line.feed(ev.PppdEnded(0))
    line.until(IDLE)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("NMBR = 5554000", "5554000"),
        ("NMBR=5554000", "5554000"),
        ("+NMBR: 12", "12"),
        ('+CLIP: "+49301234",145', "+49301234"),
        ("NMBR = P", "withheld"),
        ("NMBR = O", "not known"),
        ("NMBR = " + "9" * 300, "9" * 37 + "..."),
    ],
)
def test_who_calls(text: str, number: str) -> None:
    ringing = Ringing()
    assert ringing.hear(f"\r\nRING\r\n\r\nDATE = 0101\r\n{text}\r\n".encode())
    assert (ringing.rings, ringing.caller_id) == (1, number)


def test_pppd_asks_for_a_login_and_takes_nothing_from_the_caller() -> None:
    text = render(config(auth=("chap", "pap"), session_minutes=60), carrier_wire=True)
    found = [word.decode() for word in words(text.encode())]
    assert "auth" in found and "noauth" not in found
    assert {"require-chap", "require-pap", "nodefaultroute", "noproxyarp"} <= set(found)
    assert "require-mschap-v2" not in found
    assert "usepeerdns" not in found and "ipcp-accept-remote" not in found
    assert found[found.index("ms-dns") + 1] == "192.168.77.1"
    assert found[found.index("idle") + 1] == "1800"
    assert found[found.index("maxconnect") + 1] == "3600"
    assert "192.168.77.1:" in found
    assert "eight" not in text


def test_secrets_are_words_of_pppd() -> None:
    odd = 'a "b" \\c #d\'*'
    callers = (
        Caller(name="anybox", password=Secret(odd)),
        Caller(name="bob", password=Secret("other one"), address="192.168.77.61"),
    )
    rows = secrets(config(caller=callers).line).splitlines()
    assert [[word.decode() for word in words(row.encode())] for row in rows] == [
        ["anybox", "modem2", odd, "192.168.77.60"],
        ["bob", "modem2", "other one", "192.168.77.61"],
    ]
