"""Whose port it is at the moment: opened anew, closed, and never waited for."""

from __future__ import annotations

from collections.abc import Callable

from ..link import events as ev
from .serialport import PORT_RULE, PortRule, SerialPort

MAX_HUNG = 3  # ports that do not open or close: the kernel's fault, but it must not grow


class PortHolder:
    """At most one port; its events come with a number, by which those of an earlier one show.

    `emit` is called in the port's thread. `dtr_low_s`: how long DTR is low at first (seconds);
    None: this port's DTR is left alone.
    """

    def __init__(
        self,
        emit: Callable[[int, ev.Event], None],
        dtr_low_s: float | None,
        rule: PortRule = PORT_RULE,
    ) -> None:
        self.generation = 0  # the number of the port of the moment
        self.port: SerialPort | None = None
        self._emit = emit
        self._dtr_low_s = dtr_low_s
        self._rule = rule
        self._former: SerialPort | None = None
        self._hung: list[SerialPort] = []  # told to close, and not closed yet

    def do(self, command: ev.Command) -> None:
        """Carry out a command if it is one to a port; without a port most are void."""
        match command:
            case ev.OpenPort(path, speed, flow_control):
                self._open(path, speed, flow_control)
            case ev.ClosePort():
                self.close()
            case ev.WritePort(data) if self.port is not None:
                self.port.write(data)
            case ev.DropDtr() if self.port is not None:
                self.port.drop_dtr()
            case ev.LendPort() if self.port is not None:
                self.port.lend()

    def _open(self, path: str, speed: int, flow_control: bool) -> None:
        self.close()
        self.generation += 1
        generation = self.generation
        self._hung = [port for port in self._hung if not port.closed.is_set()]
        if len(self._hung) > MAX_HUNG:
            text = "earlier attempts still hang in the kernel"
            self._emit(generation, ev.PortFailed("broken", text))
            return
        self.port = SerialPort(
            path,
            speed,
            flow_control,
            self._dtr_low_s,
            lambda event: self._emit(generation, event),
            self._former,
            self._rule,
        )

    def close(self) -> None:
        """Let go of the port, if there is one; events of it are none any more."""
        if self.port is not None:
            self.port.close()
            self._former, self.port = self.port, None
            self._hung.append(self._former)
            self.generation += 1
