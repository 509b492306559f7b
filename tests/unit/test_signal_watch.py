"""A modem's second port: what is asked there, and that nothing there reaches the call."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from masqgate.contract.status import LinkState
from masqgate.link import events as ev
from masqgate.link.facts import Network
from masqgate.link.signal_watch import FLOOD, TROUBLES, Output, SignalWatch, reason
from masqgate.link.timings import Timings

from tests.unit.link_world import World, config

SECOND = "/dev/serial/by-path/usb-0:1.3:1.2-port0"
ORDER = ev.OpenPort(SECOND, 115_200, flow_control=False)
LIVE = Timings().live
GOOD = {
    "AT": "", "AT+CEREG?": "+CEREG: 0,5", "AT+COPS?": '+COPS: 0,0,"Lab Mobile",7',
    "AT+CESQ": "+CESQ: 99,99,255,255,20,45",
}  # fmt: skip
KNOWN = Network("roaming", "Lab Mobile", -96)


class Bench:
    """A watch, and a port on a clock of its own that does as `voice` says; '' is silence."""

    def __init__(self) -> None:
        self.watch = SignalWatch(Timings())
        self.voice: dict[str, str] | str | bytes = dict(GOOD)
        self.port = ""  # the problem with opening it; 'stuck': it never does
        self.now = 0.0
        self.timers: dict[ev.Timer, float] = {}
        self.looked: list[ev.Looked] = []
        self.written: list[str] = []
        self.opened = 0
        self.is_open = False

    def follow(self, order: ev.OpenPort | None) -> None:
        self.take(self.watch.follow(order))

    def feed(self, event: ev.Event) -> None:
        self.take(self.watch.handle(event))

    def take(self, outputs: list[Output]) -> None:
        answers: list[ev.Event] = []
        for output in outputs:
            match output:
                case ev.Looked():
                    self.looked.append(output)
                case ev.SetTimer(timer, seconds):
                    self.timers[timer] = self.now + seconds
                case ev.CancelTimer(timer):
                    self.timers.pop(timer, None)
                case ev.OpenPort():
                    assert not self.is_open
                    self.opened += 1
                    answers += self.open()
                case ev.ClosePort():
                    self.is_open = False
                case ev.WritePort(data):
                    assert self.is_open
                    self.written.append(data.decode().strip())
                    answers += self.answer(self.written[-1])
        assert self.watch.phase == "off" or self.timers or answers
        for answer in answers:
            self.feed(answer)

    def open(self) -> list[ev.Event]:
        self.is_open = not self.port
        if self.port == "stuck":
            return []
        return [ev.PortFailed(self.port) if self.port else ev.PortOpened()]  # type: ignore[arg-type]

    def answer(self, line: str) -> list[ev.Event]:
        if isinstance(self.voice, bytes):
            return [ev.PortData(self.voice)]
        if isinstance(self.voice, str):
            return [ev.PortData(self.voice.encode())] if self.voice else []
        if line not in self.voice:
            return [ev.PortData(b"\r\nERROR\r\n")]
        return [ev.PortData(f"\r\n{self.voice[line]}\r\n\r\nOK\r\n".encode())]

    def run(self, seconds: float) -> None:
        end = self.now + seconds
        while self.timers and (due := min(self.timers.values())) <= end:
            self.now = due
            timer = next(timer for timer, at in self.timers.items() if at == due)
            del self.timers[timer]
            self.feed(ev.TimerExpired(timer))
        self.now = end

    @property
    def notes(self) -> list[str]:
        return [looked.note.code for looked in self.looked if looked.note is not None]


@pytest.fixture
def bench() -> Bench:
    made = Bench()
    made.follow(ORDER)
    return made


def test_it_asks_at_once_and_every_half_minute(bench: Bench) -> None:
    assert bench.looked == [ev.Looked(KNOWN)]
    assert bench.written == ["AT", "AT+CEREG?", "AT+COPS?", "AT+CESQ"]
    bench.voice = {**GOOD, "AT+CESQ": "+CESQ: 99,99,255,255,20,60"}
    bench.run(LIVE - 1)
    assert len(bench.looked) == 1
    bench.run(2.0)
    assert bench.looked[1:] == [ev.Looked(Network("roaming", "Lab Mobile", -81))]
    assert bench.opened == 1  # it stays open
    bench.follow(None)
    assert not bench.is_open and not bench.timers
    bench.run(1000.0)
    assert len(bench.looked) == 2


def test_an_older_network_is_asked_in_its_own_way(bench: Bench) -> None:
    bench.voice = {
        "AT": "", "AT+CEREG?": "+CEREG: 0,2", "AT+CREG?": "+CREG: 0,1",
        "AT+COPS?": '+COPS: 0,0,"GSM",0', "AT+CESQ": "+CESQ: 40,99,255,255,255,255",
        "AT+CSQ": "+CSQ: 18,99",
    }  # fmt: skip
    bench.run(LIVE)
    assert bench.looked[-1].network == Network("home", "GSM", -77)


@pytest.mark.parametrize(
    ("told", "word"),
    [("0,0", "none"), ("0,2", "searching"), ("2,3", "denied"), ("0,4", "unknown"),
     ("0,6", "limited"), ("0,9", "home"), ("0,77", "unknown")],
)  # fmt: skip
def test_a_modem_without_a_network_says_so(bench: Bench, told: str, word: str) -> None:
    bench.voice = {**GOOD, "AT+CEREG?": f"+CEREG: {told}", "AT+COPS?": "+COPS: 0"}
    bench.run(LIVE)
    assert bench.looked[-1].network == Network(word, "", -96)


def test_what_comes_unasked_is_ignored(bench: Bench) -> None:
    bench.feed(ev.PortData(b"\r\n+CREG: 3\r\n^RSSI: 4\r\nRING\r\nNO CARRIER\r\n\xff\xfe\r\n"))
    noise = "+CEREG: 3\r\n+CIEV: 2,1\r\n^HCSQ: 1\r\n"
    bench.voice = {line: noise + text for line, text in GOOD.items()}
    bench.run(LIVE)
    assert bench.looked[-1] == ev.Looked(KNOWN)


@pytest.mark.parametrize(
    "trouble", ["missing", "busy", "broken", "console", "lent_window", "lent_jumper", "lent_file"]
)
def test_a_port_that_does_not_open_is_told_once_and_found_again(trouble: str) -> None:
    bench = Bench()
    bench.port = trouble
    bench.follow(ORDER)
    bench.run(3600.0)
    assert bench.opened > 100
    assert bench.notes == [f"status_port_{trouble}"]
    assert bench.looked[-1].trouble == reason(trouble, SECOND)
    bench.port = ""
    bench.run(LIVE)
    assert (bench.looked[-1].network, bench.looked[-1].trouble) == (KNOWN, None)
    assert bench.notes[1:] == ["status_port"]


def test_an_open_that_gets_stuck_is_given_up() -> None:
    bench = Bench()
    bench.port = "stuck"
    bench.follow(ORDER)
    bench.run(120.0)
    assert bench.notes == ["status_port_stuck"]
    bench.port = ""
    bench.run(LIVE + Timings().port_open)
    assert bench.looked[-1].network == KNOWN


@pytest.mark.parametrize(
    ("voice", "code"),
    [
        ("", "silent"),
        (b"\xf8\x00\xe0\r\x9c\xfe\n", "garbled"),
        (b"x" * (FLOOD + 1), "garbled"),
        ("$GPRMC,081836,A,3751.65,S*62\r\n", "silent"),
        ("AT\r", "echoes"),
        ("\r\nERROR\r\n", "tells_nothing"),
        ("\r\nOK\r\n", "tells_nothing"),
    ],
)
def test_a_port_that_is_none_for_commands_is_told_once(voice: str | bytes, code: str) -> None:
    bench = Bench()
    bench.voice = voice
    bench.follow(ORDER)
    bench.run(3600.0)
    assert bench.notes == [f"status_port_{code}"]
    assert all(looked.network is None for looked in bench.looked)
    text = next(looked.note for looked in bench.looked if looked.note is not None).text
    assert SECOND in text and "The call goes on." in text and "status_port" in text


def test_one_turn_in_vain_is_nobodys_business(bench: Bench) -> None:
    bench.feed(ev.PortLost("pulled out"))
    assert len(bench.looked) == 1
    bench.run(Timings().live_retry)
    assert bench.looked[1:] == [ev.Looked(KNOWN)]
    assert bench.opened == 2


def test_a_flapping_port_does_not_fill_the_history(bench: Bench) -> None:
    for _ in range(200):
        bench.port = "missing"
        bench.feed(ev.PortLost("pulled out"))
        bench.run(3 * LIVE)
        bench.port = ""
        bench.run(3 * LIVE)
    assert bench.notes == ["status_port_missing", "status_port"]
    bench.run(20 * LIVE)  # steady for a while: it is news again
    bench.port = "missing"
    bench.feed(ev.PortLost("pulled out"))
    bench.run(3 * LIVE)
    assert bench.notes[2:] == ["status_port_missing"]


def test_the_next_call_does_not_tell_it_again_but_another_port_does() -> None:
    bench = Bench()
    bench.voice = ""
    for _ in range(3):
        bench.follow(ORDER)
        bench.run(600.0)
        bench.follow(None)
    assert bench.notes == ["status_port_silent"]
    bench.follow(ev.OpenPort("/dev/ttyUSB3", 115_200, flow_control=False))
    bench.run(600.0)
    assert bench.notes == ["status_port_silent"] * 2


_EVENTS = st.one_of(
    st.binary(max_size=64).map(ev.PortData),
    st.sampled_from([
        ev.PortData(b"\r\nOK\r\n"), ev.PortData(b"\r\nERROR\r\n"), ev.PortOpened(),
        ev.PortLost(""), ev.PortFailed("missing"), ev.PortFailed("busy"),
        ev.TimerExpired(ev.Timer.STEP), ev.TimerExpired(ev.Timer.PORT),
    ]),
    st.sampled_from([ORDER, None]),
    st.sampled_from(sorted(TROUBLES)),
)  # fmt: skip


@given(st.lists(_EVENTS, max_size=40))
def test_any_events_in_any_order_leave_a_way_on(
    events: list[ev.Event | ev.OpenPort | str | None],
) -> None:
    bench = Bench()
    bench.port, bench.voice = "stuck", ""
    for event in events:
        if isinstance(event, ev.OpenPort) or event is None:
            bench.follow(event)
        elif isinstance(event, str):
            if bench.watch.phase == "opening":
                bench.take(bench.watch.refuse(event))
        elif not isinstance(event, ev.PortData | ev.PortOpened) or bench.watch.phase != "off":
            bench.is_open |= isinstance(event, ev.PortOpened)
            bench.feed(event)
    bench.follow(None)
    bench.port, bench.voice = "", dict(GOOD)
    bench.follow(ORDER)
    assert bench.looked[-1].network == KNOWN


# --- what the link machine makes of it -------------------------------------------------------


def world() -> World:
    made = World(config(status_port=SECOND))
    made.reach(LinkState.UP)
    return made


def test_it_is_asked_while_the_call_is_up_and_at_no_other_time() -> None:
    made = World(config(status_port=SECOND))
    assert made.machine.second_port is None
    made.reach(LinkState.UP)
    assert made.machine.second_port == ORDER
    made.call(ev.ConfigLoaded(config(status_port="")))
    assert (made.state, made.machine.second_port) == (LinkState.UP, None)  # no redial for that
    made.call(ev.ConfigLoaded(config(status_port=SECOND)))
    made.call(ev.DisconnectCalled())
    assert made.machine.second_port is None


def test_what_it_tells_is_told_with_its_time_and_outlives_the_call() -> None:
    made = world()
    made.run_for(100.0)
    made.call(ev.Looked(KNOWN))
    status = made.machine.status(made.now, 0.0)
    told = status.registration, status.operator, status.signal_dbm
    assert told == ("roaming", "Lab Mobile", -96)
    assert made.machine.modem.network_at == made.now
    why = reason("modem_silent", SECOND)
    made.call(ev.Looked(None, why, ev.Note(why.code, why.text, "warning")))
    status = made.machine.status(made.now, 0.0)
    assert (status.network_trouble, status.signal_dbm) == (why, -96)
    assert made.notes[-1].code == "status_port_silent"
    made.call(ev.DisconnectCalled())
    made.reach(LinkState.IDLE)
    status = made.machine.status(made.now, 0.0)
    assert (status.network_trouble, status.signal_dbm) == (None, -96)


@pytest.mark.parametrize("state", [s for s in LinkState if s is not LinkState.UP])
def test_what_comes_late_is_ignored(state: LinkState) -> None:
    made = World(config(mode="manual"))
    made.machine.state = state
    assert made.machine.handle(ev.Looked(KNOWN), made.now) == ()
    assert made.machine.modem.operator == ""
