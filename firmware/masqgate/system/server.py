"""The supervisor's socket: who may call, what is a call, and nothing else.

The kernel tells the caller's user id (SO_PEERCRED). Root may make every call, the page's user
those that are marked for it, everybody else none. A connection carries one call; its size, its
time and the number of connections are bounded, root's apart from the page's.
"""

from __future__ import annotations

import contextlib
import grp
import logging
import os
import pwd
import queue
import select
import socket
import struct
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from masqgate.contract import framing
from masqgate.contract.calls import CALLS, Failure, Reply, Request
from masqgate.contract.codec import from_json, to_json
from masqgate.contract.errors import MasqgateError
from masqgate.core.messages import CallMade, Peer, Post

WEB_USER = "masqgate-web"
MAX_REQUEST = 512 * 1024  # bytes; a document of control characters grows sixfold in JSON
RECEIVE_S = 10.0  # for the whole request
SEND_S = 10.0
ANSWER_S = 90.0
LOOK_S = 0.5  # how often to see whether the caller still waits
_CREDENTIALS = struct.Struct("3i")

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Limits:
    """Connections at the same time: the page's and root's."""

    web: int = 16
    root: int = 8


class Server:
    """Listens on the socket, and posts the calls that are in order."""

    def __init__(
        self, path: Path, post: Post, web_uid: int | None = None, limits: Limits | None = None
    ) -> None:
        self._post = post
        self._web_uid = web_uid
        limits = limits or Limits()
        self._places = {
            True: threading.BoundedSemaphore(limits.root),
            False: threading.BoundedSemaphore(limits.web),
        }
        self._closing = threading.Event()
        self._socket = _listen(path)
        self._thread = threading.Thread(target=self._accept, name="server", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Take no more calls."""
        self._closing.set()
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(2.0)
        self._socket.close()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._socket.accept()
            except OSError as error:
                if self._closing.is_set():
                    return
                log.warning("the socket: %s", error)
                time.sleep(0.1)
                continue
            try:
                self._admit(sock)
            except Exception:
                log.exception("a caller could not be admitted")
                sock.close()

    def _admit(self, sock: socket.socket) -> None:
        peer = peer_of(sock)
        place = self._places[peer.root]
        if not place.acquire(blocking=False):
            _refuse(sock, "busy", "Too many calls at the same time.", "Try again in a moment.")
            sock.close()
            return
        try:
            threading.Thread(
                target=self._serve, args=(sock, peer, place), name="call", daemon=True
            ).start()
        except RuntimeError:
            place.release()
            sock.close()

    def _serve(self, sock: socket.socket, peer: Peer, place: threading.Semaphore) -> None:
        try:
            with sock:
                if not peer.root and peer.uid != self._web_uid:
                    text = f"The user with number {peer.uid} may not talk to the supervisor."
                    _refuse(sock, "not_allowed", text, "Use root, or the admin page.")
                    return
                request = framing.receive(_Hurried(sock, RECEIVE_S), MAX_REQUEST)
                if request is not None:
                    self._answer(sock, request, peer)
        except framing.FramingError as error:
            log.info("a caller (pid %d) broke off: %s", peer.pid, error)
        except OSError:
            log.debug("a caller (pid %d) went away", peer.pid)
        except Exception:
            log.exception("serving a caller failed")
        finally:
            place.release()

    def _answer(self, sock: socket.socket, request: bytes, peer: Peer) -> None:
        try:
            reply = Reply(result=msgspec.Raw(to_json(self._result(sock, request, peer))))
        except MasqgateError as error:
            failure = Failure(error.code, error.text, error.hint, error.problems)
            reply = Reply(failure=failure)
        except OSError:
            raise
        except Exception:
            log.exception("a call failed")
            reply = Reply(failure=Failure("internal", *INTERNAL))
        _send(sock, reply)

    def _result(self, sock: socket.socket, request: bytes, peer: Peer) -> Any:
        answers: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._post(_call(request, peer, answers))
        answer = _wait(answers, sock)
        if isinstance(answer, MasqgateError):
            raise answer
        if isinstance(answer, Exception):
            raise RuntimeError("a defect in the supervisor") from answer
        return answer


INTERNAL = (
    "Something went wrong inside the router.",
    "The system log tells more: journalctl -u masqgate.",
)


def _call(request: bytes, peer: Peer, answers: queue.SimpleQueue[Any]) -> CallMade:
    """Check a request, and give it the types of its call."""
    try:
        asked = from_json(request, Request)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        raise MasqgateError("bad_request", "This is not a call.") from None
    call = CALLS.get(asked.call)
    if call is None:
        raise MasqgateError("unknown_call", f"There is no call {asked.call[:40]!r}.")
    if not call.web and not peer.root:
        text = f"The call '{call.name}' is for root alone."
        raise MasqgateError("not_allowed", text, "Use the console or the command line.")
    try:
        arguments = from_json(bytes(asked.arguments), call.arguments)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        # The message names types and fields, never a value.
        text = f"The arguments of '{call.name}' do not fit: {error}."
        raise MasqgateError("bad_arguments", text) from None
    return CallMade(call, arguments, peer, answers.put)


def _wait(answers: queue.SimpleQueue[Any], sock: socket.socket) -> Any:
    """Return the answer; ConnectionError if the caller goes away, and its place comes free."""
    end = time.monotonic() + ANSWER_S
    while time.monotonic() < end:
        with contextlib.suppress(queue.Empty):
            return answers.get(timeout=LOOK_S)
        readable, _, _ = select.select([sock], [], [], 0)
        if readable and not sock.recv(1, socket.MSG_PEEK):
            raise ConnectionResetError
    text = "The router did not finish this in time; it may still be at work."
    raise MasqgateError("slow", text, "Look at the state before trying again.")


class _Hurried:
    """A socket that must give all it has to give before a deadline."""

    def __init__(self, sock: socket.socket, seconds: float) -> None:
        self._sock = sock
        self._end = time.monotonic() + seconds

    def recv(self, size: int) -> bytes:
        """Receive; TimeoutError after the deadline."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._sock.settimeout(left)
        return self._sock.recv(size)


def _send(sock: socket.socket, reply: Reply) -> None:
    sock.settimeout(SEND_S)
    framing.send(sock, to_json(reply))


def _refuse(sock: socket.socket, code: str, text: str, hint: str) -> None:
    """Say no without waiting for anything."""
    sock.setblocking(False)
    with contextlib.suppress(OSError):
        framing.send(sock, to_json(Reply(failure=Failure(code, text, hint))))


def peer_of(sock: socket.socket) -> Peer:
    """Return who is at the other end; the kernel tells (SO_PEERCRED)."""
    raw = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    pid, uid, _ = _CREDENTIALS.unpack(raw)
    # Whoever runs the supervisor counts as root: elsewhere than on a router that is no root.
    return Peer(pid, uid, uid in (0, os.geteuid()))


def web_uid(user: str = WEB_USER) -> int | None:
    """Return the page's user id; None if there is no such user."""
    try:
        return pwd.getpwnam(user).pw_uid
    except KeyError:
        return None


def _listen(path: Path, group: str = WEB_USER) -> socket.socket:
    path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    with contextlib.suppress(FileNotFoundError):
        path.unlink()
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    before = os.umask(0o177)
    try:
        sock.bind(str(path))
    finally:
        os.umask(before)
    with contextlib.suppress(KeyError, PermissionError):
        os.chown(path, -1, grp.getgrnam(group).gr_gid)
    path.chmod(0o660)
    sock.listen(128)
    return sock
