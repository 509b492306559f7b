"""The friendly form: from a Config to fields, and from fields back to a document. Pure.

A field is called after its place: `lan.address`, `link.probe.targets` (of the uplink or line that
the form is about), `caller.0.name` (of a line's first caller). `link` names that uplink or line,
`new` is the kind of one that is to be made.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface
from typing import Any

from masqgate.contract.codec import to_plain
from masqgate.contract.config import MOST_CALLERS, Config, Lan
from masqgate.contract.errors import Problem

from .fields import FORMS, TABLES, Field, Group, LinkForm

CALLER = ("name", "password", "address")

Fields = dict[str, str]
Plain = dict[str, Any]


@dataclass(frozen=True)
class Subject:
    """The link that the form is about; `name` is empty if there is none of that kind yet."""

    kind: str
    name: str = ""
    wanted: bool = True  # False: nobody has asked for one, an empty form makes none

    @property
    def form(self) -> LinkForm:
        """What is asked of such a link."""
        return FORMS[self.kind]


@dataclass(frozen=True)
class Wanted:
    """The document that a form asks for, and where in it the form's link is."""

    document: Plain
    place: str = ""  # 'uplink[1].'; empty: the form is about none any more
    name: str = ""

    def field_of(self, problem: Problem) -> str:
        """The field that a problem is about: 'uplink[1].windows[0]' is 'link.windows'."""
        path = problem.path
        if self.place and path.startswith(self.place):
            inside = path.removeprefix(self.place)
            caller = re.fullmatch(r"caller\[(\d+)\]\.(\w+)", inside)
            path = f"caller.{caller[1]}.{caller[2]}" if caller else f"link.{inside}"
        return re.sub(r"\[\d+\]$", "", path)


def subjects(config: Config) -> list[Subject]:
    """All links, as the document has them: uplinks in their order, then lines."""
    uplinks = [Subject(str(to_plain(link)["kind"]), link.name) for link in config.uplink]
    return [*uplinks, *(Subject("dialin", line.name) for line in config.dialin)]


def subject(config: Config, asked: Mapping[str, str]) -> Subject:
    """The link that a query or a form names; a new one of its kind; else the first modem."""
    known = subjects(config)
    by_name = {one.name: one for one in known}
    if found := by_name.get(asked.get("link", "")):
        return found
    if asked.get("new") in FORMS:
        return Subject(asked["new"])
    modems = (one for one in known if one.kind == "modem")
    return next(iter([*modems, *known]), Subject("modem", wanted=False))


def fields(config: Config, about: Subject) -> Fields:
    """The form's fields as a Config fills them; a secret is only told to be there or not."""
    plain = to_plain(config, secrets=True)
    found: Fields = {"link": about.name, "new": "" if about.name else about.kind}
    if not about.wanted:
        found["new"] = ""
    for table, groups in TABLES.items():
        found |= _filled(table, plain[table], groups)
    index, links = _find(plain, about)
    link = links[index] if index < len(links) else _empty(about, plain)
    found["link.name"] = link["name"]
    found["order"] = str(index + 1)
    found |= _filled("link", link, about.form.groups)
    if about.kind == "dialin":
        for row, caller in enumerate([*link["caller"], *([{}] if about.name else [{}, {}])]):
            found |= _caller(row, caller)
    return found


def wanted(config: Config, form: Mapping[str, str]) -> Wanted:
    """The document that the form asks for; all that it does not show stays."""
    plain = to_plain(config, secrets=True)
    for table, groups in TABLES.items():
        _take(plain[table], table, groups, form)
    _move_pool(config.lan, plain["lan"])
    about = subject(config, form)
    index, links = _find(plain, about)
    if form.get("remove"):
        del links[index : index + 1]
        return Wanted(plain)
    if index == len(links):
        if not about.wanted and not form.get("link.port", "").strip():
            return Wanted(plain)
        links.append(_empty(about, plain) | {"name": form.get("link.name", "").strip()})
    _take(links[index], "link", about.form.groups, form)
    if about.kind == "dialin":
        links[index]["caller"] = list(_callers(links[index]["caller"], form))
    index = _move(links, index, form.get("order", ""))
    return Wanted(plain, f"{about.form.table}[{index}].", links[index]["name"])


def rows(values: Mapping[str, str]) -> int:
    """How many callers the form shows."""
    return sum(1 for row in range(MOST_CALLERS + 1) if f"caller.{row}.name" in values)


