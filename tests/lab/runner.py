"""One thread with one asyncio loop, and calls into it from outside."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")
CALL_TIMEOUT_S = 30.0


class Runner:
    """The thread in which modem, telephone network and providers live."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="lab-loop", daemon=True)
        self._thread.start()

    @property
    def closed(self) -> bool:
        """Whether `stop` was called."""
        return self.loop.is_closed()

    def call(self, function: Callable[[], T]) -> T:
        """Run `function` in the loop's thread and return its result, or raise its exception."""
        if threading.current_thread() is self._thread:
            return function()

        async def run() -> T:
            return function()

        return self.wait(run())

    def wait(self, work: Coroutine[Any, Any, T], timeout_s: float = CALL_TIMEOUT_S) -> T:
        """Run a coroutine in the loop and return its result; TimeoutError after `timeout_s`."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(timeout_s)

    def stop(self) -> None:
        """End the loop and its thread."""
        if self._thread.is_alive():
            self.loop.call_soon_threadsafe(self.loop.stop)
            self._thread.join(CALL_TIMEOUT_S)
        self.loop.close()

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_forever()


def wait_until(
    condition: Callable[[], bool], timeout_s: float, what: str, every_s: float = 0.05
) -> None:
    """Poll until `condition` holds; TimeoutError with `what` in it after `timeout_s` seconds."""
    end = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() >= end:
            raise TimeoutError(f"not within {timeout_s:g} s: {what}")
        time.sleep(every_s)
