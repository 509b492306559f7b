"""The telephone network: numbers, subscribers, and calls between two parties.

Everything here runs on one asyncio loop. A `Subscriber` owns a number and decides what becomes
of a call; a `Party` is whoever sends and receives on a line once the call is up.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import Protocol

from .at import Result
from .pacing import Pump

SET_UP_S = 0.3
NO_ANSWER_S = 4.0
RING_S = 1.5
MAX_RINGS = 8


class Line:
    """One party's end of a call."""

    def __init__(self, rate: int) -> None:
        self.rate = rate
        self._pump: Pump | None = None
        self._hang_up: Callable[[], None] = lambda: None

    def join(self, pump: Pump, hang_up: Callable[[], None]) -> None:
        """Used by `Call` only."""
        self._pump = pump
        self._hang_up = hang_up

    def send(self, data: bytes) -> None:
        """Send bytes to the other party; they travel at the line's rate."""
        if self._pump is not None:
            self._pump.send(data)

    @property
    def backlog(self) -> int:
        """Bytes that wait to be sent."""
        return self._pump.queue.backlog if self._pump is not None else 0

    def hang_up(self) -> None:
        """End the call for both parties."""
        self._hang_up()

    def shape(self, *, rate: int | None = None, delay_s: float | None = None) -> None:
        """Change rate (bit/s) or added delay (seconds) of what this end sends."""
        if self._pump is None:
            return
        if rate is not None:
            self._pump.queue.set_rate(rate)
            self.rate = rate
        if delay_s is not None:
            self._pump.queue.delay_s = delay_s


class Party(Protocol):
    """Who is on the line."""

    def line_up(self, line: Line) -> None:
        """The call is up."""

    def line_data(self, data: bytes) -> None:
        """Bytes came."""

    def line_drained(self) -> None:
        """What we sent has mostly left: send more."""

    def line_down(self) -> None:
        """The call is over."""


class Call:
    """A call that is up, until either end hangs up or the network cuts it."""

    def __init__(self, rate: int, delay_s: float, one: Party, two: Party) -> None:
        self._parties = (one, two)
        self.ends = (Line(rate), Line(rate))
        self._pumps = (
            Pump(rate, two.line_data, drained=one.line_drained),
            Pump(rate, one.line_data, drained=two.line_drained),
        )
        for pump, end in zip(self._pumps, self.ends, strict=True):
            pump.queue.delay_s = delay_s
            end.join(pump, self.cut)
        self.up = True
        for party, end in zip(self._parties, self.ends, strict=True):
            party.line_up(end)

    def cut(self) -> None:
        """End the call; both parties are told once."""
        if not self.up:
            return
        self.up = False
        for pump in self._pumps:
            pump.close()
        for party in self._parties:
            party.line_down()


class Attempt:
    """A dial that is under way: the called subscriber answers or refuses it."""

    def __init__(
        self,
        network: Network,
        number: str,
        caller: str,
        party: Party,
        on_refused: Callable[[Result], None],
    ) -> None:
        self.number = number
        self.caller = caller
        self.on_cancelled: Callable[[], None] = lambda: None
        self.pending = True
        self.call: Call | None = None
        self._network = network
        self._party = party
        self._on_refused = on_refused

    def answer(self, party: Party) -> None:
        """Take the call; does nothing if the caller gave up."""
        if self.pending:
            self.pending = False
            self.call = Call(self._network.line_rate, self._network.delay_s, self._party, party)

    def refuse(self, result: Result) -> None:
        """The caller gets this result."""
        if self.pending:
            self.pending = False
            self._on_refused(result)

    def cancel(self) -> None:
        """The caller gives up, or hangs up."""
        if self.pending:
            self.pending = False
            self.on_cancelled()
        elif self.call is not None:
            self.call.cut()


class Subscriber(Protocol):
    """Who owns a number."""

    def offer(self, attempt: Attempt) -> None:
        """Somebody calls: answer or refuse, now or later."""


class Refuser:
    """A number at which a call always ends in the same way, after `after_s` seconds."""

    def __init__(self, result: Result, after_s: float = 0.0) -> None:
        self.result = result
        self.after_s = after_s

    def offer(self, attempt: Attempt) -> None:
        """Refuse the call."""
        asyncio.get_running_loop().call_later(self.after_s, attempt.refuse, self.result)


class Answerer:
    """A number at which each call gets a party of its own, made by a factory."""

    def __init__(self, make: Callable[[], Party]) -> None:
        self._make = make

    def offer(self, attempt: Attempt) -> None:
        """Answer at once."""
        attempt.answer(self._make())


class Network:
    """All numbers. `line_rate` (bit/s) and `delay_s` (each way) hold for calls from then on."""

    def __init__(self, *, line_rate: int = 115_200, set_up_s: float = SET_UP_S) -> None:
        self.line_rate = line_rate
        self.delay_s = 0.0
        self.set_up_s = set_up_s
        self.dead = False  # no dial tone for anybody
        self.dialed: list[str] = []
        self.random = random.Random(20251124)
        self._subscribers: dict[str, Subscriber] = {}

    def add(self, number: str, subscriber: Subscriber) -> None:
        """Give a number to a subscriber; the last one wins."""
        self._subscribers[number] = subscriber

    def dial(
        self, number: str, caller: str, party: Party, on_refused: Callable[[Result], None]
    ) -> Attempt:
        """Call a number; nothing happens before `set_up_s` seconds have passed."""
        self.dialed.append(number)
        attempt = Attempt(self, number, caller, party, on_refused)
        subscriber = self._subscribers.get(number, Refuser(Result.NO_CARRIER))
        if self.dead:
            subscriber = Refuser(Result.NO_DIALTONE)

        def offer() -> None:
            if attempt.pending:
                subscriber.offer(attempt)

        asyncio.get_running_loop().call_later(self.set_up_s, offer)
        return attempt


def add_dead_ends(network: Network) -> None:
    """The lab's numbers at which nobody answers."""
    network.add("5553000", Refuser(Result.BUSY))
    network.add("5553001", Refuser(Result.NO_ANSWER, NO_ANSWER_S))
    network.add("5553002", Refuser(Result.NO_DIALTONE))
