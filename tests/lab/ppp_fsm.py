"""The option negotiation automaton that LCP and IPCP share (RFC 1661, sections 4 and 5)."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, IntEnum

RESTART_S = 3.0
MAX_CONFIGURE = 10
MAX_TERMINATE = 2
MAX_FAILURE = 5


class Code(IntEnum):
    """Packet codes (RFC 1661, section 5)."""

    CONF_REQ = 1
    CONF_ACK = 2
    CONF_NAK = 3
    CONF_REJ = 4
    TERM_REQ = 5
    TERM_ACK = 6
    CODE_REJ = 7
    PROTO_REJ = 8
    ECHO_REQ = 9
    ECHO_REP = 10
    DISCARD = 11


class FsmState(Enum):
    """States of RFC 1661, section 4.2, that a peer on a working line can be in."""

    INITIAL = "initial"
    REQ_SENT = "req-sent"
    ACK_RCVD = "ack-rcvd"
    ACK_SENT = "ack-sent"
    OPENED = "opened"
    CLOSING = "closing"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Option:
    """One configuration option: type and data."""

    type: int
    data: bytes = b""


def pack_options(options: list[Option]) -> bytes:
    """Return the options as they lie in a packet (RFC 1661, section 6)."""
    return b"".join(bytes((o.type, len(o.data) + 2)) + o.data for o in options)


def parse_options(data: bytes) -> list[Option] | None:
    """Return the options of a packet, None if their lengths do not add up."""
    options = []
    while data:
        if len(data) < 2 or not 2 <= data[1] <= len(data):
            return None
        options.append(Option(data[0], data[2 : data[1]]))
        data = data[data[1] :]
    return options


def packet(code: int, identifier: int, data: bytes = b"") -> bytes:
    """Return a control packet with its four-byte header."""
    return struct.pack("!BBH", code, identifier & 0xFF, len(data) + 4) + data


def parse_packet(payload: bytes) -> tuple[int, int, bytes] | None:
    """Return code, identifier and data, None if the header does not fit."""
    if len(payload) < 4:
        return None
    code, identifier, length = struct.unpack_from("!BBH", payload)
    if not 4 <= length <= len(payload):
        return None
    return code, identifier, payload[4:length]


class Policy:
    """What a protocol wants and accepts; LCP and IPCP are subclasses."""

    def wanted(self) -> list[Option]:
        """Options for our next Configure-Request."""
        raise NotImplementedError

    def judge(self, option: Option) -> Option | bool | None:
        """Judge an option of the peer: True to acknowledge, None to reject, an Option to nak."""
        raise NotImplementedError

    def take(self, options: list[Option]) -> None:
        """Use the peer's options, which were just acknowledged."""

    def demand(self, options: list[Option]) -> list[Option]:
        """Options to add in a Nak because the peer left them out."""
        return []

    def naked(self, options: list[Option]) -> None:
        """The peer prefers other values."""

    def rejected(self, options: list[Option]) -> None:
        """The peer will not have these options."""


