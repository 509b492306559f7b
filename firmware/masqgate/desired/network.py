"""Bridge, addresses, routes and sysctls: what is wanted, what is there, and the way between."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from ..contract.config import Config, Ethernet, Modem, Uplink
from ..contract.status import LinkState, LinkStatus
from .addresses import ipv4
from .changes import (
    DEFAULT,
    MAIN,
    Actual,
    Add,
    Address,
    Change,
    CreateBridge,
    CreateSink,
    Network,
    PinAddress,
    Proxy,
    Remove,
    Route,
    Rule,
    SetMaster,
    SetSysctl,
    SetUp,
    Sorted,
    Sysctl,
)
from .ethernet import Lease, lease_network, static_lease, usable
from .facts import (
    BRIDGE,
    SINK,
    UPLINK_TABLE,
    Facts,
    active_uplink,
    demanded,
    interface_of,
    interface_of_line,
)
from .six import DEFAULT6, delegated, lan_prefix, router_address, wanted, way
from .sysctls import (
    PASSING,
    global_sysctls,
    interface_sysctls,
    port_sysctls,
    six_sysctls,
    uplink_sysctls,
)


def network(config: Config, facts: Facts) -> Network:
    """What bridge, addresses, routes and sysctls are to be."""
    # A configured uplink's port stays out of the bridge even when the uplink is off: the
    # provider's line may be plugged in.
    outside = {link.port: link for link in config.ethernets if link.port in facts.ports}
    members = tuple(sorted(set(facts.ports) - set(outside)))
    addresses = [Address(BRIDGE, str(config.lan.interface))]
    addresses += [
        Address(link.port, text, routed=False)
        for link in outside.values()
        if (text := _uplink_address(link, config, facts))
    ]
    addresses += _lan_six(config, facts)
    return Network(
        bridge=BRIDGE,
        members=members,
        uplinks=tuple(sorted(port for port, link in outside.items() if link.enabled)),
        addresses=tuple(addresses),
        owned=(BRIDGE, *members, *sorted(outside)),
        routes=(*_routes(config, facts), *_six_routes(config, facts), *_ways(config, facts)),
        sysctls=tuple(
            Sysctl(path, value)
            for path, value in (
                *global_sysctls(six=wanted(config)),
                *interface_sysctls(BRIDGE),
                *port_sysctls(members),
                *_uplink_sysctls(config, facts),
                *uplink_sysctls(map(interface_of_line, config.lines)),
                *(uplink_sysctls([SINK]) if demanded(config, facts) else ()),
            )
        ),
        rules=tuple(_rules(config, facts)),
        sinks=(SINK,) if demanded(config, facts) else (),
        proxies=tuple(Proxy(BRIDGE, guest.address) for guest in sorted(facts.guests)),
    )


def closed(wanted: Network) -> Network:
    """The same without forwarding: for as long as no ruleset of ours is in force."""
    sysctls = tuple(
        Sysctl(sysctl.path, "0") if sysctl.path in PASSING else sysctl for sysctl in wanted.sysctls
    )
    return msgspec.structs.replace(wanted, sysctls=sysctls)


def _lan_six(config: Config, facts: Facts) -> Iterator[Address]:
    """The router's addresses in the LAN's /64, and in those that the LAN had before."""
    prefix = lan_prefix(delegated(config, facts))
    if prefix:
        yield Address(BRIDGE, router_address(prefix))
    for old in facts.stale:
        if old != prefix:
            yield Address(BRIDGE, router_address(old), deprecated=True)


def _six_routes(config: Config, facts: Facts) -> Iterator[Route]:
    """A call needs no router advertisement to have a way out: there is only one other end."""
    delegation = delegated(config, facts)
    if delegation is not None and isinstance(active_uplink(config, facts), Modem):
        yield Route(DEFAULT6, delegation.interface)


def _uplink_sysctls(config: Config, facts: Facts) -> Iterator[tuple[str, str]]:
    """IPv6 is on where it is used; with a call from its beginning, so that IPV6CP can end well."""
    active = way(config, facts)
    for link in config.uplink:
        name, dials = interface_of(link), isinstance(link, Modem)
        if link.ipv6 and (dials or name == active):
            yield from six_sysctls(name, listens=not dials)
        else:
            yield from uplink_sysctls([name])


def _uplink_address(link: Ethernet, config: Config, facts: Facts) -> str:
    """The address, with prefix, that an Ethernet uplink's port is to have; empty: none."""
    lease = _lease(link, config, facts)
    if lease is None or _takes_from_others(lease, link, facts):
        return ""
    return f"{lease.address}/{lease.prefix}"


def _lease(link: Ethernet, config: Config, facts: Facts) -> Lease | None:
    """The lease in force, or the static address as if it were one."""
    if not link.enabled:
        return None
    if link.address != "dhcp":
        lease: Lease | None = static_lease(link)
    else:
        lease = next((item for item in facts.leases if item.interface == link.port), None)
    return lease if lease is not None and usable(lease, config.lan) else None


def _takes_from_others(lease: Lease, link: Ethernet, facts: Facts) -> bool:
    """Whether having the address would cut off an uplink that is up from its servers."""
    local = {lease.address, str(lease_network(lease).broadcast_address)}
    return any(
        other.name != link.name
        and other.state is LinkState.UP
        and not local.isdisjoint((other.address, other.peer, *other.dns))
        for other in facts.links
    )


