"""`python3 -m masqgate.console`: the menu on standard input and output."""

from __future__ import annotations

import logging
import sys

from masqgate.contract.client import Client
from masqgate.contract.paths import Paths

from .menu import Menu
from .terminal import HungUp, Terminal, ignore_signals

ANSWER_S = 60.0  # putting a configuration in force takes its time on a small board


def main() -> int:
    """Serve the menu until the terminal is gone; the service manager starts it again."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s", stream=sys.stderr)
    ignore_signals()
    paths = Paths.from_environment()
    try:
        Menu(Terminal(), Client(paths.socket, ANSWER_S), paths).run()
    except HungUp:
        logging.getLogger(__name__).info("the terminal is gone")
    return 0


if __name__ == "__main__":
    sys.exit(main())
