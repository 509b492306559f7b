"""What the console can do with the files while the supervisor is down."""

from __future__ import annotations

import logging

from masqgate.contract.config import Config
from masqgate.contract.errors import MasqgateError
from masqgate.contract.paths import Paths

from . import atomic
from .password import PasswordFile
from .store import Store, not_saved

log = logging.getLogger(__name__)


def config(paths: Paths) -> Config:
    """Return the configuration that the supervisor would start with."""
    return Store(paths).load().config


def save(paths: Paths, new: Config) -> None:
    """Save a configuration for the supervisor's next start; MasqgateError if that fails."""
    store = Store(paths)
    store.stage(new, store.load().config).commit()


def previous(paths: Paths) -> None:
    """Make the previous configuration the saved one; MasqgateError if that fails."""
    save(paths, Store(paths).previous())


def reset_password(paths: Paths) -> None:
    """Forget the administrator's password and the wrong ones; MasqgateError if that fails."""
    PasswordFile(paths.password).remove()
    try:
        atomic.remove(paths.lockout)
    except OSError as error:
        raise not_saved(error) from error


def factory_reset(paths: Paths) -> None:
    """Erase settings, password and history; MasqgateError if something cannot be erased."""
    store = Store(paths)
    store.begin_reset()
    save(paths, store.factory())
    store.forget_previous()
    reset_password(paths)
    try:
        atomic.remove(paths.events)
        atomic.remove(paths.kept_leases)
    except OSError as error:
        raise not_saved(error) from error
    store.end_reset()


def finish_reset(paths: Paths) -> bool:
    """Finish a factory reset that a power cut has interrupted; whether there was one.

    One that cannot be finished is logged, and tried again at the next start.
    """
    if not paths.reset_mark.exists():
        return False
    try:
        factory_reset(paths)
    except MasqgateError as error:
        log.error("a factory reset could not be finished: %s", error.text)
        return False
    return True
