"""IPv6 over a call on the booted image: a prefix for the LAN, closed; and another prefix."""

from __future__ import annotations

from ipaddress import IPv6Network

from tests.lab import places
from tests.lab.lab import Lab
from tests.lab.runner import wait_until

from .helpers import addresses6, closed6, reaches6, wait_up

PATIENCE_S = 600.0  # a call, a unit that starts, and an advertisement, one after the other
CALLERS = IPv6Network(places.CALLERS6)


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
    wait_until(lambda: bool(addresses6(lab)), PATIENCE_S, "A-box has an address of IPv6", 1.0)
    (mine,) = addresses6(lab)
    assert mine in CALLERS
    wait_until(lambda: reaches6(lab) == str(mine), PATIENCE_S, "A-box reaches the Internet", 1.0)
    closed6(lab, mine)
    redial(lab)
    wait_until(
        lambda: any(one != mine for one in addresses6(lab)),
        PATIENCE_S,
        "A-box has another one",
        1.0,
    )
    wait_until(
        lambda: mine in addresses6(lab, deprecated=True), PATIENCE_S, "the old is left", 1.0
    )
    wait_until(
        lambda: reaches6(lab) not in ("", str(mine)), PATIENCE_S, "the new one is used", 1.0
    )
    redial(lab, ipv6=False)
    wait_until(lambda: not addresses6(lab), PATIENCE_S, "all prefixes are left", 1.0)
    assert lab.boxes["A"].fetch("http://web.example/").strip() == lab.isp.address, "IPv4 is up"
