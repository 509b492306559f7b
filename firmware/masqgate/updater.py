"""The updater: takes bundles on its socket, and tells of both slots.

systemd holds the socket and starts this process at the first call; it ends when nobody has
asked for a while. It is root, because it writes to the card, and does nothing else: neither
supervisor nor page can touch a slot.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import sys
import threading
import time
from typing import Any

import msgspec

from masqgate.contract import framing
from masqgate.contract.calls import Failure, Nothing, Reply, Request
from masqgate.contract.client import Client
from masqgate.contract.codec import from_json, to_json
from masqgate.contract.errors import MasqgateError
from masqgate.contract.paths import Paths
from masqgate.contract.update import (
    UPDATE_BACK,
    UPDATE_CALLS,
    UPDATE_INSTALL,
    UPDATE_RESTART,
    BundleInfo,
    InstallOrder,
    Phase,
    UpdateStatus,
)
from masqgate.core import bootstate, updates
from masqgate.system import release, trial_notes
from masqgate.system.installer import Installer
from masqgate.system.run import ToolError, run
from masqgate.system.server import peer_of, web_uid
from masqgate.system.slots import Slots

IDLE_S = 300.0  # without a call: the process ends, and systemd keeps the socket
RECEIVE_S = 60.0  # for the next bytes of a bundle
STATUS_S = 20.0
LAST_WORDS_S = 5.0  # for answers that are under way when the process is told to end
MAX_REQUEST = 4096
MOST, MOST_WEB = 20, 12  # calls at a time; the page leaves room for root's
_FIRST_FD = 3  # sd_listen_fds(3)

log = logging.getLogger("masqgate.update")


class Updater:
    """Answers the calls on updates. Safe to use by several threads."""

    def __init__(self, paths: Paths, slots: Slots | None = None) -> None:
        self._paths = paths
        self._slots = slots or Slots.of_this_router(paths)
        self._release = release.running(paths)
        self._installing = threading.Lock()
        self._lock = threading.Lock()
        self._progress: tuple[Phase, int, int] | None = None

    def answer(self, request: Request, source: _Stream) -> Any:
        """Do one call and return its result; MasqgateError if it is refused."""
        call = UPDATE_CALLS.get(request.call)
        if call is None:
            raise MasqgateError("unknown_call", f"There is no call {request.call[:40]!r}.")
        arguments = from_json(bytes(request.arguments), call.arguments)
        if call is UPDATE_INSTALL:
            return self.install(arguments, source)
        if call is UPDATE_BACK:
            return self.back()
        if call is UPDATE_RESTART:
            return self.restart()
        return self.status()

    def status(self) -> UpdateStatus:
        """Tell what is in both slots, and how far an update is."""
        state, running = self._state(), self._slots.running
        versions = {slot: trial_notes.version_in(self._paths, slot) for slot in bootstate.SLOTS}
        versions[running] = self._release.version
        phase, text = updates.resting(state, running, versions)
        with self._lock:
            progress = self._progress
        done = total = 0
        if progress is not None:
            phase, done, total = progress
            text = updates.working(phase, done, total, self._slots.spare)
        notes = trial_notes.read(self._paths)
        return UpdateStatus(
            version=self._release.version,
            compatible=self._release.compatible,
            slots=tuple(updates.slots(state, running, versions)),
            phase=phase,
            text=text,
            done_bytes=done,
            total_bytes=total,
            last=notes.ended if notes else None,
        )

    def install(self, order: InstallOrder, source: _Stream) -> BundleInfo:
        """Take a bundle from the connection."""
        if not self._installing.acquire(blocking=False):
            text = "Another update is being written."
            raise MasqgateError("update_busy", text, "Wait until it has ended.")
        installer = Installer(
            self._paths, self._slots, self._release.compatible, self._release.version, self._report
        )
        try:
            if order.check_only:
                return installer.check(source, order.allow_downgrade)
            info = installer.install(source, order.allow_downgrade, self._uplink_up())
            log.warning("version %s was written to slot %s", info.version, info.slot)
            return info
        finally:
            with self._lock:
                self._progress = None
            self._installing.release()

    def back(self) -> UpdateStatus:
        """Have the other slot started next; MasqgateError if it has not proved itself."""
        with self._exclusively():
            state, spare = self._state(), self._slots.spare
            if state is None or not state.is_good(spare):
                text = f"Slot {spare.upper()} holds no system that has proved itself."
                raise MasqgateError("update_no_way_back", text)
            self._slots.write(state.to_be_first(spare))
        return self.status()

    def restart(self) -> Nothing:
        """Restart the router; systemd ends this process too, but its answer still leaves."""
        with self._exclusively():
            try:
                run(["systemctl", "--no-block", "reboot"])
            except ToolError as error:
                raise MasqgateError("update_no_restart", f"{error}.", "Pull the plug.") from None
        return Nothing()

    @contextlib.contextmanager
    def _exclusively(self) -> Any:
        if not self._installing.acquire(blocking=False):
            text = "An update is being written."
            raise MasqgateError("update_busy", text, "Wait until it has ended.")
        try:
            yield
        finally:
            self._installing.release()

    def _state(self) -> bootstate.BootState | None:
        try:
            return self._slots.read()
        except OSError as error:
            log.error("the boot record can't be read: %s", error)
            return None

    def _report(self, phase: Phase, done: int, total: int) -> None:
        with self._lock:
            self._progress = (phase, done, total)

    def _uplink_up(self) -> bool:
        """Whether an uplink is up; without a supervisor to ask, none is demanded later."""
        try:
            return bool(Client(self._paths.socket, STATUS_S).status().active)
        except MasqgateError:
            return False


class _Stream:
    """What follows a request; a caller that breaks off ends it."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock

    def recv(self, size: int) -> bytes:
        """Receive; nothing at the end."""
        try:
            return self._sock.recv(size)
        except OSError:
            return b""


