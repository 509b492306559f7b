"""A modem's second port, in a thread of its own: whatever happens there, the call goes on.

It runs what `link/signal_watch.py` decides. All that leaves this thread are events `Looked`; what
fails here, a defect of ours included, is a line in the log.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import time
from collections.abc import Callable
from queue import Empty, SimpleQueue

from ..link import events as ev
from ..link.signal_watch import Output, SignalWatch
from ..link.timings import Timings
from .portholder import PortHolder
from .serialport import PortRule

PAUSE_S = 60.0  # after a defect
Order = tuple[ev.OpenPort | None, str]  # the port to ask, and the device that carries the call
log = logging.getLogger("masqgate.dialer")


class SignalPort:
    """Asks by the port that `follow` names; without one there is no thread."""

    def __init__(
        self, timings: Timings, rule: PortRule, emit: Callable[[ev.Looked], None]
    ) -> None:
        self._emit = emit
        self._watch = SignalWatch(timings)
        self._order: Order = (None, "")
        self._queue: SimpleQueue[tuple[int, ev.Event] | Order] = SimpleQueue()
        # DTR of the second port is left alone: who knows what the modem takes it for.
        self._holder = PortHolder(lambda *item: self._queue.put(item), None, rule)
        self._timers: dict[ev.Timer, float] = {}
        self._call_device = ""
        self._thread: threading.Thread | None = None

    def follow(self, order: ev.OpenPort | None, call_device: str) -> None:
        """Ask by this port from now on, or by none; returns at once, may be repeated."""
        wanted: Order = (None, "") if order is None else (order, call_device)
        if wanted == self._order:
            return
        self._order = wanted
        self._queue.put(wanted)
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="signal", daemon=True)
            self._thread.start()

    # In the thread

    def _run(self) -> None:
        while True:
            try:
                self._turn()
            except Exception:  # a defect of ours must not cost more than the signal
                log.exception("The modem's second port")
                with contextlib.suppress(Exception):
                    self._holder.close()
                time.sleep(PAUSE_S)

    def _turn(self) -> None:
        """Wait for an event, or for a timer to run out."""
        due = min(self._timers.values(), default=None)
        patience_s = None if due is None else max(0.0, due - time.monotonic())
        with contextlib.suppress(Empty):
            first, second = self._queue.get(timeout=patience_s)
            if isinstance(second, str):
                self._call_device = second
                self._do(self._watch.follow(first))  # type: ignore[arg-type]
            elif first == self._holder.generation:
                self._do(self._watch.handle(second))
        now = time.monotonic()
        for timer in [timer for timer, at in self._timers.items() if at <= now]:
            if self._timers.get(timer, now + 1) <= now:
                del self._timers[timer]
                self._do(self._watch.handle(ev.TimerExpired(timer)))

    def _do(self, outputs: list[Output]) -> None:
        for output in outputs:
            match output:
                case ev.Looked():
                    self._emit(output)
                case ev.SetTimer(timer, seconds):
                    self._timers[timer] = time.monotonic() + seconds
                case ev.CancelTimer(timer):
                    self._timers.pop(timer, None)
                case ev.OpenPort(path) if os.path.realpath(path) == self._call_device:
                    self._do(self._watch.refuse("same"))
                    return
                case _:
                    self._holder.do(output)
