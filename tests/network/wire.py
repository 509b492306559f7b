"""Frames on a wire, sent and seen by hand, without any help of the kernel's IP."""

from __future__ import annotations

import select
import socket
from collections.abc import Iterator

from scapy.layers.inet import IP
from scapy.layers.l2 import Ether
from scapy.packet import Packet

from tests.lab.netns import Namespace

ETH_P_ALL = 3
_SOL_PACKET, _PACKET_IGNORE_OUTGOING = 263, 23
_SO_RCVBUFFORCE = 33
PATIENCE_S = 20.0  # how long something that must come may take on a loaded machine


class Wire:
    """One end of a link: what arrives there, and a way to send anything at all."""

    def __init__(self, space: Namespace, interface: str) -> None:
        self.socket = space.inside(lambda: _packet_socket(interface))
        self.mac = _text(self.socket.getsockname()[4])

    def close(self) -> None:
        self.socket.close()

    def send(self, packet: Packet, destination: str) -> None:
        """Send an IP packet (or any payload of Ethernet) to a hardware address."""
        self.socket.send(self.frame(packet, destination))

    def frame(self, packet: Packet, destination: str) -> bytes:
        """The frame that `send` sends."""
        return bytes(Ether(src=self.mac, dst=destination) / packet)

    def data_until(self, marker: bytes) -> Iterator[bytes]:
        """Frames as they arrived, up to the one that holds the marker; fails if it never comes.

        Links deliver in order, so what has not come before a marker that was sent later on the
        same way was not sent.
        """
        while True:
            ready, _, _ = select.select([self.socket], [], [], PATIENCE_S)
            assert ready, f"the marker {marker!r} never arrived"
            data = self.socket.recv(65536)
            if marker in data:
                return
            yield data

    def frames_until(self, marker: bytes) -> Iterator[Packet]:
        """The same, taken apart."""
        return map(Ether, self.data_until(marker))

    def packets_until(self, marker: bytes) -> list[Packet]:
        """The same, the IPv4 packets in them."""
        return [frame[IP] for frame in self.frames_until(marker) if IP in frame]


def with_port(frame: bytes, port: int) -> bytes:
    """A TCP or UDP frame of zero checksum, with another destination port and the right checksum.

    For scans: scapy takes a millisecond for what this does in a microsecond. No checksum is
    right for UDP.
    """
    changed = frame[:36] + port.to_bytes(2, "big") + frame[38:]
    if frame[23] == socket.IPPROTO_UDP:
        return changed
    pseudo_header = socket.IPPROTO_TCP + 20
    total = pseudo_header + sum(
        int.from_bytes(changed[i : i + 2], "big") for i in range(26, 54, 2)
    )
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return changed[:50] + (total ^ 0xFFFF).to_bytes(2, "big") + changed[52:]


def _packet_socket(interface: str) -> socket.socket:
    wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    wire.bind((interface, ETH_P_ALL))
    wire.setsockopt(_SOL_PACKET, _PACKET_IGNORE_OUTGOING, 1)
    wire.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, 64 << 20)
    return wire


def _text(address: bytes) -> str:
    return ":".join(f"{byte:02x}" for byte in address)
