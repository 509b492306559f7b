"""Backups: made of what is in force, and put in force again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from masqgate import __version__
from masqgate.contract import backup
from masqgate.contract.backup import Backup
from masqgate.contract.calls import BackupOrder, Document
from masqgate.contract.document import keep_secrets
from masqgate.core import words

if TYPE_CHECKING:
    from .supervisor import Supervisor


def make(supervisor: Supervisor, order: BackupOrder) -> Document:
    """Return a backup; who may have the secrets was found out before."""
    made_at = words.moment(supervisor.parts.clock.wall())
    made = Backup(
        supervisor.config,
        secrets=order.secrets,
        password=supervisor.parts.passwords.stored,
        made_by=__version__,
        made_at=made_at if made_at[0].isdigit() else "",
    )
    what = "with secrets" if order.secrets else "without secrets"
    by = f" from {order.client[:64]}" if order.client else ""
    supervisor.record("config", "backup_made", f"A backup {what} was made{by}.")
    return Document(backup.write(made))


def restore(supervisor: Supervisor, text: str) -> None:
    """Put a backup in force: first the configuration, and if that worked the password.

    MasqgateError, and no change, if the configuration is not good.
    """
    found = backup.read(text)
    config = keep_secrets(found.config, supervisor.config)
    supervisor.configuring.change(config, "The configuration of a backup is in force.")
    if found.password:
        supervisor.parts.passwords.restore(found.password)
