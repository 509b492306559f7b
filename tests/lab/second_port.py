"""A second serial port of an emulated mobile modem: AT commands only, while the first has a call.

It tells of the same SIM and network. Calls are the first port's matter: it takes no dial.
"""

from __future__ import annotations

import asyncio

from .modem_core import ModemCore, ModemFaults
from .ports import Port
from .sim import MobileSim


class SecondPort:
    """Answers at once; runs on one asyncio loop."""

    def __init__(self, port: Port, sim: MobileSim) -> None:
        self.faults = ModemFaults()
        self.core = ModemCore(self.faults)
        self.core.at.sim = sim
        self.port = port
        self._loop = asyncio.get_running_loop()
        port.start(self._receive, lambda is_open: None)

    def inject(self, data: bytes) -> None:
        """Send the computer any bytes."""
        self.port.write(data)

    def close(self) -> None:
        """Unplug."""
        self.port.close()

    def _receive(self, data: bytes) -> None:
        now = self._loop.time()
        self.core.receive(data, now)
        self.core.take_orders()
        self.port.write(self.core.take_output(now))
