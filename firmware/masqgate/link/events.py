"""What happens to the link (events, in the past tense) and what it asks for (commands)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Literal

from ..contract.dialer import AnswerConfig, DialerConfig
from ..contract.status import CallRecord, Reason
from .facts import Network
from .lockout import Lockout


class Timer(Enum):
    """The link's timers; each runs at most once at a time."""

    PORT = "port"  # the port must open, or is looked for again
    STEP = "step"  # the modem must answer, or a pause ends
    NEGOTIATION = "negotiation"  # PPP must be up
    LIFE = "life"  # the call must show a sign of life
    STEADY = "steady"  # a call that lasts this long was a good one
    KILL = "kill"  # pppd must have ended, or is killed
    CHECK = "check"  # a modem that waits for calls is asked whether it is there
    RING = "ring"  # the telephone must ring again, or the caller has given up
    POWER = "power"  # the USB port must have been switched
    REDIAL = "redial"  # the wait before the next dial is over


# Events


@dataclass(frozen=True, slots=True)
class Began:
    """The dialer runs."""


@dataclass(frozen=True, slots=True)
class PortOpened:
    """The port is open, DTR was low for a while, and what was in its buffers is gone."""


@dataclass(frozen=True, slots=True)
class PortFailed:
    """The port could not be opened."""

    problem: Literal[
        "missing", "busy", "broken", "console", "lent_window", "lent_jumper", "lent_file"
    ]
    detail: str = ""


@dataclass(frozen=True, slots=True)
class PortLost:
    """The open port went away."""

    detail: str = ""


@dataclass(frozen=True, slots=True)
class PortLent:
    """Nobody reads the port any more: pppd may. `carrier`: DCD; None without that wire."""

    carrier: bool | None


@dataclass(frozen=True, slots=True)
class PortData:
    """The modem said something."""

    data: bytes


@dataclass(frozen=True, slots=True)
class TimerExpired:
    """A timer ran out."""

    timer: Timer


@dataclass(frozen=True, slots=True)
class PppdBegan:
    """pppd runs."""

    pid: int


@dataclass(frozen=True, slots=True)
class PppdFailed:
    """pppd could not be started."""

    detail: str


@dataclass(frozen=True, slots=True)
class PppdLogged:
    """pppd wrote a line; parts of it come from the peer and are hostile."""

    line: str


@dataclass(frozen=True, slots=True)
class PppdStirred:
    """pppd was awake since the last look: it runs its timers, the one for echoes at least."""


@dataclass(frozen=True, slots=True)
class PppdStopped:
    """pppd stands still (process state T)."""


@dataclass(frozen=True, slots=True)
class PppdEnded:
    """pppd is gone: its exit code, or minus the signal that ended it."""

    status: int


@dataclass(frozen=True, slots=True)
class PowerSwitched:
    """The modem's USB port was without power for a while; not `done`: it could not be switched."""

    done: bool
    text: str  # where, or why not


@dataclass(frozen=True, slots=True)
class Counted:
    """Bytes over the PPP interface so far."""

    rx_bytes: int
    tx_bytes: int


@dataclass(frozen=True, slots=True)
class Looked:
    """The modem was asked by its second port during a call; without `network`, in vain."""

    network: Network | None
    trouble: Reason | None = None  # why not
    note: Note | None = None  # what people do not know yet


@dataclass(frozen=True, slots=True)
class ConnectCalled:
    """Somebody wants the link up, now."""


@dataclass(frozen=True, slots=True)
class DisconnectCalled:
    """Somebody wants the link down until further notice."""


@dataclass(frozen=True, slots=True)
class DialCalled:
    """The configuration has a reason for a call now: a packet, or the hour."""


@dataclass(frozen=True, slots=True)
class RestCalled:
    """The configuration has a reason for none: nothing to carry, the hour, the budget."""

    why: Reason


@dataclass(frozen=True, slots=True)
class ConfigLoaded:
    """There is a configuration, perhaps another one."""

    config: DialerConfig


@dataclass(frozen=True, slots=True)
class LineLoaded:
    """The same of a line that answers the telephone."""

    config: AnswerConfig


@dataclass(frozen=True, slots=True)
class ConfigRefused:
    """There is a configuration that cannot be read; the one in force stays."""

    detail: str


@dataclass(frozen=True, slots=True)
class ShutdownCalled:
    """The dialer must end."""


Event = (
    Began | PortOpened | PortFailed | PortLost | PortLent | PortData | TimerExpired | PppdBegan
    | PppdFailed | PowerSwitched | PppdLogged | PppdStirred | PppdStopped | PppdEnded | Counted
    | Looked
    | ConnectCalled | DisconnectCalled | DialCalled | RestCalled | ConfigLoaded | LineLoaded
    | ConfigRefused | ShutdownCalled
)  # fmt: skip


# Commands


@dataclass(frozen=True, slots=True)
class OpenPort:
    """Open the port, hang up by DTR, drain. Answered by PortOpened or PortFailed."""

    path: str
    speed: int  # bit/s
    flow_control: bool  # RTS/CTS


@dataclass(frozen=True, slots=True)
class ClosePort:
    """Let go of the port, at once; DTR goes low. No event of this port comes any more."""


@dataclass(frozen=True, slots=True)
class DropDtr:
    """Make DTR low for a moment."""


@dataclass(frozen=True, slots=True)
class WritePort:
    """Send bytes to the modem. `shown` is what a log may show of them."""

    data: bytes
    shown: str


@dataclass(frozen=True, slots=True)
class LendPort:
    """Stop reading, keep the port open (so DTR stays high). Answered by PortLent."""


@dataclass(frozen=True, slots=True)
class StartPppd:
    """Start pppd on the port. Answered by PppdBegan or PppdFailed, and PppdEnded at last."""

    options: str  # text of the options file; holds the password
    secrets: str = ""  # text of the secrets file, where callers log in


@dataclass(frozen=True, slots=True)
class TerminatePppd:
    """Ask pppd to end (SIGTERM)."""


@dataclass(frozen=True, slots=True)
class KillPppd:
    """End pppd (SIGKILL)."""


@dataclass(frozen=True, slots=True)
class SetTimer:
    """(Re)start a timer, in seconds from now."""

    timer: Timer
    seconds: float


@dataclass(frozen=True, slots=True)
class CancelTimer:
    """Stop a timer; it does not expire."""

    timer: Timer


@dataclass(frozen=True, slots=True)
class Note:
    """Write down that something happened, for people."""

    code: str
    text: str
    level: Literal["info", "warning", "error"] = "info"


@dataclass(frozen=True, slots=True)
class CallEnded:
    """Keep a call that was answered and is over; its beginning is for the keeper of the clock."""

    record: CallRecord
    level: Literal["info", "warning", "error"] = "info"


@dataclass(frozen=True, slots=True)
class RememberPin:
    """Keep the mark of the PIN that is about to be tried; an empty mark: it was right."""

    mark: str


@dataclass(frozen=True, slots=True)
class RememberLockout:
    """Keep what is known of refused logins, so that a restart of the dialer does not forget it."""

    lockout: Lockout


@dataclass(frozen=True, slots=True)
class SwitchPower:
    """Take the power of the modem's USB port for a while. Answered by PowerSwitched."""


@dataclass(frozen=True, slots=True)
class Exit:
    """All is let go of: the dialer may end."""


Command = (
    OpenPort | ClosePort | DropDtr | WritePort | LendPort | StartPppd | TerminatePppd | KillPppd
    | SetTimer | CancelTimer | Note | CallEnded | RememberPin | RememberLockout | SwitchPower
    | Exit
)  # fmt: skip
