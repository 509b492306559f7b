"""Ethernet uplinks: what their port, their lease and their configuration make of them. Pure."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Interface, IPv4Network

import msgspec

from ..contract.config import Ethernet, Lan
from ..contract.status import LinkState, LinkStatus, Reason
from .addresses import ipv4

SHORTEST_PREFIX = 8  # bits; nobody was ever given more
_THIS_NETWORK = IPv4Network("0.0.0.0/8")


class Lease(msgspec.Struct, frozen=True):
    """What a provider's DHCP server gave a port (RFC 2131). It comes from outside: see `sound`."""

    interface: str
    address: str
    prefix: int  # bits
    gateway: str = ""
    dns: tuple[str, ...] = ()


class Port(msgspec.Struct, frozen=True):
    """A port as the kernel has it."""

    present: bool = False
    carrier: bool = False  # a cable, and somebody at its other end


def sound(lease: Lease) -> Lease | None:
    """The lease with nothing in it but addresses of hosts; None if it is of no use."""
    address, gateway = _host(lease.address), _host(lease.gateway)
    if not address or not SHORTEST_PREFIX <= lease.prefix <= 32:
        return None
    if gateway == address:
        gateway = ""  # the kernel takes no such route, and a probe of it would always be answered
    servers = tuple(server for text in lease.dns[:8] if (server := _host(text)))
    return Lease(lease.interface, address, lease.prefix, gateway, servers)


def _host(text: str) -> str:
    """The address of a host that can be reached; empty otherwise (RFC 6890, section 2.2.2)."""
    address = ipv4(text)
    if not address:
        return ""
    found = IPv4Address(address)
    odd = found.is_loopback or found.is_link_local or found.is_reserved or found in _THIS_NETWORK
    return "" if odd else address


def lease_network(lease: Lease) -> IPv4Network:
    """The network of a sound lease."""
    return IPv4Interface(f"{lease.address}/{lease.prefix}").network


def usable(lease: Lease, lan: Lan) -> bool:
    """Whether a sound lease can be put on its port: not if it, or its gateway, is in the LAN."""
    network = lan.interface.network
    if lease.gateway and IPv4Address(lease.gateway) in network:
        return False
    return not lease_network(lease).overlaps(network)


def static_lease(link: Ethernet) -> Lease:
    """The configured address of a static uplink, as if it were a lease."""
    interface = IPv4Interface(link.address)
    prefix = interface.network.prefixlen
    return Lease(link.port, str(interface.ip), prefix, link.gateway, link.dns)


def ethernet_status(
    link: Ethernet, lan: Lan, port: Port, lease: Lease | None, now: float
) -> LinkStatus:
    """What to tell of an uplink; `now` is Unix time, `lease` is sound."""
    if link.address != "dhcp":
        lease = static_lease(link)
    state, reason = _state(link, lan, port, lease)
    common = LinkStatus(
        name=link.name,
        kind="ethernet",
        state=state,
        reason=reason,
        since_at=now,
        interface=link.port,
    )
    if state is not LinkState.UP or lease is None:
        return common
    return msgspec.structs.replace(
        common, address=lease.address, peer=lease.gateway, dns=lease.dns
    )


def _state(link: Ethernet, lan: Lan, port: Port, lease: Lease | None) -> tuple[LinkState, Reason]:
    if not link.enabled:
        return LinkState.OFF, Reason("off", "Switched off in the configuration.")
    if not port.present:
        text = f"There is no Ethernet port {link.port}."
        return LinkState.NO_PORT, Reason("no_port", text, "Plug the adapter in.")
    if not port.carrier:
        text = f"Nothing is connected to {link.port}."
        return LinkState.NO_PORT, Reason("no_carrier", text, "Look at the cable.")
    if lease is None:
        text = "Waiting for an address from the provider (DHCP)."
        hint = "If this stays, the provider wants a static address, or PPP."
        return LinkState.NEGOTIATING, Reason("dhcp", text, hint)
    if not usable(lease, lan):
        text = f"The provider's network {lease_network(lease)} overlaps the LAN."
        if not lease_network(lease).overlaps(lan.interface.network):
            text = f"The provider's gateway {lease.gateway} is an address of the LAN."
        hint = "Give the LAN another address, for example 192.168.78.1/24."
        return LinkState.WAITING, Reason("overlaps_lan", text, hint)
    if not lease.gateway:
        text = "The provider gave an address, but no gateway."
        return LinkState.WAITING, Reason("no_gateway", text, "Ask the provider.")
    return LinkState.UP, Reason("up", f"{link.port} has the address {lease.address}.")
