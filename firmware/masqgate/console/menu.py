"""The console's loop: a prompt, one letter, Enter."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from masqgate import __version__
from masqgate.contract.client import Client
from masqgate.contract.errors import MasqgateError
from masqgate.contract.paths import Paths
from masqgate.core import words

from .actions import Actions, Declined, unreachable
from .lock import Lock
from .terminal import HungUp, Interrupted, Terminal

PROMPT = "masqgate> "
LOOK_S = 3.0  # between two looks at the state, and the longest that one takes
PROBLEMS = 10  # of a refused configuration, that are shown

RELOCK_S = 600.0  # without a key, where the console asks for a password

HELP = (
    "  Enter  state              c  connect             d  disconnect",
    "  l      log                w  watch the log       t  self-test",
    "  a      set LAN address    p  reset password      v  previous settings",
    "  b      send a backup      i  receive a backup    n  receive an update",
    "  f      factory reset      o  other slot          u  restart supervisor",
    "  s      root shell         r  reboot              k  card and board",
    "  h      this help          Type a letter, then Enter.",
)

log = logging.getLogger(__name__)


class Menu:
    """Banner, state, prompt; over and over."""

    def __init__(self, terminal: Terminal, client: Client, paths: Paths) -> None:
        self._terminal = terminal
        self._quick = Client(paths.socket, LOOK_S)
        actions = Actions(terminal, client, paths)
        self._keys: dict[str, Callable[[], None]] = {
            "": self._show_state,
            "h": self._show_help,
            "?": self._show_help,
            "c": actions.connect,
            "d": actions.disconnect,
            "l": actions.log,
            "w": actions.watch,
            "t": actions.test,
            "k": actions.hardware,
            "a": actions.lan_address,
            "p": actions.reset_password,
            "v": actions.previous,
            "b": actions.transfers.send_backup,
            "i": actions.transfers.receive_backup,
            "n": actions.transfers.receive_update,
            "f": actions.factory,
            "o": actions.other_slot,
            "s": actions.shell,
            "u": actions.restart,
            "r": actions.reboot,
        }
        self._lock = Lock(terminal, paths)
        self._last_key = time.monotonic()
        self._known = self._state()

    def run(self) -> None:
        """Go on until the terminal is gone."""
        self._terminal.say("", f"Masqgate {__version__}: the router's console")
        self._lock.open()
        known = words.fitted(self._known)
        self._terminal.say(*known)
        # All of the menu only where the state above it stays on the screen.
        whole = len(known) + len(HELP) + 2 < words.HEIGHT
        self._terminal.say(*(HELP if whole else ("  h and Enter show the keys.",)))
        while True:
            try:
                self._turn()
            except HungUp:
                return
            except Exception:
                log.exception("the console")
                self._terminal.say("Something went wrong; the system log tells more.")

    def _turn(self) -> None:
        self._terminal.prompt(PROMPT)
        try:
            while (line := self._terminal.read(LOOK_S)) is None:
                if time.monotonic() - self._last_key > RELOCK_S and self._locked_again():
                    break
                self._tell_changes()
            else:
                self._do(line.strip().lower())
        except Interrupted:
            pass
        self._last_key = time.monotonic()

    def _locked_again(self) -> bool:
        """Ask for the password again, if the console does; whether it did."""
        self._last_key = time.monotonic()
        if not self._lock.wanted:
            return False
        self._terminal.say("Nobody has typed anything for ten minutes.")
        self._lock.open()
        return True

    def _do(self, key: str) -> None:
        action = self._keys.get(key)
        if action is None:
            self._terminal.say("That is no key of this menu; h and Enter show all.")
            return
        try:
            action()
        except Declined:
            self._terminal.say("Nothing was changed.")
        except Interrupted:
            self._terminal.say("Nothing was changed.")
        except MasqgateError as error:
            self._complain(error)
        self._known = self._state()

    def _complain(self, error: MasqgateError) -> None:
        self._terminal.say(*words.wrapped(str(error)))
        for problem in error.problems[:PROBLEMS]:
            self._terminal.say(*words.wrapped(f"- {problem}"))
        if unreachable(error):
            self._terminal.say("If this stays, u and Enter restart the supervisor.")

    def _show_state(self) -> None:
        self._known = self._state()
        self._terminal.say(*words.fitted(self._known))

    def _show_help(self) -> None:
        self._terminal.say(*HELP)

    def _tell_changes(self) -> None:
        """Print the state if it has changed, and the prompt again."""
        state = self._state()
        if state == self._known:
            return
        new = [line for line in state if line not in self._known]
        self._known = state
        self._terminal.say(*words.fitted(new))
        self._terminal.prompt(PROMPT)

    def _state(self) -> list[str]:
        """The state in words that change only if something has happened."""
        try:
            return words.summary_lines(self._quick.status())
        except MasqgateError as error:
            return words.wrapped(f"{error.text} If this stays, u and Enter restart it.")
