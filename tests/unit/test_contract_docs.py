"""What is documented is what there is: every setting, call, failure and key."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import msgspec
import pytest
from masqgate.contract.calls import CALLS
from masqgate.contract.codec import to_json
from masqgate.contract.config import (
    Budget,
    Caller,
    Config,
    Console,
    DialIn,
    Ethernet,
    Lan,
    Modem,
    Probe,
    System,
)
from masqgate.contract.document import parse
from masqgate.contract.update import UPDATE_CALLS

ROOT = Path(__file__).resolve().parents[2]
CONFIG = (ROOT / "docs/CONFIG.md").read_text()
CALLS_DOC = (ROOT / "docs/CALLS.md").read_text()
CONSOLE = (ROOT / "docs/CONSOLE.md").read_text()
# What the console raises by itself.
CONSOLES = ("ladder.py", "offline.py", "lan.py", "staging.py", "other_slot.py")
SECTIONS = {
    "The whole": Config,
    "`[system]`": System,
    "`[lan]`": Lan,
    "`[console]`": Console,
    '`[[uplink]]` with `kind = "modem"`': Modem,
    '`[[uplink]]` with `kind = "ethernet"`': Ethernet,
    "`[uplink.probe]`": Probe,
    "`[[dialin]]`": DialIn,
    "`[[dialin.caller]]`": Caller,
    "`[uplink.budget]`": Budget,
}


def rows(text: str) -> list[list[str]]:
    """The rows of all tables in a text, without their heads."""
    found = []
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| `"):
            found.append(cells)
    return found


def section(text: str, title: str) -> str:
    return text.split(f"## {title}\n")[1].split("\n## ")[0]


@pytest.mark.parametrize(("title", "kind"), SECTIONS.items())
def test_every_setting_is_documented_with_its_default(
    title: str, kind: type[msgspec.Struct]
) -> None:
    documented = {row[0].strip("`"): row[2] for row in rows(section(CONFIG, title))}
    fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    assert list(documented) == list(fields)
    for name, field in fields.items():
        shown = documented[name]
        if field.required:
            assert shown == "required"
        elif isinstance(field.default, msgspec.Struct):
            assert shown == "see below"
        elif kind is not Config or name == "version":
            made = field.default_factory
            default = field.default if made is msgspec.NODEFAULT else made()
            assert json.loads(shown.strip("`")) == json.loads(to_json(default))


def test_the_example_is_a_good_document() -> None:
    for text in re.findall(r"```toml\n(.*?)```", CONFIG, re.DOTALL):
        assert parse(text).uplink


def test_the_factorys_configuration_is_a_good_document() -> None:
    text = (ROOT / "rootfs-overlay/usr/share/masqgate/config.toml").read_text()
    assert parse(text)
    assert tomllib.loads(text)["version"] == 1


@pytest.mark.parametrize(
    ("text", "calls"),
    [(CALLS_DOC.split("## ")[0], CALLS), (section(CALLS_DOC, "Updates"), UPDATE_CALLS)],
    ids=["supervisor", "updater"],
)
def test_every_call_is_documented_with_its_types_and_callers(
    text: str, calls: dict[str, Any]
) -> None:
    documented = {row[0].strip("`"): row[1:4] for row in rows(text)}
    assert documented == {
        name: [
            f"`{call.arguments.__name__}`",
            f"`{call.result.__name__}`",
            "page" if call.web else "root",
        ]
        for name, call in calls.items()
    }


def test_every_failure_is_documented() -> None:
    """All codes that supervisor, server and client raise."""
    source = (
        "".join(
            path.read_text()
            for folder in ("supervisor", "core", "system")
            for path in (ROOT / "firmware/masqgate" / folder).glob("*.py")
            if path.name not in CONSOLES
        )
        + (ROOT / "firmware/masqgate/contract/client.py").read_text()
        + (ROOT / "firmware/masqgate/contract/update_client.py").read_text()
        + (ROOT / "firmware/masqgate/updater.py").read_text()
    )
    raised = set(re.findall(r'(?:MasqgateError|_refused)\(\s*"([a-z_]+)"', source))
    raised |= {"config_invalid"}
    documented = set(re.findall(r"`([a-z_]+)`", section(CALLS_DOC, "Failures")))
    assert raised - {"not_text"} <= documented


def test_every_key_of_the_console_is_documented() -> None:
    menu = (ROOT / "firmware/masqgate/console/menu.py").read_text()
    keys = set(re.findall(r'^ {12}"([a-z])": ', menu, re.MULTILINE))
    documented = {row[0].strip("`") for row in rows(CONSOLE)} - {"0"}
    assert keys == documented
    assert all(re.search(rf"\b{key}  ", menu.split("HELP")[1]) for key in keys)
