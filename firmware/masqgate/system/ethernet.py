"""Watches the Ethernet uplinks, and tells of each as the dialer tells of a modem.

A port with a cable gets a DHCP client, a unit of its own, which leaves its lease in a file. The
address is put on the port by the applier, as every other address.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable
from pathlib import Path

import msgspec

from ..contract.config import Config, Ethernet
from ..contract.paths import Paths
from ..contract.status import LinkStatus
from ..desired.ethernet import Lease, Port, ethernet_status
from .clock import Clock
from .leases import uplink_folder, uplink_leases
from .netlink import SYS_NET, Monitor, watch
from .services import Services, Systemd

log = logging.getLogger(__name__)

PERIOD_S = 2.0  # how often leases are looked at; the kernel's links tell of themselves


def unit(port: str) -> str:
    """The DHCP client's unit of a port."""
    return f"masqgate-dhcp@{port}.service"


class EthernetWatcher:
    """Runs the DHCP clients of the Ethernet uplinks and reports their state.

    `callback` gets every change of a LinkStatus (kind 'ethernet'), from the watcher's own
    thread. `close()` ends the thread; the DHCP clients run on, so that a restart of the
    supervisor interrupts nothing.
    """

    def __init__(
        self,
        config: Config,
        callback: Callable[[LinkStatus], None],
        paths: Paths | None = None,
        services: Services | None = None,
    ) -> None:
        self._callback = callback
        self._paths = paths or Paths()
        self._services: Services = services or Systemd()
        self._clock = Clock()
        self._lock = threading.Lock()
        self._config = config
        self._links: dict[str, LinkStatus] = {}
        self._clients: dict[str, bool] = {}  # port: whether its client was started
        self._wake = threading.Event()
        self._closing = False
        # At the first news, and again at the next: the supervisor, which waits for the end of a
        # burst, would else bring everything to a state that is over, and be late for this one.
        self._monitor: Monitor = watch(self._wake.set, settle_s=0.0)
        self._thread = threading.Thread(target=self._run, name="ethernet", daemon=True)
        self._thread.start()

    def update(self, config: Config) -> None:
        """Take over another configuration."""
        with self._lock:
            self._config = config
            # One that goes and comes again is told again, even if it is as it was.
            names = {link.name for link in config.ethernets}
            self._links = {name: link for name, link in self._links.items() if name in names}
        self._wake.set()

    def links(self) -> tuple[LinkStatus, ...]:
        """The uplinks as they are now, in the order of the configuration."""
        with self._lock:
            names = [link.name for link in self._config.ethernets]
            return tuple(self._links[name] for name in names if name in self._links)

    def close(self) -> None:
        """End the watching; DHCP clients run on."""
        self._closing = True
        self._wake.set()
        self._monitor.close()
        self._thread.join()

    def _run(self) -> None:
        while not self._closing:
            self._wake.clear()
            with self._lock:
                config = self._config
            try:
                self._look(config)
            except Exception:  # the thread must live: without it no uplink ever comes up
                log.exception("looking at the Ethernet uplinks failed")
            self._wake.wait(PERIOD_S if config.ethernets else None)

    def _look(self, config: Config) -> None:
        ports = {link.port: _port(link.port) for link in config.ethernets}
        self._tell_gone(config, ports)
        self._run_clients(config, ports)
        leases = {lease.interface: lease for lease in uplink_leases(self._paths, ports)}
        for link in config.ethernets:
            self._tell(config, link, ports[link.port], leases.get(link.port))

    def _tell_gone(self, config: Config, ports: dict[str, Port]) -> None:
        """Tell at once of links that are gone: to end their clients takes seconds."""
        for link in config.ethernets:
            if not ports[link.port].carrier:
                self._tell(config, link, ports[link.port], None)

    def _tell(self, config: Config, link: Ethernet, port: Port, lease: Lease | None) -> None:
        known = self._links.get(link.name)
        status = ethernet_status(link, config.lan, port, lease, self._clock.wall())
        if known is not None and known.state is status.state:
            status = msgspec.structs.replace(status, since_at=known.since_at)
        if status == known or self._closing:
            return
        with self._lock:
            if config is not self._config:
                return  # it has changed meanwhile: the next round tells
            self._links[link.name] = status
        self._callback(status)

    def _run_clients(self, config: Config, ports: dict[str, Port]) -> None:
        """A client for each DHCP port that has a carrier, and for no other one.

        A client is started anew when the carrier comes back: it may be another network's.
        """
        wanted = {
            link.port
            for link in config.ethernets
            if link.enabled and link.address == "dhcp" and ports[link.port].carrier
        }
        left = {path.stem for path in uplink_folder(self._paths).glob("*.json")}
        for port in sorted({*self._clients, *left} - wanted):
            self._stop_client(port)
        for port in sorted(wanted):
            if not self._clients.get(port):
                # One of an earlier supervisor runs on, and so does its lease.
                self._clients[port] = self._services.start(unit(port))

    def _stop_client(self, port: str) -> None:
        self._services.stop(unit(port))
        self._clients.pop(port, None)
        with contextlib.suppress(OSError):
            (uplink_folder(self._paths) / f"{port}.json").unlink()


def _port(name: str) -> Port:
    folder = SYS_NET / name
    return Port(present=folder.exists(), carrier=_read(folder / "carrier") == "1")


def _read(path: Path) -> str:
    """A value of the kernel; empty if it has none, as the carrier of a port that is down."""
    with contextlib.suppress(OSError):
        return path.read_text().strip()
    return ""
