"""Addresses that others told us: only what really is one gets into a file or the kernel."""

from __future__ import annotations

from ipaddress import IPv4Address


def ipv4(text: str) -> str:
    """The address in its usual form; empty if the text is not one that a host could have."""
    try:
        address = IPv4Address(text)
    except ValueError:
        return ""
    if address.is_unspecified or address.is_multicast or int(address) == 0xFFFF_FFFF:
        return ""
    return str(address)
