"""What port, lease and configuration make of an Ethernet uplink."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from masqgate.contract.config import Ethernet, Lan
from masqgate.contract.paths import Paths
from masqgate.contract.status import LinkState
from masqgate.desired.ethernet import Lease, Port, ethernet_status, sound
from masqgate.system.leases import uplink_leases

DHCP = Ethernet(name="fibre", port="eth1")
STATIC = Ethernet(
    name="fibre", port="eth1", address="203.0.113.5/24", gateway="203.0.113.1", dns=("9.9.9.9",)
)
OFF = Ethernet(name="fibre", port="eth1", enabled=False)
LEASE = Lease("eth1", "192.0.2.100", 24, "192.0.2.1", ("192.0.2.53",))
OVERLAP = Lease("eth1", "192.168.77.50", 24, "192.168.77.1")
CABLE = Port(present=True, carrier=True)


@pytest.mark.parametrize(
    ("link", "port", "lease", "state", "code"),
    [
        (OFF, CABLE, LEASE, LinkState.OFF, "off"),
        (DHCP, Port(), None, LinkState.NO_PORT, "no_port"),
        (DHCP, Port(present=True), LEASE, LinkState.NO_PORT, "no_carrier"),
        (DHCP, CABLE, None, LinkState.NEGOTIATING, "dhcp"),
        (DHCP, CABLE, OVERLAP, LinkState.WAITING, "overlaps_lan"),
        (DHCP, CABLE, Lease("eth1", "192.0.2.9", 24), LinkState.WAITING, "no_gateway"),
        (
            DHCP,
            CABLE,
            Lease("eth1", "192.0.2.9", 24, "192.168.77.1"),
            LinkState.WAITING,
            "overlaps_lan",
        ),
        (DHCP, CABLE, LEASE, LinkState.UP, "up"),
        (STATIC, CABLE, None, LinkState.UP, "up"),
        (STATIC, Port(present=True), None, LinkState.NO_PORT, "no_carrier"),
    ],
)
def test_states(
    link: Ethernet, port: Port, lease: Lease | None, state: LinkState, code: str
) -> None:
    status = ethernet_status(link, Lan(), port, lease, 7.0)
    assert (status.kind, status.interface, status.since_at) == ("ethernet", "eth1", 7.0)
    assert (status.state, status.reason.code) == (state, code)
    assert bool(status.address) is (state is LinkState.UP), "an address only where it is in use"


def test_an_uplink_that_is_up_tells_its_addresses() -> None:
    leased = ethernet_status(DHCP, Lan(), CABLE, LEASE, 0)
    assert (leased.address, leased.peer) == ("192.0.2.100", "192.0.2.1")
    assert leased.dns == ("192.0.2.53",)
    static = ethernet_status(STATIC, Lan(), CABLE, None, 0)
    assert (static.address, static.peer) == ("203.0.113.5", "203.0.113.1")
    assert static.dns == ("9.9.9.9",)


@pytest.mark.parametrize(
    "lease",
    [
        Lease("eth1", "nonsense", 24), Lease("eth1", "0.0.0.0", 24), Lease("eth1", "1.2.3.4", 0),
        Lease("eth1", "1.2.3.4", 33), Lease("eth1", "224.0.0.1", 24), Lease("eth1", "1.2.3.4", -1),
        Lease("eth1", "8.0.0.1", 5), Lease("eth1", "127.0.0.1", 24), Lease("eth1", "0.1.2.3", 24),
        Lease("eth1", "169.254.1.1", 16), Lease("eth1", "240.0.0.1", 24),
    ],
)  # fmt: skip
def test_leases_that_are_of_no_use(lease: Lease) -> None:
    assert sound(lease) is None


def test_a_gateway_is_somebody_else() -> None:
    lease = sound(Lease("eth1", "192.0.2.100", 24, "192.0.2.100"))
    assert lease == Lease("eth1", "192.0.2.100", 24, "")


@pytest.mark.parametrize(
    "odd", ["127.0.0.1", "169.254.1.1", "224.0.0.1", "0.0.0.1", "255.255.255.255"]
)
def test_gateways_and_servers_that_are_none_are_left_out(odd: str) -> None:
    lease = sound(Lease("eth1", "192.0.2.100", 24, odd, (odd, "192.0.2.53")))
    assert lease == Lease("eth1", "192.0.2.100", 24, "", ("192.0.2.53",))


@given(st.builds(Lease, st.text(), st.text(), st.integers(), st.text(), st.tuples(st.text())))
def test_a_sound_lease_holds_nothing_but_addresses(lease: Lease) -> None:
    good = sound(lease)
    if good is not None:
        assert all(c in "0123456789." for c in good.address + good.gateway + "".join(good.dns))


def test_lease_files_are_read_with_suspicion(tmp_path: Path) -> None:
    folder = tmp_path / "lease"
    folder.mkdir()
    good = '{"interface":"eth1","address":"192.0.2.100","prefix":24,"gateway":"192.0.2.1"}'
    (folder / "eth1.json").write_text(good)
    (folder / "eth2.json").write_text(good)  # it is not that port's
    (folder / "eth3.json").write_text("{")
    (folder / "eth4.json").write_text('{"interface":"eth4","address":7}')
    (folder / "eth5.json").write_bytes(b"\xff" * 9000)
    (folder / "eth6.json").symlink_to(folder / "eth1.json")
    (folder / "eth7.json").symlink_to("/dev/zero")
    os.mkfifo(folder / "eth8.json")
    (folder / "eth9.json").mkdir()
    ports = [f"eth{number}" for number in range(1, 11)]
    assert uplink_leases(Paths(run=tmp_path), ports) == (
        Lease("eth1", "192.0.2.100", 24, "192.0.2.1"),
    )
    assert uplink_leases(Paths(run=tmp_path / "nowhere"), ports) == ()