def serve_one(sock: socket.socket, updater: Updater, web: int | None) -> None:
    """Serve one connection: one call."""
    with sock, contextlib.suppress(OSError):
        sock.settimeout(RECEIVE_S)
        framing.send(sock, to_json(_reply(sock, updater, web)))


def _reply(sock: socket.socket, updater: Updater, web: int | None) -> Reply:
    try:
        peer = peer_of(sock)
        if not peer.root and peer.uid != web:
            text = f"The user with number {peer.uid} may not talk to the updater."
            raise MasqgateError("not_allowed", text, "Use root, or the admin page.")
        payload = framing.receive(sock, MAX_REQUEST)
        request = from_json(payload or b"", Request)
        return Reply(result=msgspec.Raw(to_json(updater.answer(request, _Stream(sock)))))
    except MasqgateError as error:
        log.warning("refused: %s", error)
        return Reply(failure=Failure(error.code, error.text, error.hint))
    except (msgspec.MsgspecError, framing.FramingError):
        return Reply(failure=Failure("bad_request", "This is not a call."))
    except Exception:
        log.exception("a call failed")
        text = "Something went wrong inside the updater."
        hint = "The system log tells more: journalctl -u masqgate-update."
        return Reply(failure=Failure("internal", text, hint))


def _refuse(sock: socket.socket) -> None:
    """Say no without waiting for anything: more threads than the unit may have would end us."""
    failure = Failure("update_busy", "Too many calls at the same time.", "Try again in a moment.")
    with sock, contextlib.suppress(OSError):
        sock.setblocking(False)
        framing.send(sock, to_json(Reply(failure=failure)))


def serve(listener: socket.socket, updater: Updater, idle_s: float = IDLE_S) -> None:
    """Take calls until none has come, and none is being served, for `idle_s` seconds."""
    threads: list[threading.Thread] = []
    try:
        _take_calls(listener, updater, idle_s, threads)
    finally:  # told to end, perhaps by the restart that a caller is about to hear of
        end = time.monotonic() + LAST_WORDS_S
        for thread in threads:
            if thread.is_alive():
                thread.join(max(0.0, end - time.monotonic()))


def _take_calls(
    listener: socket.socket, updater: Updater, idle_s: float, threads: list[threading.Thread]
) -> None:
    web = web_uid()
    listener.settimeout(idle_s)
    while True:
        threads[:] = [thread for thread in threads if thread.is_alive()]
        try:
            sock, _ = listener.accept()
        except TimeoutError:
            if threads:
                continue
            return
        if len(threads) >= (MOST if peer_of(sock).root else MOST_WEB):
            _refuse(sock)
            continue
        thread = threading.Thread(target=serve_one, args=(sock, updater, web), daemon=True)
        threads.append(thread)  # first: it may be told to end as soon as the thread runs
        thread.start()


def main() -> int:
    """Serve the socket that systemd holds; return the exit status."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s", stream=sys.stderr)
    if os.environ.get("LISTEN_FDS") != "1":
        print("masqgate.updater is started by masqgate-update.socket", file=sys.stderr)
        return 2
    try:
        updater = Updater(Paths.from_environment())
    except MasqgateError as error:
        print(error, file=sys.stderr)
        return 1
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with socket.socket(fileno=_FIRST_FD) as listener:
        serve(listener, updater)
    return 0


if __name__ == "__main__":
    sys.exit(main())
