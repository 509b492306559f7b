"""pppd's options file: whatever the values are, pppd reads exactly the words that are meant."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from masqgate.contract.secret import Secret
from masqgate.link.options import MAX_WORD, quote, render

from tests.unit.link_world import config
from tests.unit.pppd_words import words

NASTY = ("\n", "\r", '"', "'", "#", "\\", ";", "$(id)", "\u2028", " ", "\t", "\\n", "\x7f", "é")
TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), max_size=200)


def read(**fields: object) -> list[bytes]:
    return words(render(config(**fields), carrier_wire=False).encode())


def after(found: list[bytes], word: bytes) -> bytes:
    assert found.count(word) == 1
    return found[found.index(word) + 1]


@given(TEXT)
def test_any_text_is_read_back_as_it_was(text: str) -> None:
    assert words(quote(text).encode()) == ([text.encode()] if text else [b""])
    assert quote(text).isascii() and "\n" not in quote(text)


@given(TEXT.filter(bool), TEXT)
def test_user_and_password_are_two_words_and_no_more(user: str, password: str) -> None:
    assume("user" not in (user, password))  # the word itself could not be found any more
    plain, found = read(), read(user=user, password=Secret(password))
    assert len(found) == len(plain)
    assert after(found, b"user") == user.encode()
    differ = [(a, b) for a, b in zip(plain, found, strict=True) if a != b]
    assert [b for _, b in differ] == [
        value.encode() for value, old in ((user, "u"), (password, "p")) if value != old
    ]


@pytest.mark.parametrize("nasty", list(itertools.permutations(NASTY, 2))[:60])
def test_nasty_pairs(nasty: tuple[str, str]) -> None:
    text = f"a{nasty[0]}b{nasty[1]}"
    assert after(read(user=text), b"user") == text.encode()
    assert after(read(password=Secret(text)), b"password") == text.encode()


@pytest.mark.parametrize("value", ["a\0b", "x" * (MAX_WORD + 1), "é" * 600])
def test_what_pppd_cannot_take_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match="NUL or is too long"):
        quote(value)


def test_the_link_machine_alone_redials_and_owns_the_routes() -> None:
    found = read()
    once = (
        b"nopersist nodefaultroute nodetach noauth lcp-echo-adaptive noipdefault usepeerdns lock"
    )
    for word in (once + b" hide-password noproxyarp").split():
        assert found.count(word) == 1
    assert not {b"persist", b"demand", b"defaultroute", b"holdoff", b"idle"} & set(found)
    assert after(found, b"maxfail") == b"1"
    assert after(found, b"lcp-echo-failure") == b"4"
    assert after(found, b"ifname") == b"ppp-modem1"


def test_a_peer_that_wants_an_address_gets_one() -> None:
    assert {b":10.64.64.64", b"ipcp-accept-local", b"ipcp-accept-remote"} <= set(read())


@pytest.mark.parametrize(
    ("auth", "refused"),
    [
        (("pap", "chap", "mschapv2"), set()),
        (("pap",), {b"refuse-chap", b"refuse-mschap-v2"}),
        (("mschapv2",), {b"refuse-pap", b"refuse-chap"}),
        ((), {b"refuse-pap", b"refuse-chap", b"refuse-mschap-v2"}),
    ],
)
def test_only_allowed_logins_are_made(auth: tuple[str, ...], refused: set[bytes]) -> None:
    found = {word for word in read(auth=auth) if word.startswith(b"refuse-")}
    assert found == refused | {b"refuse-eap", b"refuse-mschap"}


def test_wires_and_sizes_follow_the_configuration() -> None:
    found = read(flow_control=False, mtu=576, echo_interval_s=25)
    assert b"nocrtscts" in found and b"crtscts" not in found
    assert (after(found, b"mtu"), after(found, b"mru")) == (b"576", b"576")
    assert after(found, b"lcp-echo-interval") == b"25"
    assert b"crtscts" in read(flow_control=True)
    assert b"modem" in words(render(config(), carrier_wire=True).encode())
    assert b"local" in read()


def test_the_address_for_a_peer_without_one_is_not_the_lans() -> None:
    options = render(config(lan="10.0.0.0/8"), carrier_wire=True)
    assert ":172.31.64.64" in options.split()


def test_without_a_user_there_is_no_secret() -> None:
    found = read(user="", password=Secret("unused"))
    assert b"user" not in found and b"password" not in found


def test_slow_lines_get_time() -> None:
    slow = words(render(config(), carrier_wire=False, rate=300).encode())
    assert after(slow, b"lcp-restart") == after(slow, b"ipcp-restart") == b"10"
    assert b"lcp-restart" not in words(render(config(), carrier_wire=False, rate=33_600).encode())
