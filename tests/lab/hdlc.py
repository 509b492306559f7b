"""PPP in HDLC-like framing for asynchronous lines (RFC 1662)."""

from __future__ import annotations

from dataclasses import dataclass

FLAG = 0x7E
ESCAPE = 0x7D
FLIP = 0x20
ADDRESS_CONTROL = b"\xff\x03"
GOOD_FCS = 0xF0B8
ACCM_ALL = 0xFFFFFFFF
MAX_FRAME = 16_384
LCP = 0xC021


def _fcs_table() -> tuple[int, ...]:
    table = []
    for byte in range(256):
        value = byte
        for _ in range(8):
            value = (value >> 1) ^ 0x8408 if value & 1 else value >> 1
        table.append(value)
    return tuple(table)


_TABLE = _fcs_table()


def fcs16(data: bytes, fcs: int = 0xFFFF) -> int:
    """Run the 16-bit frame check sequence over `data` (RFC 1662, appendix C.2), not inverted."""
    for byte in data:
        fcs = (fcs >> 8) ^ _TABLE[(fcs ^ byte) & 0xFF]
    return fcs


@dataclass(slots=True)
class FramingOptions:
    """What LCP agreed on for one direction; the start values are those of RFC 1662."""

    accm: int = ACCM_ALL
    compress_protocol: bool = False
    compress_address: bool = False


@dataclass(frozen=True, slots=True)
class Frame:
    """One good frame: protocol number and information field."""

    protocol: int
    payload: bytes

    @property
    def packet(self) -> bytes:
        """The frame as captures want it: address, control, protocol, information."""
        return ADDRESS_CONTROL + self.protocol.to_bytes(2, "big") + self.payload


def encode(frame: Frame, options: FramingOptions) -> bytes:
    """Return the frame as it goes on the wire, flags included.

    LCP frames (codes aside) always use the start values (RFC 1662, section 7; RFC 1661, 6.5, 6.6).
    """
    lcp = frame.protocol == LCP
    body = b"" if options.compress_address and not lcp else ADDRESS_CONTROL
    short = options.compress_protocol and not lcp and frame.protocol < 0x100
    body += frame.protocol.to_bytes(1 if short else 2, "big") + frame.payload
    body += (fcs16(body) ^ 0xFFFF).to_bytes(2, "little")
    return bytes([FLAG]) + _escape(body, ACCM_ALL if lcp else options.accm) + bytes([FLAG])


def _escape(body: bytes, accm: int) -> bytes:
    out = bytearray()
    for byte in body:
        if byte in (FLAG, ESCAPE) or (byte < 0x20 and accm >> byte & 1):
            out += bytes((ESCAPE, byte ^ FLIP))
        else:
            out.append(byte)
    return bytes(out)


class Decoder:
    """Turns bytes from the line into frames; bad ones are counted, never raised."""

    def __init__(self) -> None:
        self.accm = 0
        self.bad_frames = 0
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[Frame]:
        """Take bytes from the line; return the good frames that they complete."""
        frames = []
        self._buffer += data
        while (end := self._buffer.find(FLAG)) >= 0:
            raw = bytes(self._buffer[:end])
            del self._buffer[: end + 1]
            frame = self._frame(raw)
            if frame is not None:
                frames.append(frame)
        if len(self._buffer) > MAX_FRAME:
            self._buffer.clear()
            self.bad_frames += 1
        return frames

    def _frame(self, raw: bytes) -> Frame | None:
        if not raw:
            return None
        if raw[-1] == ESCAPE:  # aborted by the sender (RFC 1662, section 4.3)
            return None
        body = self._unescape(raw)
        if len(body) < 4 or fcs16(body) != GOOD_FCS:
            self.bad_frames += 1
            return None
        return _parse(body[:-2])

    def _unescape(self, raw: bytes) -> bytes:
        out = bytearray()
        escaped = False
        for byte in raw:
            if escaped:
                out.append(byte ^ FLIP)
                escaped = False
            elif byte == ESCAPE:
                escaped = True
            elif byte >= 0x20 or not self.accm >> byte & 1:
                out.append(byte)
        return bytes(out)


def _parse(body: bytes) -> Frame | None:
    if body.startswith(ADDRESS_CONTROL):
        body = body[2:]
    size = 1 if body and body[0] & 1 else 2  # compressed protocols are odd (RFC 1661, section 2)
    if len(body) < size:
        return None
    return Frame(int.from_bytes(body[:size], "big"), body[size:])
