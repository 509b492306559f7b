"""Bridge, addresses, routes and sysctls: what is wanted, and the way from what is there."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from masqgate.contract.document import parse
from masqgate.contract.status import LinkState, LinkStatus, Reason
from masqgate.desired.changes import (
    MAIN,
    Actual,
    Add,
    Address,
    Change,
    CreateBridge,
    Item,
    Network,
    PinAddress,
    Remove,
    Route,
    SetMaster,
    SetSysctl,
    SetUp,
    Sysctl,
)
from masqgate.desired.ethernet import Lease
from masqgate.desired.facts import Facts
from masqgate.desired.network import closed, diff, network
from masqgate.desired.nft import FLOWS_PER_HOST

MODEM = '[[uplink]]\nkind = "modem"\nname = "modem1"\nport = "/dev/ttyAMA0"\nnumber = "1"\n'
FIBRE = '[[uplink]]\nkind = "ethernet"\nname = "fibre"\nport = "eth1"\n'
STATIC = FIBRE + 'address = "203.0.113.5/24"\ngateway = "203.0.113.1"\n'
DEFAULT = "0.0.0.0/0"


def up(name: str, **more: object) -> LinkStatus:
    kind = "ethernet" if name == "fibre" else "modem"
    interface = "eth1" if name == "fibre" else f"ppp-{name}"
    return msgspec.convert(
        {
            "name": name, "kind": kind, "state": LinkState.UP, "reason": Reason("up", "Up."),
            "since_at": 0.0, "interface": interface, **more,
        },
        LinkStatus,
    )  # fmt: skip


def facts(*links: LinkStatus, active: str = "") -> Facts:
    return Facts(active=active, links=links, ports=("eth0", "eth1"), password_set=True)


def test_all_ports_are_in_the_bridge_but_uplinks() -> None:
    assert network(parse(MODEM), facts()).members == ("eth0", "eth1")
    wanted = network(parse(FIBRE + MODEM), facts())
    assert (wanted.members, wanted.uplinks) == (("eth0",), ("eth1",))
    off = network(parse(FIBRE + "enabled = false\n"), facts())
    assert off.members == ("eth0",), "a port that is off is no LAN port: it may hang on a fibre"


def test_the_default_route_is_that_of_the_active_uplink() -> None:
    modem, fibre = up("modem1"), up("fibre", peer="203.0.113.1")
    config = parse(FIBRE + MODEM)
    assert network(config, facts(modem, fibre, active="modem1")).routes == (
        Route(DEFAULT, "ppp-modem1"),
    )
    assert network(config, facts(modem, fibre, active="fibre")).routes == (
        Route(DEFAULT, "eth1", "203.0.113.1"),
    )
    leased = msgspec.structs.replace(
        facts(modem, fibre, active="fibre"),
        leases=(Lease("eth1", "203.0.113.5", 24, "203.0.113.1"),),
    )
    assert network(config, leased).routes == (
        Route("203.0.113.0/24", "eth1"),
        Route(DEFAULT, "eth1", "203.0.113.1"),
    )
    assert network(config, facts(modem, fibre)).routes == ()
    assert network(config, facts(active="modem1")).routes == (), "nobody has told of it"


@pytest.mark.parametrize("gateway", ["", "0.0.0.0", "nonsense", "224.0.0.1", "255.255.255.255"])
def test_a_gateway_that_is_none_makes_no_route(gateway: str) -> None:
    hostile = up("fibre", peer=gateway)
    assert network(parse(FIBRE), facts(hostile, active="fibre")).routes == ()


def test_an_uplinks_port_has_its_address_and_no_other() -> None:
    static = network(parse(STATIC), facts())
    assert Address("eth1", "203.0.113.5/24", routed=False) in static.addresses
    assert "eth1" in static.owned
    lease = Lease("eth1", "192.0.2.100", 24, "192.0.2.1")
    leased = msgspec.structs.replace(facts(), leases=(lease,))
    own = Address("eth1", "192.0.2.100/24", routed=False)
    assert own in network(parse(FIBRE), leased).addresses
    assert [a.interface for a in network(parse(FIBRE), facts()).addresses] == ["br0"]
    off = network(parse(FIBRE + "enabled = false\n"), leased)
    assert [a.interface for a in off.addresses] == ["br0"]
    assert "eth1" in off.owned, "what was there before goes"


@pytest.mark.parametrize("address", ["192.168.77.50", "192.168.0.1"])
def test_a_lease_that_overlaps_the_lan_is_not_put_on_the_port(address: str) -> None:
    lease = Lease("eth1", address, 16, "192.168.0.254")
    leased = msgspec.structs.replace(facts(), leases=(lease,))
    assert [a.interface for a in network(parse(FIBRE), leased).addresses] == ["br0"]


@pytest.mark.parametrize(
    ("address", "prefix"), [("8.0.0.1", 8), ("9.9.9.9", 24), ("198.51.100.1", 32), ("9.9.9.8", 31)]
)
def test_an_uplink_that_waits_takes_no_traffic_from_the_active_one(
    address: str, prefix: int
) -> None:
    """Whoever is on the line may give a lease in which the other provider's servers are."""
    modem = up("modem1", address="198.51.100.7", peer="198.51.100.1", dns=["9.9.9.9"])
    lease = Lease("eth1", address, prefix, "8.0.0.2")
    leased = msgspec.structs.replace(facts(modem, active="modem1"), leases=(lease,))
    wanted = network(parse(MODEM + FIBRE), leased)
    main = [route for route in wanted.routes if route.table == MAIN]
    assert main == [Route(DEFAULT, "ppp-modem1")]
    given = [a for a in wanted.addresses if a.interface == "eth1"]
    assert given == ([Address("eth1", "8.0.0.1/8", routed=False)] if prefix == 8 else [])


