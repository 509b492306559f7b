"""The lab's Internet provider: numbers that answer with a PPP server of ours."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from functools import partial
from ipaddress import IPv4Address, IPv6Address, IPv6Network
from pathlib import Path
from typing import Protocol

from . import hdlc
from .dhcp6 import Delegating, is_ipv6
from .pcap import LINKTYPE_PPP_WITH_DIR, LINKTYPE_RAW, PcapWriter
from .ppp_auth import Auth, Credentials
from .ppp_options import PeerFaults, PeerSettings
from .ppp_party import PppParty
from .ppp_peer import Direction, Phase, PppPeer
from .telephone import Answerer, Line, Network
from .tun import PREFIX_BITS

GATEWAY = IPv4Address("198.51.100.1")
POOL = tuple(IPv4Address("198.51.100.100") + n for n in range(51))
DNS = IPv4Address("198.51.100.53")
ACCOUNT = Credentials("masqgate", "lab-secret")
NUMBERS: dict[str, Auth | None] = {
    "5551000": Auth.CHAP, "5551001": Auth.PAP, "5551002": Auth.MSCHAPV2, "5551003": None,
    "*99#": Auth.CHAP,  # what a mobile modem dials
}  # fmt: skip
PREFIXES = IPv6Network("2001:db8:100::/48")  # what callers are delegated comes from here
LINK_LOCAL = IPv6Address("fe80::1")
HANG_UP_AFTER_S = 0.5


class Uplink(Protocol):
    """Where a call's IP packets go."""

    def write(self, packet: bytes) -> None:
        """A packet from the caller."""

    def pause(self, paused: bool) -> None:
        """Stop or go on giving packets for the caller."""

    def delegate(self, prefix: IPv6Network) -> None:
        """Packets for this prefix are the caller's, too."""

    def close(self) -> None:
        """The call is over."""


UplinkFactory = Callable[[IPv4Address, Callable[[bytes], None]], Uplink]


class NoUplink:
    """An uplink to nowhere, for tests without namespaces."""

    def __init__(self, address: IPv4Address, give: Callable[[bytes], None]) -> None:
        self.packets: list[bytes] = []
        self.give = give

    def write(self, packet: bytes) -> None:
        """Keep the packet."""
        self.packets.append(packet)

    def pause(self, paused: bool) -> None:
        """Nothing to pause."""

    def delegate(self, prefix: IPv6Network) -> None:
        """Nothing to route."""

    def close(self) -> None:
        """Nothing to close."""


@dataclass(slots=True)
class IspFaults(PeerFaults):
    """Faults of the PPP server, and of the network behind it."""

    loss: float = 0.0  # share of IP packets lost, each direction
    keep_address: bool = False  # give every call the same address
    keep_line: bool = False  # do not hang up after LCP has ended


class IspCall(PppParty):
    """One answered call: a `Party` that runs the PPP server."""

    def __init__(self, isp: Isp, settings: PeerSettings) -> None:
        self.isp = isp
        self.delegating = Delegating(LINK_LOCAL, isp.next_prefix())
        self.uplink: Uplink | None = None
        super().__init__(
            PppPeer(settings, isp.faults, random=isp.random.randbytes, on_frame=self._saw_frame)
        )

    @property
    def _source(self) -> Uplink | None:
        return self.uplink

    def line_up(self, line: Line) -> None:
        """Begin to speak PPP."""
        self.isp.calls.append(self)
        super().line_up(line)

    def line_down(self) -> None:
        """The call is over."""
        super().line_down()
        self.uplink = None
        self.isp.ended(self)

    def hang_up(self) -> None:
        """Cut the line."""
        if self._line is not None:
            self._line.hang_up()

    def _saw_frame(self, direction: Direction, frame: hdlc.Frame) -> None:
        self.isp.saw_frame(direction, frame)

    def give(self, packet: bytes) -> None:
        """Send an IP packet to the caller."""
        if self.isp.loses():
            return
        if self.ppp.send_packet(packet):
            self.isp.saw_packet(packet)
        self._work()

    def _arrived(self, packet: bytes) -> None:
        self.isp.saw_packet(packet)
        if self.uplink is not None and not self.isp.loses():
            self._forward(packet, self.uplink)

    def _forward(self, packet: bytes, uplink: Uplink) -> None:
        """Send a packet of the caller on; what asks for a prefix of IPv6 gets one."""
        reply = self.delegating.answer(packet)
        if reply is not None:
            uplink.delegate(self.delegating.prefix)
            self.give(reply)
        elif not is_ipv6(packet) or not IPv6Address(packet[24:40]).is_multicast:
            uplink.write(packet)

    def _follow_phase(self) -> None:
        if self.ppp.phase is Phase.UP and self.uplink is None:
            self.uplink = self.isp.make_uplink(self.ppp.peer_address, self.give)
        elif self.ppp.phase is not Phase.UP:
            self._close_uplink()
        if self.ppp.phase is Phase.DEAD and not self.isp.faults.keep_line:
            self._loop.call_later(HANG_UP_AFTER_S, self.hang_up)

    def _close_uplink(self) -> None:
        if self.uplink is not None:
            self.uplink.close()
            self.uplink = None


