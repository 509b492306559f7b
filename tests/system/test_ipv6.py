"""IPv6 over a call on the booted image: a prefix for the LAN, closed; and another prefix."""

from __future__ import annotations

import json
from ipaddress import IPv6Address, IPv6Network

from tests.lab import places
from tests.lab.lab import Lab
from tests.lab.runner import wait_until

from .helpers import wait_up

PATIENCE_S = 600.0  # a call, a unit that starts, and an advertisement, one after the other
CALLERS = IPv6Network(places.CALLERS6)


def addresses(lab: Lab, *, deprecated: bool = False) -> list[IPv6Address]:
    """The global addresses of A-box that are ready for use."""
    shown = lab.boxes["A"].run(["ip", "-6", "-j", "addr", "show", "dev", "eth0"]).stdout
    found = [one for entry in json.loads(shown or "[]") for one in entry.get("addr_info", [])]
    return [
        IPv6Address(one["local"])
        for one in found
        if one["scope"] == "global"
        and not one.get("tentative")
        and (one["preferred_life_time"] == 0) is deprecated
    ]


def redial(lab: Lab, **faults: bool) -> None:
    """Have another call, with another prefix if the provider has any."""
    before = wait_up(lab)["calls"]
    lab.isp.fault(**faults)
    lab.modem.drop_carrier()
    lab.wait_status(
        lambda s: s["uplinks"][0]["calls"] > before and s["active"] == "modem1",
        PATIENCE_S,
        "redialed",
    )


def test_a_call_brings_ipv6_to_the_lan_and_nothing_in(lab: Lab) -> None:
    redial(lab, ipv6=True)
    wait_until(lambda: bool(addresses(lab)), PATIENCE_S, "A-box has an address of IPv6", 1.0)
    (mine,) = addresses(lab)
    assert mine in CALLERS
    wait_until(lambda: reaches(lab) == str(mine), PATIENCE_S, "A-box reaches the Internet", 1.0)
    net = lab.world.internet
    router = IPv6Network((int(mine) >> 64 << 64, 64))[1]
    for target in (mine, router):
        assert net.run(["ping", "-c", "2", "-W", "3", str(target)]).returncode != 0, target
        page = ["curl", "-s", "-m", "5", "-o", "/dev/null", f"http://[{target}]/"]
        assert net.run(page).returncode != 0, target
    assert reaches(lab) == str(mine), "what begins inside passes all the while"
    redial(lab)
    wait_until(
        lambda: any(one != mine for one in addresses(lab)),
        PATIENCE_S,
        "A-box has another one",
        1.0,
    )
    wait_until(lambda: mine in addresses(lab, deprecated=True), PATIENCE_S, "the old is left", 1.0)
    wait_until(lambda: reaches(lab) not in ("", str(mine)), PATIENCE_S, "the new one is used", 1.0)
    redial(lab, ipv6=False)
    wait_until(lambda: not addresses(lab), PATIENCE_S, "all prefixes are left", 1.0)
    assert lab.boxes["A"].fetch("http://web.example/").strip() == lab.isp.address, "IPv4 is up"


def reaches(lab: Lab) -> str:
    """The address that a web server sees of A-box; empty if it does not reach it."""
    page = ["curl", "-s", "-m", "20", f"http://[{places.WEB6}]/"]
    return lab.boxes["A"].run(page).stdout.strip()
