"""A PPP peer without I/O: bytes in, bytes and IP packets out (RFC 1661, 1662, 1332, 1334, 1994).

The same class is the provider's server and a dialling client; `PeerSettings` tells which.
Its owner passes the time in, sends what `take_output` returns, and calls `tick` at `deadline`.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from ipaddress import IPv4Address
from typing import Literal

from . import hdlc
from .ppp_fsm import Code, FsmState, Negotiator, packet, parse_packet
from .ppp_login import CHAP, PAP, Authenticator, Supplicant
from .ppp_options import IpcpPolicy, Ipv6cpPolicy, LcpPolicy, PeerFaults, PeerSettings

LCP = hdlc.LCP
IPCP = 0x8021
IP = 0x0021
IPV6CP = 0x8057
IPV6 = 0x0057

Direction = Literal["in", "out"]


class Phase(Enum):
    """Phases of a link (RFC 1661, section 3.2)."""

    DEAD = "dead"
    ESTABLISH = "establish"
    AUTHENTICATE = "authenticate"
    NETWORK = "network"
    UP = "up"
    TERMINATE = "terminate"


class PppPeer:
    """One end of one PPP link."""

    def __init__(
        self,
        settings: PeerSettings,
        faults: PeerFaults | None = None,
        *,
        random: Callable[[int], bytes],
        on_frame: Callable[[Direction, hdlc.Frame], None] | None = None,
    ) -> None:
        self.settings = settings
        self.faults = faults or PeerFaults()
        self.phase = Phase.DEAD
        self.log: list[str] = []
        self.echoes_answered = 0
        self._random = random
        self._on_frame = on_frame
        self._decoder = hdlc.Decoder()
        self._framing = hdlc.FramingOptions()
        self._output = bytearray()
        self._packets: list[bytes] = []
        self._now = 0.0
        self._identifier = 0
        self._logins: list[Authenticator | Supplicant] = []
        magic = int.from_bytes(random(4), "big") or 1
        self.lcp_policy = LcpPolicy(settings, magic)
        self.ipcp_policy = IpcpPolicy(settings, self.faults)
        self._lcp = Negotiator(
            self.lcp_policy, lambda p: self._send(LCP, p), self._lcp_up, self._lcp_down
        )
        self._ipcp = self._new_ipcp()
        self._ipv6cp = self._new_ipv6cp()

    @property
    def own_address(self) -> IPv4Address:
        """Our end's address; 0.0.0.0 until known."""
        return self.ipcp_policy.own

    @property
    def peer_address(self) -> IPv4Address:
        """The other end's address; 0.0.0.0 until acknowledged."""
        return self.ipcp_policy.peer

    @property
    def user(self) -> str:
        """The name that the other side authenticated with, or an empty string."""
        return next((a.user for a in self._logins if isinstance(a, Authenticator)), "")

    @property
    def bad_frames(self) -> int:
        """Frames dropped for a wrong check sequence or length."""
        return self._decoder.bad_frames

    @property
    def deadline(self) -> float | None:
        """When to call `tick`, in the owner's seconds; None if nothing is awaited."""
        if self.faults.hang:
            return None
        negotiators = (self._lcp, self._ipcp, self._ipv6cp)
        parts = [part.deadline for part in (*negotiators, *self._logins)]
        return min((part for part in parts if part is not None), default=None)

    def start(self, now: float) -> None:
        """The line is up: begin to negotiate."""
        self._now = now
        self._enter(Phase.ESTABLISH)
        if not self.faults.lcp_silent:
            self._lcp.open(now)

    def receive(self, data: bytes, now: float) -> None:
        """Take bytes from the line."""
        self._now = now
        if self.faults.hang or self.faults.lcp_silent:
            return
        for frame in self._decoder.feed(data):
            if self._on_frame is not None:
                self._on_frame("in", frame)
            self._dispatch(frame)

    def send_packet(self, ip_packet: bytes) -> bool:
        """Queue an IP packet for the other side; False if the link is not up."""
        if self.phase is not Phase.UP or self.faults.hang:
            return False
        if ip_packet[0] >> 4 == 6:
            if self._ipv6cp.state is not FsmState.OPENED:
                return False
            self._send(IPV6, ip_packet)
            return True
        self._send(IP, ip_packet)
        return True

    def terminate(self, now: float, reason: str = "administrative") -> None:
        """Ask the other side to end the link (RFC 1661, section 5.5)."""
        self._now = now
        self._enter(Phase.TERMINATE)
        self._lcp.close(reason, now)

    def send_echo(self, now: float) -> None:
        """Send an LCP Echo-Request (RFC 1661, section 5.8)."""
        self._now = now
        self._identifier += 1
        magic = self.lcp_policy.magic.to_bytes(4, "big")
        self._send(LCP, packet(Code.ECHO_REQ, self._identifier, magic))

    def tick(self, now: float) -> None:
        """Act on the timers that are due."""
        self._now = now
        if self.faults.hang:
            return
        self._lcp.tick(now)
        self._ipcp.tick(now)
        self._ipv6cp.tick(now)
        for login in self._logins:
            login.tick(now)

    def take_output(self) -> bytes:
        """Return and forget the bytes for the line."""
        data = bytes(self._output)
        self._output.clear()
        return data

    def take_packets(self) -> list[bytes]:
        """Return and forget the IP packets from the other side."""
        packets, self._packets = self._packets, []
        return packets

    def _new_ipcp(self) -> Negotiator:
        return Negotiator(
            self.ipcp_policy, lambda p: self._send(IPCP, p), self._ipcp_up, self._ipcp_down
        )

    def _new_ipv6cp(self) -> Negotiator:
        """Passive: it begins when the peer does (RFC 5072)."""
        self.ipv6cp_policy = Ipv6cpPolicy(b"\x00" * 7 + b"\x01")
        return Negotiator(
            self.ipv6cp_policy,
            lambda p: self._send(IPV6CP, p),
            lambda: self.log.append("IPv6 is up"),
            lambda reason: self.log.append(f"IPV6CP down: {reason}"),
        )

    def _enter(self, phase: Phase) -> None:
        if phase is not self.phase:
            self.phase = phase
            self.log.append(f"phase {phase.value}")

    def _send(self, protocol: int, payload: bytes) -> None:
        if self.faults.hang:
            return
        frame = hdlc.Frame(protocol, payload)
        if self._on_frame is not None:
            self._on_frame("out", frame)
        self._output += hdlc.encode(frame, self._framing)

    def _dispatch(self, frame: hdlc.Frame) -> None:
        if frame.protocol == IP:
            if self.phase is Phase.UP:
                self._packets.append(frame.payload)
            return
        if frame.protocol == IPV6 and self._ipv6cp.state is FsmState.OPENED:
            self._packets.append(frame.payload)
            return
        six = frame.protocol == IPV6CP and self.faults.ipv6
        if frame.protocol not in (LCP, IPCP, PAP, CHAP) and not six:
            self._reject_protocol(frame)
            return
        parsed = parse_packet(frame.payload)
        if parsed is None:
            return
        code, identifier, data = parsed
        if frame.protocol == LCP:
            self._receive_lcp(code, identifier, data)
        elif frame.protocol == IPCP:
            self._receive_ipcp(frame, code, identifier, data)
        elif six:
            self._receive_ipv6cp(code, identifier, data)
        elif self.phase in (Phase.AUTHENTICATE, Phase.NETWORK, Phase.UP):
            for login in self._logins:
                login.receive(frame.protocol, code, identifier, data)

    def _reject_protocol(self, frame: hdlc.Frame) -> None:
        """Protocol-Reject, only once LCP is open (RFC 1661, section 5.7)."""
        if self._lcp.state is FsmState.OPENED:
            self._identifier += 1
            body = frame.protocol.to_bytes(2, "big") + frame.payload[:1000]
            self._send(LCP, packet(Code.PROTO_REJ, self._identifier, body))
            self.log.append(f"rejected protocol {frame.protocol:#06x}")

    def _receive_lcp(self, code: int, identifier: int, data: bytes) -> None:
        if code == Code.ECHO_REQ:
            if self._lcp.state is FsmState.OPENED and not self.faults.no_echo:
                magic = self.lcp_policy.magic.to_bytes(4, "big")
                self._send(LCP, packet(Code.ECHO_REP, identifier, magic + data[4:]))
                self.echoes_answered += 1
        elif code == Code.PROTO_REJ:
            if data[:2] == IPCP.to_bytes(2, "big"):
                self.terminate(self._now, "the peer has no IPCP")
        elif code in (Code.ECHO_REP, Code.DISCARD):
            return
        else:
            reopened = self._lcp.state is FsmState.OPENED and code == Code.CONF_REQ
            if reopened:
                self._restart()
            if not self._lcp.receive(code, identifier, data, self._now):
                body = bytes((code, identifier)) + (len(data) + 4).to_bytes(2, "big") + data
                self._identifier += 1
                self._send(LCP, packet(Code.CODE_REJ, self._identifier, body))

    def _restart(self) -> None:
        """The peer negotiates LCP anew: everything above goes down (RFC 1661, section 3.4)."""
        self._framing = hdlc.FramingOptions()
        self._logins = []
        self._ipcp = self._new_ipcp()
        self._ipv6cp = self._new_ipv6cp()
        self._enter(Phase.ESTABLISH)

    def _receive_ipcp(self, frame: hdlc.Frame, code: int, identifier: int, data: bytes) -> None:
        if self.phase not in (Phase.NETWORK, Phase.UP) or self.faults.ipcp_silent:
            return
        if self.faults.reject_ipcp:
            self._reject_protocol(frame)
            return
        if self._ipcp.state is FsmState.CLOSED:
            self._ipcp.open(self._now)
        self._ipcp.receive(code, identifier, data, self._now)

    def _receive_ipv6cp(self, code: int, identifier: int, data: bytes) -> None:
        if self.phase not in (Phase.NETWORK, Phase.UP):
            return
        if self._ipv6cp.state in (FsmState.INITIAL, FsmState.CLOSED):
            self._ipv6cp.open(self._now)
        self._ipv6cp.receive(code, identifier, data, self._now)

    def _lcp_up(self) -> None:
        policy = self.lcp_policy
        self._framing = hdlc.FramingOptions(policy.peer_accm, policy.peer_pfc, policy.peer_acfc)
        settings = self.settings
        if policy.auth_refused:
            self.log.append("the peer refuses to authenticate")
            self.terminate(self._now, "authentication is required")
            return
        if settings.require is not None:
            self._logins.append(
                Authenticator(settings, self.faults, self._send, self._auth_done, self._random)
            )
        if policy.peer_auth is not None and settings.login is not None:
            self._logins.append(
                Supplicant(
                    policy.peer_auth, settings.login, self._send, self._auth_done, self._random
                )
            )
        self._pending = len(self._logins)
        self._enter(Phase.AUTHENTICATE)
        for login in self._logins:
            login.start(self._now)
        if not self._logins:
            self._network()

    def _auth_done(self, ok: bool, text: str) -> None:
        self.log.append(f"authentication {'ok' if ok else 'failed'}: {text}")
        if not ok:
            self.terminate(self._now, "authentication failed")
            return
        self._pending -= 1
        if self._pending == 0:
            self._network()

    def _network(self) -> None:
        self._enter(Phase.NETWORK)
        if not (self.faults.ipcp_silent or self.faults.reject_ipcp):
            self._ipcp.open(self._now)

    def _ipcp_up(self) -> None:
        self.log.append(f"address {self.peer_address}")
        self._enter(Phase.UP)

    def _ipcp_down(self, reason: str) -> None:
        self.log.append(f"IPCP down: {reason}")
        self.terminate(self._now, "no network protocol")

    def _lcp_down(self, reason: str) -> None:
        self.log.append(f"LCP down: {reason}")
        self._logins = []
        self._ipcp = self._new_ipcp()
        self._ipv6cp = self._new_ipv6cp()
        self._enter(Phase.DEAD)

    _pending = 0
