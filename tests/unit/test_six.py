"""IPv6: what of a delegation is believed, what the LAN gets, and what is remembered of it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from masqgate.contract.document import parse
from masqgate.contract.paths import Paths
from masqgate.contract.status import LinkState, Status
from masqgate.core.prefixes import MOST, TOLD_S, Known, follow, resumed
from masqgate.core.words import lan_lines, summary_lines, uplinks_lines
from masqgate.desired.changes import Address, Route, Sysctl
from masqgate.desired.dhcp6 import dhcp6_conf
from masqgate.desired.dnsmasq import dnsmasq_conf
from masqgate.desired.facts import Delegation, Facts
from masqgate.desired.network import network
from masqgate.desired.nft import ruleset
from masqgate.desired.six import STALE_S, advertised_s, lan_prefix, sound
from masqgate.system.kept_prefixes import KeptPrefixes

from tests.unit.router import DOCUMENT, Router, link, until

SCRIPT = Path(__file__).parents[2] / "rootfs-overlay/usr/lib/masqgate/dhcp-prefix"
FIBRE = '[[uplink]]\nkind = "ethernet"\nname = "fibre"\nport = "eth1"\n'
MODEM = '[[uplink]]\nkind = "modem"\nname = "modem1"\nport = "/dev/ttyAMA0"\nnumber = "1"\n'
ONE, TWO = "2001:db8:1::/64", "2001:db8:2::/64"


def given(prefix: str = "2001:db8:1::/56", interface: str = "eth1", **more: int) -> Delegation:
    return Delegation(interface, prefix, **{"preferred_s": 3600, "valid_s": 7200, **more})


@pytest.mark.parametrize(
    "bad",
    [
        given("2001:db8:1::/65"),
        given("2001:db8:1::1/56"),
        given("fe80::/64"),
        given("fd00:1::/56"),
        given("::/0"),
        given("2000::/3"),
        given("ff02::/64"),
        given("192.0.2.0/24"),
        given('2001:db8::/56"; accept'),
        given(""),
        given(preferred_s=0),
        given(valid_s=-1),
    ],
    ids=lambda one: f"{one.prefix} {one.preferred_s} {one.valid_s}",
)
def test_a_delegation_of_no_use_is_not_believed(bad: Delegation) -> None:
    assert sound(bad) is None


@pytest.mark.parametrize("prefix", ["2001:db8:1::/48", "2001:0DB8:1::/56", "2001:db8:1::/64"])
def test_the_lan_gets_the_first_64(prefix: str) -> None:
    assert lan_prefix(sound(given(prefix))) == ONE


def test_hosts_are_promised_no_more_than_the_provider_promised() -> None:
    assert advertised_s(None) == advertised_s(given()) == 2700
    assert advertised_s(given(preferred_s=900)) == 900
    assert advertised_s(given(preferred_s=1)) == 120


def test_a_prefix_of_before_is_told_until_it_is_over() -> None:
    known = follow(follow(Known(), ONE, 0.0), TWO, 100.0)
    assert known.prefixes == (TWO, ONE)
    assert known.again_at == 100.0 + TOLD_S
    assert follow(known, TWO, 100.0 + TOLD_S).prefixes == (TWO,)
    assert TOLD_S < STALE_S, "it is taken away before the kernel does it"


def test_a_prefix_that_comes_back_is_the_current_one() -> None:
    known = follow(follow(follow(Known(), ONE, 0.0), "", 1.0), ONE, 2.0)
    assert known == Known(ONE)


def test_few_are_remembered_the_newest() -> None:
    known = Known()
    for number in range(20):
        known = follow(known, f"2001:db8:{number}::/64", float(number))
    assert known.prefixes[:2] == ("2001:db8:19::/64", "2001:db8:18::/64")
    assert len(known.stale) == MOST


def test_after_a_restart_all_are_of_before_until_they_come_again() -> None:
    known = resumed([ONE, TWO], 0.0)
    assert known.current == ""
    assert known.prefixes == (ONE, TWO)
    assert follow(known, TWO, 1.0).prefixes == (TWO, ONE)


def test_what_is_kept_outlives_a_restart_and_a_broken_file(tmp_path: Path) -> None:
    path = tmp_path / "prefixes.json"
    kept = KeptPrefixes(path)
    assert kept.restore() == ()
    kept.keep((ONE, TWO))
    duid = kept.duid
    again = KeptPrefixes(path)
    assert again.restore() == (ONE, TWO)
    assert again.duid == duid, "the provider knows us again"
    assert duid.startswith("00:04:")
    assert len(duid.split(":")) == 18
    path.write_text('{"uuid": "x", "prefixes": ["2001:db8::/64"]}')
    assert KeptPrefixes(path).restore() == ()
    path.write_text(json.dumps({"uuid": "0" * 32, "prefixes": ["::/0", "; drop", ONE]}))
    assert KeptPrefixes(path).restore() == (ONE,)


def sysctls(document: str, facts: Facts) -> dict[str, str]:
    return {s.path: s.value for s in network(parse(document), facts).sysctls}


def test_only_the_uplink_in_use_speaks_ipv6() -> None:
    two = FIBRE + FIBRE.replace("fibre", "cable").replace("eth1", "eth2")
    values = sysctls(two, Facts(active="fibre", ports=("eth1", "eth2")))
    assert values["net/ipv6/conf/eth1/disable_ipv6"] == "0"
    assert values["net/ipv6/conf/eth1/accept_ra"] == "2"
    assert values["net/ipv6/conf/eth2/disable_ipv6"] == "1"


def test_a_router_is_listened_to_before_ipv6_is_on() -> None:
    """Otherwise the kernel would not ask for one."""
    wanted = network(parse(FIBRE), Facts(active="fibre")).sysctls
    listens = wanted.index(Sysctl("net/ipv6/conf/eth1/accept_ra", "2"))
    assert listens < wanted.index(Sysctl("net/ipv6/conf/eth1/disable_ipv6", "0"))


def test_a_call_listens_to_no_router() -> None:
    values = sysctls(MODEM, Facts(active="modem1"))
    assert values["net/ipv6/conf/ppp-modem1/disable_ipv6"] == "0"
    assert values["net/ipv6/conf/ppp-modem1/accept_ra"] == "0"


def test_switched_off_there_is_none() -> None:
    for document, name in ((FIBRE, "fibre"), (MODEM, "modem1")):
        off = document + "ipv6 = false\n"
        facts = Facts(active=name, password_set=True)
        values = sysctls(off, facts)
        assert [v for k, v in values.items() if k.endswith("disable_ipv6")] == ["1"]
        assert values["net/ipv6/conf/all/forwarding"] == "0"
        assert "_six" not in ruleset(parse(off), facts)
        assert "enable-ra" not in dnsmasq_conf(parse(off), Paths(), facts)


def test_a_delegation_of_another_uplink_is_not_used() -> None:
    facts = Facts(active="fibre", password_set=True, delegation=given(interface="ppp-modem1"))
    assert "forward_six" not in ruleset(parse(FIBRE + MODEM), facts)
    assert not [a for a in network(parse(FIBRE + MODEM), facts).addresses if ":" in a.address]


def test_nothing_is_forwarded_before_a_password_is_set() -> None:
    facts = Facts(active="fibre", delegation=given())
    assert "forward_six" not in ruleset(parse(FIBRE), facts)
    assert 'comment "IPv6 is not routed"' in ruleset(parse(FIBRE), facts)


def test_the_lan_has_the_new_prefix_and_the_old_one_deprecated() -> None:
    facts = Facts(active="fibre", delegation=given(), stale=(TWO,))
    six = [one for one in network(parse(FIBRE), facts).addresses if ":" in one.address]
    assert six == [
        Address("br0", "2001:db8:1::1/64"),
        Address("br0", "2001:db8:2::1/64", deprecated=True),
    ]


def test_a_call_is_the_way_out_itself() -> None:
    facts = Facts(active="modem1", delegation=given(interface="ppp-modem1"))
    assert Route("::/0", "ppp-modem1") in network(parse(MODEM), facts).routes
    fibre = network(parse(FIBRE), Facts(active="fibre", delegation=given()))
    assert [route for route in fibre.routes if route.destination == "::/0"] == []


def test_the_client_changes_nothing_by_itself() -> None:
    text = dhcp6_conf("eth1", "00:04:01", Paths())
    lines = text.splitlines()
    assert {"noconfigure", "noipv6rs", "ipv6only", "ia_pd 1 -", "duid 00:04:01"} <= set(lines)
    assert lines.index("interface eth1") < lines.index("ia_pd 1 -"), "it is refused elsewhere"


def told(folder: Path, reason: str, **variables: str) -> object:
    """What the client's script leaves."""
    (folder / "prefix").mkdir(exist_ok=True)
    names = {f"new_dhcp6_ia_pd1_{key}": value for key, value in variables.items()}
    environment = {"MASQGATE_RUN": str(folder), "interface": "eth1", "reason": reason, **names}
    subprocess.run(
        ["sh", str(SCRIPT)], env={**environment, "PATH": "/usr/bin:/bin"}, check=True, timeout=60
    )
    path = folder / "prefix" / "eth1.json"
    return json.loads(path.read_text()) if path.exists() else None


