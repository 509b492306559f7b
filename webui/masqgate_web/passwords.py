"""What a password must be, and when it is weak; pure."""

from __future__ import annotations

SHORTEST = 10
LONGEST = 128
_COMMON = (
    "password", "passwort", "kennwort", "qwerty", "qwertz", "letmein", "welcome", "iloveyou",
    "admin", "secret", "router", "masqgate", "raspberry", "modem", "dragon", "monkey", "football",
)  # fmt: skip
_ROWS = ("abcdefghijklmnopqrstuvwxyz", "01234567890", "qwertyuiop", "qwertzuiop", "asdfghjkl")


def refusal(password: str, again: str) -> str:
    """Why a password can't be taken; empty if it can."""
    if password != again:
        return "The two passwords are not the same."
    if len(password) < SHORTEST:
        return f"The password is shorter than {SHORTEST} characters."
    if len(password) > LONGEST:
        return f"The password is longer than {LONGEST} characters."
    return ""


def weakness(password: str, hostname: str) -> str:
    """Why a password is easy to guess; empty if nothing is known against it."""
    plain = password.lower()
    if len(set(plain)) < 5:
        return "It has fewer than five different characters."
    if plain.isdigit():
        return "It is made of digits alone."
    rest = plain
    for word in (*_COMMON, hostname.lower()):
        if len(word) >= 4:
            rest = rest.replace(word, "")
    if len(rest) <= len(plain) / 2:
        return "Most of it is a word that everybody tries first."
    if any(_runs_along(plain, row) for row in _ROWS):
        return "Most of it is a row of the keyboard or of the alphabet."
    return ""


def _runs_along(text: str, row: str) -> bool:
    """Whether more than half of the steps in a text are steps along the row."""
    pairs = {row[i : i + 2] for i in range(len(row) - 1)}
    pairs |= {pair[::-1] for pair in pairs}
    steps = [text[i : i + 2] for i in range(len(text) - 1)]
    return sum(step in pairs for step in steps) > len(steps) / 2
