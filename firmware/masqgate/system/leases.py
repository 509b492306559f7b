"""Leases: those that dnsmasq gave to hosts, and those that providers gave to our uplinks.

Host names come from the hosts, and a provider's answer from whoever is on the line: both are
hostile input.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import msgspec

from ..contract.paths import Paths
from ..contract.status import Host
from ..desired.addresses import ipv4
from ..desired.ethernet import Lease, sound

MAX_NAME = 63
MAX_HOSTS = 4096
MAX_FILE = 4096  # bytes


def parse(text: str) -> tuple[Host, ...]:
    """The hosts in a lease file, by address; lines that are not a lease of IPv4 are left out."""
    hosts = (host for line in text.splitlines() if (host := _lease(line.split(" "))))
    return tuple(sorted(hosts, key=_by_address)[:MAX_HOSTS])


def clean_name(name: str) -> str:
    """A host's name without anything but letters, digits, dots, dashes and underscores."""
    kept = (c for c in name[:MAX_NAME] if c.isascii() and (c.isalnum() or c in "._-"))
    return "".join(kept)


def uplink_folder(paths: Paths) -> Path:
    """Where the DHCP clients of the uplinks leave what they were given."""
    return paths.run / "lease"


def uplink_leases(paths: Paths) -> tuple[Lease, ...]:
    """The leases of Ethernet uplinks, those that are of use."""
    return tuple(_uplink_leases(uplink_folder(paths)))


def _uplink_leases(folder: Path) -> Iterator[Lease]:
    for path in sorted(folder.glob("*.json")):
        with contextlib.suppress(OSError, msgspec.DecodeError):
            lease = sound(msgspec.json.decode(path.read_bytes()[:MAX_FILE], type=Lease))
            if lease is not None and lease.interface == path.stem:
                yield lease


def _lease(fields: list[str]) -> Host | None:
    if len(fields) < 4 or not fields[0].isdecimal() or not fields[0].isascii():
        return None
    address = ipv4(fields[2])
    mac = fields[1].lower()
    if not address or not mac or any(c not in "0123456789abcdef:-" for c in mac):
        return None
    return Host(
        name=clean_name(fields[3]) if fields[3] != "*" else "",
        mac=mac[:64],
        address=address,
        expires_at=float(fields[0][:12]),
    )


def _by_address(host: Host) -> tuple[int, ...]:
    return tuple(map(int, host.address.split(".")))