@dataclass(frozen=True, slots=True)
class Recording:
    """The files of a running capture."""

    packets: PcapWriter
    frames: PcapWriter


class Isp:
    """The provider: its address pool, faults, captures, and the calls that are up."""

    def __init__(self, make_uplink: UplinkFactory = NoUplink) -> None:
        self.faults = IspFaults()
        self.calls: list[IspCall] = []
        self.history: list[IspCall] = []
        self.random = random.Random(20251124)
        self.make_uplink = make_uplink
        self.accounts: tuple[Credentials, ...] = (ACCOUNT,)
        self._next = 0
        self._recordings: list[Recording] = []

    def serve(self, network: Network) -> None:
        """Take the lab's numbers for PAP, CHAP, MS-CHAPv2 and no authentication."""
        for number, auth in NUMBERS.items():
            network.add(number, Answerer(partial(self.answer, auth)))

    def answer(self, auth: Auth | None) -> IspCall:
        """Make the party for a new call; each call gets the pool's next address."""
        if not self.faults.keep_address:
            self._next += 1
        address = POOL[(self._next - 1) % len(POOL)]
        settings = PeerSettings(
            require=auth,
            accounts=self.accounts,
            own_address=GATEWAY,
            peer_address=address,
            dns=(DNS,),
        )
        return IspCall(self, settings)

    def next_prefix(self) -> IPv6Network:
        """Another prefix for each call, as the addresses."""
        base = int(PREFIXES.network_address)
        return IPv6Network((base + (self._next % 256 << 128 - PREFIX_BITS), PREFIX_BITS))

    @property
    def call(self) -> IspCall | None:
        """The newest call that is up, if any."""
        return self.calls[-1] if self.calls else None

    def ended(self, call: IspCall) -> None:
        """A call is over."""
        if call in self.calls:
            self.calls.remove(call)
        self.history.append(call)

    def set_password(self, password: str) -> None:
        """Change the account's password: calls from then on need the new one."""
        self.accounts = (replace(ACCOUNT, password=password),)

    def clear_faults(self) -> None:
        """Behave well from now on."""
        healthy = IspFaults()
        for item in fields(healthy):
            setattr(self.faults, item.name, getattr(healthy, item.name))
        self.accounts = (ACCOUNT,)

    def loses(self) -> bool:
        """Throw the dice for one packet."""
        return bool(self.faults.loss) and self.random.random() < self.faults.loss

    def capture(self, folder: Path) -> Recording:
        """Write `isp-ip.pcap` (raw IP) and `isp-ppp.pcap` (frames) until `stop_capture`."""
        packets = PcapWriter(folder / "isp-ip.pcap", LINKTYPE_RAW)
        recording = Recording(packets, PcapWriter(folder / "isp-ppp.pcap", LINKTYPE_PPP_WITH_DIR))
        self._recordings.append(recording)
        return recording

    def stop_capture(self, recording: Recording) -> None:
        """Close the capture's files; nothing happens if they are."""
        if recording in self._recordings:
            self._recordings.remove(recording)
            recording.packets.close()
            recording.frames.close()

    def saw_packet(self, packet: bytes) -> None:
        """Capture an IP packet."""
        for recording in self._recordings:
            recording.packets.write(packet)

    def saw_frame(self, direction: Direction, frame: hdlc.Frame) -> None:
        """Capture a frame."""
        for recording in self._recordings:
            recording.frames.write(bytes([direction == "out"]) + frame.packet)
