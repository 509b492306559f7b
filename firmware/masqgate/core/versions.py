"""Which of two versions is older. Pure."""

from __future__ import annotations

import re

_FORM = re.compile(r"(\d+(?:\.\d+)*)(?:[-~]?([a-z][a-z0-9.-]*))?")
_PARTS = re.compile(r"\d+|[a-z]+")

_Key = tuple[tuple[int, ...], bool, tuple[tuple[int, str], ...]]


def well_formed(version: str) -> bool:
    """Whether this is a version: numbers with dots, then perhaps a suffix like `-rc1`."""
    return len(version) <= 64 and _FORM.fullmatch(version) is not None


def is_older(version: str, than: str) -> bool:
    """Whether `version` is older; one that is not well-formed is older than any that is.

    A suffix makes a version older than the same numbers without one: 1.2-rc1, 1.2-rc2, 1.2.
    """
    if not well_formed(version):
        return well_formed(than)
    return well_formed(than) and _key(version) < _key(than)


def _key(version: str) -> _Key:
    found = _FORM.fullmatch(version)
    assert found is not None
    numbers = [int(number) for number in found[1].split(".")]
    while numbers and numbers[-1] == 0:
        numbers.pop()
    suffix = tuple(
        (int(part), "") if part.isdigit() else (0, part) for part in _PARTS.findall(found[2] or "")
    )
    return tuple(numbers), found[2] is None, suffix
