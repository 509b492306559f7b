"""Kconfig fragments, and what Kconfig made of them: a symbol may be dropped without a word."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

_SET = re.compile(r"(\w+)=(.*)")
_UNSET = re.compile(r"# (\w+) is not set")


def parse(text: str) -> dict[str, str]:
    """Parse a fragment, a defconfig or a .config: symbol to value; 'n' for 'is not set'."""
    values = {}
    for line in text.splitlines():
        if found := _SET.fullmatch(line.strip()):
            values[found[1]] = found[2]
        elif found := _UNSET.fullmatch(line.strip()):
            values[found[1]] = "n"
    return values


def differences(wanted: Mapping[str, str], actual: Mapping[str, str]) -> list[str]:
    """Return a sentence for every symbol that is not in `actual` as it was wanted."""
    return [
        f"{symbol}: wanted {value}, got {actual.get(symbol, 'nothing')}"
        for symbol, value in wanted.items()
        if actual.get(symbol, "n" if value in ("n", '""') else "") != value
        and not (value == '""' and symbol not in actual)
    ]


def report(wanted: Mapping[str, str], actual: Mapping[str, str], what: str) -> str:
    """Return the text of an error that tells what was dropped or demoted; empty if all held."""
    found = differences(wanted, actual)
    if not found:
        return ""
    lines = "".join(f"  {line}\n" for line in found)
    return f"{what} does not have what was asked for; a dependency is missing:\n{lines}"


def merged(fragments: Iterable[str]) -> dict[str, str]:
    """Return the values of several fragments, the later ones winning."""
    values: dict[str, str] = {}
    for text in fragments:
        values.update(parse(text))
    return values
