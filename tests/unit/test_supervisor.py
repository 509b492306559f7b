"""The supervisor from the outside: by its calls, its dialers and what it has applied."""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from masqgate.contract.calls import CALLS, SelfTestRun
from masqgate.contract.codec import from_json
from masqgate.contract.dialer import DialerConfig
from masqgate.contract.document import parse
from masqgate.contract.errors import MasqgateError, Problem
from masqgate.contract.status import Counters, Entry, LinkHealth, LinkState, Status
from masqgate.core.health import Outcome, Way
from masqgate.core.ladder import Result, Step
from masqgate.core.messages import LinkReported, NetworkChanged, Probed
from masqgate.system import atomic
from masqgate.system.kept_prefixes import KeptPrefixes

from tests.unit.router import DEADLINE_S, DOCUMENT, FakeDialer, Router, link, until

CABLE_FIRST = """
[[uplink]]
kind = "ethernet"
name = "cable"
port = "eth1"
probe = { down_after = 2, up_after = 2 }

"""
TWO_UPLINKS = DOCUMENT + '\n[[uplink]]\nkind = "ethernet"\nname = "cable"\nport = "eth1"\n'


@pytest.fixture
def router(tmp_path: Path) -> Iterator[Router]:
    made = Router(tmp_path)
    yield made
    made.close()


def running(router: Router, state: LinkState = LinkState.UP) -> FakeDialer:
    """A router whose dialer is there."""
    dialer = router.dialer("modem1", link(state=state))
    router.start()
    until(lambda: router.client.status().uplinks[0].state is state)
    until(lambda: bool(router.applier.applied), "the first apply")
    return dialer


def failure(call: object, *arguments: object) -> MasqgateError:
    with pytest.raises(MasqgateError) as caught:
        call(*arguments)  # type: ignore[operator]
    return caught.value


def test_it_starts_a_dialer_for_each_modem_and_keeps_its_secrets_private(router: Router) -> None:
    router.start()
    until(lambda: "masqgate-dialer@modem1.service" in router.services.started)
    path = router.paths.dialer_config("modem1")
    written = from_json(path.read_bytes(), DialerConfig)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert (written.interface, written.lan) == ("ppp-modem1", "192.168.77.0/24")
    assert written.modem.password.reveal() == "dial-secret"


def test_a_modem_that_is_off_has_a_dialer_too_so_that_its_state_is_told(tmp_path: Path) -> None:
    router = Router(tmp_path, DOCUMENT + 'mode = "off"\n')
    router.start()
    until(lambda: bool(router.services.started))
    assert router.client.status().uplinks[0].state is LinkState.OFF
    router.close()


def test_an_uplink_that_comes_up_carries_the_traffic(router: Router) -> None:
    dialer = running(router, LinkState.DIALING)
    assert router.client.status().active == ""
    dialer.tell(link())
    until(lambda: router.client.status().active == "modem1")
    facts = router.applied()[1]
    assert facts.active == "modem1"
    assert facts.links[0].address == "198.51.100.7"
    assert facts.ports == ("eth0", "eth1")


def test_a_change_of_address_is_applied_and_a_change_of_counters_is_not(router: Router) -> None:
    dialer = running(router)
    count = len(router.applier.applied)
    dialer.tell(link(attempts=7))
    until(lambda: router.client.status().uplinks[0].attempts == 7)
    assert len(router.applier.applied) == count
    dialer.tell(link(address="198.51.100.8"))
    until(lambda: router.applied()[1].links[0].address == "198.51.100.8")


def test_the_first_uplink_in_the_configured_order_is_chosen_and_taken_back(tmp_path: Path) -> None:
    router = Router(tmp_path, TWO_UPLINKS)
    dialer = router.dialer("modem1", link(state=LinkState.DIALING))
    router.start()
    cable = link("cable", kind="ethernet", interface="eth1")
    router.inbox.put(LinkReported(cable))
    until(lambda: router.client.status().active == "cable")
    dialer.tell(link())
    until(lambda: router.client.status().uplinks[0].state is LinkState.UP)
    assert router.client.status().active == "cable"
    assert "traffic returns in" in router.client.status().uplinks[0].health.unused
    router.clock.added_s += 31
    router.inbox.put(NetworkChanged())
    until(lambda: router.client.status().active == "modem1")
    dialer.tell(link(state=LinkState.WAITING))
    until(lambda: router.client.status().active == "cable")
    assert router.codes().count("uplink_chosen") == 3
    router.close()


