"""apn = "auto": whose SIM it is, what the list has for it, and which of several is taken."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import pytest
from masqgate.cli import verbs
from masqgate.contract.apn import Access, ApnQuery, Apns
from masqgate.contract.config import Modem
from masqgate.contract.document import parse
from masqgate.contract.errors import InvalidConfig, MasqgateError
from masqgate.contract.secret import Secret
from masqgate.contract.status import LinkState
from masqgate.link import events as ev
from masqgate.link.access import (
    Sim,
    choices,
    file_in,
    imsi_in,
    mnc_digits,
    provider_name,
    with_access,
)
from masqgate.link.machine import LinkMachine
from masqgate.link.timings import Timings
from masqgate.system.providers import Providers

from tests.lab.sim import MobileSim
from tests.unit.link_world import World, config

LIST = """<?xml version="1.0"?>
<!DOCTYPE serviceproviders SYSTEM "serviceproviders.2.dtd">
<serviceproviders format="2.0">
<country code="at">
  <provider primary="true"><name>A1</name><gsm>
    <network-id mcc="232" mnc="01"/>
    <apn value="mms.a1"><usage type="mms"/></apn>
    <apn value="a1.net"><plan type="postpaid"/><usage type="internet"/><name>Breitband</name>
      <username>ppp@a1plus.at</username><password>ppp</password></apn>
  </gsm></provider>
  <provider><name>Bob</name><gsm>
    <network-id mcc="232" mnc="01"/><network-id mcc="232" mnc="11"/>
    <apn value="bob.at"><usage type="internet"/></apn>
    <apn value="bad&quot;;+CFUN=0"><usage type="internet"/></apn>
  </gsm></provider>
</country>
<country code="us">
  <provider><name>Threedigit</name><gsm>
    <network-id mcc="310" mnc="260"/><apn value="three"><usage type="internet"/></apn>
  </gsm></provider>
  <provider><name>Twodigit</name><gsm>
    <network-id mcc="310" mnc="26"/><apn value="two"><usage type="internet"/></apn>
  </gsm></provider>
  <provider><name>Old</name><cdma/></provider>
