"""ICMP echo for IPv4 (RFC 792): packets as bytes, without a socket."""

from __future__ import annotations

import struct
from dataclasses import dataclass

ECHO_REPLY, UNREACHABLE, ECHO_REQUEST, TIME_EXCEEDED = 0, 3, 8, 11
_HEADER = struct.Struct(">BBHHH")

_UNREACHABLE = {
    0: "the network is unreachable",
    1: "the host is unreachable",
    3: "the port is unreachable",
    4: "the packet is too large",
    9: "forbidden by the network's administrator",
    10: "forbidden by the host's administrator",
    13: "forbidden by a filter",
}


@dataclass(frozen=True)
class Answer:
    """What came back for one of our packets: nothing wrong, or what a router on the way says."""

    sequence: int
    error: str = ""


def echo_request(identifier: int, sequence: int, size: int) -> bytes:
    """Return an echo request with `size` bytes of data."""
    data = bytes(index & 0xFF for index in range(size))
    head = _HEADER.pack(ECHO_REQUEST, 0, 0, identifier, sequence)
    return _HEADER.pack(ECHO_REQUEST, 0, checksum(head + data), identifier, sequence) + data


def checksum(data: bytes) -> int:
    """The Internet checksum (RFC 1071)."""
    if len(data) % 2:
        data += b"\0"
    total: int = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def parse(packet: bytes, identifier: int) -> Answer | None:
    """Read an IPv4 packet that carries ICMP; None if it answers none of our requests."""
    message = _payload(packet)
    if len(message) < _HEADER.size:
        return None
    kind, code, _, found, sequence = _HEADER.unpack_from(message)
    if kind == ECHO_REPLY and found == identifier:
        return Answer(sequence)
    if kind not in (UNREACHABLE, TIME_EXCEEDED):
        return None
    original = _payload(message[_HEADER.size :])
    if len(original) < _HEADER.size:
        return None
    asked, _, _, found, sequence = _HEADER.unpack_from(original)
    if asked != ECHO_REQUEST or found != identifier:
        return None
    if kind == TIME_EXCEEDED:
        return Answer(sequence, "the packet went round in circles")
    return Answer(sequence, _UNREACHABLE.get(code, "the destination is unreachable"))


def _payload(packet: bytes) -> bytes:
    """Return what an IPv4 packet carries (RFC 791, section 3.1)."""
    if not packet or packet[0] >> 4 != 4:
        return b""
    return packet[(packet[0] & 0x0F) * 4 :]
