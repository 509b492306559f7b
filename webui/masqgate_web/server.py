"""gunicorn's settings, for `gunicorn -c python:masqgate_web.server`: on the router and in tests.

One worker, because sessions and rates live in its memory; threads, because browsers poll. The
socket comes from systemd.
"""

from __future__ import annotations

import socket
import struct
from typing import Any

from gunicorn.glogging import Logger

PATIENCE_S = 10  # for the next bytes of a client: one that has gone must not hold a thread
_CLIENT_GONE = "Socket error processing request."

workers = 1
worker_class = "gthread"
threads = 8
worker_tmp_dir = "/dev/shm"  # noqa: S108 - the heartbeat's file; it must not wear the card
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


def post_worker_init(worker: Any) -> None:
    """Bound every wait for a client; accepted sockets inherit it from the listening one."""
    for listener in worker.sockets:
        for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
            listener.sock.setsockopt(socket.SOL_SOCKET, option, struct.pack("@ll", PATIENCE_S, 0))
