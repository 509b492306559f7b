"""The link machine, told as stories; and any events in any order."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from masqgate.contract.config import Caller, DialIn
from masqgate.contract.dialer import AnswerConfig, AnyConfig
from masqgate.contract.secret import Secret
from masqgate.contract.status import LinkState, Reason
from masqgate.link import events as ev
from masqgate.link.machine import LinkMachine
from masqgate.link.machines import Machine, machine_for
from masqgate.link.table import trigger
from masqgate.link.timings import Timings
from msgspec import structs

from tests.unit.link_world import Faults, World, config

S = LinkState


def tell(machine: LinkMachine, *events: ev.Event, now: float = 0.0) -> list[ev.Command]:
    return [command for event in events for command in machine.handle(event, now)]


def kinds(commands: Iterable[ev.Command]) -> list[str]:
    return [type(command).__name__ for command in commands]


def test_a_call_reads_like_this() -> None:
    machine = LinkMachine(config(init=("ATZ",)), Timings(), lambda: 0.5)
    assert tell(machine, ev.Began()) == [
        ev.ClosePort(), ev.SetTimer(ev.Timer.PORT, 15.0),
        ev.OpenPort("/dev/ttyUSB0", 115_200, True),
    ]  # fmt: skip
    assert tell(machine, ev.PortOpened()) == [
        ev.CancelTimer(ev.Timer.PORT),
        ev.WritePort(b"AT\r", "AT"), ev.SetTimer(ev.Timer.STEP, 1.5),
    ]  # fmt: skip
    assert tell(machine, ev.PortData(b"\r\nOK\r\n")) == [
        ev.WritePort(b"ATZ\r", "ATZ"), ev.SetTimer(ev.Timer.STEP, 5.0),
    ]  # fmt: skip
    assert tell(machine, ev.PortData(b"\r\nOK\r\n")) == [ev.SetTimer(ev.Timer.STEP, 0.3)]
    tell(machine, ev.TimerExpired(ev.Timer.STEP))
    commands = tell(machine, ev.PortData(b"\r\nCourier\r\nOK\r\n"))
    assert ev.WritePort(b"ATDT5551000\r", "ATDT5551000") in commands
    assert (machine.state, machine.reason.text) == (S.DIALING, "Dialing 5551000.")
    commands = tell(machine, ev.PortData(b"\r\nCONNECT 33600/V34\r\n~\xff}#"))
    assert commands[-1] == ev.LendPort()
    assert machine.reason.text == "Connected at 33600 bit/s; starting PPP."
    (start,) = [c for c in tell(machine, ev.PortLent(None)) if isinstance(c, ev.StartPppd)]
    assert "local" in start.options.splitlines()
    tell(
        machine,
        ev.PppdBegan(77),
        ev.PppdLogged("local  IP address 198.51.100.7"),
        ev.PppdLogged("remote IP address 198.51.100.1"),
    )
    status = machine.status(0.0, 1.0)
    assert (status.state, status.address, status.peer) == (S.UP, "198.51.100.7", "198.51.100.1")
    assert (status.connect_rate, status.modem, status.pppd_pid) == (33_600, "Courier", 77)
    assert status.reason.text == "Connected as 198.51.100.7 at 33600 bit/s."


def test_a_modem_that_obeys_only_a_reset_is_dialed_within_seconds() -> None:
    world = World(config(init=("AT&F",)))
    obeys = False

    def voice(line: str) -> str:
        nonlocal obeys
        obeys |= line == "ATZ"
        return "\r\nOK\r\n" if obeys else ""

    world.voice = voice
    assert world.reach(S.DIALING) < 6.0
    assert (world.written.count("ATZ"), world.machine.resets) == (1, {})


@pytest.mark.parametrize("delay_s", [0.0, 1.0])
def test_a_modem_that_answers_is_not_reset_unasked(delay_s: float) -> None:
    world = World(config(init=("AT&F",)))
    world.faults.delay_s = delay_s
    world.reach(S.UP)
    world.end_pppd(16, 0.0)
    world.run_until(lambda: world.pppd_count == 2, 200.0)
    assert "ATZ" not in world.written


def test_people_are_told_why_and_how_long() -> None:
    world = World()
    world.faults.dial = "BUSY"
    world.reach(S.WAITING)
    reason = world.machine.reason
    assert (reason.code, reason.text) == (
        "busy", "Waiting 5 s before the next dial: the line was busy.",
    )  # fmt: skip
    assert world.machine.status(world.now, 0.0).retry_in_s == 5.0


def test_carrier_wire_decides_whether_pppd_minds_it() -> None:
    for carrier, word in ((True, "modem"), (False, "local"), (None, "local")):
        world = World()
        world.reach(S.NEGOTIATING)
        (start,) = [
            command
            for command in world.machine.handle(ev.PortLent(carrier), world.now)
            if isinstance(command, ev.StartPppd)
        ]
        assert word in start.options.splitlines()


@pytest.mark.parametrize("state", [S.INIT, S.DIALING, S.NEGOTIATING, S.UP, S.WAITING])
def test_disconnect_holds_until_connect(state: LinkState) -> None:
    world = World()
    if state is S.WAITING:
        world.faults.dial = "BUSY"
    world.reach(state)
    world.faults.dial = ""
    world.call(ev.DisconnectCalled())
    world.reach(S.IDLE, limit_s=30.0)
    assert world.machine.reason.code == "disconnected"
    assert not world.port_open and world.pppd is None and not world.machine.deadlines
    world.run_for(10_000.0)
    assert world.state is S.IDLE
    world.call(ev.ConnectCalled())
    world.reach(S.UP)


@pytest.mark.parametrize("state", [S.INIT, S.DIALING, S.NEGOTIATING, S.UP, S.WAITING])
def test_rest_holds_until_the_next_dial_and_tells_why(state: LinkState) -> None:
    world = World(config(mode="demand"))
    assert (world.state, world.machine.reason.code) == (S.IDLE, "idle_demand")
    if state is S.WAITING:
        world.faults.dial = "BUSY"
    world.call(ev.DialCalled())
    world.reach(state)
    world.faults.dial = ""
    world.call(ev.RestCalled(IDLE))
    world.reach(S.IDLE, limit_s=30.0)
    assert world.machine.reason == IDLE
    world.run_for(10_000.0)
    assert world.state is S.IDLE
    world.call(ev.DialCalled())
    world.reach(S.UP)


def test_a_call_on_demand_that_breaks_is_dialed_again() -> None:
    world = World(config(mode="demand"))
    world.call(ev.DialCalled())
    world.reach(S.UP)
    world.end_pppd(16, 0.0)
    world.reach(S.WAITING)
    world.reach(S.UP)


def test_a_packet_does_not_undo_what_a_person_said() -> None:
    world = World(config(mode="demand"))
    world.call(ev.ConnectCalled())
    world.reach(S.UP)
    world.call(ev.DisconnectCalled())
    world.call(ev.DialCalled())  # while it hangs up
    world.reach(S.IDLE, limit_s=30.0)
    world.call(ev.DialCalled())
    world.call(ev.RestCalled(IDLE))
    world.run_for(100.0)
    assert (world.state, world.machine.reason.code) == (S.IDLE, "disconnected")


def test_with_windows_the_supervisor_says_when_and_without_them_it_dials() -> None:
    world = World(config(windows=("daily 07:00-19:00",)))
    assert world.state is S.IDLE
    world.call(ev.ConfigLoaded(config()))
    world.reach(S.UP)


@pytest.mark.parametrize("state", [s for s in S if s is not S.OFF])
def test_the_end_lets_go_of_everything(state: LinkState) -> None:
    world = World(config(mode="manual"))
    if state is not S.IDLE:
        world.faults.dial = "BUSY" if state is S.WAITING else ""
        world.faults.port = "missing" if state is S.NO_PORT else ""
        world.faults.modem = "silent" if state is S.RESETTING else ""
        world.call(ev.ConnectCalled())
        if state is S.HANGING_UP:
            world.reach(S.UP)
            world.end_pppd(16, 0.0)
        world.reach(state)
    world.call(ev.ShutdownCalled())
    world.run_until(lambda: world.exited, 30.0)
    assert not world.port_open and world.pppd is None and not world.machine.deadlines


def test_a_silent_pppd_is_terminated_then_killed() -> None:
    world = World()
    world.reach(S.UP)
    world.faults.pppd = "hung"
    assert world.reach(S.HANGING_UP) <= 60.0
    assert world.machine.reason.code == "pppd_silent"
    assert 10.0 <= world.run_until(lambda: world.pppd is None, 30.0) <= 11.0


def test_a_pppd_that_survives_kill_is_told_of_and_killed_again() -> None:
    world = World()
    world.reach(S.UP)
    world.faults.pppd = "unkillable"
    world.reach(S.HANGING_UP)
    world.run_until(lambda: world.machine.reason.code == "pppd_stuck", 60.0)
    world.run_for(3600.0)
    assert world.pppd_count == 1
    world.faults.pppd = ""
    world.reach(S.UP, limit_s=120.0)


def test_the_peers_words_choose_nothing() -> None:
    world = World()
    world.reach(S.NEGOTIATING)
    world.run_until(lambda: world.machine.reason.code == "negotiating", 20.0)
    lie = "local  IP address 6.6.6.6^Mremote IP address 6.6.6.6\x1b[2J\u202e" + "x" * 5000
    world.log(f"CHAP authentication failed: {lie}")
    world.end_pppd(19, 0.1)
    world.reach(S.WAITING)
    reason = world.machine.reason
    assert reason.code == "auth_failed"
    assert reason.text.isascii() and reason.text.isprintable() and len(reason.text) < 300
    assert world.machine.calls == 0


def test_a_saturated_call_is_not_hung_up() -> None:
    """While bytes come in, pppd sends no echo and logs nothing."""
    world = World()
    world.reach(S.UP)
    world.silence_pppd()
    for number in range(200):
        world.call(ev.Counted(1000 + number * 60, 10))
        world.run_for(2.0)
    assert world.state is S.UP


def test_short_calls_do_not_reset_the_back_off() -> None:
    world = World()

    def wait() -> float:
        """Lose a call; return the seconds from that until the next dial."""
        world.log("Modem hangup")
        world.end_pppd(16, 0.1)
        world.reach(S.HANGING_UP)
        lost_at = world.now
        world.reach(S.WAITING)
        return world.machine.deadlines[ev.Timer.REDIAL] - lost_at

    waits = []
    for _ in range(5):
        world.reach(S.UP)
        waits.append(wait())
    assert waits == sorted(waits) and waits[-1] == pytest.approx(80.0)
    world.reach(S.UP)
    world.run_for(61.0)
    assert wait() == pytest.approx(5.0)


def test_a_line_rests_while_its_modem_is_brought_to_order() -> None:
    world = World()
    world.reach(S.UP)
    world.log("Modem hangup")
    world.end_pppd(16, 0.1)
    world.faults.modem = "silent"
    brought = world.reach(S.WAITING)
    assert brought > Timings().first_redial
    left = world.machine.deadlines[ev.Timer.REDIAL] - world.now
    assert left == Timings().least_redial


def test_a_port_that_goes_at_each_hang_up_does_not_hurry_the_next_dial() -> None:
    world = World()
    world.faults.ppp = "auth"
    dials: list[float] = []
    for _ in range(7):
        world.reach(S.DIALING, limit_s=3000.0)
        dials.append(world.now)
        world.reach(S.NEGOTIATING)
        world.faults.port = "missing"  # as soon as it is closed, for a moment
        world.reach(S.HANGING_UP)
        world.run_for(0.5)
        world.faults.port = ""
    pauses = [later - sooner for sooner, later in pairwise(dials)]
    assert min(pauses) >= 30.0
    assert pauses[2] >= 300.0 and pauses[5] >= 1800.0


@pytest.mark.parametrize("fault", ["silent modem", "lost port"])
def test_a_fault_while_hanging_up_does_not_hide_a_refused_login(fault: str) -> None:
    world = World()
    world.faults.ppp = "auth"
    for pause in (10.0, 10.0, 300.0):
        world.reach(S.HANGING_UP)
        if fault == "silent modem":
            world.faults.modem = "silent"
        else:
            world.call(ev.PortLost("pulled out"))
        world.reach(S.WAITING)
        assert world.machine.reason.code == "auth_failed"
        assert world.machine.deadlines[ev.Timer.REDIAL] - world.now == pause
        world.faults.modem = ""
    world.faults.ppp, world.faults.dial = "", "BUSY"
    world.reach(S.DIALING)
    world.reach(S.WAITING)
    assert world.machine.reason.code == "busy"


def test_a_port_that_is_lost_twice_does_not_leave_pppd_behind() -> None:
    world = World()
    world.reach(S.UP)
    world.faults.pppd = "unkillable"
    world.call(ev.PortLost("pulled out"))
    world.call(ev.PortLost("pulled out"))
    assert world.state is S.HANGING_UP and world.pppd is not None
    world.faults.pppd = ""
    world.reach(S.UP, limit_s=120.0)
    assert (world.pppd_count, world.machine.calls) == (2, 2)


def test_connect_dials_at_once_and_forgets_old_failures() -> None:
    world = World()
    world.faults.dial = "BUSY"
    for _ in range(7):
        world.reach(S.DIALING)
        world.reach(S.WAITING)
    assert world.machine.deadlines[ev.Timer.REDIAL] - world.now == 300.0
    world.call(ev.ConnectCalled())
    assert world.state is S.INIT
    world.reach(S.WAITING)
    assert world.machine.deadlines[ev.Timer.REDIAL] - world.now == 5.0


def test_a_new_number_is_dialed_now_a_new_dial_time_out_later() -> None:
    world = World()
    world.reach(S.UP)
    world.call(ev.ConfigLoaded(config(dial_timeout_s=30, init=("ATZ", "ATE0"), mode="manual")))
    assert world.state is S.UP
    world.call(ev.ConfigLoaded(config(number="999")))
    assert (world.state, world.machine.reason.code) == (S.HANGING_UP, "config_changed")
    assert world.reach(S.DIALING) < 15.0
    assert world.written[-1] == "ATDT999"


@pytest.mark.parametrize("state", [S.INIT, S.DIALING, S.NEGOTIATING, S.UP])
def test_switching_off_hangs_up(state: LinkState) -> None:
    world = World()
    world.reach(state)
    world.call(ev.ConfigLoaded(config(mode="off")))
    world.reach(S.OFF, limit_s=30.0)
    world.call(ev.ConnectCalled())
    assert world.state is S.OFF and world.notes[-1].code == "refused"
    world.call(ev.ConfigLoaded(config(mode="always")))
    world.reach(S.UP)


@pytest.mark.parametrize(
    "line", ['AT+CGAUTH=1,1,"user","hush-hush"', 'AT+CPIN="hush-hush"', 'ATE0;+X="hush-hush"']
)
def test_values_of_configured_lines_are_told_to_nobody(line: str) -> None:
    machine = LinkMachine(config(init=(line,)), Timings(), lambda: 0.5)
    commands = tell(
        machine, ev.Began(), ev.PortOpened(), ev.PortData(b"\r\nOK\r\n"),
        ev.PortData(b"\r\nERROR\r\n"),
    )  # fmt: skip
    shown = line.partition("=")[0] + "=..."
    assert ev.WritePort(line.encode() + b"\r", shown) in commands
    assert f"the modem refuses '{shown}'." in machine.reason.text
    told = [c.shown for c in commands if isinstance(c, ev.WritePort)]
    told += [c.text for c in commands if isinstance(c, ev.Note)]
    assert not any("hush" in text for text in [*told, machine.reason.text])


@pytest.mark.parametrize(
    ("ours", "peers"),
    [
        ("192.168.77.1", "198.51.100.1"),
        ("198.51.100.7", "192.168.77.50"),
        ("192.168.77.255", "198.51.100.1"),
    ],
)
def test_no_address_of_the_lan_is_taken(ours: str, peers: str) -> None:
    world = World()
    world.reach(S.NEGOTIATING)
    world.run_until(lambda: world.machine.reason.code == "negotiating", 20.0)
    world.log(f"local  IP address {ours}")
    world.log(f"remote IP address {peers}")
    world.reach(S.HANGING_UP)
    world.reach(S.WAITING)
    reason = world.machine.reason
    assert (reason.code, reason.hint) == ("address_in_lan", "Give the LAN another network.")
    assert "192.168.77." in reason.text and world.machine.calls == 0
    moved = config(lan="192.168.78.0/24")
    world.call(ev.ConfigLoaded(moved))
    assert world.state is S.INIT
    world.reach(S.UP)


def test_a_lan_that_moves_onto_the_call_ends_it() -> None:
    world = World()
    world.reach(S.UP)
    world.call(ev.ConfigLoaded(config(lan="192.168.78.0/24")))
    assert world.state is S.UP
    world.call(ev.ConfigLoaded(config(lan="198.51.100.0/24")))
    assert (world.state, world.machine.reason.code) == (S.HANGING_UP, "address_in_lan")


def test_a_name_server_that_is_given_twice_is_one() -> None:
    world = World()
    world.reach(S.UP)
    world.run_for(1.0)
    world.log("primary   DNS address 198.51.100.53")
    world.log("secondary DNS address 198.51.100.53")
    world.run_for(1.0)
    assert world.machine.status(world.now, 0.0).dns == ("198.51.100.53",)


def test_name_servers_in_the_lan_are_left_out() -> None:
    world = World()
    world.reach(S.UP)
    world.run_for(1.0)
    world.log("primary   DNS address 192.168.77.50")
    world.log("secondary DNS address 127.0.0.1")
    world.run_for(1.0)
    assert world.machine.status(world.now, 0.0).dns == ("198.51.100.53",)


def test_a_value_that_pppd_cannot_take_is_a_named_failure() -> None:
    world = World(config(password=Secret("a\0b")))
    world.reach(S.WAITING)
    assert world.machine.reason.code == "pppd_options"
    assert "a\0b" not in world.machine.reason.text


@pytest.mark.parametrize(
    ("faults", "code"),
    [
        ({"dial": "NO CARRIER"}, "no_carrier"),
        ({"dial": "never"}, "dial_timeout"),
        ({"ppp": "no_lcp"}, "no_ppp"),
        ({"ppp": "no_address"}, "no_address"),
    ],
)
def test_a_mobile_modem_that_never_connects_is_restarted(
    faults: dict[str, str], code: str
) -> None:
    world = World(config(apn="internet", number="*99#", dial="plain"))
    world.texts["AT+CPIN?"] = "+CPIN: READY"
    world.texts["AT+CEREG?"] = "+CEREG: 0,1"
    world.faults = Faults(**faults)
    world.run_until(lambda: "AT+CFUN=1,1" in world.written, 3600.0)
    assert world.written.count("ATD*99#") == 6
    assert world.machine.resets == {code: 1}
    world.faults = Faults()
    world.reach(S.UP)


def test_a_mobile_modem_is_not_restarted_for_refused_logins() -> None:
    world = World(config(apn="internet", number="*99#", dial="plain"))
    world.texts["AT+CPIN?"] = "+CPIN: READY"
    world.texts["AT+CEREG?"] = "+CEREG: 0,1"
    world.faults.ppp = "auth"
    world.run_for(6 * 3600.0)
    assert world.written.count("ATD*99#") > 6
    assert world.machine.resets == {}


LINE = AnswerConfig(
    line=DialIn(
        name="modem2", port="/dev/ttyUSB0", address="192.168.77.60", rings=1,
        caller=(Caller(name="anybox", password=Secret("eight letters")),),
    ),
    interface="ppp-modem2", router="192.168.77.1",
)  # fmt: skip
CONFIGS: list[AnyConfig] = [
    *(config(mode=mode) for mode in ("always", "demand", "manual", "off")), LINE, LINE,
]  # fmt: skip
IDLE = Reason("idle_hung_up", "Nothing was sent for 5 min.")
EVENTS: st.SearchStrategy[ev.Event] = st.one_of(
    st.sampled_from([
        ev.Began(), ev.PortOpened(), ev.PortFailed("missing"), ev.PortFailed("busy"),
        ev.PortFailed("broken", "EIO"), ev.PortLost(), ev.PortLent(True), ev.PortLent(None),
        ev.PppdBegan(42), ev.PppdFailed("ENOENT"), ev.PppdStopped(), ev.PppdStirred(),
        ev.Counted(1, 2), ev.PowerSwitched(True, "cut"), ev.PowerSwitched(False, "unable"),
        ev.ConnectCalled(), ev.DisconnectCalled(), ev.ConfigLoaded(config()),
        ev.DialCalled(), ev.RestCalled(IDLE), ev.ConfigLoaded(config(mode="demand")),
        ev.ConfigLoaded(config(mode="off")), ev.ConfigLoaded(config(mode="manual")),
        ev.ConfigLoaded(config(number="1", apn="a")), ev.ConfigRefused("no"),
        ev.PortData(b"\r\nOK\r\n"), ev.PortData(b"\r\nOK\r\n"), ev.PortData(b"\r\nOK\r\n"),
        ev.PortData(b"\r\nCONNECT 33600\r\n"), ev.PortData(b"\r\nBUSY\r\n"),
        ev.PortData(b"\r\nERROR\r\n"), ev.PortData(b"\0\xff~\r" * 50),
        ev.PppdLogged("rcvd [LCP ConfReq id=0x1]"),
        ev.PppdLogged("local  IP address 10.0.0.1"), ev.PppdLogged("remote IP address 10.0.0.2"),
        ev.PortData(b"\r\nRING\r\n"), ev.LineLoaded(LINE),
        ev.LineLoaded(structs.replace(LINE, router="192.168.77.2")),
        ev.PppdLogged("Peer anybox authenticated with CHAP"),
        ev.PppdLogged("Peer bob failed CHAP authentication"),
        ev.PppdLogged("remote IP address 192.168.77.60"),
        ev.PppdLogged("No response to 4 echo-requests"), ev.PppdLogged("x" * 9000),
    ]),
    st.builds(ev.PppdEnded, st.integers(-15, 20)),
    st.builds(ev.PortData, st.binary(max_size=40)),
    st.builds(ev.TimerExpired, st.sampled_from(ev.Timer)),
    st.builds(ev.TimerExpired, st.sampled_from(ev.Timer)),
    st.builds(ev.TimerExpired, st.sampled_from(ev.Timer)),
)  # fmt: skip


class Watch:
    """What must hold whatever happens."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        # A line that answers listens while it is idle; a link that is idle waits for nothing.
        self.at_rest = (S.OFF, S.IDLE) if isinstance(machine, LinkMachine) else (S.OFF,)
        self.running = False  # pppd, as far as the machine was told

    def feed(self, event: ev.Event, now: float) -> None:
        before = self.machine.state
        row = self.machine.table[before].get(trigger(event))
        commands = self.machine.handle(event, now)
        after = self.machine.state
        allowed = {before} | (row.leads_to if row is not None else set())
        assert after in allowed, f"{before} → {after} by {event} is not in the table"
        if isinstance(event, ev.PppdEnded | ev.PppdFailed):
            self.running = False
        for command in commands:
            if isinstance(command, ev.StartPppd):
                assert not self.running
                self.running = True
        if after in self.at_rest:
            assert not self.machine.deadlines
        else:
            assert self.machine.deadlines, f"no timer runs in {after} after {event}"
        if after not in (S.NEGOTIATING, S.UP, S.HANGING_UP):
            assert not self.running, f"pppd was left behind in {after} after {event}"
        text = self.machine.reason.text
        assert text.endswith(".") and text.isascii() and len(text) < 400
        assert len(commands) < 40


