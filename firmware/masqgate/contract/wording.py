"""From msgspec's messages to sentences for people. Pure."""

from __future__ import annotations

import re

_TYPES = {
    "int": "a whole number",
    "str": "a text in quotes",
    "bool": "true or false",
    "float": "a number with a fraction",
    "array": "a list",
    "object": "a table",
    "null": "nothing",
    "datetime": "a date",
    "date": "a date",
    "time": "a time",
}
_PATTERNS = {
    r"^[a-z][a-z0-9]{0,9}$": "a lower-case letter, then at most 9 lower-case letters or digits",
    r"^[A-Za-z0-9][A-Za-z0-9._@-]{0,62}$": "letters, digits and . _ @ -, 63 at most",
    r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$": "lower-case letters, digits and inner dashes",
    r"^[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?$": "lower-case letters, digits, inner dashes and dots",
}
_BOUND = re.compile(r"Expected `(\w+)`( of length)? ([<>]=?) (\d+)")
_KIND = re.compile(r"Expected `([^`]+)`, got `([^`]+)`")
_REGEX = re.compile(r"Expected `str` matching regex '(.*)'")
_PLACE = re.compile(r" - at `\$(?:\[(\d+)\]|\[\.\.\.\])`$")


def sentence(message: str) -> str:
    """Say what is wrong with a value; `message` is that of a msgspec.ValidationError."""
    place = _PLACE.search(message)
    message = _PLACE.sub("", message)
    where = f" (item {int(place[1]) + 1})" if place and place[1] else ""
    return f"{_words(message)}{where}."


def _words(message: str) -> str:
    if found := _KIND.fullmatch(message):
        wanted, got = (_type(kind) for kind in found.groups())
        return f"{wanted[0].upper()}{wanted[1:]} is expected, not {got}"
    if found := _BOUND.fullmatch(message):
        kind, length, sign, number = found.groups()
        bound = "most" if sign.startswith("<") else "least"
        unit = " entries" if kind == "array" else " characters" if length else ""
        return f"The {bound} that is taken is {number}{unit}"
    if found := _REGEX.fullmatch(message):
        pattern = found[1].replace("\\\\", "\\")
        meaning = _PATTERNS.get(pattern.replace(r"\Z", "$"))
        return f"Expected: {meaning}" if meaning else f"The text does not fit {pattern}"
    if message.startswith("Invalid enum value"):
        return f"{message.removeprefix('Invalid enum value ')} is not among the choices"
    return message.replace("`", "'")


def _type(kind: str) -> str:
    return " or ".join(_TYPES.get(part.strip(), part.strip()) for part in kind.split("|"))
