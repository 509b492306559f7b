"""The ruleset as text: each golden file shows a configuration's rules, with a word on top."""

from __future__ import annotations

import os
import re
from pathlib import Path

import msgspec
import pytest
from masqgate.contract.config import Config
from masqgate.contract.document import parse
from masqgate.desired.facts import Delegation, Facts, Guest
from masqgate.desired.nft import ruleset

GOLDEN = Path(__file__).parent / "golden"
MODEM = """
[[uplink]]
kind = "modem"
name = "modem1"
port = "/dev/ttyAMA0"
number = "5551000"
"""
FIBRE = """
[[uplink]]
kind = "ethernet"
name = "fibre"
port = "eth1"
"""
OTHER_LAN = """
[lan]
address = "10.20.0.1/16"
dhcp = false
"""
DEMAND = MODEM + 'mode = "demand"\n'
CALLERS = """
[[dialin]]
name = "modem2"
port = "/dev/ttyUSB0"
address = "192.168.77.60"
admin = true
[[dialin.caller]]
name = "anybox"
password = "eight letters"
[[dialin]]
name = "modem3"
port = "/dev/ttyUSB1"
address = "192.168.77.61"
[[dialin.caller]]
name = "anybox"
password = "eight letters"
"""
GUEST = (Guest("ppp-modem2", "192.168.77.60"),)
SIX = Delegation("eth1", "2001:db8:100::/56", 3600, 7200)
CASES = {
    "demand_down": (DEMAND, Facts(demand="modem1", password_set=True)),
    "demand_up": (DEMAND, Facts(active="modem1", demand="modem1", password_set=True)),
    "dialin": (MODEM + CALLERS, Facts(active="modem1", password_set=True, guests=GUEST)),
    "dialin_factory": (MODEM + CALLERS, Facts(active="modem1", guests=GUEST)),
    "no_uplink": ("", Facts(password_set=True)),
    "factory": (MODEM, Facts(active="modem1", password_set=False)),
    "modem_up": (MODEM, Facts(active="modem1", password_set=True)),
    "modem_down": (MODEM, Facts(active="", password_set=True)),
    "fibre_first": (FIBRE + MODEM, Facts(active="fibre", password_set=True)),
    "fallback": (FIBRE + MODEM, Facts(active="modem1", password_set=True)),
    "six": (FIBRE, Facts(active="fibre", password_set=True, delegation=SIX)),
    "six_demand": (
        DEMAND,
        Facts(
            active="modem1",
            demand="modem1",
            password_set=True,
            delegation=msgspec.structs.replace(SIX, interface="ppp-modem1"),
        ),
    ),
    "other_lan": (OTHER_LAN + MODEM, Facts(active="modem1", password_set=True)),
}


@pytest.mark.parametrize("name", CASES)
def test_the_ruleset_is_the_golden_one(name: str) -> None:
    """MASQGATE_GOLDEN=1 writes the files anew: read the difference before it is committed."""
    document, facts = CASES[name]
    path = GOLDEN / f"{name}.nft"
    prose, _, wanted = path.read_text().partition("\n\n")
    made = ruleset(parse(document), facts)
    if os.environ.get("MASQGATE_GOLDEN"):
        path.write_text(f"{prose}\n\n{made}")
        return
    assert all(line.startswith("# ") for line in prose.splitlines())
    assert made == wanted


def test_no_golden_file_is_left_over() -> None:
    assert {path.stem for path in GOLDEN.glob("*.nft")} == set(CASES)


def everything() -> str:
    facts = Facts(active="modem1", password_set=True, guests=GUEST)
    return ruleset(parse(FIBRE + MODEM + CALLERS), facts)


def test_before_the_password_nothing_dials() -> None:
    assert "dial0" not in ruleset(parse(DEMAND), Facts(demand="modem1", password_set=False))


def test_every_rule_has_a_comment_that_nft_takes() -> None:
    text = everything()
    structure = re.compile(r"(table|delete|chain|set|type|size|flags|elements|\}|#).*|")
    rules = [line for line in map(str.strip, text.splitlines()) if not structure.fullmatch(line)]
    assert len(rules) > 40
    for rule in rules:
        comment = re.search(r' comment "([^"]+)"$', rule)
        assert comment, rule
        assert len(comment[1]) <= 127, rule


def test_interfaces_are_named_never_numbered() -> None:
    assert not re.search(r"\b(iif|oif) (?!type|!= )", everything())


def test_the_ruleset_hangs_on_the_active_uplink_not_on_its_address() -> None:
    config = parse(MODEM)
    one = ruleset(config, Facts(active="modem1", password_set=True))
    other = ruleset(config, Facts(active="modem1", password_set=True, ports=("eth0", "eth1")))
    assert one == other


def test_an_unknown_active_uplink_opens_nothing() -> None:
    closed = ruleset(Config(), Facts(password_set=True))
    assert ruleset(Config(), Facts(active="stranger", password_set=True)) == closed


def test_before_the_first_password_nothing_of_a_caller_is_forwarded() -> None:
    document, facts = CASES["dialin_factory"]
    forward = ruleset(parse(document), facts).split("chain forward {")[1].split("\n\t}")[0]
    assert "accept" not in forward.replace("policy accept", "")


def test_without_a_call_no_address_is_let_in_or_out() -> None:
    text = ruleset(parse(CALLERS), Facts(password_set=True))
    named = text.split("set callers")[1].split("}")[0]
    assert "elements" not in named
