"""The supervisor's ends of the dialers: their files, units and connections.

A dialer outlives the supervisor. Each gets a thread here that sees to it that the unit runs,
connects to it, and posts what it reports; it never gives up.
"""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
from pathlib import Path

import msgspec

from masqgate.contract import framing
from masqgate.contract.codec import from_json, to_json
from masqgate.contract.config import Config
from masqgate.contract.dialer import AnswerConfig, AnyConfig, Command, DialerConfig, Report
from masqgate.contract.errors import MasqgateError
from masqgate.contract.paths import Paths
from masqgate.core.messages import DialerFound, DialerLost, DialerReported, Post

from . import atomic
from .services import Services

RETRY_S = 0.5  # between two attempts to connect
START_EVERY = 20  # attempts between two orders to start the unit
JOIN_S = 1.0

log = logging.getLogger(__name__)


def unit(name: str) -> str:
    """Return the unit of one modem's dialer."""
    return f"masqgate-dialer@{name}.service"


def interface(name: str) -> str:
    """Return the PPP interface of one modem."""
    return f"ppp-{name}"


class Dialers:
    """All dialers. Called from the supervisor's loop alone."""

    def __init__(self, paths: Paths, services: Services, post: Post) -> None:
        self._paths = paths
        self._services = services
        self._post = post
        self._lines: dict[str, Line] = {}

    def configure(self, config: Config) -> None:
        """Have a dialer for each modem and for nothing else; OSError if /run is full."""
        wanted = told(config)
        for name in self._known() - set(wanted):
            self._remove(name)
        for name, modem in wanted.items():
            changed = self._write(name, modem)
            line = self._lines.get(name)
            if line is None:
                self._lines[name] = Line(name, self._paths, self._services, self._post)
            elif changed:
                line.reload()

    def running(self) -> set[str]:
        """Return the dialers that left a socket: those of a supervisor before this one."""
        return {name for name in self._lines if self._paths.dialer_socket(name).exists()}

    def command(self, name: str, command: Command) -> None:
        """Tell a dialer something; MasqgateError if it is not there."""
        line = self._lines.get(name)
        if line is None or not line.send(command):
            text = f"The dialer of '{name}' does not answer; it is being started again."
            raise MasqgateError("dialer_down", text, "Try again in a few seconds.")

    def close(self) -> None:
        """Let go of the dialers; they go on."""
        for line in self._lines.values():
            line.close()
        for line in self._lines.values():
            line.join()

    def _known(self) -> set[str]:
        """Return the dialers of ours and of a supervisor before us."""
        folder = self._paths.dialer_config("x").parent
        left = {path.stem for end in ("json", "sock") for path in folder.glob(f"[a-z]*.{end}")}
        return set(self._lines) | left

    def _remove(self, name: str) -> None:
        if line := self._lines.pop(name, None):
            line.close()
        with contextlib.suppress(OSError):
            self._paths.dialer_config(name).unlink()
        # Hanging up takes its time; meanwhile the loop goes on.
        threading.Thread(target=self._stop, args=(name,), name=f"stop-{name}", daemon=True).start()

    def _stop(self, name: str) -> None:
        if not self._services.stop(unit(name)):
            log.warning("%s could not be stopped", unit(name))
        elif name not in self._lines:
            with contextlib.suppress(OSError):
                self._paths.dialer_socket(name).unlink()

    def _write(self, name: str, config: AnyConfig) -> bool:
        """Write a dialer's configuration, secrets included; False if it is there already."""
        path = self._paths.dialer_config(name)
        data = to_json(config, secrets=True)
        if _content(path) == data:
            return False
        atomic.write(path, data, 0o600)
        return True


def told(config: Config) -> dict[str, AnyConfig]:
    """What each dialer is told, by name: those that dial, and those that answer."""
    lan = config.lan.interface
    dialing: dict[str, AnyConfig] = {
        modem.name: DialerConfig(
            modem=modem, interface=interface(modem.name), lan=str(lan.network)
        )
        for modem in config.modems
    }
    answering = {
        line.name: AnswerConfig(line=line, interface=interface(line.name), router=str(lan.ip))
        for line in config.lines
    }
    return dialing | answering


class Line:
    """The thread that keeps one dialer running and listens to it."""

    def __init__(self, name: str, paths: Paths, services: Services, post: Post) -> None:
        self._name = name
        self._path = paths.dialer_socket(name)
        self._services = services
        self._post = post
        self._closing = threading.Event()
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._thread = threading.Thread(target=self._run, name=f"dialer-{name}", daemon=True)
        self._thread.start()

    def send(self, command: Command) -> bool:
        """Send a command; False if the dialer is not there."""
        with self._lock:
            if self._socket is None:
                return False
            try:
                framing.send(self._socket, to_json(command))
            except OSError as error:
                log.warning("dialer %s: %s", self._name, error)
                return False
        return True

    def reload(self) -> None:
        """Have the dialer read its file; one that is not there does so when it starts."""
        self.send(Command("reload"))

    def close(self) -> None:
        """End the thread; the dialer goes on."""
        self._closing.set()
        with self._lock, contextlib.suppress(OSError):
            if self._socket is not None:
                self._socket.shutdown(socket.SHUT_RDWR)

    def join(self) -> None:
        """Wait a moment for the thread's end."""
        self._thread.join(JOIN_S)

    def _run(self) -> None:
        attempts = 0
        while not self._closing.is_set():
            try:
                attempts = self._attempt(attempts)
            except Exception:
                log.exception("dialer %s", self._name)
            self._closing.wait(RETRY_S)

    def _attempt(self, attempts: int) -> int:
        """Connect and follow, or see to it that the unit runs; return the attempts in vain."""
        if sock := self._connect():
            self._follow(sock)
            return 0
        if attempts % START_EVERY == 0:
            self._start()
        return attempts + 1

    def _connect(self) -> socket.socket | None:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        try:
            sock.connect(str(self._path))
        except OSError:
            sock.close()
            return None
        return sock

    def _start(self) -> None:
        if not self._services.start(unit(self._name)):
            log.warning("%s could not be started", unit(self._name))

    def _follow(self, sock: socket.socket) -> None:
        """Post what a dialer reports until it goes away."""
        with sock:
            with self._lock:
                if self._closing.is_set():
                    return
                self._socket = sock
            self._post(DialerFound(self._name))
            # Its file may have changed while nobody was connected.
            self.reload()
            try:
                while (data := framing.receive(sock)) is not None:
                    self._post(DialerReported(self._name, from_json(data, Report)))
            except (OSError, framing.FramingError, msgspec.MsgspecError) as error:
                if not self._closing.is_set():
                    log.warning("dialer %s: %s", self._name, error)
            with self._lock:
                self._socket = None
        if not self._closing.is_set():
            self._post(DialerLost(self._name))


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""
