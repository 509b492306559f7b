"""A terminal in place of the router's modem: what a person plugs in who needs the console."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from .console_line import ConsoleLine
from .lab import Lab
from .ports import SocketPort
from .processes import LabError


@contextlib.contextmanager
def terminal_for_modem(lab: Lab) -> Iterator[ConsoleLine]:
    """Unplug the first modem, and plug in a terminal; at the end the modem again, as if new."""
    pi = lab.pi
    if pi is None:
        raise LabError("this lab has no router")
    lab.exchange.unplug("modem1")
    line = lab.runner.call(
        lambda: ConsoleLine(SocketPort(pi.modem_path), lab.logs / "modem-line.log")
    )
    try:
        yield line
    finally:
        lab.runner.call(line.close)
        lab.exchange.plug_in("modem1", pi.modem_path)
