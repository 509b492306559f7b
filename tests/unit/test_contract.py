"""The contract: documents, secrets, framing, codec."""

from __future__ import annotations

import socket
import string

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from masqgate.contract import framing
from masqgate.contract.calls import CALLS, Failure, Reply, Request
from masqgate.contract.codec import from_json, to_json, to_plain
from masqgate.contract.config import Config, Ethernet, Lan, Modem, System
from masqgate.contract.document import keep_secrets, parse, render
from masqgate.contract.errors import InvalidConfig, Problem
from masqgate.contract.secret import HIDDEN, Secret
from masqgate.contract.wording import sentence
from masqgate.core.lan import moved

from tests.unit.router import DOCUMENT

WAN = '[[uplink]]\nkind = "ethernet"\nname = "wan"\n'


def problems(text: str) -> dict[str, str]:
    """Where and what is wrong with a document."""
    with pytest.raises(InvalidConfig) as caught:
        parse(text)
    return {problem.path: problem.code for problem in caught.value.problems}


def test_an_empty_document_is_the_default() -> None:
    assert parse("") == Config()


def test_all_problems_at_once() -> None:
    found = problems(
        'colour = 1\n[system]\nhostname = "A B"\n[lan]\naddres = "x"\nlease_minutes = 1\n'
        '[[uplink]]\nkind = "modem"\nname = "m"\nnumber = "1"\nspeed = 9601\n'
        '[[uplink]]\nkind = "tin"\n'
    )
    assert found == {
        "colour": "unknown_key",
        "system.hostname": "bad_value",
        "lan.addres": "unknown_key",
        "lan.lease_minutes": "bad_value",
        "uplink[0].port": "missing",
        "uplink[0].speed": "bad_value",
        "uplink[1].kind": "unknown_kind",
    }


@pytest.mark.parametrize(
    ("text", "path", "code"),
    [
        ("[lan", "", "not_toml"),
        ("x = " + "[" * 20_000, "", "not_toml"),
        ("#" * 70_000, "", "too_large"),
        ("version = 2", "version", "unknown_version"),
        ("lan = 3", "lan", "wrong_type"),
        ("uplink = 3", "uplink", "wrong_type"),
        ("uplink = [3]", "uplink[0]", "wrong_type"),
        (WAN + 'port = "all"', "uplink[0].port", "bad_port"),
        (WAN + 'port = "default"', "uplink[0].port", "bad_port"),
        (WAN + 'port = "eth1"\ngateway = "192.0.2.1"', "uplink[0].gateway", "not_used"),
        (WAN + 'port = "eth1"\ndns = ["192.0.2.1"]', "uplink[0].dns", "not_used"),
        ('[lan]\naddress = "1.2.3.4/24"', "lan.address", "not_private"),
        ('[lan]\naddress = "10.0.0.0/24"', "lan.address", "not_a_host"),
        ('[lan]\naddress = "10.0.0.1"', "lan.address", "bad_prefix"),
        ('[lan]\ndhcp_last = "192.168.78.5"', "lan.dhcp_last", "outside_lan"),
        ('[lan]\ndhcp_first = "192.168.77.200"', "lan.dhcp_last", "bad_order"),
        ('[lan]\naddress = "192.168.77.150/24"', "lan.dhcp_first", "holds_router"),
    ],
)
def test_each_problem_has_its_place_and_code(text: str, path: str, code: str) -> None:
    assert problems(text)[path] == code


USB = "/dev/serial/by-path/usb-0:1.3:1."
LTE = f'[[uplink]]\nkind = "modem"\nname = "lte"\nport = "{USB}2"\nnumber = "*99#"\n'


@pytest.mark.parametrize(
    ("text", "where", "code"),
    [
        ("{USB}3", "0", ""),
        ("/dev/ttyUSB3", "0", ""),
        ("COM3", "0", "bad_port"),
        ("/dev/serial/by-path/../../sda", "0", "bad_port"),
        ("{USB}2", "0", "duplicate"),  # its own
        ("/dev/ttyAMA0", "0", "duplicate"),  # another modem's, which comes later
        ("/dev/ttyS0", "0", "duplicate"),  # a line's that answers
        ("/dev/ttyUSB9", "1", "duplicate"),  # another one's for the same purpose
    ],
)
def test_a_second_port_has_no_other_use(text: str, where: str, code: str) -> None:
    port = text.replace("{USB}", USB)
    document = (
        f'{LTE}status_port = "{port}"\n'
        '[[uplink]]\nkind = "modem"\nname = "m2"\nport = "/dev/ttyAMA0"\nnumber = "1"\n'
        + (f'status_port = "{port}"\n' if where == "1" else "")
        + '[[dialin]]\nname = "l"\nport = "/dev/ttyS0"\naddress = "192.168.77.60"\n'
        '[[dialin.caller]]\nname = "any"\npassword = "eight letters"\n'
    )
    if not code:
        assert parse(document).modems[0].status_port == port
        return
    assert problems(document) == {f"uplink[{where}].status_port": code}


