"""Lets a browser on this machine reach the router's page: localhost into the lab's LAN.

Bytes pass untouched. Only connections from this machine are taken.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable

from .netns import Namespace

CHUNK = 65_536
CONNECT_S = 60.0


class Forward:
    """Listens on 127.0.0.1 and connects from inside a namespace. Lives on the lab's loop."""

    def __init__(self, namespace: Namespace, target: Callable[[], str], port: int) -> None:
        self._namespace = namespace
        self._target = target
        self._port = port
        self._server: asyncio.Server | None = None

    async def start(self, port: int) -> int:
        """Listen on `port` (0: any that is free) and return it; OSError if it is taken."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", port)
        number: int = self._server.sockets[0].getsockname()[1]
        return number

    def close(self) -> None:
        """Take no more connections."""
        if self._server is not None:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            link = await asyncio.to_thread(self._namespace.inside, socket.socket)
            link.setblocking(False)
            loop = asyncio.get_running_loop()
            address = (self._target(), self._port)
            await asyncio.wait_for(loop.sock_connect(link, address), CONNECT_S)
            inner_reader, inner_writer = await asyncio.open_connection(sock=link)
        except (OSError, TimeoutError):
            writer.close()
            return
        await asyncio.gather(_pass(reader, inner_writer), _pass(inner_reader, writer))


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(CHUNK):
            writer.write(data)
            await writer.drain()
    with contextlib.suppress(OSError):
        if writer.can_write_eof():
            writer.write_eof()
        else:
            writer.close()
