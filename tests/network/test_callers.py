"""A caller is a host of the LAN: both ways, and masqueraded, with its own address only.

The line is a veth with a PPP interface's name, without ARP, as the uplink's is.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.lab.netns import Namespace

from .router import CONFIG, LAN, PREFIX, ROUTER, SERVER, UPLINK, World, eventually, facts
from .test_lan import provider, resolve

CALLER = f"{LAN}.60"
MAC = "02:00:00:00:99:02"
LINE = f"""
[[dialin]]
name = "modem2"
port = "/dev/ttyUSB0"
address = "{CALLER}"
[[dialin.caller]]
name = "anybox"
password = "eight letters"
"""
ADMIN = LINE.replace("\naddress", "\nadmin = true\naddress")
PUBLIC = "192.88.99.5"


def known(**more: Any) -> dict[str, Any]:
    """What the supervisor knows while the caller is on the line."""
    guest = {"interface": "ppp-modem2", "address": CALLER}
    return facts(password_set=True, guests=[guest], **more)


@pytest.fixture
def caller(bare: World) -> Iterator[Namespace]:
    """The caller's computer: connected as pppd does it, and the supervisor has been told."""
    space = Namespace(f"{PREFIX}{bare.router.space.name.split('-')[1]}-any")
    space.create()
    bare.spaces["any"] = space
    space.ip(
        f"link add ppp0 address {MAC} type veth peer name ppp-modem2"
        f" netns {bare.router.space.name} address {MAC}",
        "link set ppp0 arp off up",
        f"addr add {CALLER} peer {ROUTER}/32 dev ppp0",
        "route add default dev ppp0",
    )
    bare.router.space.ip(
        "link set ppp-modem2 arp off up",
        f"addr add {ROUTER} peer {CALLER}/32 dev ppp-modem2",
    )
    assert bare.router.apply(known(), CONFIG + LINE) == []
    eventually(bare.router.forwarding, "the bridge passes frames")
    yield space


def pings(space: Namespace, address: str, *more: str) -> bool:
    return space.run(["ping", "-c", "1", "-w", "15", *more, address]).returncode == 0


def reaches(space: Namespace, address: str, *more: str) -> bool:
    """The same, for what is not to be reached: less patience."""
    return space.run(["ping", "-c", "3", "-i", "0.2", "-W", "1", *more, address]).returncode == 0


def test_caller_and_lan_reach_each_other(bare: World, caller: Namespace) -> None:
    host = bare.hosts[0]
    assert pings(caller, f"{LAN}.11")
    assert pings(host, CALLER)
    mac = bare.router.tool("cat", "/sys/class/net/br0/address").strip()
    neighbours = host.run(["ip", "neigh", "show", CALLER]).stdout
    assert f"lladdr {mac}" in neighbours, "the router answers ARP for its caller"


def test_the_caller_is_masqueraded(bare: World, caller: Namespace) -> None:
    server = bare.udp(bare.internet, SERVER, 7000)
    client = bare.udp(caller, port=5000)
    client.sendto(b"hello", (SERVER, 7000))
    message, address = server.recvfrom(100)
    assert (message, address) == (b"hello", (UPLINK, 5000))
    server.sendto(b"answer", address)
    assert client.recv(100) == b"answer"


def test_the_caller_gets_names_from_the_router(bare: World, caller: Namespace) -> None:
    up = known()
    up["links"][0]["dns"] = [SERVER]
    assert bare.router.apply(up, CONFIG + LINE) == []
    with provider(bare, {"web.example": PUBLIC}):
        for asker in (caller, bare.hosts[0]):
            eventually(lambda: resolve(bare, asker, "web.example") == [PUBLIC], "an answer")  # noqa: B023


def test_the_page_is_for_callers_only_where_told(bare: World, caller: Namespace) -> None:
    page = bare.tcp(bare.router.space, port=80)
    page.listen()
    with pytest.raises(ConnectionRefusedError):
        bare.tcp(caller).connect((ROUTER, 80))
    assert bare.router.apply(known(), CONFIG + ADMIN) == []
    bare.tcp(caller).connect((ROUTER, 80))
    factory = {**known(), "password_set": False}
    assert bare.router.apply(factory, CONFIG + ADMIN) == []
    with pytest.raises(ConnectionRefusedError):  # or a caller could set the first password
        bare.tcp(caller).connect((ROUTER, 80))


def test_a_caller_sends_from_its_own_address_only(bare: World, caller: Namespace) -> None:
    for forged in (f"{LAN}.61", f"{LAN}.11", "203.0.113.9"):
        caller.ip(f"addr add {forged}/32 dev lo")
        if forged != f"{LAN}.11":
            assert not reaches(caller, f"{LAN}.12", "-I", forged)
        assert not reaches(caller, ROUTER, "-I", forged)
    rules = bare.router.tool("nft", "list", "chain", "inet", "masqgate", "arrival_caller")
    (row,) = [row for row in rules.splitlines() if "not the address" in row]
    assert int(row.split("packets ")[1].split()[0]) >= 9
    assert pings(caller, f"{LAN}.12")


def test_without_a_login_nothing_passes(bare: World, caller: Namespace) -> None:
    """The interface is there, as pppd left it: nobody has told of a login."""
    assert bare.router.apply(facts(password_set=True), CONFIG + LINE) == []
    assert not reaches(caller, ROUTER)
    assert not reaches(bare.hosts[0], CALLER)
    assert "proxy" not in bare.router.tool("ip", "neigh", "show", "proxy")


def test_before_the_first_password_nothing_is_forwarded(bare: World, caller: Namespace) -> None:
    unset = known() | {"password_set": False}
    assert bare.router.apply(unset, CONFIG + LINE) == []
    assert pings(caller, ROUTER)
    assert not reaches(caller, f"{LAN}.11")
    assert not reaches(bare.hosts[0], CALLER)


def test_the_second_apply_changes_nothing(bare: World, caller: Namespace) -> None:
    before = bare.router.log()
    assert bare.router.apply(known(), CONFIG + LINE) == []
    assert bare.router.log() == before