def _routes(config: Config, facts: Facts) -> Iterator[Route]:
    if demanded(config, facts) is not None:
        yield Route(DEFAULT, SINK)
    uplink, link = active_uplink(config, facts), facts.link(facts.active)
    if uplink is None or link is None:
        return
    gateway = ipv4(link.peer) if isinstance(uplink, Ethernet) else ""
    if isinstance(uplink, Ethernet) and not gateway:
        return
    if isinstance(uplink, Ethernet):
        # The kernel makes none to an uplink's network: one that only waits would get traffic
        # that is the active one's, and whoever is on its line chooses how much.
        lease = _lease(uplink, config, facts)
        if lease is not None and lease.prefix < 32:
            yield Route(str(lease_network(lease)), uplink.port)
    yield Route(DEFAULT, link.interface or interface_of(uplink), gateway)


def _up(config: Config, facts: Facts) -> Iterator[tuple[int, Uplink, LinkStatus]]:
    """The uplinks that are up, each with its table."""
    for index, uplink in enumerate(config.uplink):
        link = facts.link(uplink.name)
        if link is not None and link.state is LinkState.UP and ipv4(link.address):
            yield UPLINK_TABLE + index, uplink, link


def _ways(config: Config, facts: Facts) -> Iterator[Route]:
    """A table for each uplink that is up: what has its address as the source goes by it.

    Probes do, whether it carries the traffic or not; and for their answers the strict reverse
    path check (RFC 3704) finds the way that they came. Nothing else ends up here.
    """
    for table, uplink, link in _up(config, facts):
        interface = link.interface or interface_of(uplink)
        gateway = ipv4(link.peer) if isinstance(uplink, Ethernet) else ""
        if isinstance(uplink, Ethernet):
            lease = _lease(uplink, config, facts)
            if not gateway or lease is None or _takes_from_others(lease, uplink, facts):
                continue
            if lease.prefix < 32:
                yield Route(str(lease_network(lease)), interface, table=table)
        yield Route(DEFAULT, interface, gateway, table)


def _rules(config: Config, facts: Facts) -> Iterator[Rule]:
    up = [(table, link) for table, _, link in _up(config, facts)]
    if up:  # a LAN host that speaks to an uplink's address is answered on the LAN
        lan = str(config.lan.interface.network)
        yield Rule(UPLINK_TABLE - 1, MAIN, destination=lan)
    for table, link in up:
        yield Rule(table, table, source=ipv4(link.address))


def diff(wanted: Network, actual: Actual) -> tuple[Change, ...]:
    """The changes, in order, that bring what is there to what is wanted; empty if it is so."""
    return (
        *_bridge_changes(wanted, actual),
        *_address_changes(wanted, actual),
        *_route_changes(wanted, actual),
        *_exactly(wanted.rules, actual.rules),
        *_exactly(wanted.proxies, actual.proxies),
        *(
            SetSysctl(sysctl)
            for sysctl in wanted.sysctls
            if actual.sysctls.get(sysctl.path, sysctl.value) != sysctl.value
        ),
    )


def _exactly(wanted: tuple[Sorted, ...], actual: frozenset[Sorted]) -> Iterator[Change]:
    yield from (Remove(item) for item in sorted(actual - set(wanted)))
    yield from (Add(item) for item in wanted if item not in actual)


def _bridge_changes(wanted: Network, actual: Actual) -> Iterator[Change]:
    if wanted.bridge not in actual.links:
        yield CreateBridge(wanted.bridge)
    yield from (CreateSink(name) for name in wanted.sinks if name not in actual.links)
    for name, master in sorted(actual.masters.items()):
        if master == wanted.bridge and name not in wanted.members:
            yield SetMaster(name, "")
    for name in wanted.members:
        if name in actual.links and actual.masters.get(name, "") != wanted.bridge:
            yield SetMaster(name, wanted.bridge)
    if not actual.pinned and any(name in actual.links for name in wanted.members):
        yield PinAddress(wanted.bridge)
    made = (wanted.bridge, *wanted.sinks)
    for name in (*made, *wanted.members, *wanted.uplinks):
        if (name in actual.links or name in made) and name not in actual.up:
            yield SetUp(name)


def _address_changes(wanted: Network, actual: Actual) -> Iterator[Change]:
    for address in sorted(actual.addresses):
        if address.interface in wanted.owned and address not in wanted.addresses:
            yield Remove(address)
    present = {*actual.links, wanted.bridge}
    for address in wanted.addresses:
        if address not in actual.addresses and address.interface in present:
            yield Add(address)


def _route_changes(wanted: Network, actual: Actual) -> Iterator[Change]:
    new = [
        route
        for route in wanted.routes
        # An interface that is gone is one problem, not two: the main table tells of it.
        if route not in actual.routes and (route.table == MAIN or route.interface in actual.links)
    ]
    # A new route takes the place of the old one to the same destination, without a gap.
    present = {*actual.links, *wanted.sinks}
    replaced = {(r.table, r.destination) for r in new if r.interface in present}
    for route in sorted(actual.routes - set(wanted.routes)):
        if (route.table, route.destination) not in replaced:
            yield Remove(route)
    yield from (Add(route) for route in new)
