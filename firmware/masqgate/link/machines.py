"""The machine that a dialer's configuration asks for: one that dials, or one that answers."""

from __future__ import annotations

from collections.abc import Callable

from ..contract.dialer import AnswerConfig, AnyConfig
from .access import Find, known_none
from .answering import AnsweringMachine
from .events import ConfigLoaded, Event, LineLoaded, ShutdownCalled
from .lockout import Lockout
from .machine import LinkMachine
from .timings import Timings

Machine = LinkMachine | AnsweringMachine


def machine_for(
    config: AnyConfig,
    timings: Timings,
    chance: Callable[[], float],
    pin_mark: str,
    find: Find = known_none,
    lockout: Lockout | None = None,
) -> Machine:
    """Return a machine that has not begun yet."""
    if isinstance(config, AnswerConfig):
        return AnsweringMachine(config, timings, lockout)
    return LinkMachine(config, timings, chance, pin_mark, find)


def loaded(machine: Machine, config: AnyConfig) -> Event:
    """Return the event that another configuration is.

    A dialer that is to answer from now on, or the other way round, ends: its unit starts it anew.
    """
    if isinstance(config, AnswerConfig):
        answers = isinstance(machine, AnsweringMachine)
        return LineLoaded(config) if answers else ShutdownCalled()
    return ConfigLoaded(config) if isinstance(machine, LinkMachine) else ShutdownCalled()
