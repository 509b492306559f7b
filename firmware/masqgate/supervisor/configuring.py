"""Put another configuration in force: completely, or not at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from masqgate.contract.config import Config
from masqgate.contract.errors import MasqgateError, Problem
from masqgate.core.problems import new_ones

if TYPE_CHECKING:
    from .supervisor import Supervisor


def change(supervisor: Supervisor, new: Config, told: str) -> None:
    """Put `new` in force and save it; MasqgateError, and nothing is changed, if either fails.

    It is written to the disk first and put in place last, so that a full disk shows before
    anything changes, and a power cut in between brings the old one back.
    """
    try:
        _exchange(supervisor, new)
    except MasqgateError as error:
        supervisor.record("config", "config_refused", error.text, "error")
        raise
    supervisor.config_warnings = ()
    supervisor.follow_links()
    supervisor.apply_soon()
    supervisor.record("config", "config_changed", told)


def _exchange(supervisor: Supervisor, new: Config) -> None:
    old = supervisor.config
    staged = supervisor.parts.store.stage(new, old)
    try:
        _try(supervisor, new)
        staged.commit()
    except MasqgateError:
        staged.discard()
        _apply(supervisor, old)
        raise


def _try(supervisor: Supervisor, new: Config) -> None:
    """Apply a configuration; MasqgateError if that fails because of it."""
    old, before = supervisor.config, supervisor.problems
    if not (problems := new_ones(_apply(supervisor, new), before)):
        return
    if problems := new_ones(problems, _apply(supervisor, old)):
        raise _not_in_force(problems)
    # The old one fails in the same way: a cable was pulled, or a call ended meanwhile.
    _apply(supervisor, new)


def _apply(supervisor: Supervisor, config: Config) -> tuple[Problem, ...]:
    supervisor.config = config
    return supervisor.apply()


def factory_reset(supervisor: Supervisor) -> None:
    """Put the factory's configuration in force, and erase what the user has entered.

    MasqgateError if something could not be erased; what comes before it is erased then.
    """
    parts = supervisor.parts
    change(supervisor, parts.store.factory(), "The factory's configuration is in force.")
    parts.store.forget_previous()
    parts.passwords.reset()
    parts.history.clear()
    text = "The router was reset to the factory's state."
    supervisor.record("config", "factory_reset", text, "warning")


def _not_in_force(problems: tuple[Problem, ...]) -> MasqgateError:
    return MasqgateError(
        "config_not_in_force",
        "The configuration is good, but it could not be put in force; the old one is again.",
        "What is listed went wrong on the router.",
        problems,
    )
