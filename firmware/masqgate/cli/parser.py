"""The words of the command line."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Protocol

from masqgate.contract.client import Client
from masqgate.core import ladder

from . import codes, updates, verbs

Verb = Callable[[Client, argparse.Namespace], int]
Parser = argparse.ArgumentParser


class _Commands(Protocol):
    """What add_subparsers gives; argparse has no public name for it."""

    def add_parser(self, name: str, *, help: str, description: str) -> Parser:
        """Add a command."""


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    root = argparse.ArgumentParser(
        prog="masqgate",
        description="See and control this router.",
        epilog=codes.EXPLAINED,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = root.add_subparsers(title="commands", metavar="COMMAND", required=True)
    status = _verb(commands, "status", verbs.status, "tell the state of the router")
    status.add_argument("--json", action="store_true", help="as JSON, for programs")
    uplinks = _verb(commands, "uplinks", verbs.uplinks, "tell how each uplink is, in their order")
    uplinks.add_argument("--json", action="store_true", help="as JSON, for programs")
    hardware = _verb(commands, "hardware", verbs.hardware, "tell how board and card are")
    hardware.add_argument("--json", action="store_true", help="as JSON, for programs")
    text = "tell the fingerprint of the page's certificate (https)"
    _verb(commands, "certificate", verbs.certificate, text)
    for name, verb, text in (
        ("connect", verbs.connect, "bring an uplink up, now"),
        ("disconnect", verbs.disconnect, "hang up, and stay down until 'connect'"),
    ):
        one = _verb(commands, name, verb, text)
        one.add_argument("uplink", nargs="?", default="", help="its name (default: the first)")
    _config_verbs(_group(commands, "config", "see, check and change the configuration"))
    log = _verb(commands, "log", verbs.log, "list the newest events")
    log.add_argument("-f", "--follow", action="store_true", help="go on with new ones")
    log.add_argument("-n", "--number", type=_count, default=20, help="how many (default: 20)")
    calls = _verb(commands, "calls", verbs.calls, "list the calls that a modem has answered")
    calls.add_argument("-n", "--number", type=_count, default=20, help="how many (default: 20)")
    calls.add_argument("--json", action="store_true", help="as JSON, for programs")
    apn = _verb(commands, "apn", verbs.apn, "look up access points of mobile providers")
    apn.add_argument(
        "where", nargs="?", default="", help="a country (at), or a network's MCC and MNC (23201)"
    )
    apn.add_argument("--json", action="store_true", help="as JSON, for programs")
    flows = _verb(commands, "flows", verbs.flows, "list the masqueraded connections")
    flows.add_argument("--json", action="store_true", help="as JSON, for programs")
    password = _group(commands, "password", "the administrator's password of the page")
    _verb(password, "reset", verbs.password_reset, "forget it; the page asks for a new one")
    _verb(password, "set", verbs.password_set, "set it (asks; does not echo)")
    _backup_verbs(commands)
    _test_verb(commands)
    _update_verbs(_group(commands, "update", "install another version of the system"))
    _verb(commands, "version", verbs.version, "tell the version")
    return root


def _config_verbs(config: _Commands) -> None:
    _verb(config, "show", verbs.show, "print the configuration in force, secrets hidden")
    for name, verb, text in (
        ("check", verbs.check, "tell what is wrong with a document; changes nothing"),
        ("apply", verbs.apply, "put a document in force and save it, or change nothing"),
    ):
        one = _verb(config, name, verb, text)
        one.add_argument("file", metavar="FILE", help="a TOML document; - for standard input")
        if name == "apply":
            one.add_argument(
                "--confirm", type=int, default=0, metavar="SECONDS",
                help="take it back unless `masqgate config confirm` comes within this time",
            )  # fmt: skip
    _verb(config, "confirm", verbs.confirm_config, "save what `apply --confirm` has put in force")
    for name, verb, text in (
        ("previous", verbs.previous, "go back to the configuration before this one"),
        ("factory", verbs.factory, "reset the router; erases settings, password and history"),
    ):
        one = _verb(config, name, verb, text)
        one.add_argument("--yes", action="store_true", help="do not ask")


def _update_verbs(update: _Commands) -> None:
    _verb(update, "status", updates.status, "tell what is in both slots").add_argument(
        "--json", action="store_true", help="as JSON, for programs"
    )
    for name, verb, text in (
        ("check", updates.check, "verify a bundle; writes nothing"),
        ("install", updates.install, "write a bundle to the slot that does not run"),
    ):
        one = _verb(update, name, verb, text)
        one.add_argument("file", metavar="FILE", help="a bundle of a release")
        one.add_argument(
            "--allow-downgrade", action="store_true", help="take an older version all the same"
        )
    _verb(update, "back", updates.back, "start the other slot at the next restart")


def _backup_verbs(commands: _Commands) -> None:
    one = _verb(commands, "backup", verbs.backup, "write settings and password to a file")
    one.add_argument("file", metavar="FILE", help="- for standard output")
    one.add_argument("--without-secrets", action="store_true", help="leave passwords and PINs out")
    one = _verb(commands, "restore", verbs.restore, "put a backup in force, or change nothing")
    one.add_argument("file", metavar="FILE", help="a backup; - for standard input")
    one.add_argument("--yes", action="store_true", help="do not ask")


def _test_verb(commands: _Commands) -> None:
    usual = ladder.Targets()
    test = _verb(commands, "test", verbs.test, "try everything from the firewall to a web page")
    test.add_argument("--address", default=usual.address, help="default: %(default)s")
    test.add_argument("--port", type=int, default=usual.port, help="default: %(default)s")
    test.add_argument("--name", default=usual.name, help="default: %(default)s")
    test.add_argument("--page", default=usual.page, help="default: %(default)s")


def _group(commands: _Commands, name: str, text: str) -> _Commands:
    one = commands.add_parser(name, help=text, description=_sentence(text))
    return one.add_subparsers(title="commands", metavar="COMMAND", required=True)


def _verb(commands: _Commands, name: str, verb: Verb, text: str) -> Parser:
    one = commands.add_parser(name, help=text, description=_sentence(text))
    one.set_defaults(verb=verb)
    return one


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def _count(text: str) -> int:
    number = int(text)
    if not 1 <= number <= 1000:
        raise argparse.ArgumentTypeError("take 1 to 1000")
    return number
