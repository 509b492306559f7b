"""Takes in what lies on the card, once, before the supervisor starts; never raises.

What went wrong is left in a file under /run for the supervisor to tell, and in the history.
"""

from __future__ import annotations

import hashlib
import logging
import time

from masqgate.contract.backup import LARGEST
from masqgate.contract.codec import to_json
from masqgate.contract.errors import InvalidConfig, MasqgateError, Problem
from masqgate.contract.paths import Paths
from masqgate.contract.status import Entry, Reason
from masqgate.core import provision

from . import atomic
from .card import NAME, Card
from .history import History
from .password import PasswordFile, hash_password, matches
from .store import Store

TOLD = 10  # problems
_HINT = f"Correct or remove {NAME} on the card's boot partition, and restart the router."

log = logging.getLogger(__name__)


class Provisioning:
    """One look at the card. `volatile`: /data forgets everything at the next start."""

    def __init__(self, paths: Paths, card: Card, *, volatile: bool = False) -> None:
        self._paths = paths
        self._card = card
        self._volatile = volatile
        self._history = History(paths.events)
        self._warnings: list[Reason] = []

    def run(self) -> tuple[Reason, ...]:
        """Take in what is there; return, and leave for the supervisor, what is wrong."""
        try:
            self._look()
        except MasqgateError as error:
            self._refuse(error)
        except OSError as error:
            why = (error.strerror or "a read error").lower()
            self._warn("provision_unreadable", f"{NAME} cannot be read from the card: {why}.")
        except Exception:
            log.exception("%s", NAME)
            self._warn("provision_failed", f"{NAME} on the card could not be taken in.")
        self._leave()
        return tuple(self._warnings)

    def _look(self) -> None:
        data = self._card.read()
        if data is None:
            if self._card.left_over:
                self._wipe()
            return
        if self._known(data):
            text = f"{NAME} on the card was taken in before; it is not taken in again."
            self._record("provision_known", text)
        else:
            self._take(data)
            if self._volatile:
                text = f"{NAME} stays on the card: the data partition keeps nothing."
                self._warn("provision_kept", text)
                return
            self._remember(data)
        self._wipe()

    def _take(self, data: bytes) -> None:
        store, file = Store(self._paths), PasswordFile(self._paths.password)
        before = self._paths.config.exists() or self._paths.password.exists()
        loaded = store.load()
        wanted = provision.read(_text(data), loaded.config)
        line = hash_password(wanted.password) if wanted.password else wanted.password_hash
        store.stage(wanted.config, loaded.config).commit()
        if line:
            file.write(line)
        text = f"The configuration in {NAME} on the card was taken in"
        text += ", and the administrator's password was set." if line else "."
        text += " It replaced the one that the router had." if before else ""
        self._record("provisioned", text, "warning" if before else "info")

    def _known(self, data: bytes) -> bool:
        """Whether this very file was taken in before, and could not be wiped then."""
        try:
            return matches(_digest(data), self._paths.provisioned.read_text("ascii", "replace"))
        except OSError:
            return False

    def _remember(self, data: bytes) -> None:
        """Keep a mark of the file until it is wiped, lest it is taken in at each start.

        The hash is a slow one, because what is in the file can be guessed.
        """
        try:
            atomic.write(self._paths.provisioned, hash_password(_digest(data)).encode())
        except OSError as error:
            log.warning("the mark of %s cannot be kept: %s", NAME, error.strerror)

    def _wipe(self) -> None:
        try:
            self._card.wipe()
            atomic.remove(self._paths.provisioned)  # the same file may come again one day
        except OSError as error:
            why = (error.strerror or "a write error").lower()
            text = f"The secrets in {NAME} could not be removed from the card: {why}."
            self._warn("provision_not_wiped", text, "Remove the file yourself.")

    def _refuse(self, error: MasqgateError) -> None:
        problems = error.problems or (Problem("", error.code, error.text, error.hint),)
        for problem in problems[:TOLD]:
            where = f"{problem.path}: " if problem.path else ""
            text = f"{NAME} was not taken in. {where}{problem.text}"
            self._warn("provision_refused", text, f"{problem.hint} {_HINT}".strip())
        if (more := len(problems) - TOLD) > 0:
            text = f"{NAME} was not taken in. There are {more} more problems in it."
            self._warn("provision_refused", text)

    def _warn(self, code: str, text: str, hint: str = _HINT) -> None:
        self._warnings.append(Reason(code, text, hint))
        self._record(code, text, "error")

    def _record(self, code: str, text: str, level: str = "info") -> None:
        log.info("%s", text)
        self._history.add(
            Entry(
                number=0, at=time.time(), source="card", code=code, text=text,
                level=level,  # type: ignore[arg-type]
            )
        )  # fmt: skip

    def _leave(self) -> None:
        try:
            atomic.write(self._paths.provision_warnings, to_json(self._warnings))
        except OSError as error:
            log.error("what is wrong with %s cannot be told: %s", NAME, error.strerror)


def _text(data: bytes) -> str:
    if len(data) > LARGEST:
        hint = f"At most {LARGEST // 1024} KiB are taken."
        raise InvalidConfig((Problem("", "too_large", "The file is too large.", hint),))
    try:
        return data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        text = f"The file is not text in UTF-8 (byte {error.start})."
        raise InvalidConfig((Problem("", "not_text", text),)) from None


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