def test_forwarding_comes_first_and_can_be_kept_off() -> None:
    wanted = network(parse(MODEM), facts())
    assert wanted.sysctls[0] == Sysctl("net/ipv4/ip_forward", "1")
    assert closed(wanted).sysctls[0] == Sysctl("net/ipv4/ip_forward", "0")
    passing = {"net/ipv6/conf/all/forwarding", "net/ipv6/conf/default/forwarding"}
    assert {s.value for s in wanted.sysctls if s.path in passing} == {"1"}
    assert {s.value for s in closed(wanted).sysctls if s.path in passing} == {"0"}
    others = [s for s in wanted.sysctls[1:] if s.path not in passing]
    assert [s for s in closed(wanted).sysctls[1:] if s.path not in passing] == others


def test_timeouts_obey_the_rfcs() -> None:
    values = {s.path.rpartition("nf_conntrack_")[2]: s.value for s in network_sysctls()}
    assert int(values["udp_timeout"]) >= 120
    assert int(values["udp_timeout_stream"]) >= 120
    assert int(values["tcp_timeout_established"]) >= 2 * 3600 + 4 * 60
    assert int(values["tcp_timeout_syn_sent"]) >= 240
    assert int(values["icmp_timeout"]) >= 60


def test_one_host_cannot_fill_the_table_of_flows() -> None:
    (most,) = [s.value for s in network_sysctls() if s.path == "net/netfilter/nf_conntrack_max"]
    assert int(most) >= 4 * FLOWS_PER_HOST


def network_sysctls() -> tuple[Sysctl, ...]:
    return network(parse(MODEM), facts()).sysctls


def test_a_new_default_route_takes_the_place_of_the_old_one() -> None:
    config = parse(FIBRE + MODEM)
    wanted = network(config, facts(up("modem1"), active="modem1"))
    actual = msgspec.structs.replace(
        reached(wanted),
        routes=frozenset({Route(DEFAULT, "eth1", "203.0.113.1")}),
        links=reached(wanted).links | {"ppp-modem1"},
    )
    assert diff(wanted, actual) == (Add(Route(DEFAULT, "ppp-modem1")),)


def test_the_old_route_goes_even_if_the_new_interface_is_gone() -> None:
    wanted = network(parse(FIBRE + MODEM), facts(up("modem1"), active="modem1"))
    old = Route(DEFAULT, "eth1", "203.0.113.1")
    actual = msgspec.structs.replace(
        reached(wanted), routes=frozenset({old}), links=reached(wanted).links - {"ppp-modem1"}
    )
    assert diff(wanted, actual)[0] == Remove(old)


