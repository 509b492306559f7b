"""The calls that page, console and command line make: a static registry, no dispatch by name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Generic, Literal, TypeVar

import msgspec
from msgspec import Meta

from .apn import ApnQuery, Apns
from .errors import Problem
from .status import Entry, Flow, Status


class Request(msgspec.Struct, frozen=True):
    """One call on the socket."""

    call: str
    arguments: msgspec.Raw = msgspec.Raw(b"{}")


class Failure(msgspec.Struct, frozen=True):
    """Why a call failed."""

    code: str
    text: str
    hint: str = ""
    problems: tuple[Problem, ...] = ()


class Reply(msgspec.Struct, frozen=True):
    """The answer to a call: a result, or a failure."""

    result: msgspec.Raw = msgspec.Raw(b"null")  # an optional Raw can't be decoded
    failure: Failure | None = None


class Nothing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """No arguments, or nothing to tell."""


class UplinkName(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which uplink; an empty name means the first one that dials."""

    uplink: str = ""


class Document(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A configuration document (TOML)."""

    text: str


class NewDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A document to put in force.

    With `confirm_within_s`, it is taken back unless `config_confirm` comes within so many seconds.
    """

    text: str
    confirm_within_s: Annotated[int, Meta(ge=0, le=3600)] = 0


class LogQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The newest `limit` events after number `after`, oldest first."""

    after: int = 0
    limit: int = 100


class Log(msgspec.Struct, frozen=True):
    """Events, oldest first."""

    entries: tuple[Entry, ...]


class Flows(msgspec.Struct, frozen=True):
    """Masqueraded connections; `total` may be more than are listed."""

    flows: tuple[Flow, ...]
    total: int


class SelfTestOrder(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whether to begin a self-test, unless one is running, or only to look at it."""

    begin: bool = False


class SelfTestStep(msgspec.Struct, frozen=True, kw_only=True):
    """One step of the self-test: what was tried and seen and, if it failed, what that means."""

    number: int
    title: str
    verdict: Literal["good", "failed", "skipped"]
    text: str
    diagnosis: str = ""


class SelfTestRun(msgspec.Struct, frozen=True, kw_only=True):
    """The self-test that is running, or the last one; no steps if there was none."""

    running: bool
    steps: tuple[SelfTestStep, ...] = ()


class Password(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A password to check; `client` is the caller's address, for the record."""

    password: str
    client: str = ""


class NewPassword(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A new password, with the old one where one is set (not needed from the console)."""

    password: str
    old: str = ""
    client: str = ""


class BackupOrder(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A backup, with secrets or without.

    The page gets secrets only for the administrator's password; root needs none. `client` is
    the caller's address, for the record.
    """

    secrets: bool = True
    password: str = ""
    client: str = ""


A = TypeVar("A")
R = TypeVar("R")


@dataclass(frozen=True)
class Call(Generic[A, R]):
    """A call: what it takes, what it gives, and whether the page's process may make it."""

    name: str
    arguments: type[A]
    result: type[R]
    web: bool = True


STATUS = Call("status", Nothing, Status)
CONNECT = Call("connect", UplinkName, Nothing)
DISCONNECT = Call("disconnect", UplinkName, Nothing)
CONFIG_SHOW = Call("config_show", Nothing, Document)
CONFIG_CHECK = Call("config_check", Document, Nothing)
CONFIG_APPLY = Call("config_apply", NewDocument, Nothing)
CONFIG_CONFIRM = Call("config_confirm", Nothing, Nothing)
CONFIG_PREVIOUS = Call("config_previous", Nothing, Nothing, web=False)
CONFIG_FACTORY = Call("config_factory", Nothing, Nothing, web=False)
LOG = Call("log", LogQuery, Log)
CALL_LOG = Call("call_log", LogQuery, Log)
APNS = Call("apns", ApnQuery, Apns)
FLOWS = Call("flows", Nothing, Flows)
SELF_TEST = Call("self_test", SelfTestOrder, SelfTestRun)
BACKUP = Call("backup", BackupOrder, Document)
RESTORE = Call("restore", Document, Nothing, web=False)
PASSWORD_CHECK = Call("password_check", Password, Nothing)
PASSWORD_SET = Call("password_set", NewPassword, Nothing)
PASSWORD_RESET = Call("password_reset", Nothing, Nothing, web=False)

CALLS: dict[str, Call[Any, Any]] = {
    call.name: call
    for call in (
        STATUS, CONNECT, DISCONNECT, CONFIG_SHOW, CONFIG_CHECK, CONFIG_APPLY, CONFIG_CONFIRM,
        CONFIG_PREVIOUS, CONFIG_FACTORY, LOG, FLOWS, SELF_TEST, PASSWORD_CHECK, PASSWORD_SET,
        PASSWORD_RESET, CALL_LOG, BACKUP, RESTORE, APNS,
    )
}  # fmt: skip
