"""Any configuration that is accepted gives rules that load, and a file that dnsmasq takes."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from ipaddress import IPv4Network
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from masqgate.contract.config import Config, Ethernet, Lan, Modem, System
from masqgate.contract.document import parse, render
from masqgate.contract.errors import InvalidConfig
from masqgate.contract.paths import Paths
from masqgate.desired.dnsmasq import dnsmasq_conf
from masqgate.desired.facts import Facts
from masqgate.desired.nft import ruleset

from tests.lab.netns import Namespace

from .router import PREFIX, remove_leftovers

usual = settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
# Each text is a good one most of the time; an odd one is good but for a sign or two.
signs = ["\n", '"', "'", "\\", ";", "#", "$", "{", "}", "*", " ", "\u2028", ",", "\0", "..", "-"]


def mostly(pattern: str) -> st.SearchStrategy[str]:
    good = st.from_regex(pattern, fullmatch=True)
    odd = st.builds("{}{}{}".format, good, st.sampled_from(signs), good | st.just(""))
    return st.integers(0, 9).flatmap(lambda n: odd if n == 9 else good)


ports = mostly(r"(eth|usb|end|enx)[a-z0-9]{1,9}")
names = mostly(r"[a-z][a-z0-9]{0,9}")
hosts = mostly(r"[a-z0-9][a-z0-9-]{0,60}[a-z0-9]")
domains = mostly(r"[a-z][a-z0-9-]{0,20}(\.[a-z][a-z0-9]{0,20}){0,2}")


@st.composite
def lans(draw: st.DrawFn) -> Lan:
    """A LAN whose addresses fit together; now and then the range holds the router."""
    whole = IPv4Network(draw(st.sampled_from(["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"])))
    prefix = draw(st.integers(whole.prefixlen, 29))
    size = 2 ** (32 - prefix)
    network = whole[0] + size * draw(st.integers(0, 2 ** (prefix - whole.prefixlen) - 1))
    first, second, third = sorted(draw(st.sets(st.integers(1, size - 2), min_size=3, max_size=3)))
    host, low, high = draw(
        st.sampled_from([(first, second, third), (third, first, second)] * 5)
        | st.just((second, first, third))
    )
    mask = draw(st.sampled_from([str(prefix), str(IPv4Network(f"{network}/{prefix}").netmask)]))
    return Lan(
        address=f"{network + host}/{mask}",
        dhcp=draw(st.booleans()),
        dhcp_first=str(network + low),
        dhcp_last=str(network + high),
        lease_minutes=draw(st.integers(2, 43200)),
        domain=draw(domains),
    )


modems = st.builds(
    Modem,
    name=names,
    port=st.from_regex(r"/dev/tty(AMA|USB|ACM)[0-9]", fullmatch=True),
    number=st.just("1"),
)
wans = st.builds(Ethernet, name=names, port=ports, enabled=st.booleans())
addressed = st.builds(
    Ethernet, name=names, port=ports, enabled=st.booleans(),
    address=st.sampled_from(["203.0.113.5/24", "203.0.113.5/255.255.255.0"]),
    gateway=st.just("203.0.113.1"),
)  # fmt: skip
links = modems | wans | addressed
different = st.lists(
    links, max_size=4, unique_by=(lambda link: link.name, lambda link: link.port)
)  # fmt: skip
configs = st.builds(
    Config,
    system=st.builds(System, hostname=hosts),
    lan=lans(),
    uplink=st.integers(0, 9).flatmap(
        lambda n: (st.lists(links, max_size=4) if n == 9 else different).map(tuple)
    ),
)


@pytest.fixture(scope="module")
def space() -> Iterator[Namespace]:
    remove_leftovers()
    made = Namespace(f"{PREFIX}{os.getpid()}-check")
    made.create()
    yield made
    subprocess.run(["ip", "netns", "del", made.name], check=True)


def accepted(config: Config) -> Config | None:
    """The configuration as it comes out of the document's checks, None if they refuse it."""
    try:
        return parse(render(config, secrets=True))
    except InvalidConfig:
        return None


@usual
@given(configs, st.booleans(), st.integers(0, 4))
def test_any_accepted_configuration_gives_rules_that_load(
    space: Namespace, config: Config, password: bool, active: int
) -> None:
    good = accepted(config)
    if good is None:
        return
    names = [link.name for link in good.uplink]
    facts = Facts(active=names[active] if active < len(names) else "", password_set=password)
    done = space.run(["nft", "-c", "-f", "-"], text=ruleset(good, facts))
    assert done.returncode == 0, done.stderr


@usual
@given(configs)
def test_any_accepted_configuration_gives_a_file_that_dnsmasq_takes(
    tmp_path: Path, config: Config
) -> None:
    good = accepted(config)
    if good is None:
        return
    text = dnsmasq_conf(good, Paths())
    assert len(text.splitlines()) < 50
    assert not [c for c in text if ord(c) > 126 or (ord(c) < 32 and c != "\n")]
    file = tmp_path / "dnsmasq.conf"
    file.write_text(text)
    done = subprocess.run(["dnsmasq", "--test", "-C", str(file)], capture_output=True, text=True)
    assert done.returncode == 0, (done.stderr, text)


def test_most_of_these_configurations_are_accepted_or_the_test_shows_nothing() -> None:
    count = {True: 0, False: 0}

    @usual
    @given(configs)
    def run(config: Config) -> None:
        count[accepted(config) is not None] += 1

    run()
    assert count[True] > 75, count
    assert count[False] > 20, count
