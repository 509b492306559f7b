"""Bridge, addresses, routes and sysctls: what they are to be, what is there, and changes."""

from __future__ import annotations

from typing import TypeVar

import msgspec

DEFAULT = "0.0.0.0/0"
MAIN = 254  # RT_TABLE_MAIN


class Address(msgspec.Struct, frozen=True, order=True):
    """An address with its prefix on an interface; IPv6: only global ones of the bridge."""

    interface: str
    address: str  # 192.168.77.1/24
    routed: bool = True  # whether the kernel makes a route to the address's network by itself
    deprecated: bool = False  # IPv6: no new connection is to have it as its source (RFC 4862)


class Route(msgspec.Struct, frozen=True, order=True):
    """A route of ours (protocol 77)."""

    destination: str
    interface: str
    gateway: str = ""  # empty: a point-to-point link
    table: int = MAIN


class Rule(msgspec.Struct, frozen=True, order=True):
    """An IPv4 routing rule of ours (protocol 77): who goes by another table than the main one."""

    priority: int
    table: int
    source: str = ""  # one address; empty: every source
    destination: str = ""  # a network; empty: every destination


class Proxy(msgspec.Struct, frozen=True, order=True):
    """An address that the router answers ARP for, on behalf of a host elsewhere (RFC 1027)."""

    interface: str
    address: str


class Sysctl(msgspec.Struct, frozen=True, order=True):
    """A value under /proc/sys; the path's parts are divided by slashes, as names hold dots."""

    path: str
    value: str


Item = Address | Route | Rule | Proxy
Sorted = TypeVar("Sorted", Rule, Proxy)


class Network(msgspec.Struct, frozen=True):
    """What is wanted."""

    bridge: str  # keeps its hardware address once it has a port
    members: tuple[str, ...]  # Ethernet ports in the bridge
    uplinks: tuple[str, ...]  # Ethernet ports that are uplinks: up, and in no bridge
    addresses: tuple[Address, ...]
    owned: tuple[str, ...]  # interfaces that have no IPv4 address but those above
    routes: tuple[Route, ...]
    sysctls: tuple[Sysctl, ...]
    rules: tuple[Rule, ...] = ()
    sinks: tuple[str, ...] = ()  # interfaces of ours that lead nowhere
    proxies: tuple[Proxy, ...] = ()  # the bridge has no others


class Actual(msgspec.Struct, frozen=True):
    """What is there."""

    links: frozenset[str]
    up: frozenset[str]  # administratively up
    pinned: bool  # whether the bridge's hardware address stays as it is
    masters: dict[str, str]  # interface: the bridge it is in
    addresses: frozenset[Address]
    routes: frozenset[Route]  # only ours (protocol 77)
    sysctls: dict[str, str]  # of those that were asked for; what is missing is not there
    rules: frozenset[Rule] = frozenset()  # only ours (protocol 77)
    proxies: frozenset[Proxy] = frozenset()  # of the bridge


class CreateBridge(msgspec.Struct, frozen=True):
    """Make the LAN bridge."""

    bridge: str


class CreateSink(msgspec.Struct, frozen=True):
    """Make an interface that leads nowhere: what is sent there is gone.

    An empty bridge that asks for nobody's hardware address: any kernel that has our LAN has it.
    """

    interface: str


class PinAddress(msgspec.Struct, frozen=True):
    """Make a bridge keep the hardware address that it has.

    Otherwise it takes another one whenever a port with a lower address joins, and every host
    would look for its gateway at the old one for a while.
    """

    bridge: str


class SetMaster(msgspec.Struct, frozen=True):
    """Put an interface into a bridge, or out of any (empty master)."""

    interface: str
    master: str


class SetUp(msgspec.Struct, frozen=True):
    """Bring an interface up."""

    interface: str


class Add(msgspec.Struct, frozen=True):
    """Add an address, a route, a rule, or a host that ARP is answered for.

    A route takes the place of the one to the same destination.
    """

    item: Item


class Remove(msgspec.Struct, frozen=True):
    """Remove one."""

    item: Item


class SetSysctl(msgspec.Struct, frozen=True):
    """Write a value under /proc/sys."""

    sysctl: Sysctl


Change = CreateBridge | CreateSink | PinAddress | SetMaster | SetUp | Add | Remove | SetSysctl
