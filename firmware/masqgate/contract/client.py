"""The caller's end of the supervisor's socket."""

from __future__ import annotations

import contextlib
import socket
from pathlib import Path
from typing import TypeVar

import msgspec

from . import calls, framing
from .apn import ApnQuery, Apns
from .calls import Call, Reply, Request
from .codec import from_json, to_json
from .errors import MasqgateError
from .status import Entry, Flow, Status

TIMEOUT_S = 30.0

A = TypeVar("A")
R = TypeVar("R")


class Client:
    """Makes calls on the supervisor; each on a connection of its own. Safe to share by threads."""

    def __init__(self, path: Path, timeout_s: float = TIMEOUT_S) -> None:
        self._path = path
        self._timeout_s = timeout_s

    def status(self) -> Status:
        """The whole router at this moment."""
        return self._call(calls.STATUS, calls.Nothing())

    def connect(self, uplink: str = "") -> None:
        """Bring an uplink up, now."""
        self._call(calls.CONNECT, calls.UplinkName(uplink))

    def disconnect(self, uplink: str = "") -> None:
        """Hang up, and stay down until `connect`."""
        self._call(calls.DISCONNECT, calls.UplinkName(uplink))

    def config_show(self) -> str:
        """The configuration in force as TOML, secrets hidden."""
        return self._call(calls.CONFIG_SHOW, calls.Nothing()).text

    def config_check(self, text: str) -> None:
        """InvalidConfig-like MasqgateError with every problem if the document is not good."""
        self._call(calls.CONFIG_CHECK, calls.Document(text))

    def config_apply(self, text: str, confirm_within_s: int = 0) -> None:
        """Put a document in force and save it; MasqgateError, and no change, if it is bad.

        With `confirm_within_s` it is saved only by `config_confirm`, and taken back without.
        """
        self._call(calls.CONFIG_APPLY, calls.NewDocument(text, confirm_within_s))

    def config_confirm(self) -> None:
        """Save the configuration that waits for this; MasqgateError if none does."""
        self._call(calls.CONFIG_CONFIRM, calls.Nothing())

    def config_previous(self) -> None:
        """Put the configuration before this one in force."""
        self._call(calls.CONFIG_PREVIOUS, calls.Nothing())

    def config_factory(self) -> None:
        """Put the factory's configuration in force."""
        self._call(calls.CONFIG_FACTORY, calls.Nothing())

    def log(self, after: int = 0, limit: int = 100) -> tuple[Entry, ...]:
        """The newest events after number `after`, oldest first."""
        return self._call(calls.LOG, calls.LogQuery(after, limit)).entries

    def call_log(self, limit: int = 100) -> tuple[Entry, ...]:
        """The newest calls that were answered, oldest first; each entry has its `call`."""
        return self._call(calls.CALL_LOG, calls.LogQuery(0, limit)).entries

    def apns(self, query: ApnQuery) -> Apns:
        """Look up access points of mobile providers."""
        return self._call(calls.APNS, query)

    def flows(self) -> tuple[Flow, ...]:
        """The masqueraded connections."""
        return self.all_flows().flows

    def all_flows(self) -> calls.Flows:
        """The masqueraded connections that are listed, and how many there are in all."""
        return self._call(calls.FLOWS, calls.Nothing())

    def self_test(self, *, begin: bool = False) -> calls.SelfTestRun:
        """Begin a self-test unless one is running, or look how far it is (a minute or two)."""
        return self._call(calls.SELF_TEST, calls.SelfTestOrder(begin))

    def backup(self, *, secrets: bool = True, password: str = "", client: str = "") -> str:
        """A backup's text; with secrets, the page has to give the administrator's password."""
        return self._call(calls.BACKUP, calls.BackupOrder(secrets, password, client)).text

    def restore(self, text: str) -> None:
        """Put a backup's configuration in force, and its password; no change if it is bad."""
        self._call(calls.RESTORE, calls.Document(text))

    def password_check(self, password: str, client: str = "") -> None:
        """MasqgateError unless this is the administrator's password."""
        self._call(calls.PASSWORD_CHECK, calls.Password(password, client))

    def password_set(self, password: str, old: str = "", client: str = "") -> None:
        """Set the administrator's password."""
        self._call(calls.PASSWORD_SET, calls.NewPassword(password, old, client))

    def password_reset(self) -> None:
        """Forget the administrator's password, so that the page asks for a first one."""
        self._call(calls.PASSWORD_RESET, calls.Nothing())

    def _call(self, call: Call[A, R], arguments: A) -> R:
        request = to_json(Request(call.name, msgspec.Raw(to_json(arguments, secrets=True))))
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
                sock.settimeout(self._timeout_s)
                sock.connect(str(self._path))
                # A supervisor that refuses does not wait for the request; its reply tells why.
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    framing.send(sock, request)
                payload = framing.receive(sock)
        except BlockingIOError as error:
            text = "Too many calls are waiting for the supervisor."
            raise MasqgateError("busy", text, "Try again in a moment.") from error
        except (OSError, framing.FramingError) as error:
            raise MasqgateError(
                "supervisor_unreachable",
                f"The supervisor does not answer ({why_silent(error)}).",
                "It restarts by itself; try again in ten seconds. The call stays up meanwhile.",
            ) from error
        if payload is None:
            raise MasqgateError(
                "supervisor_closed", "The supervisor closed the connection.", "Try again."
            )
        return result_of(payload, call.result)


def why_silent(error: OSError | framing.FramingError) -> str:
    """Return in words why a socket of ours gave no reply."""
    if isinstance(error, TimeoutError):
        return "not in time"
    if isinstance(error, FileNotFoundError):
        return "it has not started yet"
    if isinstance(error, ConnectionRefusedError):
        return "it is not running"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return str(error)


def result_of(payload: bytes, kind: type[R]) -> R:
    """Return the result in a reply; MasqgateError if it holds a failure."""
    try:
        reply = from_json(payload, Reply)
        if reply.failure is None:
            return from_json(bytes(reply.result), kind)
    except msgspec.MsgspecError as error:
        text = "The supervisor's reply is not understood; it may be another version."
        raise MasqgateError("supervisor_other_version", text, "Restart the router.") from error
    failure = reply.failure
    raise MasqgateError(failure.code, failure.text, failure.hint, failure.problems)
