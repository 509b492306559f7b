"""What arrives in the supervisor's inbox. Helper threads put it there; one loop takes it out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from masqgate.contract.calls import Call, SelfTestStep
from masqgate.contract.dialer import Report
from masqgate.contract.errors import MasqgateError
from masqgate.contract.status import LinkStatus

from .health import Job, Outcome
from .packets import Packet

Answer = Callable[[Any], None]  # takes the call's result, or the MasqgateError


@dataclass(frozen=True)
class Peer:
    """Who is at the other end of the socket, as the kernel tells."""

    pid: int
    uid: int
    root: bool


@dataclass(frozen=True)
class CallMade:
    """A call, with arguments that have been checked; `answer` is to be called once."""

    call: Call[Any, Any]
    arguments: Any = field(repr=False)  # may hold a password
    peer: Peer
    answer: Answer = field(repr=False)


@dataclass(frozen=True)
class DialerFound:
    """The supervisor is connected to a dialer."""

    name: str


@dataclass(frozen=True)
class DialerReported:
    """A dialer told its state."""

    name: str
    report: Report


@dataclass(frozen=True)
class DialerLost:
    """The connection to a dialer ended."""

    name: str


@dataclass(frozen=True)
class LinkReported:
    """The watcher of an Ethernet uplink told its state."""

    status: LinkStatus


@dataclass(frozen=True)
class Probed:
    """A probe of an uplink was answered, or not."""

    job: Job
    outcome: Outcome


@dataclass(frozen=True)
class NetworkChanged:
    """The kernel's links, addresses or routes changed."""


@dataclass(frozen=True)
class PacketCopied:
    """The ruleset gave a copy of a packet; `what` says by which rule (`desired/demand.py`)."""

    what: str
    packet: Packet
    data: bytes = field(repr=False)


@dataclass(frozen=True)
class PasswordChecked:
    """The hash of a password was compared with the stored one."""

    right: bool


@dataclass(frozen=True)
class PasswordHashed:
    """The hash of a new password is made."""

    line: str = field(repr=False)


@dataclass(frozen=True)
class HashingFailed:
    """A hash could not be made or compared."""

    error: MasqgateError


@dataclass(frozen=True)
class SelfTestStepped:
    """A step of the self-test is done; None: it was the last one."""

    step: SelfTestStep | None


@dataclass(frozen=True)
class Stop:
    """The supervisor is to end; calls and routing go on without it."""


Message = (
    CallMade
    | DialerFound
    | DialerReported
    | DialerLost
    | LinkReported
    | Probed
    | NetworkChanged
    | PacketCopied
    | PasswordChecked
    | PasswordHashed
    | HashingFailed
    | SelfTestStepped
    | Stop
)
Post = Callable[[Message], None]
