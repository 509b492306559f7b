"""The emulated modem with I/O: joins a serial port, the modem's core and the telephone network.

Serial rate and line rate are both kept to, ten bits for each byte. Runs on one asyncio loop.
"""

from __future__ import annotations

import asyncio
from dataclasses import fields

from .at import Dial, Identity, Order, Result
from .modem_core import ModemCore, ModemFaults, ModemState, Transmit
from .pacing import Pump
from .ports import Port
from .telephone import MAX_RINGS, RING_S, Attempt, Line, Network

STOP_READING = 2048
BUFFER = 65_536
HEARD = 8192  # bytes kept of what comes first


class Modem:
    """One modem on one telephone line; itself a subscriber that can be called."""

    def __init__(
        self,
        port: Port,
        network: Network,
        *,
        number: str = "5559000",
        uart_rate: int = 115_200,
        identity: Identity | None = None,
    ) -> None:
        self.number = number
        self.faults = ModemFaults()
        self.core = ModemCore(self.faults, identity=identity)
        self.fixed_rate = 0  # the only rate this modem understands; 0: any (autobaud)
        self.overflows = 0  # bytes lost because a buffer was full
        self.calls = 0
        self.heard = bytearray()  # the first that came since its port was opened
        self._port = port
        self._network = network
        self._loop = asyncio.get_running_loop()
        self._from_computer = Pump(uart_rate, self._computer_says, drained=self._check_flow)
        self._to_computer = Pump(uart_rate, self._deliver)
        self._attempt: Attempt | None = None
        self._incoming: Attempt | None = None
        self._line: Line | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._paused = False
        self._dtr_timer = self._loop.call_later(0.1, self._watch_dtr)
        self._low_dtr = False
        port.start(self._port_data, self._port_open)

    @property
    def state(self) -> ModemState:
        """What the modem does now."""
        return self.core.state

    def close(self) -> None:
        """Hang up and unplug."""
        for timer in (self._timer, self._dtr_timer):
            if timer is not None:
                timer.cancel()
        self._hang_up()
        self._from_computer.close()
        self._to_computer.close()
        self._port.close()

    def set_uart_rate(self, rate: int) -> None:
        """Change the serial rate, bit/s."""
        self._from_computer.queue.set_rate(rate)
        self._to_computer.queue.set_rate(rate)

    def drop_carrier(self) -> None:
        """The line breaks: NO CARRIER if a call was up."""
        self._hang_up()

    def shape_line(self, *, rate: int | None = None, delay_s: float | None = None) -> None:
        """Change rate (bit/s) or added delay (seconds each way) of this and later calls."""
        if rate is not None:
            self._network.line_rate = rate
        if delay_s is not None:
            self._network.delay_s = delay_s
        call = self._attempt.call if self._attempt is not None else None
        for end in call.ends if call is not None else ():
            end.shape(rate=rate, delay_s=delay_s)

    def inject(self, data: bytes) -> None:
        """Send the computer any bytes, whatever the state."""
        self._to_computer.send(data)

    def clear_faults(self) -> None:
        """Behave well from now on."""
        healthy = ModemFaults()
        for item in fields(healthy):
            setattr(self.faults, item.name, getattr(healthy, item.name))
        self.fixed_rate = 0
        if self.core.state is ModemState.DIALING and self._line is not None:
            self._hang_up()
            self.core.failed(Result.NO_CARRIER, self._loop.time())
            self._work()

    def power_cycle(self) -> None:
        """Lose the call and all settings, print nothing."""
        self._hang_up()
        self.core = ModemCore(self.faults, identity=self.core.at.identity)

    # The port's side

    def _port_data(self, data: bytes) -> None:
        self.heard += data[: HEARD - len(self.heard)]
        if self._from_computer.queue.backlog > BUFFER:
            self.overflows += len(data)
            return
        self._from_computer.send(self._wrong_rate(data))
        self._check_flow()

    def _wrong_rate(self, data: bytes) -> bytes:
        speed = self._port.speed()
        if not self.fixed_rate or speed in (None, self.fixed_rate):
            return data
        return self._network.random.randbytes(max(1, len(data) // 2))

    def _port_open(self, is_open: bool) -> None:
        if is_open:
            self.heard.clear()
        else:
            self.core.drop_dtr(self._loop.time())
            self._work()

    def _watch_dtr(self) -> None:
        """pppd and wvdial drop DTR by the rate B0; a pty shows that much."""
        self._dtr_timer = self._loop.call_later(0.1, self._watch_dtr)
        low = self._port.speed() == 0
        if low and not self._low_dtr:
            self._port_open(False)
        self._low_dtr = low

    def _check_flow(self) -> None:
        """CTS: stop reading while too much waits for the line."""
        if not self._port.flow_control:
            return
        waiting = self._from_computer.queue.backlog
        waiting += self._line.backlog if self._line is not None else 0
        paused = waiting > STOP_READING
        if paused is not self._paused:
            self._paused = paused
            self._port.pause(paused)

    def _computer_says(self, data: bytes) -> None:
        self.core.receive(data, self._loop.time())
        self._work()

    def _deliver(self, data: bytes) -> None:
        if self.faults.split:
            for byte in data:
                self._port.write(bytes([byte]))
        else:
            self._port.write(data)

    def _work(self) -> None:
        """Do what the core asks, pass its output on, and set the timer anew."""
        now = self._loop.time()
        for order in self.core.take_orders():
            self._obey(order)
        data = self.core.take_output(now)
        if self._to_computer.queue.backlog > BUFFER:
            self.overflows += len(data)
        elif data:
            self._to_computer.send(self._garble(data))
        if self._timer is not None:
            self._timer.cancel()
        due = self.core.deadline
        self._timer = None if due is None else self._loop.call_at(due, self._tick)

    def _tick(self) -> None:
        self._timer = None
        self.core.tick(self._loop.time())
        self._work()

    def _garble(self, data: bytes) -> bytes:
        rate = self.faults.garble_rate
        if not rate:
            return data
        chance = self._network.random
        return bytes(b ^ (1 << chance.randrange(8)) if chance.random() < rate else b for b in data)

    def _lose(self, data: bytes) -> bytes:
        rate = self.faults.drop_rate
        if not rate:
            return data
        return bytes(byte for byte in data if self._network.random.random() >= rate)

    # The telephone's side

    def _obey(self, order: Order | Dial | Transmit) -> None:
        if isinstance(order, Transmit):
            if self._line is not None:
                self._line.send(self._lose(order.data))
                self._check_flow()
        elif isinstance(order, Dial):
            self._dial(order.number)
        elif order is Order.ANSWER:
            self._answer()
        elif order in (Order.HANG_UP, Order.RESET):
            self._hang_up()

    def _dial(self, number: str) -> None:
        if self.faults.dial_result is not None:
            self._network.dialed.append(number)
            self._loop.call_later(self._network.set_up_s, self._refused, self.faults.dial_result)
            return
        self._attempt = self._network.dial(number, self.number, self, self._refused)

    def _answer(self) -> None:
        attempt, self._incoming = self._incoming, None
        if attempt is None or not attempt.pending:
            self._refused(Result.NO_CARRIER)
            return
        self._attempt = attempt
        attempt.answer(self)

    def _refused(self, result: Result) -> None:
        if self.core.state is ModemState.DIALING:
            self.core.failed(result, self._loop.time())
            self._work()

    def _hang_up(self) -> None:
        attempt, self._attempt = self._attempt, None
        if attempt is not None:
            attempt.cancel()

    def line_up(self, line: Line) -> None:
        """The call is up."""
        self._line = line
        self.calls += 1
        self.core.connected(line.rate, self._loop.time())
        self._work()

    def line_data(self, data: bytes) -> None:
        """Bytes came over the line."""
        self.core.arrived(self._lose(data), self._loop.time())
        self._work()

    def line_drained(self) -> None:
        """The line takes more."""
        self._check_flow()

    def line_down(self) -> None:
        """The call is over."""
        self._line = None
        self._attempt = None
        self.core.lost(self._loop.time())
        self._check_flow()
        self._work()

    def offer(self, attempt: Attempt) -> None:
        """Somebody calls this modem: ring until it answers or the caller gives up."""
        if self._attempt is not None or self._incoming is not None:
            attempt.refuse(Result.BUSY)
            return
        self._incoming = attempt
        self._ring(attempt, MAX_RINGS)

    def _ring(self, attempt: Attempt, left: int) -> None:
        if attempt is not self._incoming or not attempt.pending:
            self.core.stopped_ringing()
            if attempt is self._incoming:
                self._incoming = None
            return
        if left == 0:
            self._incoming = None
            self.core.stopped_ringing()
            attempt.refuse(Result.NO_ANSWER)
            return
        self.core.ring(attempt.caller, self._loop.time())
        self._work()
        self._loop.call_later(RING_S, self._ring, attempt, left - 1)
