"""What a modem says while the telephone rings: RING, and who calls.

Caller identification is delivered between the first ring and the second: as `NMBR = …` lines by
modems (+VCID, V.253) and as `+CLIP:` by mobile ones (TS 27.007, 7.6). It is the network's word,
or the caller's, and is believed by nobody: it is only shown.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from .at import Final, Parser, Result, Unsolicited
from .text import harmless

_NUMBER = re.compile(r'\+?NMBR\s*[=:]\s*(.*)|\+CLIP:\s*"([^"]*)"', re.IGNORECASE)
_UNKNOWN = {"P": "withheld", "O": "not known"}
LONGEST = 40  # characters of a number


@dataclass(slots=True)
class Ringing:
    """A call that nobody has answered yet."""

    rings: int = 0
    caller_id: str = ""
    connected: Result | None = None  # the modem answered by itself (S0)
    _parser: Parser = field(default_factory=Parser)

    def hear(self, data: bytes) -> bool:
        """Take bytes of the modem; True if the telephone rang with them."""
        before = self.rings
        for line in self._parser.feed(data):
            if isinstance(line, Result) and line.final is Final.CONNECT and not line.numeric:
                self.connected = line
            elif isinstance(line, Unsolicited):
                self._take(line.text)
        return self.rings > before

    def _take(self, text: str) -> None:
        if text.upper().startswith(("RING", "+CRING")):
            self.rings += 1
        elif match := _NUMBER.match(text):
            number = (match[1] or match[2] or "").strip()
            self.caller_id = _UNKNOWN.get(number.upper(), harmless(number, LONGEST))
