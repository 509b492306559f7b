"""How pppd cuts an options file into words: its rules, written anew for the tests."""

from __future__ import annotations

_NAMED = {"a": 7, "b": 8, "f": 12, "n": 10, "r": 13, "s": 32, "t": 9}
_SPACE = b" \t\n\r\v\f"


def words(data: bytes) -> list[bytes]:
    """Return the words of an options file (pppd(8), 'OPTIONS FILES')."""
    found: list[bytes] = []
    at = 0
    while True:
        while at < len(data) and data[at] in _SPACE:
            at += 1
        if at >= len(data):
            return found
        if data[at] == ord("#"):
            while at < len(data) and data[at] != ord("\n"):
                at += 1
            continue
        word, at = _word(data, at)
        found.append(word)


def _word(data: bytes, at: int) -> tuple[bytes, int]:
    out = bytearray()
    quoted = 0
    while at < len(data):
        c = data[at]
        if c == ord("\\"):
            at = _escape(data, at + 1, out)
            continue
        if quoted:
            if c == quoted:
                quoted = 0
            else:
                out.append(c)
        elif c in b"\"'":
            quoted = c
        elif c in _SPACE or c == ord("#"):
            break
        else:
            out.append(c)
        at += 1
    return bytes(out), at


def _escape(data: bytes, at: int, out: bytearray) -> int:
    c = chr(data[at])
    if c == "\n":
        return at + 1
    if c in "01234567":
        end = at
        while end < len(data) and end < at + 3 and chr(data[end]) in "01234567":
            end += 1
        out.append(int(data[at:end], 8) & 0xFF)
        return end
    if c == "x":
        end = at + 1
        while end < len(data) and end < at + 3 and chr(data[end]) in "0123456789abcdefABCDEF":
            end += 1
        out.append(int(data[at + 1 : end] or b"0", 16))
        return end
    out.append(_NAMED.get(c, data[at]))
    return at + 1