def test_a_port_that_became_an_uplink_leaves_the_bridge_first() -> None:
    before = reached(network(parse(MODEM), facts()))
    changes = diff(network(parse(FIBRE + MODEM), facts()), before)
    assert changes[0] == SetMaster("eth1", "")


def nothing() -> Actual:
    links = frozenset({"lo", "eth0", "eth1"})
    return Actual(links, frozenset(), False, {}, frozenset(), frozenset(), {})


def reached(wanted: Network) -> Actual:
    """What is there when everything was done."""
    names = {wanted.bridge, *wanted.members, *wanted.uplinks}
    return Actual(
        frozenset(names | {route.interface for route in wanted.routes}),
        frozenset(names),
        True,
        dict.fromkeys(wanted.members, wanted.bridge),
        frozenset(wanted.addresses),
        frozenset(wanted.routes),
        {sysctl.path: sysctl.value for sysctl in wanted.sysctls},
    )


def added(actual: Actual, item: Item) -> Actual:
    if isinstance(item, Address):
        return msgspec.structs.replace(actual, addresses=actual.addresses | {item})
    assert isinstance(item, Route)
    others = {route for route in actual.routes if route.destination != item.destination}
    return msgspec.structs.replace(actual, routes=frozenset({*others, item}))


def make(actual: Actual, change: Change) -> Actual:
    """What a kernel that obeys makes of a change."""
    new = msgspec.structs.replace
    if isinstance(change, CreateBridge):
        return new(actual, links=actual.links | {change.bridge})
    if isinstance(change, PinAddress):
        return new(actual, pinned=True)
    if isinstance(change, SetMaster):
        masters = {k: v for k, v in actual.masters.items() if k != change.interface}
        masters |= {change.interface: change.master} if change.master else {}
        return new(actual, masters=masters)
    if isinstance(change, SetUp):
        return new(actual, up=actual.up | {change.interface})
    if isinstance(change, Add):
        return added(actual, change.item)
    if isinstance(change, Remove) and isinstance(change.item, Address):
        return new(actual, addresses=actual.addresses - {change.item})
    if isinstance(change, Remove):
        return new(actual, routes=actual.routes - {change.item})
    assert isinstance(change, SetSysctl)
    return new(actual, sysctls={**actual.sysctls, change.sysctl.path: change.sysctl.value})


names = st.sampled_from(["br0", "eth0", "eth1", "eth2", "ppp-modem1", "wlan0"])
addresses = st.sampled_from(["192.168.77.1/24", "10.0.0.1/8", "203.0.113.5/24"])
routes = st.builds(
    Route, st.sampled_from([DEFAULT, "10.0.0.0/8"]), names, st.sampled_from(["", "203.0.113.1"])
)
states = st.builds(
    Actual,
    links=st.just(frozenset({"lo", "eth0", "eth1", "ppp-modem1"})),
    up=st.frozensets(names),
    pinned=st.booleans(),
    masters=st.dictionaries(names, st.sampled_from(["br0", "br9"])),
    addresses=st.frozensets(st.builds(Address, names, addresses)),
    routes=st.frozensets(routes),
    sysctls=st.just({}),
)


@given(states, st.sampled_from([MODEM, FIBRE, FIBRE + MODEM, STATIC]), st.booleans())
def test_whatever_is_there_becomes_what_is_wanted(
    actual: Actual, document: str, dialed: bool
) -> None:
    known = facts(up("modem1"), active="modem1" if dialed else "")
    wanted = network(parse(document), known)
    for change in diff(wanted, actual):
        actual = make(actual, change)
    assert diff(wanted, actual) == ()
    assert set(actual.routes) == set(wanted.routes)
    members = {name for name, master in actual.masters.items() if master == "br0"}
    assert members == set(wanted.members)


def test_nothing_is_to_do_when_all_is_done() -> None:
    wanted = network(parse(STATIC + MODEM), facts(up("modem1"), active="modem1"))
    assert diff(wanted, reached(wanted)) == ()
    changes = diff(wanted, nothing())
    assert changes[0] == CreateBridge("br0")
