"""The administrator's password: its hash on disk, made and checked in a thread of its own.

The hash is scrypt (RFC 7914): 16 MiB and a few tenths of a second on the smallest board.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import logging
import os
import queue
import threading
from collections.abc import Callable
from pathlib import Path

import msgspec

from masqgate.contract.codec import from_json, to_json
from masqgate.core.lockout import Lockout

from . import atomic
from .store import not_saved

COST, BLOCK, PARALLEL = 2**14, 8, 1  # scrypt's N, r and p
MEMORY = 64 << 20  # bytes that scrypt may take
LINE = 512  # bytes that are read of the file

log = logging.getLogger(__name__)


def hash_password(password: str) -> str:
    """Return the line that is stored for a password."""
    salt = os.urandom(16)
    digest = _scrypt(password, salt, COST, BLOCK, PARALLEL)
    parts = (base64.b64encode(part).decode() for part in (salt, digest))
    return "$".join(("scrypt", str(COST), str(BLOCK), str(PARALLEL), *parts))


def matches(password: str, stored: str) -> bool:
    """Whether a password belongs to a stored line; False for a line that cannot be read."""
    try:
        kind, cost, block, parallel, salt, digest = stored.split("$")
        if kind != "scrypt":
            return False
        wanted = base64.b64decode(digest, validate=True)
        found = _scrypt(
            password,
            base64.b64decode(salt, validate=True),
            *(int(part) for part in (cost, block, parallel)),
        )
    except (TypeError, ValueError, OverflowError, MemoryError):
        return False
    return hmac.compare_digest(found, wanted)


def _scrypt(password: str, salt: bytes, cost: int, block: int, parallel: int) -> bytes:
    secret = password.encode("utf-8", "surrogatepass")
    return hashlib.scrypt(secret, salt=salt, n=cost, r=block, p=parallel, maxmem=MEMORY, dklen=32)


class PasswordFile:
    """Where the hash is kept."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> str:
        """Return the stored line; '' if none is set. OSError if there is one but unreadable."""
        try:
            with self._path.open("rb") as file:
                return file.read(LINE).decode("ascii", "replace").strip()
        except FileNotFoundError:
            return ""

    def write(self, line: str) -> None:
        """Store a line; MasqgateError, and no change, if that fails."""
        try:
            atomic.write(self._path, f"{line}\n".encode())
        except OSError as error:
            raise not_saved(error) from error

    def remove(self) -> None:
        """Forget the password; MasqgateError, and no change, if that fails."""
        try:
            atomic.remove(self._path)
        except OSError as error:
            raise not_saved(error) from error


class LockoutFile:
    """The count of wrong passwords, kept over a restart of the supervisor."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> Lockout:
        """Return what is stored; nothing stored or unreadable counts as no failures."""
        try:
            return from_json(self._path.read_bytes(), Lockout)
        except FileNotFoundError:
            return Lockout()
        except (OSError, msgspec.MsgspecError) as error:
            log.warning("the count of wrong passwords was lost: %s", error)
            return Lockout()

    def write(self, state: Lockout) -> None:
        """Store it; a failure is logged and tolerated."""
        try:
            atomic.write(self._path, to_json(state))
        except OSError as error:
            log.warning("the count of wrong passwords is in memory only: %s", error.strerror)


class Worker:
    """One thread for slow calculations, one after the other."""

    def __init__(self, name: str = "hashing") -> None:
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def submit(self, job: Callable[[], None]) -> None:
        """Run a job when those before it are done."""
        self._jobs.put(job)

    def close(self) -> None:
        """End when the jobs are done."""
        self._jobs.put(None)
        self._thread.join(5.0)

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            try:
                job()
            except Exception:
                log.exception("a calculation failed")
