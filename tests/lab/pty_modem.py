"""An emulated modem on a pty, for tests of a dialer without an emulated Pi.

with pty_modem() as lab:
    dial_with(lab.path)          # ATDT5551000 reaches the CHAP provider
    lab.modem.fault(silent=True)
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .controls import IspControl, ModemControl, SecondPortControl
from .isp import Isp
from .modem import Modem
from .ports import PtyPort
from .runner import Runner
from .second_port import SecondPort
from .sim import MobileSim
from .telephone import Network, add_dead_ends


@dataclass(frozen=True, slots=True)
class PtyLab:
    """A modem on `path` (a link that survives `modem.replug()`), its network and provider."""

    path: Path
    modem: ModemControl
    isp: IspControl
    network: Network
    runner: Runner

    @property
    def second_path(self) -> Path:
        """Where the modem's second port is while it is plugged in."""
        return self.path.with_name("second")

    @contextmanager
    def second_port(self, sim: MobileSim) -> Iterator[SecondPortControl]:
        """Plug in a second port of the modem, which tells of this SIM."""
        made = self.runner.call(lambda: SecondPort(PtyPort(self.second_path), sim))
        try:
            yield SecondPortControl(self.runner, made)
        finally:
            self.runner.call(made.close)


@contextmanager
def pty_modem(
    *, uart_rate: int = 115_200, line_rate: int = 115_200, set_up_s: float = 0.05
) -> Iterator[PtyLab]:
    """Give a pty with a modem on it, joined to a telephone network with the lab's numbers.

    Rates are in bit/s. The provider speaks PPP, but its packets go nowhere.
    """
    runner = Runner()
    with tempfile.TemporaryDirectory(prefix="masqgate-lab-") as folder:
        path = Path(folder) / "modem"

        def build() -> tuple[Modem, Isp, Network]:
            network = Network(line_rate=line_rate, set_up_s=set_up_s)
            add_dead_ends(network)
            isp = Isp()
            isp.serve(network)
            return Modem(PtyPort(path), network, uart_rate=uart_rate), isp, network

        modem, isp, network = runner.call(build)
        try:
            yield PtyLab(
                path, ModemControl(runner, modem), IspControl(runner, isp), network, runner
            )
        finally:
            runner.call(modem.close)
            runner.stop()
