"""A line editor for a dumb terminal: bytes in, echo and lines out. Garbage is ignored."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

LONGEST = 40  # characters of one line, so that prompt and line fit 80 columns


class Key(Enum):
    """What is no text."""

    INTERRUPT = "Ctrl-C"
    END = "Ctrl-D"


@dataclass
class LineEditor:
    """What has been typed since the last Enter."""

    echo: bool = True
    text: str = ""
    longest: int = LONGEST
    _escape: str = field(default="", repr=False)  # the escape sequence that is being skipped
    _after_return: bool = field(default=False, repr=False)

    def feed(self, byte: int) -> tuple[str, str | Key | None]:
        """Take one byte; return what to show, and a finished line or a key, if there is one."""
        char = chr(byte)
        if self._skipped(char):
            return "", None
        after_return, self._after_return = self._after_return, char == "\r"
        match char:
            case "\n" if after_return:
                return "", None
            case "\r" | "\n":
                line, self.text = self.text, ""
                return "\n", line
            case "\x03":
                self.text = ""
                return "^C\n", Key.INTERRUPT
            case "\x04":
                return ("", None) if self.text else ("\n", Key.END)
            case "\x08" | "\x7f":
                return self._erase(1), None
            case "\x15":
                return self._erase(len(self.text)), None
            case _ if " " <= char <= "~" and len(self.text) < self.longest:
                self.text += char
                return (char if self.echo else ""), None
        return "", None

    def _erase(self, count: int) -> str:
        count = min(count, len(self.text))
        self.text = self.text[: len(self.text) - count]
        return "\b \b" * count if self.echo else ""

    def _skipped(self, char: str) -> bool:
        """Skip what cursor and function keys send: ESC, '[' or 'O', up to a letter or '~'."""
        if char == "\x1b":
            self._escape = char
            return True
        if not self._escape:
            return False
        if char in "\r\n\x03":
            self._escape = ""
            return False
        if self._escape == "\x1b" and char in "[O":
            self._escape += char
        elif self._escape == "\x1b" or "@" <= char <= "~":
            self._escape = ""
        return True
