"""Just enough of ELF (64 bit, little endian) to see which shared libraries a file needs."""

import struct
from pathlib import Path

_PT_LOAD, _PT_DYNAMIC = 1, 2
_DT_NEEDED, _DT_STRTAB = 1, 5


def needed(path: Path) -> list[str]:
    """Return the DT_NEEDED names of a file; none if it is not ELF or not dynamic."""
    with path.open("rb") as file:
        if file.read(5) != b"\x7fELF\x02":
            return []
    data = path.read_bytes()
    segments = _segments(data)
    dynamic = next((part for part in segments if part[0] == _PT_DYNAMIC), None)
    if dynamic is None:
        return []
    _, start, _, size = dynamic
    entries = [struct.unpack_from("<QQ", data, start + at) for at in range(0, size, 16)]
    table = next((value for tag, value in entries if tag == _DT_STRTAB), None)
    if table is None:
        return []
    strings = _file_offset(segments, table)
    return [_string(data, strings + value) for tag, value in entries if tag == _DT_NEEDED]


def _segments(data: bytes) -> list[tuple[int, int, int, int]]:
    """Return (type, file offset, address, size in the file) of each program header."""
    table, entry_size, count = (
        struct.unpack_from("<Q", data, 32)[0],
        *struct.unpack_from("<HH", data, 54),
    )
    found = []
    for number in range(count):
        fields = struct.unpack_from("<IIQQQQ", data, table + number * entry_size)
        found.append((fields[0], fields[2], fields[3], fields[5]))
    return found


def _file_offset(segments: list[tuple[int, int, int, int]], address: int) -> int:
    for kind, offset, start, size in segments:
        if kind == _PT_LOAD and start <= address < start + size:
            return offset + address - start
    raise ValueError("address outside of the file")


def _string(data: bytes, start: int) -> str:
    return data[start : data.index(b"\0", start)].decode()
