"""The emulated modem without I/O: states, echo, escape, results (ITU-T V.250, sections 5 and 6).

Bytes of the computer go in by `receive`; bytes for it come out of `take_output(now)`;
what the telephone side has to do comes out of `take_orders`. Times are monotonic seconds.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import Enum

from .at import CONNECT_NUMBERS, Dial, Identity, Interpreter, Order, Result

MAX_LINE = 256


class ModemState(Enum):
    """What the modem does with bytes of the computer (V.250, section 5.1)."""

    COMMAND = "command"
    DIALING = "dialing"
    ONLINE = "online"
    ONLINE_COMMAND = "online command"


@dataclass(slots=True)
class ModemFaults:
    """What the modem does wrong; may be changed at any time."""

    silent: bool = False  # answers nothing in command state, not even with echo
    echo_stuck: bool = False  # ATE0 changes nothing
    response_delay_s: float = 0.0
    dial_result: Result | None = None  # every dial ends so
    hang_connect: bool = False  # prints half of CONNECT, then nothing
    no_escape: bool = False  # +++ does nothing
    always_error: bool = False
    drop_rate: float = 0.0  # share of bytes lost on the line, each direction
    garble_rate: float = 0.0  # share of bytes to the computer with a bit turned
    loopback: bool = False  # online: what the computer sends comes back
    split: bool = False  # one byte at a time to the computer
    deaf: bool = False  # reads nothing of the computer
    until_reset: bool = False  # obeys and answers nothing until it is told ATZ


@dataclass(frozen=True, slots=True)
class Transmit:
    """Send these bytes over the line."""

    data: bytes


CoreOrder = Order | Dial | Transmit


class ModemCore:
    """One modem. The telephone side calls `connected`, `failed`, `ring`, `lost`, `arrived`."""

    def __init__(
        self, faults: ModemFaults | None = None, *, identity: Identity | None = None
    ) -> None:
        self.faults = faults or ModemFaults()
        self.at = Interpreter(identity)
        self.state = ModemState.COMMAND
        self.line_rate = 0
        self.commands: list[str] = []
        self._line = bytearray()
        self._previous = ""
        self._output: deque[tuple[float, bytes]] = deque()
        self._orders: list[CoreOrder] = []
        self._last_byte = float("-inf")
        self._pluses = 0
        self._carrier_due: float | None = None
        self._dial_started = 0.0

    def receive(self, data: bytes, now: float) -> None:
        """Take bytes of the computer."""
        if self.faults.deaf:
            return
        for at in range(len(data)):
            if self.state is ModemState.ONLINE:
                self._online(data[at:], now)
                return
            byte = data[at : at + 1]
            if self.state is ModemState.DIALING:
                self._abort_dial(byte, now)
            else:
                self._command_byte(byte, now)

    def take_output(self, now: float) -> bytes:
        """Return the bytes for the computer that are due."""
        data = bytearray()
        while self._output and self._output[0][0] <= now:
            data += self._output.popleft()[1]
        return bytes(data)

    def take_orders(self) -> list[CoreOrder]:
        """Return and forget what the telephone side has to do, in sequence."""
        orders, self._orders = self._orders, []
        return orders

    @property
    def deadline(self) -> float | None:
        """When to call `tick` (and `take_output`) next."""
        times = [self._output[0][0]] if self._output else []
        if self.state is ModemState.ONLINE and self._pluses == 3:
            times.append(self._last_byte + self._guard)
        if self._carrier_due is not None:
            times.append(self._carrier_due)
        return min(times, default=None)

    def tick(self, now: float) -> None:
        """Act on the guard time and on S7."""
        if (
            self.state is ModemState.ONLINE
            and self._pluses == 3
            and now - self._last_byte >= self._guard - 1e-6
        ):
            self._pluses = 0
            if not self.faults.no_escape:
                self.state = ModemState.ONLINE_COMMAND
                self._result(Result.OK, now)
        if self._carrier_due is not None and now >= self._carrier_due:
            self._orders.append(Order.HANG_UP)
            self.failed(Result.NO_CARRIER, now)

    def connected(self, rate: int, now: float) -> None:
        """The line carries data at `rate` bit/s."""
        self._carrier_due = None
        self._pluses = 0
        self._last_byte = now
        self.line_rate = rate
        if self.faults.hang_connect:
            self._print(b"\r\nCONN", now)
            self.state = ModemState.DIALING
            self._dial_started = float("inf")
            return
        self._result(Result.CONNECT, now, rate)
        self.state = ModemState.ONLINE

    def failed(self, result: Result, now: float) -> None:
        """The dial or the answer came to nothing."""
        self._carrier_due = None
        self.state = ModemState.COMMAND
        if result in (Result.BUSY, Result.NO_DIALTONE) and self.at.settings.extended < 2:
            result = Result.NO_CARRIER
        self._result(result, now)

    def lost(self, now: float) -> None:
        """The carrier is gone."""
        if self.state in (ModemState.ONLINE, ModemState.ONLINE_COMMAND):
            self.state = ModemState.COMMAND
            self._line.clear()
            self._result(Result.NO_CARRIER, now)

    def arrived(self, data: bytes, now: float) -> None:
        """Bytes came over the line; in online command state they are lost."""
        if self.state is ModemState.ONLINE:
            self._print(data, now)

    def ring(self, caller: str, now: float) -> None:
        """The telephone rings once; the caller's number follows the first ring if asked for."""
        if self.state is not ModemState.COMMAND:
            return
        registers = self.at.settings.registers
        registers[1] = registers.get(1, 0) + 1
        self._result(Result.RING, now)
        if self.at.settings.caller_id and registers[1] == 1:
            self._text(f"NMBR = {caller}", now)
        if registers.get(0, 0) and registers[1] >= registers[0]:
            self._answer(now)

    def stopped_ringing(self) -> None:
        """The caller gave up."""
        self.at.settings.registers[1] = 0

    def drop_dtr(self, now: float) -> None:
        """The computer let go of the port: &D decides (V.250, 6.2.9)."""
        mode = self.at.settings.dtr
        if mode == 0:
            return
        if self.state is ModemState.ONLINE and mode == 1:
            self.state = ModemState.ONLINE_COMMAND
            return
        if self.state is not ModemState.COMMAND:
            self._hang_up()
        if mode == 3:
            self.at.reset(factory=False)
        self._line.clear()

    @property
    def _guard(self) -> float:
        return self.at.settings.registers.get(12, 50) / 50

    def _online(self, data: bytes, now: float) -> None:
        """Pass data on, watching for the escape sequence (S2, S12; guard time both sides)."""
        if self.faults.loopback:
            self._print(data, now)
        else:
            self._orders.append(Transmit(data))
        escape = self.at.settings.registers.get(2, 43)
        quiet = now - self._last_byte >= self._guard - 1e-6
        self._last_byte = now
        plain = escape > 127 or data.strip(bytes([escape])) or len(data) > 3
        if plain or (quiet and self._pluses):
            self._pluses = 0
        if plain:
            return
        if quiet or self._pluses:
            self._pluses += len(data)
            if self._pluses > 3:
                self._pluses = 0

    def _abort_dial(self, byte: bytes, now: float) -> None:
        """Any character ends a dial (V.250, 5.6.1), save those that follow the command closely."""
        if byte in b"\r\n\0" or now - self._dial_started < 0.125:
            return
        if self._dial_started == float("inf"):
            return
        self._orders.append(Order.HANG_UP)
        self.failed(Result.NO_CARRIER, now)

    def _command_byte(self, byte: bytes, now: float) -> None:
        byte = bytes([byte[0] & 0x7F])
        registers = self.at.settings.registers
        if self.at.settings.echo or self.faults.echo_stuck:
            self._respond(byte, now, delay=False)
        if byte[0] == registers.get(3, 13):
            line, self._line = self._line.decode("ascii"), bytearray()
            self._run(line, now)
        elif byte[0] == registers.get(5, 8):
            del self._line[-1:]
        elif byte[0] >= 0x20 and len(self._line) <= MAX_LINE:
            self._line += byte
            if self._line.upper() == b"A/":
                self._line.clear()
                self._execute(self._previous, now)

    def _run(self, line: str, now: float) -> None:
        start = line.upper().find("AT")
        if start < 0:
            return
        if len(line) > MAX_LINE:
            self._result(Result.ERROR, now)
            return
        self._previous = line[start + 2 :]
        self._execute(self._previous, now)

    def _execute(self, line: str, now: float) -> None:
        self.commands.append(line)
        if self.faults.until_reset:
            if not line.upper().startswith("Z"):
                return
            self.faults.until_reset = False
        outcome = self.at.run(line)
        if self.faults.always_error:
            self._result(Result.ERROR, now)
            return
        for text in outcome.texts:
            self._text(text, now)
        for order in outcome.orders:
            self._obey(order, now)
        if outcome.result is not None:
            self._result(outcome.result, now)

    def _obey(self, order: Order | Dial, now: float) -> None:
        if isinstance(order, Dial):
            self._dial(order, now)
        elif order is Order.ANSWER:
            self._answer(now)
        elif order is Order.ONLINE:
            self._return_online(now)
        else:
            self._hang_up()

    def _dial(self, order: Dial, now: float) -> None:
        if order.stay:
            return
        if self.state is ModemState.ONLINE_COMMAND:
            self._result(Result.ERROR, now)
            return
        self._wait_for_carrier(now)
        self._orders.append(order)

    def _answer(self, now: float) -> None:
        self.at.settings.registers[1] = 0
        self._wait_for_carrier(now)
        self._orders.append(Order.ANSWER)

    def _wait_for_carrier(self, now: float) -> None:
        self.state = ModemState.DIALING
        self._dial_started = now
        self._carrier_due = now + self.at.settings.registers.get(7, 50)

    def _return_online(self, now: float) -> None:
        if self.state is ModemState.ONLINE_COMMAND:
            self._result(Result.CONNECT, now, self.line_rate)
            self.state = ModemState.ONLINE
            self._last_byte = now
        else:
            self._result(Result.NO_CARRIER, now)

    def _hang_up(self) -> None:
        self.state = ModemState.COMMAND
        self._carrier_due = None
        self._orders.append(Order.HANG_UP)

    def _result(self, result: Result, now: float, rate: int = 0) -> None:
        settings = self.at.settings
        if settings.quiet:
            return
        number, words = result.value
        if result is Result.CONNECT and rate and settings.extended:
            number, words = CONNECT_NUMBERS.get(rate, 20), f"CONNECT {rate}"
        text = f"\r\n{words}\r\n" if settings.verbose else f"{number}\r"
        self._respond(text.encode(), now)

    def _text(self, text: str, now: float) -> None:
        start = "\r\n" if self.at.settings.verbose else ""
        self._respond(f"{start}{text}\r\n".encode(), now)

    def _respond(self, data: bytes, now: float, *, delay: bool = True) -> None:
        if not (self.faults.silent or self.faults.until_reset):
            self._print(data, now + (self.faults.response_delay_s if delay else 0.0))

    def _print(self, data: bytes, due: float) -> None:
        if self._output:
            due = max(due, self._output[-1][0])  # bytes never overtake one another
        self._output.append((due, data))