def test_a_new_supervisor_stays_with_the_uplink_that_carries_the_traffic(tmp_path: Path) -> None:
    """A preferred one that is up, but has not been well for long, does not break connections."""
    router = Router(tmp_path, TWO_UPLINKS)
    router.applier.known_way_out = "eth1"
    router.dialer("modem1", link())
    router.start()
    router.inbox.put(LinkReported(link("cable", kind="ethernet", interface="eth1")))
    until(lambda: bool(router.applier.applied))
    assert router.applied()[1].active == "cable"
    assert "uplink_chosen" not in router.codes()
    router.close()


def test_probes_decide_and_are_told(tmp_path: Path) -> None:
    cable_first = CABLE_FIRST + DOCUMENT.split("\n\n", 2)[2]
    router = Router(tmp_path, cable_first)
    router.dialer("modem1", link())
    router.start()
    router.inbox.put(LinkReported(link("cable", kind="ethernet", interface="eth1")))
    until(lambda: "cable" in router.prober.jobs)
    job = router.prober.jobs["cable"]
    assert (job.targets, job.way.interface) == (("198.51.100.1",), "eth1")

    def probe(ms: float | None) -> None:
        router.inbox.put(Probed(job, Outcome("198.51.100.1", ms=ms)))

    def health() -> LinkHealth:
        return router.client.status().uplinks[0].health

    probe(3.0)
    until(lambda: router.client.status().active == "cable" and health().verdict == "good")
    earlier = Way("eth1", "198.51.100.99", "198.51.100.1")
    late = replace(job, way=earlier)
    for _ in range(2):  # what was asked with an address of the past says nothing of this one
        router.inbox.put(Probed(late, Outcome("198.51.100.1")))
    assert health().verdict == "good"
    probe(None)
    probe(None)
    until(lambda: router.client.status().active == "modem1")
    assert (health().verdict, health().rtt_ms) == ("bad", 3.0)
    assert "not answered" in health().unused
    probe(4.0)
    probe(4.0)
    until(lambda: health().verdict == "good")
    assert router.client.status().active == "modem1", "the hold"
    router.clock.added_s += 31
    router.inbox.put(NetworkChanged())
    until(lambda: router.client.status().active == "cable")
    told = [code for code in router.codes() if code.startswith("probes_")]
    assert told == ["probes_lost", "probes_answered"]
    router.close()


def test_a_new_supervisor_finds_the_running_call_before_it_applies_anything(
    router: Router,
) -> None:
    dialer = running(router)
    until(lambda: router.client.status().active == "modem1")
    router.stop()
    router.applier.applied.clear()
    router.start()
    until(lambda: bool(router.applier.applied))
    assert router.applier.applied[0][1].active == "modem1"
    assert "connect" not in dialer.commands
    assert "disconnect" not in dialer.commands


def test_a_dialer_is_told_to_read_its_file_whenever_it_is_found(router: Router) -> None:
    """The supervisor may have died between writing the file and telling of it."""
    dialer = running(router)
    until(lambda: dialer.commands == ["reload"])
    assert dialer.configs[0].modem.number == "5551000"


def test_a_dialer_that_dies_is_started_again_and_its_call_counts_as_ended(router: Router) -> None:
    dialer = running(router)
    until(lambda: router.client.status().active == "modem1")
    dialer.close()
    until(lambda: len(router.services.started) > 0, "the unit's start")
    router.clock.added_s += 10
    router.inbox.put(NetworkChanged())
    until(lambda: router.client.status().active == "")
    assert router.client.status().uplinks[0].reason.code == "dialer_lost"
    router.dialer("modem1", link(address="198.51.100.9"))
    until(lambda: router.client.status().active == "modem1")


def test_what_a_dialer_tells_of_another_uplink_is_ignored(router: Router) -> None:
    dialer = running(router)
    mark = Entry(number=1, at=5.0, source="modem1", code="mark", text="Here.")
    dialer.tell(link("modem9"), mark)
    until(lambda: "mark" in router.codes())
    assert [one.name for one in router.client.status().uplinks] == ["modem1"]


def test_events_of_a_dialer_join_the_history_under_new_numbers(router: Router) -> None:
    dialer = running(router)
    last = router.client.log()[-1].number
    event = Entry(number=1, at=5.0, source="modem1", code="busy", text="The line is\nbusy.")
    dialer.tell(link(), event)
    until(lambda: "busy" in router.codes())
    entry = next(entry for entry in router.client.log() if entry.code == "busy")
    assert entry.number > last
    assert entry.text == "The line is?busy."


