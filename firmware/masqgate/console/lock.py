"""The administrator's password before the menu, where the configuration asks for it.

It is compared with the stored hash here, not by a call: the console works without the
supervisor, and nobody on the LAN can lock it by typing wrong passwords on the page.
"""

from __future__ import annotations

import time

from masqgate.contract.errors import MasqgateError
from masqgate.contract.paths import Paths
from masqgate.system import offline
from masqgate.system.uart import lent_by_key

from .terminal import Terminal

WRONG_S = 3.0  # wait after a wrong password
PROMPT = "Masqgate: administrator's password: "


class Lock:
    """Whether the menu is open to whoever sits at the terminal."""

    def __init__(self, terminal: Terminal, paths: Paths) -> None:
        self._terminal = terminal
        self._paths = paths

    @property
    def wanted(self) -> bool:
        """Whether a password is to be asked for, and there is one.

        It is if it is configured, or if the modem's UART became the console by a key.
        """
        remote = lent_by_key(self._paths, self._terminal.name)
        return offline.console_password(self._paths, remote)

    def open(self) -> None:
        """Ask until the password is right; HungUp if the terminal is gone."""
        while self.wanted:
            try:
                typed = self._terminal.ask_secret(PROMPT)
            except MasqgateError:
                continue
            if not typed:
                continue
            if offline.password_is(self._paths, typed):
                return
            time.sleep(WRONG_S)
            self._terminal.say("This is not the password.")
