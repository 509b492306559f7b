"""Bytes over a slow wire: a paced queue without a clock of its own, and its asyncio pump.

Serial lines here are 8N1: ten bits for each byte. All times are seconds of a monotonic
clock that the caller passes in, so that tests run on a clock of their own.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

BITS_PER_BYTE = 10
MIN_RATE = 300
MAX_RATE = 921_600
QUANTUM_S = 0.005


class PacedQueue:
    """First in, first out, at `rate` bit/s (300 to 921,600), plus a fixed delay in seconds."""

    def __init__(self, rate: int, *, delay_s: float = 0.0) -> None:
        self._rate = MAX_RATE
        self.set_rate(rate)
        self.delay_s = delay_s
        self._waiting = bytearray()
        self._clock = 0.0
        self._flying: deque[tuple[float, bytes]] = deque()

    @property
    def rate(self) -> int:
        """Bits per second."""
        return self._rate

    def set_rate(self, rate: int) -> None:
        """Change the rate; ValueError outside 300 to 921,600 bit/s."""
        if not MIN_RATE <= rate <= MAX_RATE:
            raise ValueError(f"rate {rate} bit/s is outside {MIN_RATE} to {MAX_RATE}")
        self._rate = rate

    @property
    def backlog(self) -> int:
        """Bytes that have not yet left the sender."""
        return len(self._waiting)

    def push(self, data: bytes, now: float) -> None:
        """Queue bytes at the sender's end."""
        if not self._waiting:
            self._clock = max(self._clock, now)
        self._waiting += data

    def pop(self, now: float) -> bytes:
        """Return the bytes that have reached the far end by `now`."""
        self._advance(now)
        arrived = bytearray()
        while self._flying and self._flying[0][0] <= now:
            arrived += self._flying.popleft()[1]
        return bytes(arrived)

    def due(self) -> float | None:
        """Return when to call `pop` next, or None if nothing is under way."""
        times = []
        if self._flying:
            times.append(self._flying[0][0])
        if self._waiting:
            chunk = min(len(self._waiting), max(1, int(self._rate * QUANTUM_S / BITS_PER_BYTE)))
            times.append(self._clock + chunk * BITS_PER_BYTE / self._rate)
        return min(times, default=None)

    def clear(self) -> None:
        """Forget everything that has not arrived."""
        self._waiting.clear()
        self._flying.clear()

    def _advance(self, now: float) -> None:
        # The small allowance keeps float rounding from costing a byte time.
        count = int((now - self._clock) * self._rate / BITS_PER_BYTE + 1e-6)
        count = min(count, len(self._waiting))
        if count <= 0:
            return
        self._clock += count * BITS_PER_BYTE / self._rate
        self._flying.append((self._clock + self.delay_s, bytes(self._waiting[:count])))
        del self._waiting[:count]


class Pump:
    """Runs one `PacedQueue` on the current asyncio loop and hands arrivals to `sink`."""

    def __init__(
        self,
        rate: int,
        sink: Callable[[bytes], None],
        *,
        drained: Callable[[], None] | None = None,
        low_water: int = 1500,
    ) -> None:
        self.queue = PacedQueue(rate)
        self._sink = sink
        self._drained = drained
        self._low_water = low_water
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None

    def send(self, data: bytes) -> None:
        """Queue bytes; they come out of the sink at the line's rate."""
        self.queue.push(data, self._loop.time())
        self._arm()

    def close(self) -> None:
        """Drop what is under way."""
        self.queue.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _arm(self) -> None:
        if self._timer is not None:
            return
        due = self.queue.due()
        if due is not None:
            self._timer = self._loop.call_at(due, self._fire)

    def _fire(self) -> None:
        self._timer = None
        before = self.queue.backlog
        data = self.queue.pop(self._loop.time())
        after = self.queue.backlog
        if data:
            self._sink(data)
        if self._drained is not None and after <= self._low_water and after != before:
            self._drained()
        self._arm()
