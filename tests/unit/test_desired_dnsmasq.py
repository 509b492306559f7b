"""dnsmasq's files as text: what is in them, and that nobody's text becomes a line of its own."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from masqgate.contract.document import parse
from masqgate.contract.paths import Paths
from masqgate.contract.status import LinkState, LinkStatus, Reason
from masqgate.desired.addresses import ipv4
from masqgate.desired.dnsmasq import dnsmasq_conf, resolv_conf
from masqgate.desired.facts import Facts

GOLDEN = Path(__file__).parent / "golden"
OTHER = """
[system]
hostname = "gate"
[lan]
address = "10.20.0.1/16"
dhcp_first = "10.20.1.1"
dhcp_last = "10.20.1.9"
lease_minutes = 2
domain = "home.example"
"""


@pytest.mark.parametrize(
    ("name", "document"),
    [("factory", ""), ("other_lan", OTHER), ("no_dhcp", "[lan]\ndhcp = false\n")],
)
def test_the_configuration_is_the_golden_one(name: str, document: str) -> None:
    prose, _, wanted = (GOLDEN / f"{name}.dnsmasq").read_text().partition("\n\n")
    assert prose.startswith("# ")
    assert dnsmasq_conf(parse(document), Paths()) == wanted


@pytest.mark.parametrize("domain", ["a..b", "a.-b", "x" * 63 + ".a", "a-.b"])
def test_a_domain_that_cannot_be_one_does_not_stop_dnsmasq(domain: str) -> None:
    text = dnsmasq_conf(parse(f'[lan]\ndomain = "{domain[:63]}"\n'), Paths())
    if domain[:63] != "x" * 63:
        assert "domain=lan" in text.splitlines()


def link(*dns: str, state: LinkState = LinkState.UP) -> LinkStatus:
    return LinkStatus(name="modem1", state=state, reason=Reason("up", "Up."), since_at=0, dns=dns)


@given(st.lists(st.text() | st.ip_addresses(v=4).map(str)))
def test_name_servers_are_addresses_or_left_out(texts: list[str]) -> None:
    text = resolv_conf(Facts(active="modem1", links=(link(*texts),)))
    lines = [line for line in text.split("\n") if line and not line.startswith("#")]
    assert lines == [f"nameserver {a}" for a in dict.fromkeys(filter(None, map(ipv4, texts)))]


def test_only_the_active_uplinks_servers_are_asked() -> None:
    known = Facts(active="", links=(link("9.9.9.9"),))
    assert "9.9.9.9" not in resolv_conf(known)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("9.9.9.9", "9.9.9.9"), ("0.0.0.0", ""), ("224.0.0.1", ""), ("255.255.255.255", ""),
        ("1.2.3", ""), ("1.2.3.4\n", ""), ("", ""), ("::1", ""), ("1.2.3.4/8", ""),
    ],
)  # fmt: skip
def test_addresses_of_hosts_only(text: str, address: str) -> None:
    assert ipv4(text) == address