def test_connect_and_disconnect_reach_the_dialer(router: Router) -> None:
    dialer = running(router)
    router.client.disconnect("modem1")
    router.client.connect()
    until(lambda: dialer.commands[-2:] == ["disconnect", "connect"])


@pytest.mark.parametrize(
    ("name", "code"), [("modem2", "unknown_uplink"), ("cable", "uplink_does_not_dial")]
)
def test_an_uplink_that_does_not_dial_is_refused(tmp_path: Path, name: str, code: str) -> None:
    router = Router(tmp_path, TWO_UPLINKS)
    router.start()
    error = failure(router.client.connect, name)
    assert error.code == code
    assert "modem1" in error.hint
    router.close()


def test_without_its_dialer_connect_tells_so(router: Router) -> None:
    router.start()
    assert failure(router.client.connect).code == "dialer_down"


def test_a_configuration_is_applied_saved_and_told_to_the_dialers(router: Router) -> None:
    dialer = running(router)
    router.client.config_apply(router.client.config_show().replace("5551000", "5552000"))
    until(lambda: any(c.modem.number == "5552000" for c in dialer.configs))
    saved = parse(router.paths.config.read_text())
    assert saved.modems[0].number == "5552000"
    assert saved.modems[0].password.reveal() == "dial-secret", "the placeholder kept it"
    assert stat.S_IMODE(router.paths.config.stat().st_mode) == 0o600
    assert router.applied()[0] == saved
    assert "5551000" in router.paths.previous_config.read_text()


def test_secrets_never_leave(router: Router) -> None:
    running(router)
    assert "dial-secret" not in router.client.config_show()
    assert "(secret)" in router.client.config_show()


def test_a_bad_document_is_refused_with_every_problem_and_changes_nothing(router: Router) -> None:
    running(router)
    before = router.paths.config.read_bytes()
    bad = DOCUMENT.replace("192.168.77.1/24", "8.8.8.8/24").replace("5551000", "none")
    for call in (router.client.config_check, router.client.config_apply):
        error = failure(call, bad + "colour = 3\n")
        assert error.code == "config_invalid"
        error = failure(call, bad)
        assert {p.path for p in error.problems} >= {"lan.address", "uplink[0].number"}
    assert router.paths.config.read_bytes() == before
    assert not router.paths.previous_config.exists()


def test_what_cannot_be_put_in_force_is_taken_back(router: Router) -> None:
    dialer = running(router)
    before = router.paths.config.read_bytes()
    problem = Problem("network.br0", "netlink", "The bridge refuses the address.")
    router.applier.problems = lambda config: (
        (problem,) if config.lan.address.startswith("10.") else ()
    )
    reloads = dialer.commands.count("reload")
    other = DOCUMENT.replace('"192.168.77.1/24"', '"10.0.0.1/24"\ndhcp = false')
    error = failure(router.client.config_apply, other)
    assert error.code == "config_not_in_force"
    assert error.problems == (problem,)
    assert router.paths.config.read_bytes() == before
    assert not router.paths.previous_config.exists()
    assert router.applied()[0].lan.address == "192.168.77.1/24"
    assert router.client.status().lan.address == "192.168.77.1/24"
    assert not list(router.paths.config.parent.glob(".*")), "nothing is left lying about"
    assert dialer.commands.count("reload") == reloads


def test_a_fault_that_was_there_before_does_not_keep_a_configuration_out(router: Router) -> None:
    router.applier.problems = lambda config: (Problem("dnsmasq", "not_running", "It died."),)
    running(router)
    router.client.config_apply(DOCUMENT.replace("5551000", "5552000"))
    assert router.client.status().warnings[0].code == "not_running"


def test_previous_goes_back_and_forth(router: Router) -> None:
    running(router)
    assert failure(router.client.config_previous).code == "no_previous"
    router.client.config_apply(DOCUMENT.replace("5551000", "5552000"))
    router.client.config_previous()
    assert "5551000" in router.client.config_show()
    router.client.config_previous()
    assert "5552000" in router.client.config_show()


def test_an_unchanged_configuration_does_not_push_out_the_previous_one(router: Router) -> None:
    running(router)
    router.client.config_apply(DOCUMENT.replace("5551000", "5552000"))
    router.client.config_apply(router.client.config_show())
    router.client.config_previous()
    assert "5551000" in router.client.config_show()


OTHER = DOCUMENT.replace("5551000", "5552000")


