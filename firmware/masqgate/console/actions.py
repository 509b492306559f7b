"""What the keys of the console do. Each goes through the supervisor, or around a dead one."""

from __future__ import annotations

import os
import pwd
from collections.abc import Callable
from pathlib import Path

from masqgate.contract.client import Client
from masqgate.contract.config import Config
from masqgate.contract.document import parse, render
from masqgate.contract.errors import MasqgateError
from masqgate.contract.paths import Paths
from masqgate.contract.status import Entry
from masqgate.core import ladder, lan, words
from masqgate.core.hardware import reasons
from masqgate.system import offline, other_slot
from masqgate.system.ladder import climb
from masqgate.system.run import ToolError, run
from masqgate.system.sensors import Sensors
from masqgate.system.slots import Slots
from masqgate.system.store import Store

from .terminal import Terminal
from .transfers import Transfers

EVENTS = 15  # what fits a screen
FOLLOW_S = 1.0  # between two looks for new events
SUPERVISOR = "masqgate.service"
_ENVIRONMENT = ("PATH", "TERM", "LANG", "TZ")


class Declined(Exception):
    """The question was answered with no."""


class Actions:
    """One method for each key."""

    def __init__(self, terminal: Terminal, client: Client, paths: Paths) -> None:
        self._terminal = terminal
        self._client = client
        self._paths = paths
        self.transfers = Transfers(terminal, client, paths, self._confirm, self._or_offline)

    def connect(self) -> None:
        """Dial."""
        self._client.connect(self._which())
        self._terminal.say("The modem was told to dial.")

    def disconnect(self) -> None:
        """Hang up."""
        self._client.disconnect(self._which())
        self._terminal.say("The modem was told to hang up; it stays down until 'c'.")

    def test(self) -> None:
        """Run the self-test."""
        self._terminal.say("Ctrl-C ends the test.")
        results = []
        for result in climb(self._client.status(), ladder.Targets()):
            self._terminal.say(*words.result_lines(result))
            results.append(result)
            if self._terminal.interrupted():
                self._terminal.say("Ended.")
                return
        verdict = "something is wrong" if ladder.failed(tuple(results)) else "all is well"
        self._terminal.say(f"The test is over: {verdict}.")

    def hardware(self) -> None:
        """Tell how board, card and data partition are; without the supervisor, too."""
        try:
            status = self._client.status()
            told, warnings = status.hardware, status.warnings
        except MasqgateError as error:
            if not unreachable(error):
                raise
            told = Sensors(self._paths).read()
            warnings = (*reasons(told), *Store(self._paths).health())
        lines = words.hardware_lines(told, warnings)
        self._terminal.say(*words.fitted(lines))

    def log(self) -> None:
        """List the newest events."""
        entries = self._client.log(limit=EVENTS)
        lines = [line for entry in entries for line in words.entry_lines(entry)]
        self._terminal.say(*lines[-20:])

    def watch(self) -> None:
        """List new events as they come."""
        self._terminal.say("New events follow; Ctrl-C ends it.")
        after = 0
        for entry in self._client.log(limit=5):
            after = entry.number
            self._terminal.say(*words.entry_lines(entry))
        while not self._terminal.interrupted(FOLLOW_S):
            for entry in self._newer(after):
                after = entry.number
                self._terminal.say(*words.entry_lines(entry))
        self._terminal.say("Ended.")

    def other_slot(self) -> None:
        """Have the other slot started next: the system before the last update."""
        self._confirm("Start the system in the other slot at the next reboot?")
        self._terminal.say(
            other_slot.start_next(Slots.of_this_router(self._paths)), "Reboot (r) to start it."
        )

    def lan_address(self) -> None:
        """Give the router another address on the LAN."""
        config = self._config()
        self._terminal.say(f"The router's LAN address is {config.lan.address}.")
        text = self._terminal.ask("New address (Enter: leave it): ")
        if not text:
            raise Declined
        new = lan.moved(config, text)
        self._or_offline(
            lambda: self._client.config_apply(render(new)),
            lambda: offline.save(self._paths, lan.moved(offline.config(self._paths), text)),
        )
        self._terminal.say(
            f"The router's LAN address is {new.lan.address} now.",
            f"Leases go from {new.lan.dhcp_first} to {new.lan.dhcp_last}.",
            "Hosts notice when they renew their lease: unplug their cable for a moment.",
            f"The admin page is then at http://{new.lan.interface.ip}/",
        )

    def reset_password(self) -> None:
        """Forget the administrator's password."""
        self._confirm("Forget the admin password, so that the page asks for a new one?")
        self._or_offline(self._client.password_reset, lambda: offline.reset_password(self._paths))
        self._terminal.say("The password is forgotten. Set a new one on the page soon.")

    def previous(self) -> None:
        """Go back to the configuration before this one."""
        self._confirm("Go back to the configuration before this one?")
        self._or_offline(self._client.config_previous, lambda: offline.previous(self._paths))
        self._terminal.say("The previous configuration is in force.")

    def factory(self) -> None:
        """Reset the router."""
        self._terminal.say("This erases settings, password and history.")
        if self._terminal.ask("Type the word 'factory' to go on: ") != "factory":
            raise Declined
        self._or_offline(self._client.config_factory, lambda: offline.factory_reset(self._paths))
        self._terminal.say("The router is as it came from the factory.")

    def shell(self) -> None:
        """Give a root shell."""
        self._terminal.say("Type 'exit' to come back to the menu.")
        user = pwd.getpwuid(os.getuid())
        home = user.pw_dir if Path(user.pw_dir).is_dir() else "/"
        environment = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
        environment |= dict.fromkeys(("USER", "LOGNAME"), user.pw_name)
        environment |= {"HOME": home, "SHELL": "/bin/sh"}
        if self._terminal.run(["/bin/sh", "-l"], environment, home) == 127:
            self._terminal.say("There was no shell, or its last command was not found.")

    def restart(self) -> None:
        """Start the supervisor again."""
        self._confirm("Restart the supervisor? Calls go on meanwhile.")
        self._systemctl("restart", "--no-block", SUPERVISOR)
        self._terminal.say("It is being restarted; this takes some seconds.")

    def reboot(self) -> None:
        """Restart the router."""
        self._confirm("Reboot the router? Calls end.")
        self._systemctl("reboot")
        self._terminal.say("The router is going down.")

    def _newer(self, after: int) -> tuple[Entry, ...]:
        """Return new events; none while the supervisor restarts."""
        try:
            return self._client.log(after=after, limit=100)
        except MasqgateError as error:
            if not unreachable(error):
                raise
            return ()

    def _which(self) -> str:
        """Ask for the uplink, if more than one dials."""
        names = [link.name for link in self._client.status().uplinks if link.kind == "modem"]
        if len(names) < 2:
            return ""
        return self._terminal.ask(f"Which one ({', '.join(names)}; Enter: {names[0]})? ")

    def _confirm(self, question: str) -> None:
        if self._terminal.ask(f"{question} [y/N] ").lower() not in ("y", "yes"):
            raise Declined

    def _config(self) -> Config:
        try:
            return parse(self._client.config_show())
        except MasqgateError as error:
            if not unreachable(error):
                raise
            return offline.config(self._paths)

    def _or_offline(self, online: Callable[[], None], on_files: Callable[[], None]) -> None:
        """Call the supervisor; if it is down, offer to change its files instead."""
        try:
            online()
        except MasqgateError as error:
            if not unreachable(error):
                raise
            self._terminal.say(error.text)
            self._confirm("Change the files instead, for its next start?")
            on_files()

    def _systemctl(self, *arguments: str) -> None:
        try:
            run(["systemctl", *arguments])
        except ToolError as error:
            hint = "A root shell (s) may tell more."
            raise MasqgateError("systemctl", f"{error}.", hint) from None


def unreachable(error: MasqgateError) -> bool:
    """Whether the supervisor is down."""
    return error.code.startswith("supervisor_")