def test_the_script_tells_the_prefix_that_lasts(tmp_path: Path) -> None:
    one = {
        "prefix1": "2001:db8:1::", "prefix1_length": "56",
        "prefix1_pltime": "3600", "prefix1_vltime": "7200",
    }  # fmt: skip
    two = {key.replace("1", "2", 1): value.replace(":1::", ":2::") for key, value in one.items()}
    assert told(tmp_path, "PREINIT") is None
    wanted = {
        "interface": "eth1", "prefix": "2001:db8:1::/56", "preferred_s": 3600, "valid_s": 7200,
    }  # fmt: skip
    assert told(tmp_path, "BOUND6", **one) == wanted
    assert told(tmp_path, "CARRIER") == wanted
    ending = {**one, "prefix1_pltime": "0", **two}
    assert told(tmp_path, "RENEW6", **ending) == {**wanted, "prefix": "2001:db8:2::/56"}
    assert told(tmp_path, "RENEW6", **{**one, "prefix1_vltime": "0"}) is None
    assert told(tmp_path, "REBIND6", **one) == wanted
    assert told(tmp_path, "EXPIRE6") is None


def status_lines(status: Status) -> str:
    return "\n".join(uplinks_lines(status))


def summary(status: Status) -> str:
    return "\n".join(summary_lines(status))


