"""What each command does, and prints."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterable

from msgspec import ValidationError, convert

from masqgate import __version__
from masqgate.contract.apn import ApnQuery
from masqgate.contract.backup import LARGEST, read
from masqgate.contract.client import Client
from masqgate.contract.codec import to_json
from masqgate.contract.document import parse
from masqgate.contract.errors import MasqgateError
from masqgate.contract.paths import Paths
from masqgate.contract.status import Entry
from masqgate.core import ladder, words
from masqgate.system.certificate import fingerprint
from masqgate.system.run import ToolError

from .asking import confirm, document, secret, write_secret
from .codes import GOOD, TEST_FAILED, UNREACHABLE, code_of

FOLLOW_S = 1.0


def status(client: Client, wanted: argparse.Namespace) -> int:
    """Tell the state of the router."""
    status = client.status()
    if wanted.json:
        print(to_json(status).decode())
    else:
        _print(words.status_lines(status))
    return GOOD


def uplinks(client: Client, wanted: argparse.Namespace) -> int:
    """Tell how the uplinks are, in their order."""
    status = client.status()
    if wanted.json:
        print(to_json(status.uplinks).decode())
    else:
        _print(words.uplinks_lines(status))
    return GOOD


def hardware(client: Client, wanted: argparse.Namespace) -> int:
    """Tell how board, card and data partition are."""
    status = client.status()
    if wanted.json:
        print(to_json(status.hardware).decode())
    else:
        _print(words.hardware_lines(status.hardware, status.warnings))
    return GOOD


def certificate(_: Client, wanted: argparse.Namespace) -> int:
    """Tell by what to know the page's certificate."""
    file = Paths.from_environment().certificate
    if not file.exists():
        text = "No certificate has been made since the router started."
        raise MasqgateError("no_certificate", text, "The first visit by https makes one.")
    try:
        print(f"SHA-256 {fingerprint(file)}")
    except ToolError as error:
        raise MasqgateError("no_certificate", f"The certificate can't be read: {error}.") from None
    return GOOD


def connect(client: Client, wanted: argparse.Namespace) -> int:
    """Bring an uplink up."""
    client.connect(wanted.uplink)
    print("The modem was told to dial; `masqgate status` tells how it goes.")
    return GOOD


def disconnect(client: Client, wanted: argparse.Namespace) -> int:
    """Hang up."""
    client.disconnect(wanted.uplink)
    print("The modem was told to hang up; it stays down until `masqgate connect`.")
    return GOOD


def show(client: Client, _: argparse.Namespace) -> int:
    """Print the configuration in force."""
    print(client.config_show(), end="")
    return GOOD


def check(client: Client, wanted: argparse.Namespace) -> int:
    """Tell what is wrong with a document."""
    text = document(wanted.file)
    try:
        client.config_check(text)
    except MasqgateError as error:
        if code_of(error) != UNREACHABLE:
            raise
        parse(text)
        print("The document is good, as far as can be told without the supervisor.")
        return GOOD
    print("The document is good.")
    return GOOD


def apply(client: Client, wanted: argparse.Namespace) -> int:
    """Put a document in force."""
    client.config_apply(document(wanted.file), wanted.confirm)
    if wanted.confirm:
        print(f"The configuration is in force. Confirm it within {wanted.confirm} seconds.")
    else:
        print("The configuration is in force and saved.")
    return GOOD


def confirm_config(client: Client, _: argparse.Namespace) -> int:
    """Save the configuration that waits for it."""
    client.config_confirm()
    print("The configuration is saved.")
    return GOOD


def previous(client: Client, wanted: argparse.Namespace) -> int:
    """Go back to the configuration before this one."""
    confirm(wanted.yes, "Go back to the configuration before this one?")
    client.config_previous()
    print("The previous configuration is in force.")
    return GOOD


def factory(client: Client, wanted: argparse.Namespace) -> int:
    """Reset the router."""
    confirm(wanted.yes, "Erase settings, password and history?")
    client.config_factory()
    print("The router is as it came from the factory.")
    return GOOD


def log(client: Client, wanted: argparse.Namespace) -> int:
    """List events."""
    entries = client.log(limit=wanted.number)
    after = 0
    while True:
        for entry in entries:
            print(words.entry_line(entry), flush=True)
            after = entry.number
        if not wanted.follow:
            return GOOD
        time.sleep(FOLLOW_S)
        entries = _follow(client, after)


def _follow(client: Client, after: int) -> tuple[Entry, ...]:
    """Return new events; none while the supervisor restarts."""
    try:
        return client.log(after=after, limit=1000)
    except MasqgateError as error:
        if code_of(error) != UNREACHABLE:
            raise
        return ()


def flows(client: Client, wanted: argparse.Namespace) -> int:
    """List masqueraded connections."""
    if wanted.json:
        print(to_json(client.all_flows()).decode())
    else:
        _print(words.flow_lines(client.flows()))
    return GOOD


def apn(client: Client, wanted: argparse.Namespace) -> int:
    """Look up access points."""
    where = wanted.where.replace("-", "").replace(" ", "")
    try:
        query = convert({"network" if where.isdigit() else "country": where}, ApnQuery)
    except ValidationError as error:
        text = f"'{wanted.where}' is neither a country nor a network."
        hint = "Take a country's two letters (at), or MCC and MNC (23201)."
        raise MasqgateError("bad_query", text, hint) from error
    known = client.apns(query)
    if wanted.json:
        print(to_json(known).decode())
    else:
        _print(words.apn_lines(known))
    return GOOD


def calls(client: Client, wanted: argparse.Namespace) -> int:
    """List the calls that were answered."""
    entries = client.call_log(wanted.number)
    if wanted.json:
        print(to_json([entry.call for entry in entries]).decode())
    else:
        _print(words.call_lines(entries))
    return GOOD


def backup(client: Client, wanted: argparse.Namespace) -> int:
    """Write a backup."""
    text = client.backup(secrets=not wanted.without_secrets)
    if wanted.file == "-":
        print(text, end="")
        return GOOD
    write_secret(wanted.file, text)
    print(f"The backup is in {wanted.file}.")
    return GOOD


def restore(client: Client, wanted: argparse.Namespace) -> int:
    """Put a backup in force."""
    text = document(wanted.file, LARGEST)
    read(text)
    confirm(wanted.yes, "Replace the configuration, and the password if the backup has one?")
    client.restore(text)
    print("The backup is in force and saved.")
    return GOOD


def password_reset(client: Client, _: argparse.Namespace) -> int:
    """Forget the administrator's password."""
    client.password_reset()
    print("The password is forgotten; the admin page asks for a new one.")
    return GOOD


def password_set(client: Client, _: argparse.Namespace) -> int:
    """Set the administrator's password."""
    password = secret("New password: ")
    if password != secret("Once more: "):
        raise MasqgateError("not_the_same", "The two are not the same; nothing was changed.")
    client.password_set(password)
    print("The password is set.")
    return GOOD


def test(client: Client, wanted: argparse.Namespace) -> int:
    """Run the self-test."""
    from masqgate.system.ladder import climb  # what it needs is slow to load

    targets = ladder.Targets(wanted.address, wanted.port, wanted.name, wanted.page)
    results = []
    for result in climb(client.status(), targets):
        _print(words.result_lines(result))
        results.append(result)
    return TEST_FAILED if ladder.failed(tuple(results)) else GOOD


def version(_: Client, __: argparse.Namespace) -> int:
    """Tell the version."""
    print(f"masqgate {__version__}")
    return GOOD


def _print(lines: Iterable[str]) -> None:
    for line in lines:
        print(line, flush=True)
