"""A delegating router for one line, without I/O: a DHCPv6 packet in, its answer out (RFC 8415).

It gives one prefix to whoever asks, as the provider of a call does, and nothing else.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from ipaddress import IPv6Address, IPv6Network

SERVERS = IPv6Address("ff02::1:2")
SERVER_PORT, CLIENT_PORT = 547, 546
SOLICIT, ADVERTISE, REQUEST, RENEW, REBIND, REPLY, RELEASE = 1, 2, 3, 5, 6, 7, 8
CLIENT_ID, SERVER_ID, RAPID_COMMIT, IA_PD, IA_PREFIX = 1, 2, 14, 25, 26
_UDP = 17
_ANSWERS = {SOLICIT: ADVERTISE, REQUEST: REPLY, RENEW: REPLY, REBIND: REPLY, RELEASE: REPLY}


@dataclass(frozen=True, slots=True)
class Delegating:
    """The server's end of one line."""

    own: IPv6Address  # link-local
    prefix: IPv6Network
    preferred_s: int = 1800
    valid_s: int = 3600

    def answer(self, packet: bytes) -> bytes | None:
        """The IPv6 packet that answers one of a client; None if it is not for us."""
        asked = _for_server(packet)
        if asked is None:
            return None
        client, message = asked
        kind = _ANSWERS.get(message[0])
        options = _options(message[4:])
        if kind is None or CLIENT_ID not in options:
            return None
        body = bytes([kind]) + message[1:4]
        body += _option(CLIENT_ID, options[CLIENT_ID]) + _option(SERVER_ID, self._duid)
        if IA_PD in options and message[0] != RELEASE:
            times = struct.pack("!II", self.preferred_s // 2, self.preferred_s * 4 // 5)
            body += _option(IA_PD, options[IA_PD][:4] + times + self._prefix)
        return _udp(self.own, client, SERVER_PORT, CLIENT_PORT, body)

    @property
    def _duid(self) -> bytes:
        return b"\x00\x02\x00\x00\x7e\xd9" + b"lab"  # DUID-EN with the number for documentation

    @property
    def _prefix(self) -> bytes:
        lives = struct.pack("!IIB", self.preferred_s, self.valid_s, self.prefix.prefixlen)
        return _option(IA_PREFIX, lives + self.prefix.network_address.packed)


def is_ipv6(packet: bytes) -> bool:
    """Whether an IP packet is one of IPv6 (RFC 8200, section 3)."""
    return len(packet) >= 40 and packet[0] >> 4 == 6


def _for_server(packet: bytes) -> tuple[IPv6Address, bytes] | None:
    """Client's address and message of a packet to all DHCPv6 servers."""
    if not is_ipv6(packet) or packet[6] != _UDP or len(packet) < 52:
        return None
    port = int.from_bytes(packet[42:44], "big")
    if IPv6Address(packet[24:40]) != SERVERS or port != SERVER_PORT:
        return None
    return IPv6Address(packet[8:24]), packet[48:]


def _options(data: bytes) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    while len(data) >= 4:
        code, length = struct.unpack("!HH", data[:4])
        found[code] = data[4 : 4 + length]
        data = data[4 + length :]
    return found


def _option(code: int, data: bytes) -> bytes:
    return struct.pack("!HH", code, len(data)) + data


def _udp(
    source: IPv6Address, target: IPv6Address, source_port: int, port: int, body: bytes
) -> bytes:
    length = 8 + len(body)
    header = struct.pack("!HHHH", source_port, port, length, 0)
    ends = source.packed + target.packed
    pseudo = ends + struct.pack("!II", length, _UDP)
    checksum = _checksum(pseudo + header + body)
    datagram = header[:6] + checksum.to_bytes(2, "big") + body
    return struct.pack("!IHBB", 6 << 28, length, _UDP, 64) + ends + datagram


def _checksum(data: bytes) -> int:
    """The Internet checksum (RFC 1071); zero is sent as all ones (RFC 8200, section 8.1)."""
    padded = data + b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(padded) // 2}H", padded))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return (total ^ 0xFFFF) or 0xFFFF
