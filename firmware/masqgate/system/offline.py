"""What the console can do with the files while the supervisor is down."""

from __future__ import annotations

import logging

from masqgate import __version__
from masqgate.contract import backup
from masqgate.contract.backup import Backup
from masqgate.contract.config import Config
from masqgate.contract.document import keep_secrets
from masqgate.contract.errors import MasqgateError
from masqgate.contract.paths import Paths

from . import atomic
from .password import PasswordFile, matches
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


def backup_text(paths: Paths) -> str:
    """Return a backup with secrets of the files; MasqgateError if they can't be read."""
    made = Backup(
        config(paths),
        secrets=True,
        password=PasswordFile(paths.password).read(),
        made_by=__version__,
    )
    return backup.write(made)


def restore(paths: Paths, text: str) -> None:
    """Make a backup the saved configuration and password; MasqgateError if that fails."""
    found = backup.read(text)
    save(paths, keep_secrets(found.config, config(paths)))
    if found.password:
        PasswordFile(paths.password).write(found.password)


def console_password(paths: Paths, remote: bool = False) -> bool:
    """Whether the console's menu is to ask for the password: it is configured, and set.

    `remote`: who types may be far away; then it is asked for in any case, if it is set.
    """
    try:
        asked = remote or config(paths).console.password
        return asked and bool(PasswordFile(paths.password).read())
    except OSError:
        return True  # there is one, but the card does not give it


def password_is(paths: Paths, typed: str) -> bool:
    """Whether this is the administrator's password (takes a few tenths of a second)."""
    try:
        return matches(typed, PasswordFile(paths.password).read())
    except OSError:
        return False


def reset_password(paths: Paths) -> None:
    """Forget the administrator's password and the wrong ones; MasqgateError if that fails."""
    PasswordFile(paths.password).remove()
    try:
        atomic.remove(paths.lockout)
    except OSError as error:
        raise not_saved(error) from error


def factory_reset(paths: Paths) -> None:
    """Erase settings, password and records; MasqgateError if something cannot be erased."""
    store = Store(paths)
    store.begin_reset()
    save(paths, store.factory())
    store.forget_previous()
    reset_password(paths)
    try:
        for path in (
            paths.events, paths.call_log, paths.usage, paths.kept_leases, paths.kept_prefixes,
        ):  # fmt: skip
            atomic.remove(path)
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
