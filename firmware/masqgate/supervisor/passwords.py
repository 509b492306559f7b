"""The administrator's password: checks one at a time, and a wait after too many wrong ones."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

from masqgate.contract.calls import BACKUP, PASSWORD_SET, NewPassword, Nothing
from masqgate.contract.errors import MasqgateError
from masqgate.contract.status import Reason
from masqgate.core import lockout, passwords
from masqgate.core.lockout import Lockout
from masqgate.core.messages import (
    CallMade,
    HashingFailed,
    PasswordChecked,
    PasswordHashed,
    Post,
)
from masqgate.system.clock import Clock
from masqgate.system.history import printable
from masqgate.system.password import LockoutFile, PasswordFile, hash_password, matches

WAITING = 8  # calls that may wait for their turn

Record = Callable[[str, str, str], None]  # code, text, level


class Work(Protocol):
    """A thread for slow calculations."""

    def submit(self, job: Callable[[], None]) -> None:
        """Run a job there."""


class Passwords:
    """Decides in the supervisor's loop; hashes in the worker, which posts what it found."""

    def __init__(
        self, file: PasswordFile, lockouts: LockoutFile, worker: Work, clock: Clock, post: Post,
        mac_of: Callable[[str], str] = lambda address: "",
    ) -> None:  # fmt: skip
        """`mac_of` tells the hardware address of a host of the LAN, or nothing."""
        self._file = file
        self._lockouts = lockouts
        self._worker = worker
        self._clock = clock
        self._post = post
        self._mac_of = mac_of
        self._waiting: deque[CallMade] = deque()
        self._current: CallMade | None = None
        self._unreadable = False
        self._line = self._stored()
        self._lockout = lockouts.read()
        self.record: Record = lambda code, text, level: None
        self.changed: Callable[[], None] = lambda: None
        self.granted: Callable[[CallMade], Any] = lambda made: Nothing()

    @property
    def is_set(self) -> bool:
        """Whether there is a password; one that cannot be read counts."""
        return bool(self._line) or self._unreadable

    @property
    def stored(self) -> str:
        """The line that is stored, for a backup; '' if there is none."""
        return self._line

    @property
    def generation(self) -> int:
        """A number that is another one with each password set, and 0 without one.

        It tells nothing of the password: the line that it is made from has a random salt.
        """
        if not self._line:
            return 0
        return int.from_bytes(hashlib.sha256(self._line.encode()).digest()[:6], "big")

    @property
    def warning(self) -> Reason | None:
        """What is wrong with the stored password."""
        if not self._unreadable:
            return None
        text = "The administrator's password cannot be read from the card."
        return Reason("password_unreadable", text, "Reset it on the console.")

    def take(self, made: CallMade) -> None:
        """Let a call that a password is checked or made for wait for its turn."""
        if len(self._waiting) >= WAITING:
            text = "Too many passwords are waiting to be checked."
            made.answer(MasqgateError("busy", text, "Try again in a moment."))
            return
        self._waiting.append(made)
        self._next()

    def reset(self) -> None:
        """Forget the password and the wrong ones; MasqgateError if that fails."""
        self._file.remove()
        self._line, self._unreadable = "", False
        self._count(Lockout())
        self.record("password_reset", "The administrator's password was reset.", "warning")
        self.changed()

    def restore(self, line: str) -> None:
        """Store a line of a backup; MasqgateError, and no change, if that fails."""
        self._keep(line)
        text = "The administrator's password is that of a backup."
        self.record("password_restored", text, "warning")
        self.changed()

    def handle(self, message: PasswordChecked | PasswordHashed | HashingFailed) -> None:
        """Take what the worker found."""
        made = self._current
        if made is None:
            return
        try:
            match message:
                case PasswordChecked(right=False):
                    raise self._wrong(made)
                case PasswordChecked():
                    self._right(made)
                case PasswordHashed(line=line):
                    self._store(made, line)
                case HashingFailed(error=error):
                    raise error
        except MasqgateError as error:
            self._finish(error)

    def _next(self) -> None:
        while self._current is None and self._waiting:
            self._current = self._waiting.popleft()
            try:
                self._begin(self._current)
            except MasqgateError as error:
                self._finish_quietly(error)

    def _begin(self, made: CallMade) -> None:
        if made.call is PASSWORD_SET:
            passwords.check(made.arguments.password)
            if made.peer.root or not self.is_set:
                self._hash(made.arguments.password)
                return
            password = made.arguments.old
        else:
            password = made.arguments.password
        self._check(password)

    def _check(self, password: str) -> None:
        if self._unreadable:
            raise MasqgateError(
                "password_unreadable",
                "The stored password cannot be read.",
                "Reset it on the console.",
            )
        if not self._line:
            raise MasqgateError("no_password", "No password is set yet.", "Set one first.")
        self._refuse_while_locked()
        line = self._line
        self._work(lambda: PasswordChecked(matches(password, line)))

    def _refuse_while_locked(self) -> None:
        wait = lockout.wait_s(self._lockout, self._clock.monotonic())
        if wait > 0:
            text = f"Too many wrong passwords; none is taken for {wait:.0f} more seconds."
            hint = "On the router's serial console it can be reset at once."
            raise MasqgateError("locked_out", text, hint)

    def _hash(self, password: str) -> None:
        self._work(lambda: PasswordHashed(hash_password(password)))

    def _work(self, job: Callable[[], PasswordChecked | PasswordHashed]) -> None:
        def run() -> None:
            try:
                self._post(job())
            except Exception:
                text = "The password could not be worked on."
                self._post(HashingFailed(MasqgateError("internal", text, "Try again.")))
                raise

        self._worker.submit(run)

    def _wrong(self, made: CallMade) -> MasqgateError:
        now = self._clock.monotonic()
        self._count(lockout.after_failure(self._lockout, now))
        text = f"A wrong password was given{self._by(made)}."
        self.record("login_failed", text, "warning")
        wait = lockout.wait_s(self._lockout, now)
        hint = f"None is taken for the next {wait:.0f} seconds." if wait else ""
        return MasqgateError("wrong_password", "This is not the password.", hint)

    def _right(self, made: CallMade) -> None:
        self._count(Lockout())
        if made.call is PASSWORD_SET:
            self._hash(made.arguments.password)
            return
        if made.call is BACKUP:
            self._finish(self.granted(made))
            return
        self.record("login", f"The administrator logged in{self._by(made)}.", "info")
        self._finish(Nothing())

    def _store(self, made: CallMade, line: str) -> None:
        self._keep(line)
        self.record(
            "password_set", f"The administrator's password was set{self._by(made)}.", "info"
        )
        self.changed()
        self._finish(Nothing())

    def _keep(self, line: str) -> None:
        self._file.write(line)
        self._line, self._unreadable = line, False
        self._count(Lockout())

    def _count(self, state: Lockout) -> None:
        if state != self._lockout:
            self._lockout = state
            self._lockouts.write(state)

    def _finish(self, answer: Any) -> None:
        self._finish_quietly(answer)
        self._next()

    def _finish_quietly(self, answer: Any) -> None:
        made, self._current = self._current, None
        if made is not None:
            made.answer(answer)

    def _stored(self) -> str:
        try:
            return self._file.read()
        except OSError:
            self._unreadable = True
            return ""

    def _by(self, made: CallMade) -> str:
        """Say from where, if the caller told."""
        arguments = made.arguments
        client = printable(arguments.client)[:64] if not isinstance(arguments, Nothing) else ""
        if client:
            mac = self._mac_of(client)
            return f" from {client} ({mac})" if mac else f" from {client}"
        return " on the router" if made.peer.root and isinstance(arguments, NewPassword) else ""
