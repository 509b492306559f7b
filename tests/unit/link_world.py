"""A world for the link machine: port, modem, line, provider and pppd on a clock of their own.

It does what the machine commands and lets happen what would happen; every fault is a field.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from masqgate.contract.config import Modem
from masqgate.contract.dialer import DialerConfig
from masqgate.contract.secret import Secret
from masqgate.contract.status import LinkState
from masqgate.link import events as ev
from masqgate.link.machine import LinkMachine
from masqgate.link.timings import Timings

OPEN_S = 1.1  # the port opens, with DTR low for a second
ANSWER_S = 0.05
SET_UP_S = 20.0  # an analogue call
GREETING = {1.0: "rcvd [LCP ConfReq id=0x1 <asyncmap 0x0>]", 2.0: "CHAP authentication succeeded"}
ADDRESSES = (
    "local  IP address 198.51.100.7",
    "remote IP address 198.51.100.1",
    "primary   DNS address 198.51.100.53",
)


@dataclass
class Faults:
    """What is wrong with the world at the moment."""

    port: str = ""  # missing, busy, stuck
    modem: str = ""  # silent, garbage, error, echo, flood
    delay_s: float = 0.0  # of the modem's answers
    dial: str = ""  # the result of every dial; 'never' for none
    ppp: str = ""  # no_lcp, auth, no_ipcp, no_address, loopback
    pppd: str = ""  # unstartable, hung, stubborn, unkillable


def config(lan: str = "192.168.77.0/24", **fields: Any) -> DialerConfig:
    given: dict[str, Any] = {
        "name": "modem1", "port": "/dev/ttyUSB0", "number": "5551000", "user": "u",
        "password": Secret("p"), **fields,
    }  # fmt: skip
    return DialerConfig(modem=Modem(**given), interface="ppp-modem1", lan=lan)


@dataclass
class World:
    """The machine and its surroundings. `history` holds (time, state) of every change."""

    config: DialerConfig = field(default_factory=config)
    chance: Callable[[], float] = lambda: 0.5
    dtr_wired: bool = True
    faults: Faults = field(default_factory=Faults)

    def __post_init__(self) -> None:
        self.now = 1000.0
        self.machine = LinkMachine(self.config, Timings(), self.chance)
        self.history: list[tuple[float, LinkState]] = []
        self.notes: list[ev.Note] = []
        self.written: list[str] = []
        self.marks: list[ev.RememberPin] = []
        self.exited = False
        self.power_asked: list[float] = []
        self.port_open = False
        self.online = False
        self.pppd: int | None = None
        self.pppd_count = 0
        self._port_generation = 0
        self._queue: list[tuple[float, int, Callable[[], None]]] = []
        self._sequence = 0
        self._mute: int | None = None
        self._muted_at = 0.0
        self._line = b""
        self._feed(ev.Began())

    @property
    def state(self) -> LinkState:
        return self.machine.state

    # Time

    def run_until(self, what: Callable[[], bool], limit_s: float) -> float:
        """Let things happen until `what` holds; return how long it took."""
        begin = self.now
        while not what():
            due = self._next_due()
            assert due is not None, f"nothing will ever happen in {self.state}"
            assert due - begin <= limit_s, f"not within {limit_s} s; in {self.state}"
            self._happen(due)
        return self.now - begin

    def run_for(self, seconds: float) -> None:
        end = self.now + seconds
        while (due := self._next_due()) is not None and due <= end:
            self._happen(due)
        self.now = end

    def reach(self, *states: LinkState, limit_s: float = 2000.0) -> float:
        return self.run_until(lambda: self.state in states, limit_s)

    def call(self, event: ev.Event) -> None:
        self._feed(event)

    def step(self) -> None:
        """Let the next thing happen."""
        due = self._next_due()
        assert due is not None, f"nothing will ever happen in {self.state}"
        self._happen(due)

    def _next_due(self) -> float | None:
        times = list(self.machine.deadlines.values())
        if self._queue:
            times.append(self._queue[0][0])
        return max(self.now, min(times)) if times else None

    def _happen(self, due: float) -> None:
        self.now = due
        if self._queue and self._queue[0][0] <= due:
            heapq.heappop(self._queue)[2]()
            return
        for timer, at in list(self.machine.deadlines.items()):
            if at <= due:
                self._feed(ev.TimerExpired(timer))
                return

    def _at(self, after_s: float, action: Callable[[], None]) -> None:
        self._sequence += 1
        heapq.heappush(self._queue, (self.now + after_s, self._sequence, action))

    def _from_port(self, after_s: float, event: ev.Event) -> None:
        """An event of the port that is open now; not if it is closed by then."""
        mine = self._port_generation
        self._at(after_s, lambda: self._feed(event) if self._port_generation == mine else None)

    def _feed(self, event: ev.Event) -> None:
        if isinstance(event, ev.PppdEnded):
            self.pppd = None
        before = self.state
        for command in self.machine.handle(event, self.now):
            self._do(command)
        if self.state is not before or not self.history:
            self.history.append((self.now, self.state))
        if self.state not in (LinkState.OFF, LinkState.IDLE):
            assert self.machine.deadlines, f"no timer runs in {self.state} after {event}"

    # Commands

    def _do(self, command: ev.Command) -> None:
        match command:
            case ev.OpenPort():
                self._open()
            case ev.ClosePort():
                self.port_open = False
                self._port_generation += 1
                self._drop_dtr()
            case ev.DropDtr():
                self._drop_dtr()
            case ev.WritePort(data):
                assert self.port_open or self.faults.port
                self._modem(data)
            case ev.LendPort():
                self._from_port(ANSWER_S, ev.PortLent(self.dtr_wired or None))
            case ev.StartPppd(options):
                assert self.pppd is None and "persist" not in options.split()
                self._start_pppd()
            case ev.TerminatePppd():
                if self.faults.pppd not in ("hung", "stubborn", "unkillable"):
                    self.end_pppd(5, 1.0)
            case ev.KillPppd():
                if self.faults.pppd != "unkillable":
                    self.end_pppd(-9, 0.1)
            case ev.Note():
                self.notes.append(command)
            case ev.RememberPin():
                self.marks.append(command)
            case ev.SwitchPower():
                assert not self.port_open
                self.power_asked.append(self.now)
                if (answer := self.power) is not None:
                    self._at(6.0, lambda: self._feed(answer))
            case ev.Exit():
                self.exited = True

    def _open(self) -> None:
        assert not self.port_open
        self._port_generation += 1
        if self.faults.port == "stuck":
            return
        if self.faults.port in ("missing", "busy"):
            self._from_port(0.01, ev.PortFailed(self.faults.port))  # type: ignore[arg-type]
            return
        self.port_open = True
        self._line = b""
        self._drop_dtr()
        self._from_port(OPEN_S, ev.PortOpened())

    def _drop_dtr(self) -> None:
        if self.dtr_wired:
            self.online = False

    # The modem

    def say(self, data: bytes, after_s: float = ANSWER_S) -> None:
        self._from_port(after_s + self.faults.delay_s, ev.PortData(data))

    def _modem(self, data: bytes) -> None:
        if self.online:
            if data == b"+++":
                self.online = False
            return
        self._line += data
        while b"\r" in self._line:
            line, _, self._line = self._line.partition(b"\r")
            self._command(line.decode().lstrip("+"))

    def _command(self, line: str) -> None:
        self.written.append(line)
        match self.faults.modem:
            case "silent":
                return
            case "garbage":
                self.say(b"\xf8\x80\x00\xe0\r\x00\x9c\xfe\n")
            case "flood":
                self.say(b"\x00x" * 4096)
            case "echo":
                self.say(line.encode() + b"\r")
            case "error":
                self.say(b"\r\nERROR\r\n")
            case _ if line.startswith(("ATD", "ATDT")):
                self._dial()
            case _ if self.voice is not None:
                self.say(self.voice(line).encode())
            case _:
                self.say(f"\r\n{self.texts.get(line, '')}\r\nOK\r\n".encode())

    power: ev.PowerSwitched | None = None  # what becomes of the USB port's power; None: nothing
    voice: Callable[[str], str] | None = None  # another modem's answers, but to ATD
    texts: dict[str, str] = field(default_factory=lambda: {"AT+GMM": "Sim modem"})

    def _dial(self) -> None:
        if self.faults.dial == "never":
            return
        if self.faults.dial:
            self.say(f"\r\n{self.faults.dial}\r\n".encode(), 3.0)
            return
        self.say(b"\r\nCONNECT 33600\r\n", SET_UP_S)
        self.online = True

    # pppd

    def _start_pppd(self) -> None:
        if self.faults.pppd == "unstartable":
            self._at(0.01, lambda: self._feed(ev.PppdFailed("No such file or directory")))
            return
        self.pppd_count += 1
        self.pppd = self.pppd_count
        pid = 4000 + self.pppd
        self._from_pppd(0.01, lambda: self._feed(ev.PppdBegan(pid)))
        match self.faults.ppp:
            case "no_lcp":
                self._logs({30.0: "LCP: timeout sending Config-Requests"}, 10)
            case "auth":
                self._logs({1.0: GREETING[1.0], 2.0: "CHAP authentication failed: Nope"}, 19)
            case "no_ipcp":
                line = "Protocol-Reject for 'Internet Protocol Control Protocol' (0x8021) received"
                self._logs({**GREETING, 3.0: line})
            case "no_address":
                self._logs({**GREETING, 3.0: "Could not determine local IP address"}, 10)
            case "loopback":
                self._logs({1.0: GREETING[1.0], 5.0: "Serial line is looped back."})
            case _:
                self._logs(GREETING)
                for number, line in enumerate(ADDRESSES):
                    self.log(line, 3.0 + number / 1000)
                self._echo(4.0)

    def _logs(self, lines: dict[float, str], status: int | None = None) -> None:
        for after_s, line in lines.items():
            self.log(line, after_s)
        if status is not None:
            self.end_pppd(status, max(lines) + 1.0)

    def _echo(self, after_s: float) -> None:
        """pppd asks for an echo, again and again; it does not log that, but it is awake."""

        def ask() -> None:
            if self.faults.pppd not in ("hung", "unkillable") and self._mute != self.pppd:
                self._feed(ev.PppdStirred())
            self._echo(self.config.modem.echo_interval_s)

        self._from_pppd(after_s, ask)

    def lose_echo(self) -> None:
        """Four echoes unanswered: what pppd says, and then does."""
        interval = self.config.modem.echo_interval_s
        self.log("No response to 4 echo-requests", 5 * interval)
        self.end_pppd(15, 5 * interval + 6.0)

    def end_pppd(self, status: int, after_s: float) -> None:
        """pppd ends then, unless it does before."""
        self._from_pppd(after_s, lambda: self._feed(ev.PppdEnded(status)))

    def silence_pppd(self) -> None:
        """What it was about to write is not written."""
        self._mute, self._muted_at = self.pppd, self.now + 0.001

    def stop_pppd(self, after_s: float) -> None:
        """It is seen to stand still."""
        self._from_pppd(after_s, lambda: self._feed(ev.PppdStopped()))

    def lose_port(self) -> None:
        """The adapter is pulled out."""
        if self.pppd is not None:
            self.log("Modem hangup")
            self.end_pppd(16, 0.2)
        elif self.port_open:
            self._from_port(0.01, ev.PortLost("pulled out"))
        self.port_open = False

    def log(self, line: str, after_s: float = 0.0) -> None:
        """pppd writes a line then, if it still runs and works."""

        born = self.now

        def write() -> None:
            if self._mute == self.pppd and born < self._muted_at:
                return
            if self.faults.pppd not in ("hung", "unkillable"):
                self._feed(ev.PppdLogged(line))

        self._from_pppd(after_s, write)

    def _from_pppd(self, after_s: float, action: Callable[[], None]) -> None:
        mine = self.pppd
        self._at(after_s, lambda: action() if mine is not None and self.pppd == mine else None)