@settings(max_examples=400, deadline=None)
@given(st.lists(EVENTS, max_size=80), st.sampled_from(CONFIGS))
def test_any_events_in_any_order_leave_a_way_on(events: list[ev.Event], what: AnyConfig) -> None:
    watch = Watch(machine_for(what, Timings(), lambda: 0.5, ""))
    for number, event in enumerate([ev.Began(), *events]):
        watch.feed(event, float(number))
    # And then, when all is well again, the end comes in bounded time.
    watch.feed(ev.ShutdownCalled(), 1e6)
    now = 1e6
    for _ in range(60):
        if watch.machine.ended:
            break
        if watch.running:
            watch.feed(ev.PppdEnded(-9), now)
            continue
        assert watch.machine.deadlines
        timer = min(watch.machine.deadlines, key=lambda t: watch.machine.deadlines[t])
        now = max(now, watch.machine.deadlines[timer])
        watch.feed(ev.TimerExpired(timer), now)
    assert watch.machine.ended
    assert now - 1e6 < 120.0


def test_an_idle_call_stays_up() -> None:
    """pppd writes no line for an echo that is answered; nothing else happens for hours."""
    world = World()
    world.reach(S.UP)
    world.run_for(12 * 3600.0)
    assert world.state is S.UP and world.machine.calls == 1


def test_a_change_to_demand_after_a_disconnect_waits_for_traffic() -> None:
    world = World()
    world.reach(S.UP)
    world.call(ev.DisconnectCalled())
    world.reach(S.IDLE, limit_s=30.0)
    world.call(ev.ConfigLoaded(config(mode="demand", idle_minutes=1)))
    assert (world.state, world.machine.reason.code) == (S.IDLE, "idle_demand")
    world.call(ev.DialCalled())
    world.reach(S.UP)
    world.call(ev.ConfigLoaded(config()))
    assert world.state is S.UP
