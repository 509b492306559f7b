"""The telephone side of the lab: the network, its providers, and the modems plugged in."""

from __future__ import annotations

from pathlib import Path

from . import external
from .controls import IspControl, ModemControl
from .isp import Isp
from .modem import Modem
from .ports import SocketPort
from .processes import Processes
from .runner import Runner
from .state import State
from .telephone import Network, add_dead_ends
from .tun import IspTun
from .world import World

LINE_RATE = 115_200
NUMBERS = {"modem1": "5559000", "modem2": "5559001"}


class Exchange:
    """Lives on the lab's loop; these methods may be called from any other thread."""

    def __init__(self, runner: Runner, world: World, processes: Processes, state: State) -> None:
        self.modems: dict[str, ModemControl] = {}
        self._runner = runner
        self._world = world
        self._external = external.ExternalIsp(state, processes, world.internet)
        self._plugged: dict[str, Modem] = {}
        self._tun: IspTun | None = None

    def start(self) -> None:
        """Open the provider's numbers; the world must be there."""
        fd = self._world.internet.open_tun("isp0")
        self._external.prepare()
        self._runner.call(lambda: self._open(fd))

    def _open(self, fd: int) -> None:
        self.network = Network(line_rate=LINE_RATE)
        add_dead_ends(self.network)
        self._tun = IspTun(fd)
        isp = Isp(self._tun.uplink)
        isp.serve(self.network)
        self.network.add(external.NUMBER, self._external)
        self.isp = IspControl(self._runner, isp)

    @property
    def external_calls(self) -> int:
        """How many calls the provider that nobody here wrote was offered."""
        return self._external.calls

    def plug_in(self, name: str, path: Path) -> ModemControl:
        """Put a modem on a serial port of the emulated board; it can be called by its number."""

        def make() -> Modem:
            number = NUMBERS[name]
            modem = Modem(SocketPort(path), self.network, number=number)
            self.network.add(number, modem)
            self._plugged[name] = modem
            return modem

        self.modems[name] = ModemControl(self._runner, self._runner.call(make))
        return self.modems[name]

    def unplug(self, name: str) -> None:
        """Take a modem away; its port is free for another."""
        self._runner.call(self._plugged.pop(name).close)

    def clear(self) -> None:
        """Everything behaves well from now on; calls that are up stay up."""
        for modem in self.modems.values():
            modem.clear()
            modem.shape(rate=LINE_RATE, delay_s=0.0)
        self.isp.clear()

        def revive() -> None:
            self.network.dead = False

        self._runner.call(revive)

    def close(self) -> None:
        """Hang up and unplug."""
        self._runner.call(self._close)

    def _close(self) -> None:
        for modem in self._plugged.values():
            modem.close()
        self._external.close()
        if self._tun is not None:
            self._tun.close()
            self._tun = None
