"""Runs the DHCPv6 client of the uplink that carries the traffic, and reads what it was given.

The client is a unit of its own, which outlives the supervisor. Its script leaves the prefix in a
file; nothing of it is believed before it was looked at.
"""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
from collections.abc import Callable
from pathlib import Path

import msgspec

from ..contract.codec import from_json
from ..contract.paths import Paths
from ..desired.dhcp6 import SCRIPT, dhcp6_conf
from ..desired.facts import Delegation
from ..desired.six import sound
from . import atomic
from .leases import MAX_FILE, read_file
from .services import Services, Systemd

PERIOD_S = 2.0  # how often the client's file is looked at

log = logging.getLogger(__name__)


def unit(interface: str) -> str:
    """The DHCPv6 client's unit of an interface."""
    return f"masqgate-dhcp6@{interface}.service"


class Delegations:
    """One client for one interface, or none. `callback` tells, from a thread, that it has news."""

    def __init__(
        self,
        callback: Callable[[], None],
        paths: Paths | None = None,
        services: Services | None = None,
        script: str = SCRIPT,
    ) -> None:
        self._callback = callback
        self._paths = paths or Paths()
        self._services: Services = services or Systemd()
        self._script = script
        self._lock = threading.Lock()
        self._wanted: tuple[str, str] | None = None  # interface, DUID; None: not known yet
        self._running: tuple[str, int] | None = None  # interface, and its index
        self._told: Delegation | None = None
        self._wake = threading.Event()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="delegations", daemon=True)
        self._thread.start()

    def update(self, interface: str, duid: str) -> None:
        """Have a client for this interface, and for no other one (empty: for none)."""
        with self._lock:
            news = self._wanted != (interface, duid)
            self._wanted = interface, duid
        if news:
            self._wake.set()

    def read(self, interface: str) -> Delegation | None:
        """What an interface's client was given; None if that is nothing of use."""
        with contextlib.suppress(OSError, msgspec.MsgspecError):
            data = read_file(self._file(interface), MAX_FILE)
            found = sound(from_json(data, Delegation))
            if found is not None and found.interface == interface:
                return found
        return None

    def close(self) -> None:
        """End the watching; the client runs on."""
        self._closing = True
        self._wake.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._closing:
            self._wake.clear()
            with self._lock:
                wanted = self._wanted
            try:
                if wanted is not None:
                    self._look(*wanted)
            except Exception:  # the thread must live: without it no prefix ever comes
                log.exception("looking after the DHCPv6 client failed")
            self._wake.wait(PERIOD_S if wanted and wanted[0] else None)

    def _look(self, interface: str, duid: str) -> None:
        self._stop_others(interface)
        # A call's interface is another one after each redial, under the same name.
        wanted = (interface, _index(interface))
        if self._running is not None and self._running != wanted:
            self._stop(self._running[0])
        if interface and wanted[1]:
            self._start(wanted, duid)
        found = self.read(interface) if interface else None
        if found != self._told and not self._closing:
            self._told = found
            self._callback()

    def _start(self, wanted: tuple[str, int], duid: str) -> None:
        interface, _ = wanted
        path = self._paths.dhcp6 / f"{interface}.conf"
        text = dhcp6_conf(interface, duid, self._paths, self._script).encode()
        changed = not path.exists() or path.read_bytes() != text
        if changed:
            path.parent.mkdir(mode=0o755, exist_ok=True)
            atomic.write(path, text, mode=0o644)
        if changed:
            started = self._services.restart(unit(interface))
        elif self._running != wanted:
            # One of an earlier supervisor runs on.
            started = self._services.start(unit(interface))
        else:
            return
        self._running = wanted if started else None

    def _stop_others(self, interface: str) -> None:
        for path in self._paths.dhcp6.glob("*.conf"):
            if path.stem != interface:
                self._stop(path.stem)

    def _stop(self, interface: str) -> None:
        self._services.stop(unit(interface))
        if self._running is not None and self._running[0] == interface:
            self._running = None
        for path in (self._paths.dhcp6 / f"{interface}.conf", self._file(interface)):
            with contextlib.suppress(OSError):
                path.unlink()

    def _file(self, interface: str) -> Path:
        return self._paths.prefix / f"{interface}.json"


def _index(interface: str) -> int:
    """The kernel's number of an interface; 0 if it is not there."""
    with contextlib.suppress(OSError):
        return socket.if_nametoindex(interface)
    return 0
