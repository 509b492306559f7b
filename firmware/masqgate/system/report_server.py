"""The dialer's socket: reports out to every client, commands in. No client can slow us down.

A client that does not read misses the oldest of what it has not read, never the newest; one that
sends nonsense, or is not root, is shown the door.
"""

from __future__ import annotations

import contextlib
import logging
import os
import selectors
import socket
import struct
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path

import msgspec

from ..contract.codec import from_json, to_json
from ..contract.dialer import Command, Report
from ..contract.status import Entry, LinkStatus

MAX_CLIENTS = 16
MAX_COMMAND = 4096  # bytes
MAX_UNREAD = 64  # reports kept for a client that reads slowly
MAX_ENTRIES = 256  # kept for clients that come later or read slowly
_HEADER = struct.Struct(">I")
_CREDENTIALS = struct.Struct("3i")  # pid, uid, gid
log = logging.getLogger("masqgate.dialer")


class _Client:
    """One connection: what it has sent, what it has still to read, and the last entry it got."""

    def __init__(self, sock: socket.socket, seen: int, status: LinkStatus | None) -> None:
        self.sock = sock
        self.seen = seen
        self.received = bytearray()
        self.unsent = bytearray()
        self.unread: deque[LinkStatus] = deque([status] if status else [], MAX_UNREAD)

    def commands(self) -> list[bytes]:
        """Return the complete messages; ValueError for one that is too long."""
        found = []
        while len(self.received) >= _HEADER.size:
            (size,) = _HEADER.unpack_from(self.received)
            if size > MAX_COMMAND:
                raise ValueError("too long")
            if len(self.received) < _HEADER.size + size:
                break
            found.append(bytes(self.received[_HEADER.size : _HEADER.size + size]))
            del self.received[: _HEADER.size + size]
        return found


class ReportServer:
    """Serves one Unix socket from a thread of its own. `on_command` is called in that thread."""

    def __init__(self, path: Path, on_command: Callable[[Command], None]) -> None:
        self._path = path
        self._on_command = on_command
        self._lock = threading.Lock()
        self._status: LinkStatus | None = None
        self._entries: deque[Entry] = deque(maxlen=MAX_ENTRIES)
        self._delivered = 0  # the highest number that any client was sent
        self._clients: dict[int, _Client] = {}
        self._selector = selectors.DefaultSelector()
        self._stop = False
        self._wake_r, self._wake_w = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._listener = self._listen()
        self._thread = threading.Thread(target=self._run, name="reports", daemon=True)
        self._thread.start()

    def publish(self, status: LinkStatus, entries: tuple[Entry, ...] = ()) -> None:
        """Tell every client; returns at once."""
        with self._lock:
            self._status = status
            self._entries.extend(entries)
            for client in self._clients.values():
                client.unread.append(status)
        self._wake()

    def stop(self) -> None:
        """Send what can be sent at once, then close everything."""
        self._stop = True
        self._wake()
        self._thread.join(2.0)
        self._path.unlink(missing_ok=True)

    def _wake(self) -> None:
        with contextlib.suppress(OSError):
            os.write(self._wake_w, b"!")

    def _listen(self) -> socket.socket:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._path.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        listener.setblocking(False)
        mask = os.umask(0o177)  # never reachable by others, not even for a moment
        try:
            listener.bind(str(self._path))
        finally:
            os.umask(mask)
        listener.listen(MAX_CLIENTS)
        self._selector.register(listener, selectors.EVENT_READ)
        self._selector.register(self._wake_r, selectors.EVENT_READ)
        return listener

    # In the thread

    def _run(self) -> None:
        while not self._stop:
            for key, events in self._selector.select():
                if key.fileobj is self._listener:
                    self._accept()
                elif key.fd == self._wake_r:
                    os.read(self._wake_r, 4096)
                else:
                    self._serve(key.fd, events)
            self._send_all()
        self._send_all()
        for handle in list(self._clients):
            self._drop(handle)
        self._selector.close()
        self._listener.close()

    def _accept(self) -> None:
        try:
            sock, _ = self._listener.accept()
        except OSError:
            return
        raw = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        if _CREDENTIALS.unpack(raw)[1] not in (0, os.geteuid()):
            sock.close()
            return
        if len(self._clients) >= MAX_CLIENTS:
            log.warning("More than %d clients: the newest is refused.", MAX_CLIENTS)
            sock.close()
            return
        sock.setblocking(False)
        with self._lock:
            self._clients[sock.fileno()] = _Client(sock, self._delivered, self._status)
        self._selector.register(sock, selectors.EVENT_READ)

    def _serve(self, handle: int, events: int) -> None:
        client = self._clients.get(handle)
        if client is None or not events & selectors.EVENT_READ:
            return
        try:
            data = client.sock.recv(65536)
            client.received += data
            for message in client.commands():
                self._on_command(from_json(message, Command))
        except BlockingIOError:
            return
        except (OSError, ValueError, msgspec.MsgspecError) as error:
            log.warning("A client of the dialer's socket was dropped (%s).", type(error).__name__)
            data = b""
        if not data:
            self._drop(handle)

    def _send_all(self) -> None:
        for handle, client in list(self._clients.items()):
            try:
                self._send(client)
            except OSError:
                self._drop(handle)
                continue
            wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if client.unsent else 0)
            if self._selector.get_key(handle).events != wanted:
                self._selector.modify(handle, wanted)

    def _send(self, client: _Client) -> None:
        while client.unsent or self._next_report(client):
            try:
                sent = client.sock.send(client.unsent)
            except BlockingIOError:
                return
            del client.unsent[:sent]

    def _next_report(self, client: _Client) -> bool:
        with self._lock:
            if not client.unread:
                return False
            status = client.unread.popleft()
            entries = tuple(entry for entry in self._entries if entry.number > client.seen)
            if entries:
                client.seen = entries[-1].number
                self._delivered = max(self._delivered, client.seen)
            payload = to_json(Report(status, entries))
        client.unsent += _HEADER.pack(len(payload)) + payload
        return True

    def _drop(self, handle: int) -> None:
        with self._lock:
            client = self._clients.pop(handle, None)
        if client is not None:
            self._selector.unregister(client.sock)
            client.sock.close()
