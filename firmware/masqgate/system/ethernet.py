"""Watches the Ethernet uplinks, and tells of each as the dialer tells of a modem."""

from __future__ import annotations

from collections.abc import Callable

from ..contract.config import Config
from ..contract.paths import Paths
from ..contract.status import LinkStatus
from .services import Services


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
        raise NotImplementedError

    def update(self, config: Config) -> None:
        """Take over another configuration."""
        raise NotImplementedError

    def links(self) -> tuple[LinkStatus, ...]:
        """The uplinks as they are now, in the order of the configuration."""
        raise NotImplementedError

    def close(self) -> None:
        """End the watching; DHCP clients run on."""
        raise NotImplementedError
