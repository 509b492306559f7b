"""Which passwords are taken for the administrator."""

from __future__ import annotations

from masqgate.contract.errors import MasqgateError

SHORTEST, LONGEST = 10, 128  # characters
DISTINCT = 4  # different characters at least

_GUESSED_FIRST = (
    "password", "passwort", "masqgate", "1234567890", "0123456789", "qwertyuiop", "administrator",
    "raspberry", "letmein", "changeme", "iloveyou",
)  # fmt: skip


def check(password: str) -> None:
    """MasqgateError with a sentence if the password is not one to take."""
    if len(password) < SHORTEST:
        text = f"The password has {len(password)} characters; {SHORTEST} are the least."
        raise _refused("password_short", text)
    if len(password) > LONGEST:
        text = f"The password has more than {LONGEST} characters."
        raise MasqgateError("password_long", text, "Choose a shorter one.")
    if not password.isprintable():
        text = "The password holds characters that cannot be typed everywhere."
        raise MasqgateError("password_unprintable", text, "Use letters, digits and signs.")
    if len(set(password)) < DISTINCT:
        raise _refused("password_weak", "The password repeats few characters.")
    if _is_guessed_first(password.lower()):
        raise _refused("password_weak", "The password is among the first that are guessed.")


def _is_guessed_first(password: str) -> bool:
    """Whether little is left of it without a well-known word and digits at its ends."""
    for word in _GUESSED_FIRST:
        rest = password.replace(word, "").strip("0123456789!.-_ ")
        if word in password and len(rest) < DISTINCT:
            return True
    return False


def _refused(code: str, text: str) -> MasqgateError:
    return MasqgateError(code, text, "Three or four unrelated words are easy to remember.")