class Negotiator:
    """One run of the automaton. It has no clock: call `tick` at `deadline`."""

    def __init__(
        self,
        policy: Policy,
        send: Callable[[bytes], None],
        on_up: Callable[[], None],
        on_down: Callable[[str], None],
    ) -> None:
        self.policy = policy
        self.state = FsmState.INITIAL
        self.deadline: float | None = None
        self._send = send
        self._on_up = on_up
        self._on_down = on_down
        self._identifier = 0
        self._tries = 0
        self._naks = 0

    def open(self, now: float) -> None:
        """Start to negotiate."""
        self._tries = MAX_CONFIGURE
        self.state = FsmState.REQ_SENT
        self._request(now)

    def close(self, reason: str, now: float) -> None:
        """Ask the peer to end; `on_down` follows at its answer or after two tries."""
        if self.state in (FsmState.CLOSING, FsmState.CLOSED, FsmState.INITIAL):
            return
        self.state = FsmState.CLOSING
        self._tries = MAX_TERMINATE
        self._reason = reason
        self._terminate(now)

    def tick(self, now: float) -> None:
        """Act on the restart timer (RFC 1661, section 4.6)."""
        if self.deadline is None or now < self.deadline:
            return
        if self._tries <= 0:
            self._down("time-out")
        elif self.state is FsmState.CLOSING:
            self._terminate(now)
        else:
            if self.state is FsmState.ACK_RCVD:
                self.state = FsmState.REQ_SENT
            self._request(now, again=True)

    def receive(self, code: int, identifier: int, data: bytes, now: float) -> bool:
        """Handle one packet; return False if the code is not one of this automaton's."""
        if self.state in (FsmState.INITIAL, FsmState.CLOSED):
            return True
        if code == Code.CONF_REQ:
            self._conf_req(identifier, data, now)
        elif code in (Code.CONF_ACK, Code.CONF_NAK, Code.CONF_REJ):
            self._answer(code, identifier, data, now)
        elif code == Code.TERM_REQ:
            self._send(packet(Code.TERM_ACK, identifier, data))
            self._down("peer terminated: " + data.decode("latin-1"))
        elif code == Code.TERM_ACK:
            if self.state is FsmState.CLOSING:
                self._down(self._reason)
        else:
            return code == Code.CODE_REJ
        return True

    def _conf_req(self, identifier: int, data: bytes, now: float) -> None:
        options = parse_options(data)
        if options is None or self.state is FsmState.CLOSING:
            return
        if self.state is FsmState.OPENED:  # renegotiation (RFC 1661, event RCR in Opened)
            self.state = FsmState.REQ_SENT
            self._request(now)
        code, answer = self._judge(options)
        self._send(packet(code, identifier, pack_options(answer)))
        if code != Code.CONF_ACK:
            if self.state is FsmState.ACK_SENT:
                self.state = FsmState.REQ_SENT
            return
        self.policy.take(options)
        if self.state is FsmState.ACK_RCVD:
            self._up()
        else:
            self.state = FsmState.ACK_SENT

    def _judge(self, options: list[Option]) -> tuple[Code, list[Option]]:
        verdicts = [(option, self.policy.judge(option)) for option in options]
        rejected = [option for option, verdict in verdicts if verdict is None]
        if rejected:
            return Code.CONF_REJ, rejected
        naks = [verdict for _, verdict in verdicts if isinstance(verdict, Option)]
        if not naks and self._naks < MAX_FAILURE:
            naks = self.policy.demand(options)
        if naks:
            self._naks += 1
            return Code.CONF_NAK, naks
        return Code.CONF_ACK, options

    def _answer(self, code: int, identifier: int, data: bytes, now: float) -> None:
        if identifier != self._identifier or self.state is FsmState.CLOSING:
            return
        if code == Code.CONF_ACK:
            if self.state is FsmState.ACK_SENT:
                self._up()
            elif self.state is FsmState.REQ_SENT:
                self.state = FsmState.ACK_RCVD
            return
        options = parse_options(data)
        if options is None or self.state is FsmState.OPENED:
            return
        if code == Code.CONF_NAK:
            self.policy.naked(options)
        else:
            self.policy.rejected(options)
        if self._tries > 0:
            self._request(now)

    def _request(self, now: float, *, again: bool = False) -> None:
        """A repeated request keeps its identifier: on a slow line an answer is under way."""
        if not again:
            self._identifier = self._identifier % 255 + 1
        self._tries -= 1
        options = pack_options(self.policy.wanted())
        self._send(packet(Code.CONF_REQ, self._identifier, options))
        self.deadline = now + RESTART_S

    def _terminate(self, now: float) -> None:
        self._identifier = self._identifier % 255 + 1
        self._tries -= 1
        self._send(packet(Code.TERM_REQ, self._identifier, self._reason.encode()))
        self.deadline = now + RESTART_S

    def _up(self) -> None:
        self.state = FsmState.OPENED
        self.deadline = None
        self._tries = MAX_CONFIGURE
        self._naks = 0
        self._on_up()

    def _down(self, reason: str) -> None:
        self.state = FsmState.CLOSED
        self.deadline = None
        self._on_down(reason)

    _reason = ""
