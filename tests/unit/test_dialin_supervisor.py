"""Who dials in, as the supervisor sees it: rules, proxy ARP, the log of calls."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from masqgate.contract.dialer import AnswerConfig, DialerConfig
from masqgate.contract.document import parse
from masqgate.contract.errors import MasqgateError
from masqgate.contract.status import CallRecord, Counters, Entry, LinkState
from masqgate.desired.changes import Actual, Add, Proxy, Remove
from masqgate.desired.facts import Facts, Guest
from masqgate.desired.network import diff, network
from masqgate.system.dialers import told

from tests.unit.router import DOCUMENT, Router, link, until
from tests.unit.test_dialin_rules import LINE

UP = link("modem2", kind="dialin", caller="anybox", address="192.168.77.1", peer="192.168.77.60")
WAITS = link("modem2", LinkState.IDLE, kind="dialin")
GUEST = Guest("ppp-modem2", "192.168.77.60")


@pytest.fixture
def router(tmp_path: Path) -> Iterator[Router]:
    made = Router(tmp_path, DOCUMENT + LINE)
    made.dialer("modem1", link())
    made.dialer("modem2", WAITS)
    made.start()
    until(lambda: "reload" in made.dialers["modem2"].commands, "it is connected")
    try:
        yield made
    finally:
        made.close()


def test_each_dialer_is_told_what_it_does() -> None:
    configs = told(parse(DOCUMENT + LINE))
    assert isinstance(configs["modem1"], DialerConfig)
    assert isinstance(configs["modem2"], AnswerConfig)
    assert configs["modem2"].router == "192.168.77.1"
    assert "modem2" not in told(
        parse(DOCUMENT + LINE.replace("\nport", "\nenabled = false\nport"))
    )


def test_a_caller_is_let_in_while_the_call_is_up(router: Router) -> None:
    until(lambda: router.applier.applied != [], "a first apply")
    assert router.applied()[1].guests == ()
    router.dialers["modem2"].tell(UP)
    until(lambda: router.applied()[1].guests == (GUEST,), "the caller is let in")
    assert router.client.status().dialin[0].caller == "anybox"
    router.dialers["modem2"].tell(WAITS)
    until(lambda: router.applied()[1].guests == (), "nobody is let in any more")


def test_a_line_whose_dialer_dies_lets_nobody_in(router: Router) -> None:
    router.dialers["modem2"].tell(UP)
    until(lambda: bool(router.applier.applied) and router.applied()[1].guests == (GUEST,), "in")
    router.dialers["modem2"].close()
    router.clock.added_s += 30.0
    until(lambda: router.client.status().dialin[0].reason.code == "dialer_lost", "it is lost")
    until(lambda: router.applied()[1].guests == (), "nobody is let in any more")


def test_calls_are_kept_apart_from_other_events(router: Router) -> None:
    call = CallRecord(
        line="modem2", began_at=1.8e9, duration_s=61.0, caller="anybox", counters=Counters(7, 9)
    )
    entry = Entry(number=1, at=1.8e9, source="modem2", code="call", text="Over.", call=call)
    router.dialers["modem2"].tell(WAITS, entry)
    until(lambda: bool(router.client.call_log()), "the call is kept")
    assert [entry.call for entry in router.client.call_log()] == [call]
    assert "call" in router.codes()
    router.stop()
    router.start()
    assert [entry.call for entry in router.client.call_log()] == [call]
    router.client.config_factory()
    assert router.client.call_log() == ()


def test_a_call_is_hung_up_and_a_lock_out_ended_by_hand(router: Router) -> None:
    router.client.disconnect("modem2")
    router.client.connect("modem2")
    until(lambda: router.dialers["modem2"].commands[-2:] == ["disconnect", "connect"], "told")
    with pytest.raises(MasqgateError):
        router.client.connect("modem3")


def test_the_router_answers_arp_for_its_callers() -> None:
    config = parse(DOCUMENT + LINE)
    wanted = network(config, Facts(guests=(GUEST,)))
    proxy = Proxy("br0", "192.168.77.60")
    assert wanted.proxies == (proxy,)
    actual = Actual(
        links=frozenset({"br0"}), up=frozenset(), pinned=True, masters={},
        addresses=frozenset(), routes=frozenset(), sysctls={},
    )  # fmt: skip
    assert Add(proxy) in diff(wanted, actual)
    there = msgspec.structs.replace(actual, proxies=frozenset({proxy, Proxy("br0", "1.2.3.4")}))
    changes = diff(wanted, there)
    assert Add(proxy) not in changes
    assert Remove(Proxy("br0", "1.2.3.4")) in changes
