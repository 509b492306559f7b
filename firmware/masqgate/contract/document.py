"""From a TOML document to a Config and back: all problems at once, none of them a traceback."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, get_args

import msgspec
import tomli_w

from .codec import convert, to_plain
from .config import (
    MOST_CALLERS,
    MOST_LINES,
    MOST_UPLINKS,
    VERSION,
    Caller,
    Config,
    Console,
    DialIn,
    Ethernet,
    Lan,
    Modem,
    System,
)
from .errors import InvalidConfig, Problem
from .rules import check
from .secret import HIDDEN
from .wording import sentence

MAX_DOCUMENT = 64 * 1024
MOST_DOTS = 16  # of keys in one line; tomllib takes minutes for a key of thousands of parts
MOST_UNKNOWN = 20  # names of one table that are told: looking for similar ones takes time
# Strings, closed or not, and comments: dots in them are no key's.
_NO_KEY = re.compile(
    r'"""(?:\\.|[^\\])*?(?:"{3,5}|\Z)'
    r"|'''(?:.)*?(?:'{3,5}|\Z)"
    r'|"(?:\\.|[^"\\\n])*"?'
    r"|'[^'\n]*'?"
    r"|#[^\n]*",
    re.DOTALL,
)
# More than TOMLDecodeError: numbers of thousands of digits, lists in lists in lists.
_NOT_TOML = (ValueError, OverflowError, RecursionError)
_KINDS: dict[str, type[msgspec.Struct]] = {"modem": Modem, "ethernet": Ethernet}


def parse(text: str) -> Config:
    """Read a document; InvalidConfig with every problem in it if it is not a good one."""
    return from_plain(load(text))


def load(text: str, limit: int = MAX_DOCUMENT) -> dict[str, Any]:
    """Read TOML of at most `limit` bytes; InvalidConfig if it is none."""
    if len(text.encode("utf-8", "replace")) > limit:
        hint = f"At most {limit // 1024} KiB are taken."
        raise InvalidConfig((Problem("", "too_large", "The document is too large.", hint),))
    keys = _NO_KEY.sub('""', text)
    if any(line.count(".") > MOST_DOTS for line in keys.split("\n")):
        raise _not_toml(ValueError("a key has too many parts"))
    try:
        return tomllib.loads(text)
    except _NOT_TOML as error:
        raise _not_toml(error) from None


def from_plain(plain: dict[str, Any]) -> Config:
    """Turn a parsed document into a Config; InvalidConfig with every problem otherwise."""
    try:
        problems = _shape(plain)
    except _NOT_TOML as error:
        raise _not_toml(error) from None
    if problems:
        raise InvalidConfig(tuple(problems))
    config = convert(plain, Config)
    if problems := check(config):
        raise InvalidConfig(tuple(problems))
    return config


def render(config: Config, *, secrets: bool = False) -> str:
    """Write a Config as TOML; secrets are replaced by a placeholder unless asked for."""
    return tomli_w.dumps(to_plain(config, secrets=secrets))


def keep_secrets(new: Config, stored: Config) -> Config:
    """Put the stored secret wherever the new document holds the placeholder.

    An uplink is known by its name, and so is a caller within its line. InvalidConfig where no
    secret is stored for it.
    """
    old = {link.name: link for link in stored.modems}
    problems: list[Problem] = []
    links: list[Modem | Ethernet] = []
    for index, link in enumerate(new.uplink):
        if isinstance(link, Modem):
            for field in ("password", "pin"):
                if not getattr(link, field).hidden:
                    continue
                if link.name not in old:
                    problems.append(_no_stored_secret(f"uplink[{index}].{field}", link.name))
                    continue
                link = msgspec.structs.replace(link, **{field: getattr(old[link.name], field)})
        links.append(link)
    lines = tuple(_keep_callers(new, stored, problems))
    if problems:
        raise InvalidConfig(tuple(problems))
    return msgspec.structs.replace(new, uplink=tuple(links), dialin=lines)


def _keep_callers(new: Config, stored: Config, problems: list[Problem]) -> Iterator[DialIn]:
    """The same for the callers of each line; what is not stored is added to `problems`."""
    old = {(line.name, caller.name): caller for line in stored.dialin for caller in line.caller}
    for index, line in enumerate(new.dialin):
        callers = []
        for number, caller in enumerate(line.caller):
            if caller.password.hidden and (line.name, caller.name) not in old:
                where = f"dialin[{index}].caller[{number}].password"
                problems.append(_no_stored_secret(where, caller.name))
            elif caller.password.hidden:
                kept = old[line.name, caller.name].password
                caller = msgspec.structs.replace(caller, password=kept)
            callers.append(caller)
        yield msgspec.structs.replace(line, caller=tuple(callers))


def _not_toml(error: Exception) -> InvalidConfig:
    return InvalidConfig((Problem("", "not_toml", f"The document is not TOML: {error}."),))


