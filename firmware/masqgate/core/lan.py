"""Another address for the router on the LAN, with a pool of leases that fits it."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Interface

import msgspec

from masqgate.contract.config import Config
from masqgate.contract.errors import InvalidConfig, MasqgateError
from masqgate.contract.rules import check

DEFAULT_PREFIX = 24


def moved(config: Config, text: str) -> Config:
    """Return the configuration with this LAN address ('10.0.0.1' or '10.0.0.1/24').

    MasqgateError if it is not an address, InvalidConfig if it is not one for a LAN.
    """
    interface = _interface(text.strip())
    first, last = _pool(interface)
    lan = msgspec.structs.replace(
        config.lan, address=str(interface), dhcp_first=str(first), dhcp_last=str(last)
    )
    new = msgspec.structs.replace(config, lan=lan)
    if problems := check(new):
        raise InvalidConfig(tuple(problems))
    return new


def _interface(text: str) -> IPv4Interface:
    try:
        return IPv4Interface(text if "/" in text else f"{text}/{DEFAULT_PREFIX}")
    except ValueError:
        wrong = f"'{text[:40]}' is not an IPv4 address."
        raise MasqgateError("bad_address", wrong, "For example 192.168.77.1/24.") from None


def _pool(interface: IPv4Interface) -> tuple[IPv4Address, IPv4Address]:
    """Return first and last address of the leases: beside the router, never over it."""
    network, own = interface.network, interface.ip
    if network.prefixlen <= DEFAULT_PREFIX:
        base = IPv4Interface(f"{own}/{DEFAULT_PREFIX}").network.network_address
        first, last = (10, 99) if 100 <= int(own) - int(base) <= 199 else (100, 199)
        return base + first, base + last
    lowest, highest = network.network_address + 1, network.broadcast_address - 1
    if int(own) - int(lowest) > int(highest) - int(own):
        return lowest, own - 1
    return own + 1, highest