def unticked(about: Subject) -> Fields:
    """All boxes of the form, as a browser tells of those that are not ticked."""
    each = [*_each("link", about.form.groups)]
    for table, groups in TABLES.items():
        each += _each(table, groups)
    return {name: "" for name, field in each if field.kind == "tick"}


def unfolded(values: Mapping[str, str], wrong: Container[str], about: Subject) -> set[str]:
    """The titles of the groups with something wrong, or not as it comes: it is looked for."""
    usual = fields(Config(), Subject(about.kind))
    tables = {"link": about.form.groups, **TABLES}
    return {
        group.title
        for table, groups in tables.items()
        for group in groups
        for name, _ in _each(table, (group,))
        if name in wrong or values.get(name, "").splitlines() != usual[name].splitlines()
    }


def _find(plain: Plain, about: Subject) -> tuple[int, list[Plain]]:
    """A link's index in its list, one past the last if it is new; the list is the document's."""
    links = plain[about.form.table] = list(plain[about.form.table])
    names = [link["name"] for link in links]
    return (names.index(about.name) if about.name in names else len(names)), links


def _empty(about: Subject, plain: Plain) -> Plain:
    """A link of that kind with every default, and a name that nobody has."""
    taken = {link["name"] for table in ("uplink", "dialin") for link in plain.get(table, ())}
    first = about.form.new.name
    names = [first, *(f"{first.rstrip('1')}{number}" for number in range(2, 20))]
    name = next(name for name in names if name not in taken)
    return dict(to_plain(about.form.new, secrets=True), name=name)


def _each(prefix: str, groups: tuple[Group, ...]) -> Iterator[tuple[str, Field]]:
    for group in groups:
        for field in group.fields:
            yield f"{prefix}.{field.path}", field


def _filled(prefix: str, table: Plain, groups: tuple[Group, ...]) -> Fields:
    found: Fields = {}
    for name, field in _each(prefix, groups):
        inner, key = _inside(table, field.path)
        value = inner[key]
        if field.kind == "secret":
            found[name], found[f"stored.{name}"] = "", "yes" if value else ""
        elif field.kind == "tick":
            found[name] = "on" if value else ""
        else:
            found[name] = "\n".join(value) if field.kind == "lines" else str(value)
    return found


def _take(table: Plain, prefix: str, groups: tuple[Group, ...], form: Mapping[str, str]) -> None:
    for name, field in _each(prefix, groups):
        inner, key = _inside(table, field.path)
        typed = form.get(name, "")
        match field.kind:
            case "secret":
                inner[key] = "" if form.get(f"forget.{name}") else typed or inner[key]
            case "tick":
                inner[key] = bool(typed)
            case "lines":
                inner[key] = [line.strip() for line in typed.splitlines() if line.strip()]
            case _:
                inner[key] = _number(typed.strip(), isinstance(inner[key], int))


def _number(text: str, wanted: bool) -> str | int:
    """A number where one is wanted; what is none is told by the document's own checks."""
    return int(text) if wanted and re.fullmatch(r"[0-9]{1,9}", text) else text


def _inside(table: Plain, path: str) -> tuple[Plain, str]:
    *outer, key = path.split(".")
    for name in outer:
        table = table[name]
    return table, key


def _caller(row: int, caller: Plain) -> Fields:
    found = {f"caller.{row}.{field}": caller.get(field, "") for field in CALLER}
    found[f"stored.caller.{row}.password"] = "yes" if caller else ""
    found[f"caller.{row}.password"] = ""
    return found


def _callers(old: list[Plain], form: Mapping[str, str]) -> Iterator[Plain]:
    """The callers whose name stands there; a password that was not typed stays."""
    kept = {caller["name"]: caller for caller in old}
    for row in range(rows(form)):
        name, password, address = (form.get(f"caller.{row}.{field}", "") for field in CALLER)
        if name := name.strip():
            stored = kept.get(name, {}).get("password", "")
            yield {"name": name, "password": password or stored, "address": address.strip()}


def _move(links: list[Plain], index: int, order: str) -> int:
    if not re.fullmatch(r"[0-9]{1,2}", order):
        return index
    place = min(max(int(order), 1), len(links)) - 1
    links.insert(place, links.pop(index))
    return place


def _move_pool(old: Lan, lan: Plain) -> None:
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