def _no_stored_secret(path: str, name: str) -> Problem:
    text = f"'{HIDDEN}' stands for a stored secret, but none is stored for '{name}'."
    return Problem(path, "no_stored_secret", text, "Write the secret itself.")


def _shape(plain: dict[str, Any]) -> list[Problem]:
    """Check names and types of everything, each value by itself."""
    version = plain.get("version", VERSION)
    if type(version) is not int or version != VERSION:  # True and 1.0 are equal to 1
        text = f"Version {version!r} of the document is not known."
        return [Problem("version", "unknown_version", text, f"This router knows {VERSION}.")]
    problems = _unknown("", plain, Config)
    for name, kind in (("system", System), ("lan", Lan), ("console", Console)):
        if name in plain:
            problems += _table(name, plain[name], kind)
    problems += _list("uplink", plain.get("uplink", []), MOST_UPLINKS, _uplink)
    return problems + _list("dialin", plain.get("dialin", []), MOST_LINES, _line)


def _list(
    name: str, items: Any, most: int, each: Callable[[str, Any], list[Problem]]
) -> list[Problem]:
    """Check a list of tables."""
    if not isinstance(items, list | tuple):  # the page's form begins with a Config
        hint = f"Write each {name} under [[{name}]]."
        return [Problem(name, "wrong_type", "A list is expected.", hint)]
    if len(items) > most:
        text = f"There are {len(items)} {name}s; {most} are the most."
        return [Problem(name, "too_many", text, "Remove those not in use.")]
    return [problem for at, item in enumerate(items) for problem in each(f"{name}[{at}]", item)]


def _line(path: str, item: Any) -> list[Problem]:
    """A line that answers the telephone, with its callers."""
    if not isinstance(item, dict):
        return [Problem(path, "wrong_type", "A table is expected.", "Write it as [[dialin]].")]
    callers = item.get("caller", [])
    problems = _table(path, {key: item[key] for key in item if key != "caller"}, DialIn)
    if not isinstance(callers, list | tuple) or not all(
        isinstance(each, dict) for each in callers
    ):
        text, hint = "A list of tables is expected.", "Write each under [[dialin.caller]]."
        return [*problems, Problem(f"{path}.caller", "wrong_type", text, hint)]
    for at, caller in enumerate(callers[:MOST_CALLERS]):
        problems += _table(f"{path}.caller[{at}]", caller, Caller)
    if len(callers) > MOST_CALLERS:
        text = f"There are {len(callers)} callers; {MOST_CALLERS} are the most."
        problems.append(Problem(f"{path}.caller", "too_many", text, "Remove those not in use."))
    return problems


def _uplink(path: str, item: Any) -> list[Problem]:
    if not isinstance(item, dict):
        return [Problem(path, "wrong_type", "A table is expected.", "Write it as [[uplink]].")]
    kind = _KINDS.get(str(item.get("kind")))
    if kind is None:
        text = f"The kind {item.get('kind')!r} is not known."
        hint = 'Write kind = "modem" or kind = "ethernet".'
        return [Problem(f"{path}.kind", "unknown_kind", text, hint)]
    return _table(path, {k: v for k, v in item.items() if k != "kind"}, kind)


def _table(path: str, value: Any, kind: type[msgspec.Struct]) -> list[Problem]:
    if not isinstance(value, dict):
        return [Problem(path, "wrong_type", "A table is expected.", f"Write it as [{path}].")]
    problems = _unknown(path, value, kind)
    for field in msgspec.structs.fields(kind):
        where = f"{path}.{field.encode_name}"
        if field.encode_name not in value:
            if field.required:
                problems.append(Problem(where, "missing", "This value is missing."))
            continue
        if isinstance(field.type, type) and issubclass(field.type, msgspec.Struct):
            problems += _table(where, value[field.encode_name], field.type)
            continue
        try:
            convert(value[field.encode_name], field.type)
        except msgspec.ValidationError as error:
            text = sentence(str(error))
            problems.append(Problem(where, "bad_value", text, _choices(field.type)))
    return problems


def _choices(kind: Any) -> str:
    parts = get_args(kind)
    if parts and parts[-1] is Ellipsis:  # a list: what its items may be
        parts = get_args(parts[0])
    options = [option for option in parts if isinstance(option, str | int)]
    return f"One of: {', '.join(map(str, options))}." if options else ""


def _unknown(path: str, value: dict[str, Any], kind: type[msgspec.Struct]) -> list[Problem]:
    known = [field.encode_name for field in msgspec.structs.fields(kind)]
    problems = []
    for key in islice((key for key in value if key not in known), MOST_UNKNOWN):
        close = difflib.get_close_matches(key, known, 1)
        hint = f"Did you mean '{close[0]}'?" if close else f"Known: {', '.join(known)}."
        where = f"{path}.{key}" if path else key
        problems.append(Problem(where, "unknown_key", f"'{key}' is not known here.", hint))
    return problems
