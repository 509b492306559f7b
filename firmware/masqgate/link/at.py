"""What a modem says, from bytes to lines (ITU-T V.250, sections 5 and 6; 3GPP TS 27.007).

The parser is incremental and bounded: it may be fed one byte at a time or megabytes without a
line end. A hostile or broken modem gives `Garbage`, never an exception.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

MAX_LINE = 512  # bytes; no answer that we ask for is longer


class Final(Enum):
    """Final result codes (V.250, table 1; TS 27.007, section 9.2)."""

    OK = "OK"
    CONNECT = "CONNECT"
    NO_CARRIER = "NO CARRIER"
    ERROR = "ERROR"
    NO_DIALTONE = "NO DIALTONE"
    BUSY = "BUSY"
    NO_ANSWER = "NO ANSWER"


@dataclass(frozen=True, slots=True)
class Result:
    """A final result. `rate` is in bit/s, from CONNECT; `code` is that of +CME or +CMS ERROR."""

    final: Final
    text: str
    rate: int | None = None
    code: int | None = None
    numeric: bool = False  # the modem is set to V0 and said a digit


@dataclass(frozen=True, slots=True)
class Unsolicited:
    """Something that nobody asked for: RING, +CREG, ^RSSI, …"""

    text: str


@dataclass(frozen=True, slots=True)
class Information:
    """A line that is neither: an answer's text, or an echo."""

    text: str


@dataclass(frozen=True, slots=True)
class Garbage:
    """Bytes that no modem in command state sends: a wrong rate, PPP frames, noise."""

    size: int


Line = Result | Unsolicited | Information | Garbage

_WORDS = {
    "OK": Final.OK,
    "ERROR": Final.ERROR,
    "COMMAND NOT SUPPORT": Final.ERROR,
    "BUSY": Final.BUSY,
    "NO CARRIER": Final.NO_CARRIER,
    "NO DIALTONE": Final.NO_DIALTONE,
    "NO DIAL TONE": Final.NO_DIALTONE,
    "NO ANSWER": Final.NO_ANSWER,
    "DELAYED": Final.BUSY,  # the modem itself blocks the number for a while
    "BLACKLISTED": Final.BUSY,
}
_DIGITS = {
    "0": Final.OK,
    "1": Final.CONNECT,
    "3": Final.NO_CARRIER,
    "4": Final.ERROR,
    "6": Final.NO_DIALTONE,
    "7": Final.BUSY,
    "8": Final.NO_ANSWER,
}
_CONNECT = re.compile(r"CONNECT(?:\s+(\d{2,12})?(.*))?")
_EXTENDED_ERROR = re.compile(r"\+CM[ES] ERROR:\s*(.*)")
_UNSOLICITED = re.compile(
    r"RING\b|\+CRING:|\+CMTI:|\+CDSI?:|\+CUSD:|\+CLIP:|\+CIEV:|\+CTZ[EV]:|\+PBREADY|\+NMBR|NMBR\b"
    r"|DATE =|TIME =|\^(?!CPIN|SYSINFO)[A-Z0-9]+:|\*[A-Z0-9]+:|RDY$|Call Ready$|SMS Ready$"
    r"|SMS DONE$|PB DONE$|\+QIND:|\+CGEV:|\+CFUN: 1$|NORMAL POWER DOWN$|START$"
)
_PRINTABLE = re.compile(rb"[\x20-\x7e]*")


def classify(text: str) -> Line:
    """Tell what one line is; `text` is printable and has no blanks at its ends."""
    upper = text.upper()
    if upper in _WORDS:
        return Result(_WORDS[upper], text)
    if match := _CONNECT.fullmatch(text):
        return Result(Final.CONNECT, text, rate=int(match[1]) if match[1] else None)
    if match := _EXTENDED_ERROR.match(text):
        return Result(Final.ERROR, text, code=int(match[1]) if match[1].isdigit() else None)
    if text in _DIGITS:
        return Result(_DIGITS[text], text, numeric=True)
    if _UNSOLICITED.match(text):
        return Unsolicited(text)
    return Information(text)


class Parser:
    """Turns the modem's bytes into lines. Keeps at most `MAX_LINE` bytes."""

    def __init__(self) -> None:
        self._line = bytearray()
        self._lost = 0  # bytes of an overlong line that were thrown away

    def feed(self, data: bytes) -> Iterator[Line]:
        """Take bytes; yield the lines that they complete."""
        for piece in re.split(rb"([\r\n])", data):
            if piece in (b"\r", b"\n"):
                yield from self._end()
            else:
                self._take(piece.replace(b"\0", b""))

    def clear(self) -> None:
        """Forget an unfinished line."""
        self._line.clear()
        self._lost = 0

    def _take(self, piece: bytes) -> None:
        room = MAX_LINE - len(self._line)
        self._line += piece[:room]
        self._lost += max(0, len(piece) - room)

    def _end(self) -> Iterator[Line]:
        raw, lost = bytes(self._line), self._lost
        self.clear()
        if lost:
            yield Garbage(len(raw) + lost)
            return
        if text := raw.strip().decode("ascii", "replace"):
            yield self._line_of(raw.strip(), text)

    @staticmethod
    def _line_of(raw: bytes, text: str) -> Line:
        if _PRINTABLE.fullmatch(raw):
            return classify(text)
        clean = re.sub(rb"[^\x20-\x7e]+", b"", raw).strip().decode("ascii")
        # Noise before a result, as after a change of rate: the result still counts.
        for word in sorted(_WORDS, key=len, reverse=True):
            if clean.endswith(word) and raw.endswith(word.encode()):
                return classify(word)
        return Garbage(len(raw))
