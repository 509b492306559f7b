"""The friendly form: from a Config to fields, and from fields back to a document. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from ipaddress import IPv4Address, IPv4Interface
from typing import Any

from masqgate.contract.codec import to_plain
from masqgate.contract.config import Config, Lan, Modem
from masqgate.contract.errors import Problem

NEW = "modem1"
LAN_FIELDS = ("address", "dhcp_first", "dhcp_last")
MODEM_FIELDS = ("port", "number", "mode", "speed", "user", "apn")
SECRET_FIELDS = ("password", "pin")
MODES = (
    ("always", "Always connected, redials for ever"),
    ("demand", "On demand: dials when somebody on the LAN needs it"),
    ("manual", "By hand: connects when asked"),
    ("off", "Off"),
)
SPEEDS = (300, 1200, 2400, 4800, 9600, 19_200, 38_400, 57_600, 115_200, 230_400, 460_800, 921_600)

Fields = dict[str, str]


def modem_of(config: Config, name: str) -> Modem | None:
    """The modem of that name, or the first; None if there is none."""
    named = [modem for modem in config.modems if modem.name == name]
    return next(iter([*named, *config.modems]), None)


def fields(config: Config, name: str = "") -> Fields:
    """The form's fields as a Config fills them; a secret is only told to be there or not."""
    found = {f"lan.{field}": str(getattr(config.lan, field)) for field in LAN_FIELDS}
    found["lan.dhcp"] = "on" if config.lan.dhcp else ""
    modem = modem_of(config, name) or Modem(name=NEW, port="", number="")
    found["modem"] = modem.name
    for field in MODEM_FIELDS:
        found[f"modem.{field}"] = str(getattr(modem, field))
    for field in SECRET_FIELDS:
        found[f"modem.{field}"] = ""
        found[f"stored.{field}"] = "yes" if getattr(modem, field) else ""
    return found


def document(config: Config, form: Mapping[str, str]) -> dict[str, Any]:
    """The document (plain data) that the form asks for; all that it does not show stays."""
    plain: dict[str, Any] = to_plain(config, secrets=True)
    lan = plain["lan"]
    for field in LAN_FIELDS:
        lan[field] = form.get(f"lan.{field}", "").strip()
    lan["dhcp"] = bool(form.get("lan.dhcp"))
    _move_pool(config.lan, lan)
    index = modem_index(config, form)
    links = plain["uplink"] = list(plain["uplink"])
    if index == len(links):
        if not (form.get("modem.port", "").strip() or form.get("modem.number", "").strip()):
            return plain
        links.append({"kind": "modem", "name": form.get("modem") or NEW})
    _fill(links[index], form)
    return plain


def _fill(link: dict[str, Any], form: Mapping[str, str]) -> None:
    for field in MODEM_FIELDS:
        link[field] = form.get(f"modem.{field}", "").strip()
    if re.fullmatch(r"[0-9]{1,9}", link["speed"]):
        link["speed"] = int(link["speed"])
    for field in SECRET_FIELDS:
        if form.get(f"forget.{field}"):
            link[field] = ""
        elif typed := form.get(f"modem.{field}", ""):
            link[field] = typed


def modem_index(config: Config, form: Mapping[str, str]) -> int:
    """Which uplink the form is about; one past the last if it is a new one."""
    names = [link.name for link in config.uplink]
    name = form.get("modem", "")
    return names.index(name) if name in names else len(names)


def field_of(problem: Problem, index: int) -> str:
    """The form's field that a problem is about: 'uplink[0].number' is 'modem.number'."""
    return problem.path.replace(f"uplink[{index}].", "modem.", 1)


def _move_pool(old: Lan, lan: dict[str, Any]) -> None:
    """Let the DHCP pool follow the router into another network of at least the same size."""
    try:
        before, after = old.interface, IPv4Interface(lan["address"])
        ends = [IPv4Address(old.dhcp_first), IPv4Address(old.dhcp_last)]
    except ValueError:
        return
    untouched = (lan["dhcp_first"], lan["dhcp_last"]) == (old.dhcp_first, old.dhcp_last)
    if before.network == after.network or not untouched:
        return
    offsets = [int(end) - int(before.network.network_address) for end in ends]
    if all(0 < offset < after.network.num_addresses - 1 for offset in offsets):
        first = int(after.network.network_address)
        lan["dhcp_first"], lan["dhcp_last"] = (str(IPv4Address(first + o)) for o in offsets)