def test_the_supervisor_gives_the_lan_what_the_call_brought(tmp_path: Path) -> None:
    router = Router(tmp_path, DOCUMENT)
    router.dialer("modem1", link())
    router.delegations.given["ppp-modem1"] = given(interface="ppp-modem1")
    router.start()
    until(lambda: bool(router.applier.applied) and router.applied()[1].delegation is not None)
    until(lambda: bool(router.delegations.asked))
    interface, duid = router.delegations.asked[-1]
    assert (interface, duid[:6]) == ("ppp-modem1", "00:04:")
    status = router.client.status()
    assert status.uplinks[0].prefix6 == "2001:db8:1::/56"
    assert status.lan.address6 == "2001:db8:1::1/64"
    assert "  IPv6       2001:db8:1::/56 for the LAN" in status_lines(status)
    assert "  LAN        192.168.77.1/24, 2001:db8:1::1/64 on eth0, eth1" in summary(status)
    router.dialers["modem1"].tell(link(state=LinkState.WAITING))
    until(lambda: router.applied()[1].stale == (ONE,), "the prefix is one of before")
    until(lambda: router.delegations.asked[-1] == ("", ""), "its client is ended")
    assert router.applied()[1].delegation is None
    assert "told to leave" in "\n".join(lan_lines(router.client.status().lan))
    assert router.codes().count("ipv6_prefix") == 2
    router.stop()
    del router.delegations.given["ppp-modem1"]
    router.applier.applied.clear()
    router.start()
    until(lambda: bool(router.applier.applied))
    assert router.applied()[1].stale == (ONE,), "it is remembered over a restart"
    router.close()
