"""What listens on the router, and for whom, as its configuration has it. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from masqgate.contract.config import Config

LAN = "the LAN"


@dataclass(frozen=True)
class Service:
    """One service; `reached` is empty while it is off, and its port closed."""

    name: str
    ports: tuple[str, ...]
    reached: str


def services(config: Config) -> Iterator[Service]:
    """The same as docs/SERVICES.md, with what of it is on."""
    admins = [line.name for line in config.lines if line.admin]
    callers = [line.name for line in config.lines]
    yield Service("Admin page", ("TCP 80", "TCP 443"), _who(admins))
    yield Service("Names (DNS)", ("UDP 53", "TCP 53"), _who(callers))
    yield Service("Addresses (DHCP)", ("UDP 67",), LAN if config.lan.dhcp else "")
    ports = [link.port for link in config.ethernets if link.enabled and link.address == "dhcp"]
    asked = f"the DHCP servers that it asks on {', '.join(ports)}" if ports else ""
    yield Service("DHCP client of an uplink", ("UDP 68",), asked)
    six = [link.name for link in config.uplink if link.ipv6]
    server = f"the provider's DHCPv6 server ({', '.join(six)})" if six else ""
    yield Service("DHCPv6 client of an uplink", ("UDP 546",), server)


def _who(lines: list[str]) -> str:
    return f"{LAN}, callers on {', '.join(lines)}" if lines else LAN