def test_a_secret_does_not_print_itself_anywhere() -> None:
    config = parse(DOCUMENT)
    for text in (repr(config), str(config), render(config), to_json(config).decode(),
                 str(to_plain(config)), f"{config.modems[0].password}"):  # fmt: skip
        assert "dial-secret" not in text
    assert "dial-secret" in render(config, secrets=True)


def test_a_problem_does_not_tell_a_secret() -> None:
    bad = DOCUMENT.replace('"dial-secret"', '"dial-secret\\n"').replace("5551000", "")
    with pytest.raises(InvalidConfig) as caught:
        parse(bad + 'pin = "secret"\n')
    assert {p.path for p in caught.value.problems} >= {"uplink[0].password", "uplink[0].pin"}
    for problem in caught.value.problems:
        assert "secret" not in str(problem)


def test_the_placeholder_keeps_the_stored_secret_of_the_same_name() -> None:
    stored = parse(DOCUMENT)
    shown = parse(render(stored))
    assert shown.modems[0].password.hidden
    assert keep_secrets(shown, stored) == stored
    renamed = parse(render(stored).replace("modem1", "modem2"))
    with pytest.raises(InvalidConfig) as caught:
        keep_secrets(renamed, stored)
    assert caught.value.problems[0].code == "no_stored_secret"


TEXT = st.text(max_size=60)
CONFIGS = st.builds(
    Config,
    system=st.builds(System, hostname=st.from_regex(r"[a-z0-9]{1,20}", fullmatch=True)),
    lan=st.just(Lan()),
    uplink=st.lists(
        st.one_of(
            st.builds(
                Modem,
                name=st.from_regex(r"[a-z][a-z0-9]{0,9}", fullmatch=True),
                port=TEXT, number=TEXT, user=TEXT, apn=TEXT,
                password=st.builds(Secret, TEXT), pin=st.builds(Secret, TEXT),
            ),
            st.builds(
                Ethernet,
                name=st.from_regex(r"[a-z][a-z0-9]{0,9}", fullmatch=True),
                port=TEXT, address=TEXT, gateway=TEXT,
                dns=st.lists(TEXT, max_size=2).map(tuple),
            ),
        ),
        max_size=3,
    ).map(tuple),
)  # fmt: skip


@settings(max_examples=80, deadline=None)
@given(CONFIGS)
def test_what_is_accepted_survives_a_round_trip_and_what_is_not_has_reasons(
    config: Config,
) -> None:
    text = render(config, secrets=True)
    try:
        again = parse(text)
    except InvalidConfig as error:
        assert error.problems
        for problem in error.problems:
            assert problem.path
            assert problem.text.endswith(".")
    else:
        assert again == config
        for modem in again.modems:
            for value in (modem.user, modem.port, modem.number, modem.password.reveal()):
                assert not set(value) & set(map(chr, range(32)))


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=300) | st.text(alphabet=string.printable, max_size=300))
def test_no_document_at_all_is_a_traceback(text: str) -> None:
    try:
        parse(text)
    except InvalidConfig as error:
        assert error.problems


@settings(max_examples=100, deadline=None)
@given(st.ip_addresses(v=4), st.integers(8, 29))
def test_a_lan_that_can_be_moved_to_has_a_pool_beside_the_router(
    address: object, prefix: int
) -> None:
    try:
        config = moved(Config(), f"{address}/{prefix}")
    except InvalidConfig as error:
        assert {p.code for p in error.problems} <= {"not_private", "not_a_host"}
    else:
        assert parse(render(config)) == config


@pytest.mark.parametrize(
    ("message", "wanted"),
    [
        ("Expected `int`, got `str`", "A whole number is expected, not a text in quotes."),
        ("Expected `int` >= 2", "The least that is taken is 2."),
        ("Expected `str` of length <= 128", "The most that is taken is 128 characters."),
        ("Invalid enum value 'x' - at `$[1]`", "'x' is not among the choices (item 2)."),
        ("Something `new`", "Something 'new'."),
    ],
)
def test_msgspecs_messages_become_sentences(message: str, wanted: str) -> None:
    assert sentence(message) == wanted


def test_every_pattern_of_the_configuration_has_words() -> None:
    found = problems(
        '[system]\nhostname = "-"\n[lan]\ndomain = "-"\n'
        '[[uplink]]\nkind = "ethernet"\nname = "-"\nport = "eth1"\n'
    )
    assert set(found) == {"system.hostname", "lan.domain", "uplink[0].name"}
    with pytest.raises(InvalidConfig) as caught:
        parse('[system]\nhostname = "-"\n[lan]\ndomain = "-"\n')
    assert all("Expected: lower-case" in problem.text for problem in caught.value.problems)


