"""What the command line asks of whoever types: a document, a yes, a secret."""

from __future__ import annotations

import contextlib
import getpass
import sys
from pathlib import Path

from masqgate.contract.document import MAX_DOCUMENT
from masqgate.contract.errors import MasqgateError
from masqgate.system import atomic


def document(name: str, limit: int = MAX_DOCUMENT) -> str:
    """Read a document; more than the limit is read, so that its size can be complained of."""
    try:
        with contextlib.ExitStack() as stack:
            file = sys.stdin.buffer if name == "-" else stack.enter_context(Path(name).open("rb"))
            return file.read(limit + 1).decode()
    except OSError as error:
        text = f"'{name}' cannot be read: {(error.strerror or 'an error').lower()}."
        raise MasqgateError("unreadable", text) from None
    except UnicodeDecodeError:
        text = f"'{name}' is not a text in UTF-8."
        raise MasqgateError("config_invalid", text) from None


def write_secret(name: str, text: str) -> None:
    """Write a file that only root can read; MasqgateError if that fails."""
    path = Path(name)
    if path.exists() and not path.is_file():
        raise MasqgateError("unwritable", f"'{name}' is no file.", "- is standard output.")
    try:
        atomic.write(path, text.encode())
    except OSError as error:
        why = f"'{name}' cannot be written: {(error.strerror or 'an error').lower()}."
        raise MasqgateError("unwritable", why) from None


def confirm(yes: bool, question: str) -> None:
    """Ask, unless the answer was given; MasqgateError without a yes."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise MasqgateError("not_confirmed", "Nothing was changed.", "Confirm it with --yes.")
    try:
        answer = input(f"{question} [y/N] ")
    except EOFError:
        answer = ""
    if answer.strip().lower() not in ("y", "yes"):
        raise MasqgateError("not_confirmed", "Nothing was changed.")


def secret(prompt: str) -> str:
    """Ask without an echo; from a pipe, take a line."""
    try:
        if sys.stdin.isatty():
            return getpass.getpass(prompt)
        return sys.stdin.readline().rstrip("\n")
    except EOFError:
        return ""
