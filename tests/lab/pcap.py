"""Capture files: the classic pcap format (draft-ietf-opsawg-pcap), flushed packet by packet."""

from __future__ import annotations

import struct
import time
from pathlib import Path
from typing import BinaryIO

LINKTYPE_RAW = 101  # IP packets
LINKTYPE_PPP_WITH_DIR = 204  # a direction byte (0 in, 1 out), then a PPP frame


class PcapWriter:
    """Writes packets with their wall-clock time."""

    def __init__(self, path: Path, linktype: int) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._file: BinaryIO = path.open("wb")
        header = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, linktype)
        self._file.write(header)
        self._file.flush()

    def write(self, packet: bytes) -> None:
        """Add one packet, seen now."""
        now = time.time_ns()
        seconds, rest = divmod(now, 1_000_000_000)
        size = len(packet)
        self._file.write(struct.pack("<IIII", seconds, rest // 1000, size, size) + packet)
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()
