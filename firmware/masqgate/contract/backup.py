"""A backup: the configuration document, and a last table `[backup]` that tells what it is.

One text and no archive: it has no members, so there is no path in it that could lead out of a
folder, no link, no device, and nothing that grows when it is unpacked.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from typing import Any

import msgspec
import tomli_w

from .config import Config
from .document import MAX_DOCUMENT, from_plain, load, render
from .errors import MasqgateError

FORMAT = 1
LARGEST = MAX_DOCUMENT + 4096  # bytes
SUFFIX = ".masqgate.toml"
_HEAD = "\n[backup]\n"
# What `system/password.py` makes; other costs would only keep the router busy.
_HASH = re.compile(r"scrypt\$(16384|32768)\$8\$1\$[A-Za-z0-9+/]{22}==\$[A-Za-z0-9+/]{43}=")


class Label(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The table `[backup]`."""

    made_by: str = ""  # version of the router's software
    made_at: str = ""  # UTC; empty if the clock was not set
    secrets: bool = False  # whether passwords and PINs are in the document
    password: str = ""  # the hash of the administrator's password
    digest: str = ""  # SHA-256 of all that comes before; without it, nothing is compared
    format: int  # written last: a backup that was cut off has none


@dataclass(frozen=True)
class Backup:
    """What a backup holds."""

    config: Config
    secrets: bool = False
    password: str = field(default="", repr=False)  # the hash; '': none is in it
    made_by: str = ""
    made_at: str = ""


def write(backup: Backup) -> str:
    """Return the backup's text; without `secrets` they are hidden, and the hash is left out."""
    body = render(backup.config, secrets=backup.secrets)
    label = Label(
        format=FORMAT,
        made_by=backup.made_by,
        made_at=backup.made_at,
        secrets=backup.secrets,
        password=backup.password if backup.secrets else "",
        digest=_digest(body),
    )
    return f"{body}{_HEAD}{tomli_w.dumps(msgspec.to_builtins(label))}"


def read(text: str) -> Backup:
    """Read a backup; MasqgateError if it is none, damaged, newer, or not a good document."""
    text = text.replace("\r\n", "\n")
    plain = load(text, LARGEST)
    label = label_of(plain.pop("backup", None))
    body, found, _ = text.rpartition(_HEAD)
    if label.digest and (not found or _digest(body) != label.digest):
        raise MasqgateError(
            "backup_damaged",
            "The backup is damaged, or it was edited; nothing was changed.",
            "If you edited it yourself, take the line 'digest' away.",
        )
    return Backup(from_plain(plain), label.secrets, label.password, label.made_by, label.made_at)


def label_of(plain: Any) -> Label:
    """Read the table `[backup]`; MasqgateError if it is none of ours, or a newer one."""
    version = plain.get("format") if isinstance(plain, dict) else None
    if type(version) is not int or version < 1:
        raise MasqgateError(
            "backup_foreign",
            "This is no backup of a Masqgate router, or its end is missing.",
            "A plain configuration is put in force by `masqgate config apply`.",
        )
    if version > FORMAT:
        text = f"The backup has format {version}; this router knows {FORMAT}."
        raise MasqgateError("backup_newer", text, "Update the router first.")
    try:
        label = msgspec.convert(plain, Label)
    except msgspec.ValidationError:
        text = "The table [backup] is damaged; nothing was changed."
        raise MasqgateError("backup_damaged", text, "Use another copy.") from None
    if label.password and not _HASH.fullmatch(label.password):
        text = "The password in the backup is not one that this router can check."
        raise MasqgateError("backup_damaged", text, "Take the line 'password' away.")
    return label


def _digest(body: str) -> str:
    return hashlib.sha256(body.encode()).hexdigest()
