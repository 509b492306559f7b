"""The servers of the lab's Internet: web, TCP and UDP echo, STUN. Run in its namespace by

    python -m tests.lab.internet

| Request | Reply |
|---|---|
| `GET /` | the caller's address |
| `GET /port` | the caller's address and port |
| `GET /large?bytes=N&pace=R` | N bytes, at R byte/s if given, else as fast as it goes |
| `POST /upload` | how many bytes came |
"""

from __future__ import annotations

import asyncio
import contextlib
from ipaddress import IPv4Address
from typing import cast
from urllib.parse import parse_qs, urlsplit

from .places import ECHO, ECHO_PORT, STUN, STUN_PORT, WEB

LARGE = 1_000_000
CHUNK = 8192
PACES_PER_S = 10
MAGIC_COOKIE = 0x2112A442
BINDING_REQUEST, BINDING_SUCCESS, XOR_MAPPED_ADDRESS = 0x0001, 0x0101, 0x0020
PATTERN = bytes(range(256)) * (CHUNK // 256)


def stun_reply(request: bytes, address: str, port: int) -> bytes | None:
    """Answer a STUN Binding request (RFC 8489, sections 5, 6 and 14.2); None if it is none."""
    if len(request) < 20 or int.from_bytes(request[:2], "big") != BINDING_REQUEST:
        return None
    if int.from_bytes(request[4:8], "big") != MAGIC_COOKIE:
        return None
    hidden_port = port ^ (MAGIC_COOKIE >> 16)
    hidden = int(IPv4Address(address)) ^ MAGIC_COOKIE
    value = b"\0\1" + hidden_port.to_bytes(2, "big") + hidden.to_bytes(4, "big")
    attribute = XOR_MAPPED_ADDRESS.to_bytes(2, "big") + len(value).to_bytes(2, "big") + value
    head = BINDING_SUCCESS.to_bytes(2, "big") + len(attribute).to_bytes(2, "big")
    return head + request[4:20] + attribute


class Echo(asyncio.DatagramProtocol):
    """UDP: sends back what came; on the STUN port, the caller's address and port."""

    def __init__(self, stun: bool = False) -> None:
        self._stun = stun
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Answer."""
        reply = stun_reply(data, *addr[:2]) if self._stun else data
        if reply is not None and self._transport is not None:
            self._transport.sendto(reply, addr)


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """TCP: send back what comes until the caller closes."""
    with contextlib.suppress(OSError):
        while data := await reader.read(CHUNK):
            writer.write(data)
            await writer.drain()
    writer.close()


async def web(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer one HTTP/1.1 request, then close."""
    with contextlib.suppress(OSError, asyncio.IncompleteReadError, ValueError, IndexError):
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        lines = head.split("\r\n")
        method, target, _ = lines[0].split(" ", 2)
        url = urlsplit(target)
        address, port = writer.get_extra_info("peername")[:2]
        if url.path == "/large":
            await _large(writer, {k: int(v[0]) for k, v in parse_qs(url.query).items()})
        elif url.path == "/upload" and method == "POST":
            _say(writer, f"{await _count(reader, lines)}\n")
        elif url.path in ("/", "/port"):
            _say(writer, f"{address} {port}\n" if url.path == "/port" else f"{address}\n")
        else:
            _say(writer, "no such page\n", "404 Not Found")
        await writer.drain()
    writer.close()


def _say(writer: asyncio.StreamWriter, text: str, status: str = "200 OK") -> None:
    head = f"HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {len(text)}\r\n"
    writer.write(f"{head}Connection: close\r\n\r\n{text}".encode())


async def _count(reader: asyncio.StreamReader, lines: list[str]) -> int:
    headers = dict(line.lower().split(": ", 1) for line in lines[1:] if ": " in line)
    left = total = int(headers.get("content-length", "0"))
    while left:
        data = await reader.read(min(left, CHUNK))
        if not data:
            break
        left -= len(data)
    return total - left


async def _large(writer: asyncio.StreamWriter, wanted: dict[str, int]) -> None:
    size, pace = wanted.get("bytes", LARGE), wanted.get("pace", 0)
    writer.write(f"HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n".encode())
    writer.write(b"Content-Type: application/octet-stream\r\nConnection: close\r\n\r\n")
    step = min(CHUNK, max(1, pace // PACES_PER_S)) if pace else CHUNK
    while size > 0:
        writer.write(PATTERN[: min(step, size)])
        await writer.drain()
        size -= step
        if pace:
            await asyncio.sleep(step / pace)


async def serve() -> None:
    """Listen, and go on for ever. Echo and web answer on all addresses of the namespace."""
    loop = asyncio.get_running_loop()
    await asyncio.start_server(web, ["0.0.0.0", "::"], 80)
    await asyncio.start_server(echo, "0.0.0.0", ECHO_PORT)
    for address in (ECHO, WEB):
        await loop.create_datagram_endpoint(Echo, local_addr=(address, ECHO_PORT))
    await loop.create_datagram_endpoint(lambda: Echo(stun=True), local_addr=(STUN, STUN_PORT))
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve())
