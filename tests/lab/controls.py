"""Synchronous handles on what lives in the lab's loop, for tests and for the command line."""

from __future__ import annotations

from typing import Any

from .at import Result
from .isp import Isp, IspCall
from .modem import Modem
from .modem_core import ModemFaults, ModemState
from .ports import Port, PtyPort
from .ppp_peer import Phase
from .runner import Runner, wait_until
from .second_port import SecondPort
from .sim import MobileSim


class ModemControl:
    """The emulated modem, as a test sees it. All methods may be called from any thread."""

    def __init__(self, runner: Runner, modem: Modem) -> None:
        self._runner = runner
        self._modem = modem

    @property
    def state(self) -> ModemState:
        """What the modem does now."""
        return self._modem.state

    @property
    def online(self) -> bool:
        """Whether a call is up, in data or in command state."""
        return self.state in (ModemState.ONLINE, ModemState.ONLINE_COMMAND)

    @property
    def commands(self) -> list[str]:
        """All command lines so far, without 'AT'."""
        return list(self._modem.core.commands)

    @property
    def heard(self) -> bytes:
        """The first 8 KiB that came on its serial port since that was opened last: at power-on."""
        return bytes(self._modem.heard)

    @property
    def calls(self) -> int:
        """How many calls have come up so far."""
        return self._modem.calls

    def drop_carrier(self) -> None:
        """The line breaks."""
        self._runner.call(self._modem.drop_carrier)

    def inject(self, data: bytes) -> None:
        """Send the computer any bytes."""
        self._runner.call(lambda: self._modem.inject(data))

    def fault(self, **faults: Any) -> None:
        """Set fields of `ModemFaults`, as in `fault(silent=True, dial_result=Result.BUSY)`.

        Also `fixed_rate` (bit/s): the only serial rate that the modem understands.
        """
        known = set(ModemFaults.__dataclass_fields__) | {"fixed_rate"}
        if unknown := set(faults) - known:
            raise ValueError(f"no such modem fault: {', '.join(sorted(unknown))}")
        for name, value in faults.items():
            target = self._modem if name == "fixed_rate" else self._modem.faults
            self._runner.call(lambda t=target, n=name, v=value: setattr(t, n, v))  # type: ignore[misc]

    def insert(self, sim: MobileSim | None) -> None:
        """Make it a mobile modem with this SIM, or a plain one."""
        self._runner.call(lambda: setattr(self._modem.core.at, "sim", sim))

    def clear(self) -> None:
        """Behave well from now on."""
        self._runner.call(self._modem.clear_faults)

    def power_cycle(self) -> None:
        """Lose the call and all settings."""
        self._runner.call(self._modem.power_cycle)

    def shape(self, *, rate: int | None = None, delay_s: float | None = None) -> None:
        """Line rate in bit/s (300 to 921,600) and added delay in seconds, each way."""
        self._runner.call(lambda: self._modem.shape_line(rate=rate, delay_s=delay_s))

    def set_uart_rate(self, rate: int) -> None:
        """Serial rate in bit/s."""
        self._runner.call(lambda: self._modem.set_uart_rate(rate))

    def replug(self) -> None:
        """The adapter vanishes and comes back under another name (on a pty only)."""
        _replug(self._runner, self._modem._port)

    def wait_online(self, timeout_s: float = 30.0) -> None:
        """Wait for a call to be up; TimeoutError otherwise."""
        wait_until(lambda: self.online, timeout_s, "the modem is online")

    def wait_idle(self, timeout_s: float = 30.0) -> None:
        """Wait for the call to be over; TimeoutError otherwise."""
        wait_until(lambda: not self.online, timeout_s, "the modem is idle")


class SecondPortControl:
    """The modem's second port, as a test sees it. All methods may be called from any thread."""

    def __init__(self, runner: Runner, second: SecondPort) -> None:
        self._runner = runner
        self._second = second

    @property
    def commands(self) -> list[str]:
        """All command lines so far, without 'AT'."""
        return list(self._second.core.commands)

    def fault(self, **faults: Any) -> None:
        """Set fields of `ModemFaults`."""
        for name, value in faults.items():
            self._runner.call(lambda n=name, v=value: setattr(self._second.faults, n, v))  # type: ignore[misc]

    def inject(self, data: bytes) -> None:
        """Send the computer any bytes."""
        self._runner.call(lambda: self._second.inject(data))

    def replug(self) -> None:
        """The port vanishes and comes back under another number, with the same link."""
        _replug(self._runner, self._second.port)


def _replug(runner: Runner, port: Port) -> None:
    if not isinstance(port, PtyPort):
        raise ValueError("only a port that is a pty can be replugged")
    runner.call(port.replug)


class IspControl:
    """The provider, as a test sees it. All methods may be called from any thread."""

    def __init__(self, runner: Runner, isp: Isp) -> None:
        self._runner = runner
        self.isp = isp

    @property
    def up(self) -> bool:
        """Whether IP flows on some call."""
        return self._runner.call(
            lambda: any(call.ppp.phase is Phase.UP for call in self.isp.calls)
        )

    @property
    def address(self) -> str:
        """The caller's address; an empty string if no call is up."""
        call = self.isp.call
        return str(call.ppp.peer_address) if call is not None and self.up else ""

    @property
    def log(self) -> list[str]:
        """What the newest call's PPP server noted; also of a call that is over."""
        calls = self.isp.calls or self.isp.history
        return list(calls[-1].ppp.log) if calls else []

    def fault(self, **faults: Any) -> None:
        """Set fields of `IspFaults`, e.g. `fault(refuse_auth="No credit")`."""
        unknown = [name for name in faults if not hasattr(self.isp.faults, name)]
        if unknown:
            raise ValueError(f"no such provider fault: {', '.join(unknown)}")
        for name, value in faults.items():
            self._runner.call(lambda n=name, v=value: setattr(self.isp.faults, n, v))  # type: ignore[misc]

    def clear(self) -> None:
        """Behave well from now on."""
        self._runner.call(self.isp.clear_faults)

    def hang(self) -> None:
        """Say nothing any more, while the carrier stays."""
        self.fault(hang=True)

    def terminate(self) -> None:
        """End PPP on the newest call as an administrator would."""
        self._runner.call(lambda: self._call().terminate())

    def hang_up(self) -> None:
        """Cut the newest call's line from the provider's side."""
        self._runner.call(lambda: self._call().hang_up())

    def send(self, packet: bytes) -> None:
        """Give the newest call an IP packet, wherever it says it comes from."""
        self._runner.call(lambda: self._call().give(packet))

    def set_password(self, password: str) -> None:
        """Change the password of the account `masqgate`."""
        self._runner.call(lambda: self.isp.set_password(password))

    def wait_up(self, timeout_s: float = 60.0) -> str:
        """Wait until IP flows; return the caller's address. TimeoutError otherwise."""
        wait_until(lambda: self.up, timeout_s, "PPP is up at the provider")
        return self.address

    def wait_down(self, timeout_s: float = 60.0) -> None:
        """Wait until no call carries IP; TimeoutError otherwise."""
        wait_until(lambda: not self.up, timeout_s, "PPP is down at the provider")

    def _call(self) -> IspCall:
        if self.isp.call is None:
            raise RuntimeError("no call is up")
        return self.isp.call


__all__ = ["IspControl", "ModemControl", "Result", "SecondPortControl"]
