"""Reading packets of the LAN, as hostile as they may be: who wanted what. Pure."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from ipaddress import IPv4Address

from masqgate.contract.traffic import NAMES, NUMBERS

_HEADER = 20  # bytes, at least (RFC 791)
_DNS_HEADER = 12  # bytes (RFC 1035, section 4.1.1)
_MAX_NAME = 253


@dataclass(frozen=True)
class Packet:
    """What an IPv4 packet tells of itself."""

    source: str
    destination: str
    protocol: str
    source_port: int | None = None
    port: int | None = None  # destination
    asked: str = ""  # the name that a DNS question is about, in small letters


def read(data: bytes) -> Packet | None:
    """Read an IPv4 packet (RFC 791); None if it is none, or not whole up to the ports."""
    if len(data) < _HEADER or data[0] >> 4 != 4:
        return None
    length = (data[0] & 15) * 4
    number = data[9]
    source, destination = (str(IPv4Address(data[at : at + 4])) for at in (12, 16))
    protocol = NAMES.get(number, str(number))
    body = data[length:]
    if number not in (NUMBERS["tcp"], NUMBERS["udp"]):
        return Packet(source, destination, protocol)
    if length < _HEADER or len(body) < 8:
        return None
    source_port, port = struct.unpack_from("!HH", body)
    asked = question(body[8:]) if number == NUMBERS["udp"] and port == 53 else ""
    return Packet(source, destination, protocol, source_port, port, asked)


def question(message: bytes) -> str:
    """The name that a DNS query is about (RFC 1035, section 4.1.2), or '' if it is none.

    Small letters: dnsmasq varies them to tell forged answers. What no host is called is replaced.
    """
    if len(message) < _DNS_HEADER or message[2] & 0x80 or message[4:6] == b"\0\0":
        return ""
    labels, at = [], _DNS_HEADER
    while at < len(message) and message[at]:
        size = message[at]
        if size > 63 or at + 1 + size >= len(message):
            return ""
        labels.append(message[at + 1 : at + 1 + size])
        at += 1 + size
    name = b".".join(labels).decode("ascii", "replace").lower()
    return "".join(c if c.isalnum() or c in "-._" else "?" for c in name)[:_MAX_NAME]


def summed(data: bytes) -> bytes:
    """The packet with the right checksum of TCP or UDP (RFC 9293, 3.1; RFC 768).

    Where a network card makes the checksum, a copy from before the card does not have it.
    """
    length, number = (data[0] & 15) * 4, data[9]
    at = {NUMBERS["tcp"]: 16, NUMBERS["udp"]: 6}.get(number)
    body = bytearray(data[length:])
    if at is None or len(body) < at + 2:
        return data
    body[at : at + 2] = b"\0\0"
    pseudo_header = data[12:20] + bytes([0, number]) + len(body).to_bytes(2, "big")
    total = sum(_words(pseudo_header)) + sum(_words(bytes(body)))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    body[at : at + 2] = ((total ^ 0xFFFF) or 0xFFFF).to_bytes(2, "big")
    return data[:length] + bytes(body)


def _words(data: bytes) -> tuple[int, ...]:
    """The 16-bit words of some bytes; a zero follows an odd one."""
    padded = data + b"\0" * (len(data) % 2)
    return struct.unpack(f"!{len(padded) // 2}H", padded)
