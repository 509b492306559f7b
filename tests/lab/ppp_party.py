"""One end of a call that speaks PPP by the lab's own peer, whichever end it is.

Lives on the lab's loop.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from typing import Protocol

from .ppp_peer import PppPeer
from .telephone import Line

HIGH_WATER = 3000  # bytes that wait for the line, above which no more are taken


class Paused(Protocol):
    """Where IP packets for the line come from."""

    def pause(self, paused: bool) -> None:
        """Stop or go on giving packets."""

    def close(self) -> None:
        """The call is over."""


class PppParty(ABC):
    """A `Party` that runs a PPP peer; subclasses say what becomes of its packets."""

    def __init__(self, ppp: PppPeer) -> None:
        self.ppp = ppp
        self._line: Line | None = None
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None

    @property
    @abstractmethod
    def _source(self) -> Paused | None:
        """Where packets for the line come from; None before there are any."""

    @abstractmethod
    def _arrived(self, packet: bytes) -> None:
        """The other end sent an IP packet."""

    @abstractmethod
    def _follow_phase(self) -> None:
        """PPP may be in another phase."""

    def line_up(self, line: Line) -> None:
        """Begin to speak PPP."""
        self._line = line
        self.ppp.start(self._loop.time())
        self._work()

    def line_data(self, data: bytes) -> None:
        """Bytes came."""
        self.ppp.receive(data, self._loop.time())
        self._work()

    def line_drained(self) -> None:
        """Room for more."""
        source = self._source
        if source is not None and self._line is not None:
            source.pause(self._line.backlog > HIGH_WATER)

    def line_down(self) -> None:
        """The call is over."""
        self._line = None
        if self._timer is not None:
            self._timer.cancel()
        if (source := self._source) is not None:
            source.close()

    def terminate(self) -> None:
        """End PPP politely."""
        self.ppp.terminate(self._loop.time())
        self._work()

    def _work(self) -> None:
        if self._line is None:
            return
        if output := self.ppp.take_output():
            self._line.send(output)
        for packet in self.ppp.take_packets():
            self._arrived(packet)
        self._follow_phase()
        if self._timer is not None:
            self._timer.cancel()
        due = self.ppp.deadline
        self._timer = None if due is None else self._loop.call_at(due, self._tick)
        self.line_drained()

    def _tick(self) -> None:
        self._timer = None
        self.ppp.tick(self._loop.time())
        self._work()
