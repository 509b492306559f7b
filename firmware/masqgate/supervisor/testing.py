"""The self-test for the page: it runs in a thread of its own, and can be looked at meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from masqgate.contract.calls import SelfTestOrder, SelfTestRun, SelfTestStep
from masqgate.contract.status import Status
from masqgate.core.ladder import Result
from masqgate.core.messages import Post, SelfTestStepped

from .passwords import Work

Climb = Callable[[Status], Iterator[Result]]


class SelfTest:
    """At most one at a time. Called from the supervisor's loop alone."""

    def __init__(self, climb: Climb, worker: Work, post: Post) -> None:
        self._climb = climb
        self._worker = worker
        self._post = post
        self._run = SelfTestRun(running=False)

    def look(self, order: SelfTestOrder, status: Callable[[], Status]) -> SelfTestRun:
        """Begin a test if that is asked for and none is running; tell how far it is."""
        if order.begin and not self._run.running:
            self._run = SelfTestRun(running=True)
            seen = status()
            self._worker.submit(lambda: self._work(seen))
        return self._run

    def handle(self, message: SelfTestStepped) -> None:
        """Take a step, or the end."""
        steps = self._run.steps
        if message.step is None:
            self._run = SelfTestRun(running=False, steps=steps)
        else:
            self._run = SelfTestRun(running=True, steps=(*steps, message.step))

    def _work(self, status: Status) -> None:
        try:
            for result in self._climb(status):
                self._post(SelfTestStepped(told(result)))
        finally:
            self._post(SelfTestStepped(None))


def told(result: Result) -> SelfTestStep:
    """A step as it is told; what a failure means only if it is one."""
    return SelfTestStep(
        number=result.step.number,
        title=result.step.title,
        verdict=result.verdict,
        text=result.text,
        diagnosis=result.step.diagnosis if result.verdict == "failed" else "",
    )
