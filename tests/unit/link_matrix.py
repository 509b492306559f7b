"""The fault matrix: every fault in every phase of a link, on the simulated world.

Each cell is two runs. In the short one the fault is healed as soon as the link has noticed it;
told is how long noticing took and how long after it the next dial began. In the long one the
fault stays for an hour, then ends; the link must come up by itself. A hang fails both.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from masqgate.contract.status import LinkState
from masqgate.link import events as ev

from tests.unit.link_world import Faults, World, config

S = LinkState
NOTICED = (S.WAITING, S.HANGING_UP, S.RESETTING, S.NO_PORT)
HOUR_S = 3600.0
QUIET_S = 400.0  # without effect for so long: the fault does not matter there
BACK_S = 500.0  # the longest wait, and a call
UNTOUCHED = "–"


def _idle(world: World) -> None:
    assert world.state is S.IDLE


def _reach(*states: S) -> Callable[[World], None]:
    def go(world: World) -> None:
        world.reach(*states)

    return go


def _reason(code: str) -> Callable[[World], None]:
    def go(world: World) -> None:
        world.run_until(lambda: world.machine.reason.code == code, 200.0)

    return go


def _lcp(world: World) -> None:
    world.reach(S.NEGOTIATING)
    world.run_until(lambda: world.machine.call.pppd_pid is not None, 5.0)


def _waiting(world: World) -> None:
    world.faults.dial = "BUSY"
    world.reach(S.WAITING)
    world.faults.dial = ""


def _hanging_up(world: World) -> None:
    world.reach(S.UP)
    world.log("LCP terminated by peer")
    world.end_pppd(16, 0.1)
    world.reach(S.HANGING_UP)


def _resetting(world: World) -> None:
    world.faults.modem = "silent"
    world.reach(S.RESETTING)
    world.faults.modem = ""


PHASES: dict[str, Callable[[World], None]] = {
    "idle": _idle,
    "init": _reach(S.INIT),
    "dialing": _reach(S.DIALING),
    "LCP": _lcp,
    "auth": _reason("negotiating"),
    "IPCP": _reason("logged_in"),
    "up": _reach(S.UP),
    "hanging up": _hanging_up,
    "resetting": _resetting,
    "waiting": _waiting,
}


def _set(**fields: object) -> Callable[[World], None]:
    def apply(world: World) -> None:
        for name, value in fields.items():
            setattr(world.faults, name, value)

    return apply


def _lose_carrier(world: World) -> None:
    if world.state is S.DIALING:
        world.say(b"\r\nNO CARRIER\r\n")
    world.online = False
    world.log("Modem hangup")
    world.end_pppd(16, 0.2)


def _lose_carrier_unseen(world: World) -> None:
    world.online = False
    if world.state is S.UP:
        world.lose_echo()
    elif world.state is S.NEGOTIATING:
        world.silence_pppd()
        world.log("LCP: timeout sending Config-Requests", 30.0)
        world.end_pppd(10, 30.1)


def _kill_pppd(world: World) -> None:
    world.end_pppd(-9, 0.0)


def _stop_pppd(world: World) -> None:
    if world.pppd is not None:
        world.faults.pppd = "hung"
        world.stop_pppd(2.0)


def _lose_port(world: World) -> None:
    world.faults.port = "missing"
    world.lose_port()


def _terminate(world: World) -> None:
    world.log("LCP terminated by peer (Bye)")
    world.end_pppd(16, 0.5)


FAULTS: dict[str, Callable[[World], None]] = {
    "BUSY": _set(dial="BUSY"),
    "NO CARRIER": _set(dial="NO CARRIER"),
    "NO DIALTONE": _set(dial="NO DIALTONE"),
    "NO ANSWER": _set(dial="NO ANSWER"),
    "ERROR to ATD": _set(dial="ERROR"),
    "no result of the dial": _set(dial="never"),
    "modem silent": _set(modem="silent"),
    "modem says noise, NULs": _set(modem="garbage"),
    "no line end in 8 kB": _set(modem="flood"),
    "modem only echoes": _set(modem="echo"),
    "modem says only ERROR": _set(modem="error"),
    "answers 3 s late": _set(delay_s=3.0),
    "port vanishes": _lose_port,
    "port in use": _set(port="busy"),
    "port never opens": _set(port="stuck"),
    "carrier lost, DCD wired": _lose_carrier,
    "carrier lost, no DCD wire": _lose_carrier_unseen,
    "provider ends the call": _terminate,
    "provider speaks no PPP": _set(ppp="no_lcp"),
    "login refused": _set(ppp="auth"),
    "IP refused": _set(ppp="no_ipcp"),
    "no address": _set(ppp="no_address"),
    "line loops back": _set(ppp="loopback"),
    "pppd killed": _kill_pppd,
    "pppd stopped": _stop_pppd,
    "pppd hangs": _set(pppd="hung"),
    "pppd survives KILL": _set(pppd="unkillable"),
    "pppd does not start": _set(pppd="unstartable"),
}
SLOW_BY_DESIGN = frozenset({"login refused"})  # its own, longer pauses


@dataclass(frozen=True)
class Cell:
    """Seconds; None where the fault has no effect."""

    noticed_s: float | None
    dialed_s: float | None

    def __str__(self) -> str:
        if self.noticed_s is None or self.dialed_s is None:
            return UNTOUCHED
        return f"{self.noticed_s:.0f} / {self.dialed_s:.0f}"


def world_in(phase: str, fault: str) -> World:
    wired = "no DCD" not in fault
    world = World(config(mode="manual"), dtr_wired=wired)
    if phase != "idle":
        world.call(ev.ConnectCalled())
    PHASES[phase](world)
    return world


def _strike(world: World, phase: str, fault: str) -> None:
    FAULTS[fault](world)
    if phase == "idle":
        world.call(ev.ConnectCalled())


def short(phase: str, fault: str) -> Cell:
    """Heal at once when noticed."""
    world = world_in(phase, fault)
    mark = len(world.history)
    first = world.state
    _strike(world, phase, fault)
    begin = world.now

    def noticed() -> bool:
        fresh = [state for _, state in world.history[mark:]]
        expected = (S.WAITING,) if first in (S.HANGING_UP, S.RESETTING) else ()
        return any(state in NOTICED and state not in expected for state in fresh) or (
            first in (S.HANGING_UP, S.RESETTING) and fresh.count(S.WAITING) > 1
        )

    while not noticed():
        world.step()
        if world.now - begin > QUIET_S and world.state is S.UP:
            return Cell(None, None)
        assert world.now - begin < HOUR_S, f"{fault} in {phase}: never noticed, in {world.state}"
    noticed_at = world.now
    world.faults = Faults()
    dialed = world.reach(S.DIALING)
    world.reach(S.UP, limit_s=BACK_S)
    return Cell(noticed_at - begin, dialed)


def long(phase: str, fault: str) -> float:
    """Let the fault stay for an hour; return the seconds from its end to a call."""
    world = world_in(phase, fault)
    _strike(world, phase, fault)
    world.run_for(HOUR_S)
    world.faults = Faults()
    if world.state is S.UP:
        return 0.0
    return world.reach(S.UP, limit_s=HOUR_S)


def table() -> str:
    """The matrix as a table of Markdown."""
    lines = ["| Fault | " + " | ".join(PHASES) + " |", "|---|" + "---|" * len(PHASES)]
    for fault in FAULTS:
        cells = [str(short(phase, fault)) for phase in PHASES]
        lines.append(f"| {fault} | " + " | ".join(cells) + " |")
    return "\n".join(lines)