def test_an_unconfirmed_configuration_is_taken_back(router: Router) -> None:
    dialer = running(router)
    before = router.paths.config.read_bytes()
    router.client.config_apply(OTHER, confirm_within_s=120)
    left = router.client.status().confirm_in_s
    assert left is not None
    assert 60 < left <= 120
    assert "5552000" in router.client.config_show()
    until(lambda: any(c.modem.number == "5552000" for c in dialer.configs))
    assert router.paths.config.read_bytes() == before
    router.clock.added_s += 121
    router.inbox.put(NetworkChanged())
    until(lambda: router.client.status().confirm_in_s is None)
    assert "5551000" in router.client.config_show()
    until(lambda: dialer.configs[-1].modem.number == "5551000")
    assert router.paths.config.read_bytes() == before
    assert not list(router.paths.config.parent.glob(".*"))
    assert router.codes()[-1] == "config_taken_back"
    assert failure(router.client.config_confirm).code == "nothing_to_confirm"


def test_a_confirmed_configuration_stays(router: Router) -> None:
    running(router)
    router.client.config_apply(OTHER, confirm_within_s=120)
    router.client.config_confirm()
    assert parse(router.paths.config.read_text()).modems[0].number == "5552000"
    assert "5551000" in router.paths.previous_config.read_text()
    router.clock.added_s += 200
    router.inbox.put(NetworkChanged())
    assert router.client.status().confirm_in_s is None
    assert "5552000" in router.client.config_show()


def test_a_supervisor_that_dies_before_the_confirmation_comes_back_with_the_old_one(
    router: Router,
) -> None:
    running(router)
    router.client.config_apply(OTHER, confirm_within_s=120)
    router.stop()
    router.start()
    assert "5551000" in router.client.config_show()
    assert router.client.status().confirm_in_s is None
    assert not list(router.paths.config.parent.glob(".*"))
    assert router.codes().count("config_taken_back") == 1
    router.stop()
    router.start()
    assert router.codes().count("started") == 3
    assert router.codes().count("config_taken_back") == 1, "it is told once"


