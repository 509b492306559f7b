"""gunicorn's settings, for `gunicorn -c python:masqgate_web.server`: on the router and in tests.

One worker, because sessions and rates live in its memory; threads, because browsers poll. The
socket comes from systemd.
"""

from __future__ import annotations

import contextlib
import functools
import os
import socket
import struct
import threading
import time
from typing import Any

from gunicorn.glogging import Logger
from gunicorn.http.body import Body, ChunkedReader, LengthReader
from gunicorn.workers.gthread import ThreadWorker

from .uploads import EXTEND

PATIENCE_S = 10  # for the next bytes of a client: one that has gone must not hold a thread
REQUEST_S = 20  # for a whole request: one that drips must not hold a thread either
_CLIENT_GONE = "Socket error processing request."

workers = 1
worker_class = "masqgate_web.server.Worker"
threads = 8
worker_tmp_dir = "/dev/shm"  # noqa: S108 - the heartbeat's file; it must not wear the card
certfile = keyfile = os.environ.get("MASQGATE_CERTIFICATE")  # HTTPS is a process of its own
keepalive = 5
timeout = 60
graceful_timeout = 5
limit_request_line = 4094
limit_request_fields = 40
limit_request_field_size = 4096


class logger_class(Logger):  # type: ignore[misc]  # gunicorn has no types
    """A client that gave up is not worth a traceback."""

    def exception(self, msg: str, *args: Any, **kwargs: Any) -> None:
        """Log an exception, unless a client's silence is all it is about."""
        if msg == _CLIENT_GONE:
            self.debug("a client was silent for too long, or went away")
        else:
            super().exception(msg, *args, **kwargs)


class Worker(ThreadWorker):  # type: ignore[misc]  # gunicorn has no types
    """Threads that read no request for longer than its deadline."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._lock = threading.Lock()
        self._reading: dict[Any, float] = {}  # connection: when its time is up (monotonic)

    def load_wsgi(self) -> None:
        """Load the application, and let it give a request more time: an upload takes minutes."""
        super().load_wsgi()
        inner: Any = self.wsgi  # type: ignore[has-type]

        def application(environ: dict[str, Any], start_response: Any) -> Any:
            environ[EXTEND] = functools.partial(self._extend, environ.get("gunicorn.socket"))
            return inner(environ, start_response)

        self.wsgi = application

    def _extend(self, sock: Any, seconds: float) -> None:
        with self._lock:
            for conn in self._reading:
                if conn.sock is sock:
                    self._reading[conn] = time.monotonic() + seconds

    def handle(self, conn: Any) -> Any:
        """Serve one request, in a thread of the pool."""
        with self._lock:
            self._reading[conn] = time.monotonic() + REQUEST_S
        try:
            return super().handle(conn)
        finally:
            with self._lock:
                self._reading.pop(conn, None)

    def notify(self) -> None:
        """Tell that this process lives, about once a second, and look for those out of time."""
        super().notify()
        now = time.monotonic()
        with self._lock:
            late = [conn for conn, end in self._reading.items() if end <= now]
            for conn in late:
                del self._reading[conn]
                # To its thread the request now ends here; one that is read already is not
                # disturbed, however long its answer takes. Not SSLSocket's own way: that ends the
                # encryption as well, and the answer would go out in the clear.
                with contextlib.suppress(OSError):
                    socket.socket.shutdown(conn.sock, socket.SHUT_RD)


def pre_request(worker: Any, req: Any) -> None:
    """Read no body that comes in chunks: no browser sends one, and a line of it has no end.

    gunicorn 23 looks for that end from the beginning at each piece that arrives. The view answers
    that the length is missing (see security.py), and the connection ends.
    """
    if isinstance(req.body.reader, ChunkedReader):
        req.body = Body(LengthReader(req.unreader, 0))
        req.force_close()


def post_worker_init(worker: Any) -> None:
    """Bound every wait for a client; accepted sockets inherit it from the listening one."""
    for listener in worker.sockets:
        for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
            listener.sock.setsockopt(socket.SOL_SOCKET, option, struct.pack("@ll", PATIENCE_S, 0))
