"""Put another configuration in force: completely, or not at all.

It is written to the disk first and put in place last, so that a full disk shows before anything
changes, and a power cut in between brings the old one back. One that has to be confirmed is put
in place only then: whatever happens before, the old one comes back.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from masqgate.contract.config import Config
from masqgate.contract.errors import MasqgateError, Problem
from masqgate.core.problems import new_ones
from masqgate.system.store import StagedConfig

if TYPE_CHECKING:
    from .supervisor import Supervisor

TIMER = "confirm"


@dataclass(frozen=True)
class Unconfirmed:
    """A configuration in force that nobody has confirmed yet, and the one to go back to."""

    old: Config
    staged: StagedConfig | None  # None after a confirmation that failed
    until_s: float  # monotonic
    told: str


class Configuring:
    """Changes of the configuration. Called from the supervisor's loop alone."""

    def __init__(self, supervisor: Supervisor) -> None:
        self._supervisor = supervisor
        self._unconfirmed: Unconfirmed | None = None

    @property
    def confirm_in_s(self) -> float | None:
        """Seconds until the unconfirmed configuration is taken back; None if there is none."""
        if self._unconfirmed is None:
            return None
        return max(0.0, self._unconfirmed.until_s - self._supervisor.parts.clock.monotonic())

    def change(self, new: Config, told: str, confirm_within_s: int = 0) -> None:
        """Put `new` in force and save it; MasqgateError, and no change, if either fails.

        With `confirm_within_s` it is saved by `confirm`, and taken back without. One that waits
        for that already is forgotten: it is the saved one that is changed, and gone back to.
        """
        old = self._forget_unconfirmed()
        try:
            staged = self._in_force(old, new)
            if confirm_within_s:
                self._wait_for_confirm(Unconfirmed(
                    old, staged, self._now() + confirm_within_s, told
                ))  # fmt: skip
            else:
                self._commit(staged, old)
        except MasqgateError as error:
            self._supervisor.follow_links()
            self._supervisor.record("config", "config_refused", error.text, "error")
            raise
        if not confirm_within_s:
            self._changed(told)
        self._supervisor.follow_links()
        self._supervisor.apply_soon()

    def confirm(self) -> None:
        """Save the unconfirmed configuration; MasqgateError if there is none, or it fails."""
        waiting = self._unconfirmed
        if waiting is None:
            text = "No configuration waits to be confirmed."
            raise MasqgateError("nothing_to_confirm", text, "It may have been taken back already.")
        staged = waiting.staged or self._supervisor.parts.store.stage(
            self._supervisor.config, waiting.old
        )
        # Whatever a commit that fails leaves of its files, the next one writes its own.
        self._unconfirmed = replace(waiting, staged=None)
        staged.commit()
        self._forget_unconfirmed()
        self._changed(waiting.told)

    def take_back(self) -> None:
        """Go back to the configuration before the unconfirmed one."""
        old = self._forget_unconfirmed()
        try:
            self._apply(old)
        finally:
            self._supervisor.follow_links()
        text = "The new configuration was not confirmed in time; the old one is in force again."
        self._supervisor.record("config", "config_taken_back", text, "warning")

    def factory_reset(self) -> None:
        """Put the factory's configuration in force, and erase what the user has entered.

        MasqgateError if something could not be erased; what comes before it is erased then, and
        the next start tries to erase the rest. So it does after a power cut.
        """
        parts = self._supervisor.parts
        parts.store.begin_reset()
        try:
            self.change(parts.store.factory(), "The factory's configuration is in force.")
        except MasqgateError:
            parts.store.end_reset()
            raise
        parts.store.forget_previous()
        parts.passwords.reset()
        parts.history.clear()
        parts.leases.forget()
        parts.prefixes.forget()
        parts.call_log.clear()
        self._supervisor.budgets.forget()
        parts.store.end_reset()
        text = "The router was reset to the factory's state."
        self._supervisor.record("config", "factory_reset", text, "warning")

    def _in_force(self, old: Config, new: Config) -> StagedConfig:
        """Write `new` beside the saved one and apply it; MasqgateError, and `old` is in force."""
        try:
            staged = self._supervisor.parts.store.stage(new, old)
        except MasqgateError:
            if self._supervisor.config != old:
                self._apply(old)
            raise
        try:
            self._try(old, new)
        except MasqgateError:
            staged.discard()
            self._apply(old)
            raise
        return staged

    def _try(self, old: Config, new: Config) -> None:
        """Apply a configuration; MasqgateError if that fails because of it."""
        before = self._supervisor.problems
        if not (problems := new_ones(self._apply(new), before)):
            return
        if problems := new_ones(problems, self._apply(old)):
            raise _not_in_force(problems)
        # The old one fails in the same way: a cable was pulled, or a call ended meanwhile.
        self._apply(new)

    def _commit(self, staged: StagedConfig, old: Config) -> None:
        try:
            staged.commit()
        except MasqgateError:
            self._apply(old)
            raise

    def _wait_for_confirm(self, waiting: Unconfirmed) -> None:
        self._unconfirmed = waiting
        self._supervisor.timers.set(TIMER, waiting.until_s)
        seconds = waiting.until_s - self._now()
        text = f"A new configuration is in force; confirm it within {seconds:.0f} seconds."
        self._supervisor.record("config", "config_unconfirmed", text)

    def _forget_unconfirmed(self) -> Config:
        """Drop what waits to be confirmed; return the configuration that is saved."""
        waiting, self._unconfirmed = self._unconfirmed, None
        self._supervisor.timers.clear(TIMER)
        if waiting is None:
            return self._supervisor.config
        if waiting.staged is not None:
            waiting.staged.discard()
        return waiting.old

    def _changed(self, told: str) -> None:
        self._supervisor.config_warnings = ()
        self._supervisor.record("config", "config_changed", told)

    def _apply(self, config: Config) -> tuple[Problem, ...]:
        self._supervisor.config = config
        return self._supervisor.apply()

    def _now(self) -> float:
        return self._supervisor.parts.clock.monotonic()


def _not_in_force(problems: tuple[Problem, ...]) -> MasqgateError:
    return MasqgateError(
        "config_not_in_force",
        "The configuration is good, but it could not be put in force; the old one is again.",
        "What is listed went wrong on the router.",
        problems,
    )