@pytest.mark.parametrize("failing", ["replace", "open"])
def test_a_confirmation_that_fails_can_be_repeated(
    router: Router, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    running(router)
    router.client.config_apply(OTHER, confirm_within_s=120)

    def fails(*_: object, **__: object) -> None:
        raise OSError(28, os.strerror(28))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", fails)
        assert failure(router.client.config_confirm).code == "not_saved"
        if failing == "open":
            patch.setattr(atomic.os, "open", fails)
        assert failure(router.client.config_confirm).code == "not_saved"
    assert router.client.status().confirm_in_s is not None
    router.client.config_confirm()
    assert parse(router.paths.config.read_text()).modems[0].number == "5552000"
    assert "5551000" in router.paths.previous_config.read_text()


def test_ethernet_uplinks_have_counters(router: Router) -> None:
    router.paths.config.write_text(DOCUMENT + WAN)
    running(router)
    router.inbox.put(LinkReported(link("wan", kind="ethernet", interface="eth1")))
    until(lambda: router.client.status().uplinks[-1].counters == Counters(1000, 200))


WAN = '[[uplink]]\nkind = "ethernet"\nname = "wan"\nport = "eth1"\n'


def test_a_change_on_top_of_an_unconfirmed_one_goes_back_to_what_was_saved(
    router: Router,
) -> None:
    running(router)
    router.client.config_apply(OTHER, confirm_within_s=120)
    router.client.config_apply(DOCUMENT.replace("5551000", "5553000"), confirm_within_s=300)
    router.clock.added_s += 150
    router.inbox.put(NetworkChanged())
    assert "5553000" in router.client.config_show()
    router.clock.added_s += 151
    router.inbox.put(NetworkChanged())
    until(lambda: "5551000" in router.client.config_show())


def test_a_change_that_fails_on_top_of_an_unconfirmed_one_brings_the_saved_one_back(
    router: Router,
) -> None:
    running(router)
    router.applier.problems = lambda config: (
        (Problem("network", "x", "No."),) if config.system.hostname == "bad" else ()
    )
    router.client.config_apply(OTHER, confirm_within_s=120)
    error = failure(router.client.config_apply, DOCUMENT + "[system]\nhostname = 'bad'\n")
    assert error.code == "config_not_in_force"
    assert "5551000" in router.client.config_show()
    assert router.client.status().confirm_in_s is None


def test_the_factorys_state_erases_what_the_user_has_entered(router: Router) -> None:
    running(router)
    router.client.password_set("correct horse battery")
    paths = router.paths
    for path in (paths.slot_config("b"), paths.pin_mark("modem1"), paths.usage):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("dial-secret")
    identifier = KeptPrefixes(paths.kept_prefixes).duid
    router.client.config_factory()
    known = KeptPrefixes(paths.kept_prefixes)
    known.restore()
    assert known.duid != identifier, "to the provider it is another router"
    status = router.client.status()
    assert status.hostname == "factory"
    assert not status.password_set
    assert router.codes() == ["factory_reset"]
    left = [path.read_text() for path in router.paths.data.rglob("*") if path.is_file()]
    assert not any("dial-secret" in text for text in left)
    until(lambda: "masqgate-dialer@modem1.service" in router.services.stopped)
    assert not router.paths.dialer_config("modem1").exists()


def test_a_dialer_of_an_uplink_that_went_while_nobody_looked_is_stopped(router: Router) -> None:
    router.paths.dialer_config("old").parent.mkdir(parents=True)
    router.paths.dialer_config("old").write_text("{}")
    router.start()
    until(lambda: "masqgate-dialer@old.service" in router.services.stopped)


def test_rules_that_cannot_be_loaded_close_the_firewall_until_they_can(router: Router) -> None:
    broken = [True]
    problem = Problem("firewall", "nft", "nft refuses the rules.")
    router.applier.problems = lambda config: (problem,) if broken[0] else ()
    router.start()
    until(lambda: router.client.status().firewall == "failed")
    assert router.applier.closed >= 1
    assert router.client.status().warnings[0].text == "firewall: nft refuses the rules."
    broken[0] = False
    router.clock.added_s += 5
    router.inbox.put(NetworkChanged())
    until(lambda: router.client.status().firewall == "open")
    assert "applied" in router.codes()
    assert router.codes().count("nft") == 1, "told once, however often it is tried"


def test_an_applier_that_breaks_does_not_take_the_supervisor_along(router: Router) -> None:
    def broken(_: object) -> tuple[Problem, ...]:
        raise RuntimeError("a defect")

    router.applier.problems = broken
    router.start()
    until(lambda: router.client.status().firewall == "failed")
    assert router.applier.closed >= 1


@pytest.mark.parametrize("jump", [-1.7e9, -365 * 86_400.0, 20 * 365 * 86_400.0])
def test_a_jump_of_the_time_of_day_changes_nothing(router: Router, jump: float) -> None:
    dialer = running(router)
    router.clock.jump_s = jump
    count = len(router.applier.applied)
    dialer.tell(link(attempts=2))
    until(lambda: router.client.status().uplinks[0].attempts == 2)
    assert router.client.status().active == "modem1"
    assert len(router.applier.applied) == count


def test_flows_and_hosts_are_those_of_the_kernel(router: Router) -> None:
    running(router)
    assert router.client.flows() == ()
    assert router.client.status().lan.hosts == ()
    assert router.client.status().lan.ports == ("eth0", "eth1")


def test_the_self_test_can_be_looked_at_while_it_runs(router: Router) -> None:
    go_on = threading.Event()

    def climb(status: Status) -> Iterator[Result]:
        yield Result(Step(1, "First", "state", "It means this."), "failed", "seen")
        go_on.wait(DEADLINE_S)
        yield Result(Step(2, "Second", "state", "And this."), "good", "seen")

    router.climb = climb
    running(router)
    assert router.client.self_test() == SelfTestRun(running=False)
    assert router.client.self_test(begin=True).running
    until(lambda: len(router.client.self_test(begin=True).steps) == 1)
    assert router.client.status().active == "modem1", "the loop goes on"
    go_on.set()
    until(lambda: not router.client.self_test().running)
    first, second = router.client.self_test().steps
    assert (first.verdict, first.diagnosis) == ("failed", "It means this.")
    assert (second.verdict, second.diagnosis) == ("good", "")


def test_a_self_test_that_breaks_ends(router: Router) -> None:
    def climb(status: Status) -> Iterator[Result]:
        raise RuntimeError("a defect")

    router.climb = climb
    running(router)
    router.client.self_test(begin=True)
    until(lambda: not router.client.self_test().running)


def test_every_call_has_a_handler(router: Router) -> None:
    router.start()
    until(lambda: bool(router.applier.applied))
    elsewhere = {"password_check", "password_set"}
    assert set(router.supervisor.calls.handlers) | elsewhere == set(CALLS)
