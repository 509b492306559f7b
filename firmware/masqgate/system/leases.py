"""dnsmasq's leases. Host names come from the hosts themselves: they are hostile input."""

from __future__ import annotations

from ..contract.status import Host
from ..desired.addresses import ipv4

MAX_NAME = 63
MAX_HOSTS = 4096


def parse(text: str) -> tuple[Host, ...]:
    """The hosts in a lease file, by address; lines that are not a lease of IPv4 are left out."""
    hosts = (host for line in text.splitlines() if (host := _lease(line.split(" "))))
    return tuple(sorted(hosts, key=_by_address)[:MAX_HOSTS])


def clean_name(name: str) -> str:
    """A host's name without anything but letters, digits, dots, dashes and underscores."""
    kept = (c for c in name[:MAX_NAME] if c.isascii() and (c.isalnum() or c in "._-"))
    return "".join(kept)


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