@given(st.lists(st.binary(max_size=5000), max_size=5), st.integers(1, 4096))
@settings(max_examples=50, deadline=None)
def test_messages_arrive_whole_however_they_are_cut(messages: list[bytes], cut: int) -> None:
    data = b"".join(len(m).to_bytes(4, "big") + m for m in messages)

    class Pieces:
        def recv(self, size: int) -> bytes:
            nonlocal data
            piece, data = data[: min(size, cut)], data[min(size, cut) :]
            return piece

    source = Pieces()
    assert [framing.receive(source) for _ in messages] == messages
    assert framing.receive(source) is None


def test_a_message_that_is_too_large_is_neither_sent_nor_read() -> None:
    one, two = socket.socketpair()
    with one, two:
        with pytest.raises(framing.FramingError):
            framing.send(one, b"x" * (framing.MAX_MESSAGE + 1))
        one.sendall(b"\x00\x20\x00\x00")
        with pytest.raises(framing.FramingError):
            framing.receive(two)


@pytest.mark.parametrize("name", CALLS)
def test_requests_and_replies_survive_the_wire(name: str) -> None:
    request = Request(name, msgspec.Raw(b'{"x":1}'))
    again = from_json(to_json(request), Request)
    assert (again.call, bytes(again.arguments)) == (name, b'{"x":1}')
    reply = from_json(to_json(Reply(result=msgspec.Raw(b'{"y":2}'))), Reply)
    assert (bytes(reply.result), reply.failure) == (b'{"y":2}', None)
    failure = Failure("code", "Text.", "Hint.", (Problem("a", "b", "c"),))
    assert from_json(to_json(Reply(failure=failure)), Reply).failure == failure


def test_secrets_cross_the_wire_only_where_the_caller_says_so() -> None:
    modem = Modem(name="m", port="/dev/x", number="1", password=Secret("hush"))
    assert b"hush" not in to_json(modem)
    assert HIDDEN.encode() in to_json(modem)
    assert from_json(to_json(modem, secrets=True), Modem) == modem


@pytest.mark.parametrize(
    "data",
    [b'"\xff"', b'{"code":"\xff"}', b"[" * 9000, b'{"x":' + b"[" * 9000, b"\x00", b""],
    ids=["byte", "byte inside", "deep", "deep unknown", "nul", "nothing"],
)
@pytest.mark.parametrize("kind", [Problem, Config])
def test_bytes_that_are_no_json_have_one_kind_of_error(data: bytes, kind: type) -> None:
    with pytest.raises(msgspec.DecodeError):
        from_json(data, kind)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("x = " + "9" * 5000, "not_toml"),
        ("version = 0x" + "f" * 5000, "not_toml"),
        ("x = " + "[" * 5000 + "]" * 5000, "not_toml"),
        ("version = true", "unknown_version"),
        ("version = 1.0", "unknown_version"),
        ("a" + ".a" * 30_000 + " = 1", "not_toml"),
        ("a" + " . 'a'" * 9_000 + " = 1", "not_toml"),
        ("[" + "a." * 30_000 + "a]", "not_toml"),
        ('x = {b = """y""""", c' + ".c" * 30_000 + " = 1}", "not_toml"),
        ("x = {b = '''y'''', c" + ".c" * 30_000 + " = 1}", "not_toml"),
    ],
    ids=[
        "number",
        "hexadecimal",
        "lists",
        "true",
        "float",
        "key",
        "quoted key",
        "header",
        "after a string",
        "after a literal string",
    ],
)
def test_odd_documents_are_refused_with_a_sentence(text: str, code: str) -> None:
    with pytest.raises(InvalidConfig) as caught:
        parse(text)
    assert caught.value.problems[0].code == code
    assert caught.value.problems[0].text.isprintable()


def test_dots_that_are_no_keys_are_no_matter() -> None:
    dots = "." * 100
    text = (
        f'[system] # {dots}\ntimezone = "UTC"\n{WAN}port = "eth1"\n'
        + f"""
[[uplink]]
kind = "modem"
name = "m"
port = "/dev/ttyAMA0"
number = "5551000" # it's {dots}
user = "{dots}"
password = '''{dots}'''
apn = ""
init = ["AT{dots}", 'AT{dots}']
"""
    )
    assert parse(text).modems[0].password.reveal() == dots


def test_a_document_of_unknown_names_is_answered_with_some_of_them() -> None:
    with pytest.raises(InvalidConfig) as caught:
        parse("\n".join(f"k{number} = 1" for number in range(6000)))
    assert 0 < len(caught.value.problems) <= 20


def test_lists_have_an_end() -> None:
    uplink = '[[uplink]]\nkind = "ethernet"\nname = "e{0}"\nport = "eth{0}"\n'
    parse("".join(uplink.format(number) for number in range(8)))
    with pytest.raises(InvalidConfig) as caught:
        parse("".join(uplink.format(number) for number in range(9)))
    assert caught.value.problems[0].path == "uplink"
    for line in (f"init = {['ATZ'] * 17}", f"dns = {['192.0.2.1'] * 9}"):
        kind = "modem" if "init" in line else "ethernet"
        with pytest.raises(InvalidConfig):
            parse(f'[[uplink]]\nkind = "{kind}"\nname = "a"\nport = "x"\nnumber = "1"\n{line}')
