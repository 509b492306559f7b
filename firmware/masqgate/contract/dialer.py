"""What supervisor and dialer say to each other, framed JSON over the dialer's socket.

The dialer reads its `DialerConfig` from a file and listens. The supervisor connects, gets a
`Report` at once and at every change (and every few seconds while the call is up), and sends
`Command`s. The dialer needs no supervisor to keep a call up or to redial.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from .config import DialIn, Modem
from .status import Entry, LinkStatus, Reason


class DialerConfig(msgspec.Struct, frozen=True, kw_only=True, tag_field="does", tag="dial"):
    """All that one dialer needs to know."""

    modem: Modem
    interface: str  # the PPP interface's name
    lan: str = ""  # the LAN's network, like 192.168.77.0/24; empty for none


class AnswerConfig(msgspec.Struct, frozen=True, kw_only=True, tag_field="does", tag="answer"):
    """The same for a dialer that does not dial, but answers the telephone."""

    line: DialIn
    interface: str  # the PPP interface's name
    router: str  # the router's address on the LAN: its end of the call, and the name server


AnyConfig = DialerConfig | AnswerConfig


class Command(msgspec.Struct, frozen=True):
    """What the dialer is told; `reload` makes it read its file again, redialing if needed.

    `connect` and `disconnect` are what people say, `dial` and `rest` what the supervisor does for
    the configuration: a person's word counts more. `rest` brings the reason to tell meanwhile.
    """

    verb: Literal["connect", "disconnect", "reload", "dial", "rest"]
    reason: Reason | None = None


class Report(msgspec.Struct, frozen=True):
    """What the dialer tells: its status now, and what happened since the last report.

    The numbers of entries are the dialer's own; the supervisor gives them new ones.
    """

    status: LinkStatus
    events: tuple[Entry, ...] = ()
