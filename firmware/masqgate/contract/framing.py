"""Messages on our Unix sockets: four bytes of length (big-endian), then JSON."""

from __future__ import annotations

import socket
import struct
from typing import Protocol

MAX_MESSAGE = 1 << 20
_HEADER = struct.Struct(">I")


class Source(Protocol):
    """What bytes come from: a socket, or something that hurries one."""

    def recv(self, size: int, /) -> bytes:
        """Return at most `size` bytes; none at the end."""


class FramingError(Exception):
    """The other end broke the framing, or went away in the middle of a message."""


def send(sock: socket.socket, payload: bytes) -> None:
    """Send one message; FramingError if it is larger than `MAX_MESSAGE` bytes."""
    if len(payload) > MAX_MESSAGE:
        raise FramingError(f"a message of {len(payload)} bytes is larger than {MAX_MESSAGE}")
    sock.sendall(_HEADER.pack(len(payload)) + payload)


def receive(sock: Source, limit: int = MAX_MESSAGE) -> bytes | None:
    """Return the next message, None at the end; FramingError if it is too large or cut off."""
    header = _exactly(sock, _HEADER.size)
    if header is None:
        return None
    (size,) = _HEADER.unpack(header)
    if size > limit:
        raise FramingError(f"a message of {size} bytes is larger than {limit}")
    payload = _exactly(sock, size) if size else b""
    if payload is None:
        raise FramingError("the connection ended within a message")
    return payload


def _exactly(sock: Source, size: int) -> bytes | None:
    data = bytearray()
    while len(data) < size:
        chunk = sock.recv(min(size - len(data), 65536))
        if not chunk:
            if data:
                raise FramingError("the connection ended within a message")
            return None
        data += chunk
    return bytes(data)
