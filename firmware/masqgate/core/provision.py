"""The file `masqgate.toml` on the card: a configuration, and perhaps a password to set. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from masqgate.contract import backup
from masqgate.contract.config import Config
from masqgate.contract.document import from_plain, keep_secrets, load
from masqgate.contract.errors import InvalidConfig, MasqgateError, Problem

from . import passwords

SECTION = "provision"
_EXAMPLE = 'Write [provision] and below it password = "…".'


@dataclass(frozen=True)
class Provision:
    """What the file asks for. At most one of `password` and `password_hash` is set."""

    config: Config
    password: str = field(default="", repr=False)
    password_hash: str = field(default="", repr=False)


def read(text: str, stored: Config) -> Provision:
    """Read the file; InvalidConfig with every problem in it. No sentence tells a secret.

    `stored` is the configuration so far: '(secret)' stands for what it holds.
    """
    if not text.strip():
        raise InvalidConfig((Problem("", "empty", "The file is empty."),))
    plain = load(text, backup.LARGEST)
    section = plain.pop(SECTION, {})
    label = plain.pop("backup", None)
    problems = list(_section(section))
    password_hash = ""
    if label is not None:
        try:
            password_hash = backup.label_of(label).password
        except MasqgateError as error:
            problems.append(Problem("backup", error.code, error.text, error.hint))
    config = Config()
    try:
        config = keep_secrets(from_plain(plain), stored)
    except InvalidConfig as error:
        problems += error.problems
    if problems:
        raise InvalidConfig(tuple(problems))
    password = section.get("password", "")
    return Provision(config, password, "" if password else password_hash)


def _section(section: Any) -> Iterator[Problem]:
    if not isinstance(section, dict):
        yield Problem(SECTION, "wrong_type", "A table is expected.", _EXAMPLE)
        return
    for key in section:
        if key != "password":
            yield Problem(
                f"{SECTION}.{key}", "unknown_key", f"'{key}' is not known here.", _EXAMPLE
            )
    if "password" not in section:
        return
    password = section["password"]
    if not isinstance(password, str):
        yield Problem(f"{SECTION}.password", "bad_value", "A text in quotes is expected.")
        return
    try:
        passwords.check(password)
    except MasqgateError as error:
        yield Problem(f"{SECTION}.password", error.code, error.text, error.hint)
