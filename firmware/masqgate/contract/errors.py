"""Errors that reach people: each has a stable code, a sentence and a hint."""

from __future__ import annotations

import msgspec


class Problem(msgspec.Struct, frozen=True):
    """One thing that is wrong in a document or a request.

    `path` says where ('lan.address', 'uplink[0].speed'; empty: the whole), `code` is stable.
    """

    path: str
    code: str
    text: str
    hint: str = ""

    def __str__(self) -> str:
        where = f"{self.path}: " if self.path else ""
        hint = f" {self.hint}" if self.hint else ""
        return f"{where}{self.text}{hint}"


class MasqgateError(Exception):
    """An error with a sentence for people. `problems` lists the parts, if there are several."""

    def __init__(
        self, code: str, text: str, hint: str = "", problems: tuple[Problem, ...] = ()
    ) -> None:
        super().__init__(text)
        self.code = code
        self.text = text
        self.hint = hint
        self.problems = problems

    def __str__(self) -> str:
        return f"{self.text} {self.hint}".rstrip()


class InvalidConfig(MasqgateError):
    """A configuration document was refused; `problems` holds everything that is wrong."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        count = len(problems)
        noun = "problem" if count == 1 else "problems"
        super().__init__(
            "config_invalid",
            f"The configuration has {count} {noun}; nothing was changed.",
            "Correct what is listed and apply it again.",
            problems,
        )
