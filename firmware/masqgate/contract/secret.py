"""A type for secrets: it does not print itself."""

from __future__ import annotations

import hmac

HIDDEN = "(secret)"  # what stands in place of a secret in every document that leaves the router


class Secret:
    """A password or PIN. Only `reveal()` gives the text; a hidden one stands for 'as it was'."""

    __slots__ = ("_text",)

    def __init__(self, text: str = "") -> None:
        self._text = text

    def reveal(self) -> str:
        """Return the text itself."""
        return self._text

    @property
    def hidden(self) -> bool:
        """Whether this is the placeholder that means 'keep the stored secret'."""
        return self._text == HIDDEN

    def __bool__(self) -> bool:
        return bool(self._text)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._text.encode(), other._text.encode())

    def __hash__(self) -> int:
        return hash(self._text)

    def __repr__(self) -> str:
        return "Secret(…)" if self._text else "Secret()"

    __str__ = __repr__
