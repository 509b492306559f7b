"""Which hardware address a host of the LAN has, as the kernel has learned it (arp(7))."""

from __future__ import annotations

from pathlib import Path

TABLE = Path("/proc/self/net/arp")  # of this process's network namespace
UNKNOWN = "00:00:00:00:00:00"


def hardware_address(address: str, table: Path = TABLE) -> str:
    """The hardware address of an IPv4 neighbour; empty if it is not known."""
    try:
        rows = table.read_text().splitlines()[1:]
    except OSError:
        return ""
    for row in rows:
        fields = row.split()  # address, hardware type, flags, hardware address, mask, device
        if len(fields) == 6 and fields[0] == address and fields[3] != UNKNOWN:
            return fields[3]
    return ""
