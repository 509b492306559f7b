"""Modems that answer the telephone, as configuration: what is refused, and how secrets stay."""

from __future__ import annotations

import pytest
from masqgate.contract.document import keep_secrets, parse, render
from masqgate.contract.errors import InvalidConfig
from masqgate.contract.secret import HIDDEN

LINE = """
[[dialin]]
name = "modem2"
port = "/dev/ttyUSB0"
address = "192.168.77.60"

[[dialin.caller]]
name = "anybox"
password = "eight letters"
"""
UPLINK = """
[[uplink]]
kind = "modem"
name = "modem1"
port = "/dev/ttyAMA0"
number = "5551000"
"""


def problems(document: str) -> list[tuple[str, str]]:
    try:
        parse(document)
    except InvalidConfig as error:
        assert all(problem.text for problem in error.problems)
        return [(problem.path, problem.code) for problem in error.problems]
    return []


def test_a_line_with_a_caller_is_good() -> None:
    line = parse(UPLINK + LINE).dialin[0]
    assert (line.rings, line.enabled, line.admin) == (2, True, False)
    assert line.caller[0].name == "anybox"


@pytest.mark.parametrize(
    ("old", "new", "path", "code"),
    [
        ("192.168.77.60", "192.168.78.60", "dialin[0].address", "outside_lan"),
        ("192.168.77.60", "192.168.77.255", "dialin[0].address", "outside_lan"),
        ("192.168.77.60", "192.168.77.1", "dialin[0].address", "router"),
        ("192.168.77.60", "192.168.77.150", "dialin[0].address", "in_pool"),
        ("192.168.77.60", "somewhere", "dialin[0].address", "bad_address"),
        ("/dev/ttyUSB0", "/dev/ttyAMA0", "dialin[0].port", "duplicate"),
        ("/dev/ttyUSB0", "/dev/sda", "dialin[0].port", "bad_port"),
        ('"modem2"', '"modem1"', "dialin[0].name", "duplicate"),
        ("eight letters", "seven 7", "dialin[0].caller[0].password", "bad_length"),
        ("eight letters", "ächt lättärs", "dialin[0].caller[0].password", "not_ascii"),
        ("eight letters", "@/etc/shadow", "dialin[0].caller[0].password", "bad_start"),
        ('"anybox"', '"*"', "dialin[0].caller[0].name", "bad_value"),
        ('"anybox"', '"any box"', "dialin[0].caller[0].name", "bad_value"),
        ('name = "modem2"', 'name = "modem2"\nauth = []', "dialin[0].auth", "no_method"),
        ('name = "modem2"', 'name = "modem2"\nring = 1', "dialin[0].ring", "unknown_key"),
        ('name = "modem2"', 'name = "modem2"\nrings = 0', "dialin[0].rings", "bad_value"),
        (
            'name = "modem2"',
            'name = "modem2"\ninit = ["ATZ", "X"]',
            "dialin[0].init[1]",
            "bad_command",
        ),
    ],
)
def test_what_is_refused(old: str, new: str, path: str, code: str) -> None:
    assert (path, code) in problems(UPLINK + LINE.replace(old, new))


def test_the_pool_does_not_matter_without_dhcp() -> None:
    document = "[lan]\ndhcp = false\n" + LINE.replace("192.168.77.60", "192.168.77.150")
    assert problems(document) == []


def test_a_line_without_callers_is_refused() -> None:
    assert problems(LINE.split("[[dialin.caller]]")[0]) == [("dialin[0].caller", "no_caller")]


def test_two_lines_share_neither_port_nor_address() -> None:
    other = LINE.replace("modem2", "modem3")
    assert problems(LINE + other) == [
        ("dialin[1].port", "duplicate"),
        ("dialin[1].address", "duplicate"),
    ]
    own = other.replace("ttyUSB0", "ttyUSB1").replace("77.60", "77.61")
    assert problems(LINE + own) == []


def test_the_callers_of_one_line_may_share_its_address() -> None:
    second = '[[dialin.caller]]\nname = "bob"\npassword = "letters eight"\n'
    assert problems(LINE + second) == []
    assert problems(LINE + second.replace("bob", "anybox")) == [
        ("dialin[0].caller[1].name", "duplicate")
    ]


def test_passwords_do_not_show_and_are_kept() -> None:
    stored = parse(LINE)
    shown = render(stored)
    assert "eight letters" not in shown
    assert keep_secrets(parse(shown), stored) == stored
    unknown = shown.replace('"anybox"', '"bob"')
    assert HIDDEN in unknown
    with pytest.raises(InvalidConfig) as refused:
        keep_secrets(parse(unknown), stored)
    assert refused.value.problems[0].path == "dialin[0].caller[0].password"


@pytest.mark.parametrize(
    "document",
    [
        "dialin = 3",
        "[dialin]\n",
        "dialin = [3]",
        LINE.split("[[dialin.caller")[0] + "caller = 3\n",
    ],
)
def test_other_shapes_are_problems_not_tracebacks(document: str) -> None:
    assert problems(document)
