"""The wire to the router's serial console: a log, a buffer to wait on, and sockets to watch it.

Any number of terminals can be joined to it at the same time as a test.
"""

from __future__ import annotations

import asyncio
import re
import threading
import time
from pathlib import Path
from typing import BinaryIO

from .ports import Port
from .processes import LabError

BUFFER = 1 << 20


class ConsoleLine:
    """Make it on the lab's loop; `send`, `wait_for` and `text` may be called from any thread."""

    def __init__(self, port: Port, log: Path) -> None:
        log.parent.mkdir(parents=True, exist_ok=True)
        self._port = port
        self._log: BinaryIO = log.open("ab", buffering=0)
        self._loop = asyncio.get_running_loop()
        self._changed = threading.Condition()
        self._buffer = bytearray()
        self._dropped = 0  # bytes that the buffer has forgotten
        self._watchers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None
        port.start(self._arrived, lambda is_open: None)

    @property
    def position(self) -> int:
        """How many bytes (CR not counted) have come so far; where to search from later."""
        with self._changed:
            return self._dropped + len(self._buffer)

    def text(self, start: int = 0) -> str:
        """Return what came from position `start` on, as far as it is still kept (1 MiB)."""
        with self._changed:
            return self._since(start).decode(errors="replace")

    def send(self, text: str) -> None:
        """Type something."""
        self._loop.call_soon_threadsafe(self._port.write, text.encode())

    def wait_for(self, pattern: str, timeout_s: float, start: int = 0, what: str = "") -> int:
        """Wait for a regular expression; return the position after what fits.

        `^` and `$` match at each line. LabError with the console's last lines otherwise.
        """
        wanted = re.compile(pattern.encode(), re.MULTILINE)
        end = time.monotonic() + timeout_s
        with self._changed:
            while True:
                if match := wanted.search(self._since(start)):
                    return max(start, self._dropped) + match.end()
                left = end - time.monotonic()
                if left <= 0:
                    break
                self._changed.wait(left)
        tail = "\n".join(self.text().splitlines()[-15:])
        what = what or repr(pattern)
        raise LabError(f"not on the console within {timeout_s:g} s: {what}. It ends:\n{tail}")

    async def share(self, path: Path) -> None:
        """Let terminals join by a Unix socket."""
        self._server = await asyncio.start_unix_server(self._join, path)

    def close(self) -> None:
        """Close log and sockets."""
        if self._server is not None:
            self._server.close()
        for watcher in self._watchers:
            watcher.close()
        self._port.close()
        self._log.close()

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._watchers.add(writer)
        try:
            while data := await reader.read(256):
                self._port.write(data)
        except OSError:
            pass
        finally:
            self._watchers.discard(writer)
            writer.close()

    def _arrived(self, data: bytes) -> None:
        self._log.write(data)
        for watcher in self._watchers:
            watcher.write(data)
        with self._changed:
            self._buffer += data.replace(b"\r", b"")
            excess = len(self._buffer) - BUFFER
            if excess > 0:
                del self._buffer[:excess]
                self._dropped += excess
            self._changed.notify_all()

    def _since(self, start: int) -> bytes:
        return bytes(self._buffer[max(0, start - self._dropped) :])
