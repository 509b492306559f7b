"""The caller's end of the updater's socket."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TypeVar

import msgspec

from . import framing
from .calls import Call, Nothing, Request
from .client import result_of, why_silent
from .codec import to_json
from .errors import MasqgateError
from .update import (
    UPDATE_BACK,
    UPDATE_INSTALL,
    UPDATE_RESTART,
    UPDATE_STATUS,
    BundleInfo,
    InstallOrder,
    UpdateStatus,
)

TIMEOUT_S = 60.0  # the updater is started by the first call, on a small board
INSTALL_S = 1800.0  # a slow card may take its time
CHUNK = 1 << 18

A = TypeVar("A")
R = TypeVar("R")


class UpdateClient:
    """Makes calls on the updater; each on a connection of its own. Safe to share by threads."""

    def __init__(self, path: Path, timeout_s: float = TIMEOUT_S) -> None:
        self._path = path
        self._timeout_s = timeout_s

    def update_status(self) -> UpdateStatus:
        """What is in both slots, and how far an update is."""
        return self._call(UPDATE_STATUS, Nothing(), self._timeout_s)

    def update_install(
        self, path: Path, allow_downgrade: bool = False, *,
        check_only: bool = False, progress: Callable[[int], None] | None = None,
    ) -> BundleInfo:  # fmt: skip
        """Write a bundle to the slot that does not run; MasqgateError tells why it was refused.

        It takes a minute or more. `check_only` verifies it and writes nothing. `progress` is
        called with the number of bytes that are verified and written so far.
        """
        try:
            with path.open("rb") as file:
                return self.install_stream(
                    _chunks(file.read, progress), allow_downgrade, check_only
                )
        except OSError as error:
            text = f"'{path}' cannot be read: {(error.strerror or 'an error').lower()}."
            raise MasqgateError("unreadable", text) from None

    def install_stream(
        self, chunks: Iterable[bytes], allow_downgrade: bool = False, check_only: bool = False
    ) -> BundleInfo:
        """Like `update_install`, with a bundle that arrives in pieces."""
        order = InstallOrder(allow_downgrade, check_only)
        return self._call(UPDATE_INSTALL, order, INSTALL_S, chunks)

    def update_back(self) -> UpdateStatus:
        """Start the other slot at the next restart."""
        return self._call(UPDATE_BACK, Nothing(), self._timeout_s)

    def update_restart(self) -> None:
        """Restart the router."""
        self._call(UPDATE_RESTART, Nothing(), self._timeout_s)

    def _call(
        self, call: Call[A, R], arguments: A, timeout_s: float, chunks: Iterable[bytes] = ()
    ) -> R:
        request = to_json(Request(call.name, msgspec.Raw(to_json(arguments))))
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
                sock.settimeout(timeout_s)
                sock.connect(str(self._path))
                # An updater that refuses reads no further; its reply tells why.
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    framing.send(sock, request)
                    for chunk in chunks:
                        sock.sendall(chunk)
                    sock.shutdown(socket.SHUT_WR)
                payload = framing.receive(sock)
        except BlockingIOError as error:
            text = "Too many calls are waiting for the updater."
            raise MasqgateError("update_busy", text, "Try again in a moment.") from error
        except (TimeoutError, ConnectionError, FileNotFoundError, framing.FramingError) as error:
            raise MasqgateError(
                "updater_unreachable",
                f"The updater does not answer ({why_silent(error)}).",
                "Try again in ten seconds; the running system is untouched.",
            ) from error
        if payload is None:
            text = "The updater broke off; the running system is untouched."
            raise MasqgateError("updater_closed", text, "Try again.")
        return result_of(payload, call.result)


def _chunks(
    read: Callable[[int], bytes], progress: Callable[[int], None] | None
) -> Iterator[bytes]:
    sent = 0
    while chunk := read(CHUNK):
        yield chunk
        sent += len(chunk)
        if progress is not None:
            progress(sent)
