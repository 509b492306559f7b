"""Leases: those that dnsmasq gave to hosts, and those that providers gave to our uplinks.

Host names come from the hosts, and a provider's answer from whoever is on the line: both are
hostile input.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from ..contract.codec import from_json
from ..contract.paths import Paths
from ..contract.status import Host
from ..desired.addresses import ipv4
from ..desired.ethernet import Lease, sound

MAX_NAME = 63
MAX_HOSTS = 4096
MAX_FILE = 4096  # bytes of a port's lease
MAX_LEASES = 1 << 20  # bytes of dnsmasq's leases


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


def uplink_leases(paths: Paths, ports: Iterable[str]) -> tuple[Lease, ...]:
    """The leases of these ports' uplinks, those that are of use."""
    return tuple(_uplink_leases(uplink_folder(paths), ports))


def _uplink_leases(folder: Path, ports: Iterable[str]) -> Iterator[Lease]:
    for port in ports:
        with contextlib.suppress(OSError, msgspec.DecodeError):
            data = read_file(folder / f"{port}.json", MAX_FILE)
            lease = sound(from_json(data, Lease))
            if lease is not None and lease.interface == port:
                yield lease


def read_file(path: Path, limit: int) -> bytes:
    """At most `limit` bytes of a plain file; OSError if it is none.

    Whoever may write the folder may put a link, a pipe or a device there.
    """
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    with os.fdopen(os.open(path, flags), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(f"{path} is no file")
        return file.read(limit)


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