</country>
</serviceproviders>
"""


@pytest.fixture
def providers(tmp_path: Path) -> Providers:
    file = tmp_path / "list.xml"
    file.write_text(LIST)
    return Providers(file)


def dialed(sim: MobileSim, providers: Providers, **fields: Any) -> World:
    """A world whose modem has this SIM, connected as far as it gets."""
    given = {"apn": "auto", "number": "*99#", "dial": "plain", "mode": "manual", **fields}
    world = World(config(**given))
    world.machine = LinkMachine(
        world.config, Timings(), lambda: 0.5, find=providers.find
    )  # fmt: skip
    world.call(ev.Began())

    def voice(line: str) -> str:
        text = line.removeprefix("AT+")
        name = text.split("=")[0].split("?")[0]
        op = text[len(name) :][:1]
        lines = sim.answer(name, op, text[len(name) + 1 :])
        if lines is None and line.startswith("AT+"):
            return "\r\nERROR\r\n"
        return "".join(f"\r\n{one}\r\n" for one in lines or ()) + "\r\nOK\r\n"

    world.voice = voice
    world.call(ev.ConnectCalled())
    world.reach(LinkState.UP, LinkState.WAITING)
    return world


def test_the_access_point_is_found_by_the_sim(providers: Providers) -> None:
    sim = MobileSim()
    world = dialed(sim, providers)
    assert world.state is LinkState.UP
    assert sim.contexts == ["a1.net"]
    status = world.machine.status(world.now, 0.0)
    assert (status.apn, status.apn_others) == ("a1.net", ("bob.at",))
    (note,) = [note for note in world.notes if note.code == "apn"]
    assert "'a1.net' of A1 (AT)" in note.text and "'bob.at' (Bob)" in note.text
    assert "Write one as 'apn'" in note.text


def test_the_name_of_the_sims_provider_decides_on_a_network_of_several(
    providers: Providers,
) -> None:
    sim = MobileSim(provider="Bob")
    dialed(sim, providers)
    assert sim.contexts == ["bob.at"]


@pytest.mark.parametrize(("digits", "apn"), [(2, "two"), (3, "three"), (0, "three")])
def test_the_sim_tells_how_long_its_network_code_is(
    providers: Providers, digits: int, apn: str
) -> None:
    sim = MobileSim(imsi="310260123456789", mnc_digits=digits)
    dialed(sim, providers)
    assert sim.contexts == [apn]


def test_an_unknown_sim_is_told_and_not_dialed_with(providers: Providers) -> None:
    world = dialed(MobileSim(imsi="999991234567890"), providers)
    reason = world.machine.reason
    assert reason.code == "apn_unknown" and "(network 999 99)" in reason.text
    assert "'apn'" in reason.hint
    assert "1234567890" not in "".join(note.text for note in world.notes)
    assert "ATD*99#" not in world.written


def test_a_sim_that_tells_nothing_is_told(providers: Providers) -> None:
    world = dialed(MobileSim(imsi=""), providers)
    assert world.machine.reason.code == "imsi_unknown"


@pytest.mark.parametrize(("provider", "apn"), [("at/A1", "a1.net"), ("AT/bob", "bob.at")])
def test_country_and_provider_need_no_sim(providers: Providers, provider: str, apn: str) -> None:
    sim = MobileSim(imsi="")
    world = dialed(sim, providers, provider=provider)
    assert world.state is LinkState.UP and sim.contexts == [apn]


def test_an_unknown_provider_is_told(providers: Providers) -> None:
    world = dialed(MobileSim(), providers, provider="at/Nobody")
    assert world.machine.reason.code == "provider_unknown"
    assert "'at/Nobody'" in world.machine.reason.text


def test_written_by_hand_nothing_is_looked_up(providers: Providers) -> None:
    sim = MobileSim()
    world = dialed(sim, providers, apn="my.own")
    assert sim.contexts == ["my.own"] and "AT+CIMI" not in world.written
    assert world.machine.status(world.now, 0.0).apn == ""


def test_the_login_of_the_list_gives_way_to_one_by_hand() -> None:
    access = Access(apn="a", country="at", provider="P", user="theirs", password="pw")
    plain = Modem(name="m", port="/dev/ttyUSB0", number="*99#", apn="auto")
    assert with_access(plain, access).user == "theirs"
    assert with_access(plain, access).password.reveal() == "pw"
    ours = Modem(name="m", port="p", number="1", apn="auto", user="me", password=Secret("x"))
    assert with_access(ours, access) == ours


def test_no_list_is_no_reason_to_fail(tmp_path: Path) -> None:
    assert Providers(tmp_path / "missing").find("23201") == ()
    broken = tmp_path / "broken.xml"
    broken.write_text(LIST[:400])
    assert Providers(broken).find("23211") == ()
    assert Providers(broken).countries() in ((), ("at",))


def test_what_could_be_a_command_is_no_access_point(providers: Providers) -> None:
    assert [one.apn for one in providers.find("23211")] == ["bob.at"]


@pytest.mark.parametrize(
    ("lines", "imsi"),
    [
        (["232011234567890"], "232011234567890"),
        (["+CIMI: 232011234567890"], "232011234567890"),
        (['"232011234567890"'], "232011234567890"),
        (["noise", "232011234567890"], "232011234567890"),
        (["12345", "\u0663" * 15, "1" * 16], ""),
        ([], ""),
    ],
)
def test_the_imsi_is_read(lines: list[str], imsi: str) -> None:
    assert imsi_in(lines) == imsi


def test_files_of_the_sim_are_read() -> None:
    assert mnc_digits(file_in('144,0,"00000003"')) == 3
    assert mnc_digits(file_in('144,0,"000000FF"')) is None
    assert mnc_digits(file_in("106,130")) is None
    assert mnc_digits(file_in(None)) is None
    assert provider_name(file_in('144,0,"01426F62FFFFFFFF"')) == "Bob"
    assert provider_name(file_in("144,0,018000420062FFFF")) == "Bb"
    assert provider_name(b"") == ""


def test_picture_messages_and_repetitions_are_left_out() -> None:
    def access(apn: str, usage: str, **fields: Any) -> Access:
        return Access(apn=apn, country="at", provider="P", usage=usage, **fields)

    found = (
        access("wap", "wap"), access("mms", "mms"), access("plain", ""),
        access("good", "internet"), access("good", "internet", plan="prepaid"),
    )  # fmt: skip
    assert [one.apn for one in choices(found, ())] == ["good", "plain", "wap"]


def test_the_network_is_shown_without_the_subscriber() -> None:
    assert Sim("310260123456789", 3).shown == "310 260"


DOCUMENT = """version = 1
[[uplink]]
kind = "modem"
name = "modem1"
port = "/dev/ttyUSB0"
number = "*99#"
"""


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ('provider = "at/A1"', "not_auto"),
        ('apn = "auto"\nprovider = "A1"', "bad_provider"),
        ('apn = "auto"\nprovider = "at/A1 Telekom"', ""),
    ],
)
def test_a_provider_is_checked(more: str, code: str) -> None:
    if not code:
        assert parse(DOCUMENT + more).modems[0].provider
        return
    with pytest.raises(InvalidConfig) as caught:
        parse(DOCUMENT + more)
    assert [problem.code for problem in caught.value.problems] == [code]


class Looking:
    """The supervisor, as far as a look at the list goes."""

    def __init__(self, providers: Providers) -> None:
        self.providers = providers

    def apns(self, query: ApnQuery) -> Apns:
        if not (query.network or query.country):
            return Apns(countries=self.providers.countries())
        return Apns(found=self.providers.find(query.network or f"{query.country}/"))


@pytest.mark.parametrize(
    ("where", "told"),
    [
        ("", "at, us"), ("at", "a1.net"), ("232-01", "user ppp@a1plus.at"), ("23211", "bob.at"),
        ("zz", "No access point"),
    ],
)  # fmt: skip
def test_the_command_line_looks_it_up(
    providers: Providers, capsys: pytest.CaptureFixture[str], where: str, told: str
) -> None:
    wanted = argparse.Namespace(where=where, json=False)
    assert verbs.apn(Looking(providers), wanted) == 0  # type: ignore[arg-type]
    assert told in " ".join(capsys.readouterr().out.split())


def test_the_command_line_refuses_what_is_neither(providers: Providers) -> None:
    with pytest.raises(MasqgateError, match="neither a country nor a network"):
        verbs.apn(Looking(providers), argparse.Namespace(where="Austria", json=False))  # type: ignore[arg-type]
