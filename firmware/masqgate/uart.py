"""`python3 -m masqgate.uart`: gives the modem's UART to the console, if somebody asks for it.

Run once at each start, before any dialer; see docs/CONSOLE.md.
"""

from __future__ import annotations

import logging
import sys
from pathlib import Path

from .contract.paths import Paths
from .system import gpio, uart
from .system.offline import config
from .system.services import Systemd

NAME = "ttyAMA0"
WANTED = Path("/run/masqgate-boot/console-wanted")

log = logging.getLogger("masqgate")


def main() -> int:
    """Decide, and start the console; always 0, because the router is to start in any case."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s", stream=sys.stderr)
    paths, device = Paths.from_environment(), f"/dev/{NAME}"
    if not Path(device).exists() or uart.is_kernels(NAME):
        return 0
    seconds = config(paths).console.window_s
    why = uart.why_console(
        WANTED, lambda: gpio.is_high(uart.JUMPER), lambda: uart.listen(device, seconds)
    )
    if not why:
        return 0
    try:
        uart.lend(paths, NAME, why)
    except OSError as error:
        # Without the note the dialer would open the port, too.
        log.error("the modem's UART stays the modem's: %s", error.strerror)
        return 0
    log.info("the modem's UART is the console (%s)", why)
    Systemd().start_later(f"masqgate-console@{NAME}.service")
    return 0


if __name__ == "__main__":
    sys.exit(main())
