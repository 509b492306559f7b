"""Which uplink carries the traffic, and how probes judge one: tables of cases."""

from __future__ import annotations

from dataclasses import replace

import pytest
from masqgate.contract.config import Config
from masqgate.contract.document import parse
from masqgate.contract.rules import PROBE_BYTES
from masqgate.contract.status import LinkState, LinkStatus, Reason
from masqgate.core import failover, health
from masqgate.core.health import Health, Outcome, Way

DOCUMENT = """
[[uplink]]
kind = "ethernet"
name = "cable"
port = "eth1"
hold_s = 20
probe = { PROBE }

[[uplink]]
kind = "modem"
name = "modem1"
port = "/dev/ttyAMA0"
number = "1"
"""
GATEWAY = "192.0.2.1"
ANSWER, SILENCE = Outcome(GATEWAY, ms=2.0), Outcome(GATEWAY, error="no answer")
GONE = Outcome(GATEWAY, error="no route to host", gone=True)
WELL, DEAD = Health(verdict="good", well_since=100.0), Health(verdict="bad")
NEW, PLAIN = Health(verdict="unknown"), Health(verdict="link_only", well_since=100.0)


def config(probe: str = "down_after = 2, up_after = 2") -> Config:
    return parse(DOCUMENT.replace("PROBE", probe))


def link(name: str = "cable", state: LinkState = LinkState.UP, address: str = "x") -> LinkStatus:
    given = "192.0.2.100" if address == "x" else address
    return LinkStatus(
        name=name,
        kind="ethernet" if name == "cable" else "modem",
        state=state,
        reason=Reason("no_carrier", "Nothing is connected to eth1."),
        since_at=0.0,
        interface="eth1" if name == "cable" else "ppp-modem1",
        address=given if state is LinkState.UP else "",
        peer=GATEWAY if state is LinkState.UP else "",
    )


UP, DOWN = LinkState.UP, LinkState.NO_PORT


@pytest.mark.parametrize(
    ("cable", "modem", "current", "now", "chosen", "word"),
    [
        # (state, health) of both; who carries the traffic now; the time; who then, and why
        ((UP, WELL), (UP, PLAIN), "", 105.0, "cable", ""),
        ((UP, NEW), (UP, PLAIN), "", 105.0, "cable", ""),  # nobody's connections are broken
        ((DOWN, Health()), (UP, PLAIN), "", 105.0, "modem1", ""),
        ((UP, WELL), (UP, PLAIN), "cable", 105.0, "cable", ""),
        ((DOWN, Health()), (UP, PLAIN), "cable", 105.0, "modem1", "Nothing is connected"),
        ((UP, DEAD), (UP, PLAIN), "cable", 105.0, "modem1", "dead beyond"),
        ((UP, DEAD), (UP, PLAIN), "modem1", 500.0, "modem1", ""),
        ((UP, NEW), (UP, PLAIN), "modem1", 500.0, "modem1", ""),  # nothing is known of it yet
        ((UP, WELL), (UP, PLAIN), "modem1", 119.9, "modem1", ""),  # the hold
        ((UP, WELL), (UP, PLAIN), "modem1", 120.0, "cable", "has been well for 20 s"),
        ((UP, PLAIN), (UP, PLAIN), "modem1", 120.0, "cable", "has been well for 20 s"),
        ((UP, WELL), (DOWN, Health()), "modem1", 105.0, "cable", "modem1 is down"),  # no hold
        ((UP, DEAD), (DOWN, Health()), "cable", 105.0, "cable", ""),  # nothing better
        ((UP, DEAD), (DOWN, Health()), "", 105.0, "cable", "No uplink's probes are answered"),
        ((UP, DEAD), (UP, DEAD), "modem1", 105.0, "modem1", ""),  # stay: moving gains nothing
        ((UP, DEAD), (UP, DEAD), "cable", 105.0, "cable", ""),
        ((DOWN, Health()), (UP, DEAD), "cable", 105.0, "modem1", "No uplink's probes"),
        ((DOWN, Health()), (DOWN, Health()), "cable", 105.0, "", "Nothing is connected"),
        ((UP, WELL), (UP, PLAIN), "gone", 105.0, "cable", "not configured any more"),
    ],
)  # fmt: skip
def test_the_choice(
    cable: tuple[LinkState, Health],
    modem: tuple[LinkState, Health],
    current: str,
    now: float,
    chosen: str,
    word: str,
) -> None:
    links = {"cable": link("cable", cable[0]), "modem1": link("modem1", modem[0])}
    healths = {"cable": cable[1], "modem1": modem[1]}
    choice = failover.choose(config(), links, healths, current, now)
    assert choice.name == chosen
    assert word in choice.why
    if chosen == current:
        assert choice.why == ""
    waits = cable[1].well_since is not None and chosen == "modem1" and cable[0] is UP
    assert choice.again_at == (120.0 if waits else None)


def test_a_dead_uplink_gives_way_to_a_modem_that_dials_on_demand() -> None:
    """While something carries the traffic, no packet makes it dial."""
    links = {"cable": link("cable"), "modem1": link("modem1", LinkState.IDLE)}
    dead = {"cable": DEAD, "modem1": Health()}
    choice = failover.choose(config(), links, dead, "cable", 105.0, dials="modem1")
    assert choice.name == ""
    assert "makes modem1 dial" in choice.why
    again = failover.choose(config(), links, dead, "", 105.0, dials="modem1")
    assert again == failover.Choice("")
    links["modem1"] = link("modem1")
    both = {"cable": DEAD, "modem1": PLAIN}
    assert failover.choose(config(), links, both, "", 105.0, dials="modem1").name == "modem1"
    dead = {"cable": DEAD, "modem1": DEAD}
    stay = failover.choose(config(), links, dead, "modem1", 105.0, dials="modem1")
    assert stay.name == "modem1"


def test_a_link_without_an_address_carries_nothing() -> None:
    links = {"cable": link("cable", address=""), "modem1": link("modem1")}
    assert failover.choose(config(), links, {}, "", 0.0).name == "modem1"


def test_it_is_told_why_an_uplink_is_not_used() -> None:
    links = {"cable": link("cable"), "modem1": link("modem1")}

    def told(cable: Health, active: str) -> dict[str, str]:
        return failover.unused(config(), links, {"cable": cable, "modem1": PLAIN}, active, 105.0)

    assert told(WELL, "cable") == {"modem1": "cable is preferred."}
    assert "traffic returns in 15 s" in told(WELL, "modem1")["cable"]
    assert "first probe" in told(NEW, "modem1")["cable"]
    assert "not answered" in told(DEAD, "modem1")["cable"]
    links["cable"] = link("cable", LinkState.NO_PORT)
    assert "not up" in told(Health(), "modem1")["cable"]


def judged(probe: str, *outcomes: Outcome, way: str = "192.0.2.100") -> Health:
    """The health after these probes, ten seconds apart, of an uplink that came up at 100 s."""
    uplink = config(probe).uplink[0]
    found = health.follow(Health(), uplink, link("cable", address=way), 100.0)
    for index, outcome in enumerate(outcomes, 1):
        now = 100.0 + 10 * index
        found = health.probed(found, uplink.probe, outcome, now, 1.8e9 + now)
        found = health.follow(found, uplink, link("cable", address=way), now)
    return found


NAMED = 'down_after = 2, up_after = 2, targets = ["9.9.9.9"]'
PLAIN_PROBE = "down_after = 2, up_after = 2"


@pytest.mark.parametrize(
    ("probe", "outcomes", "verdict", "well_since"),
    [
        (PLAIN_PROBE, (), "unknown", None),
        (PLAIN_PROBE, (ANSWER,), "good", 110.0),
        (PLAIN_PROBE, (ANSWER, SILENCE), "good", 110.0),  # one lost answer means nothing
        (PLAIN_PROBE, (ANSWER, SILENCE, ANSWER, SILENCE), "good", 110.0),
        (PLAIN_PROBE, (ANSWER, SILENCE, SILENCE), "bad", None),
        (PLAIN_PROBE, (ANSWER, SILENCE, SILENCE, ANSWER), "bad", None),
        (PLAIN_PROBE, (ANSWER, SILENCE, SILENCE, ANSWER, SILENCE, ANSWER), "bad", None),
        (PLAIN_PROBE, (ANSWER, SILENCE, SILENCE, ANSWER, ANSWER), "good", 150.0),
        # A gateway that nobody named may answer no pings by choice…
        (PLAIN_PROBE, (SILENCE, SILENCE), "link_only", 120.0),
        (PLAIN_PROBE, (SILENCE, SILENCE, SILENCE, SILENCE), "link_only", 120.0),
        (PLAIN_PROBE, (SILENCE, SILENCE, ANSWER), "good", 120.0),
        # …unless there is nobody at all.
        (PLAIN_PROBE, (GONE, GONE), "bad", None),
        (PLAIN_PROBE, (SILENCE, SILENCE, GONE), "bad", None),
        (NAMED, (SILENCE, SILENCE), "bad", None),
        (NAMED, (SILENCE, ANSWER), "good", 120.0),
        ("enabled = false", (), "link_only", 100.0),
    ],
)
def test_the_verdict(
    probe: str, outcomes: tuple[Outcome, ...], verdict: str, well_since: float | None
) -> None:
    found = judged(probe, *outcomes)
    assert (found.verdict, found.well_since) == (verdict, well_since)


def test_another_network_is_judged_anew_and_the_same_one_is_remembered() -> None:
    uplink = config().uplink[0]
    dead = judged(PLAIN_PROBE, ANSWER, SILENCE, SILENCE)
    off = health.follow(dead, uplink, link("cable", LinkState.NO_PORT), 200.0)
    assert (off.verdict, off.well_since) == ("", None)
    same = health.follow(off, uplink, link("cable"), 210.0)
    assert (same.verdict, same.answered) == ("unknown", True)
    other = health.follow(off, uplink, link("cable", address="192.0.2.101"), 210.0)
    assert (other.verdict, other.answered) == ("unknown", False)


def test_the_days_budget_ends_probes_until_the_next_day() -> None:
    probe = f"{PLAIN_PROBE}, bytes_per_day = {2 * PROBE_BYTES}"
    uplink = config(probe).uplink[0]
    once = judged(probe, ANSWER)
    assert health.job(uplink, once) is not None
    spent = judged(probe, ANSWER, ANSWER)
    assert (spent.verdict, health.job(uplink, spent)) == ("link_only", None)
    assert "used up" in health.words(spent, uplink)
    assert spent.well_since == 110.0, "what was well stays so"
    next_day = health.follow(spent, uplink, link("cable"), 100.0 + health.DAY_S)
    assert health.job(uplink, next_day) is not None
    dead = judged(f"{PLAIN_PROBE}, bytes_per_day = {3 * PROBE_BYTES}", ANSWER, SILENCE, SILENCE)
    assert dead.verdict == "bad", "what was dead stays so"


def test_who_is_probed_and_by_which_way() -> None:
    cable, modem = config().uplink
    found = health.job(cable, judged(PLAIN_PROBE))
    assert found is not None
    assert (found.way, found.targets) == (Way("eth1", "192.0.2.100", GATEWAY), (GATEWAY,))
    plain = health.follow(Health(), modem, link("modem1"), 0.0)
    assert health.job(modem, plain) is None, "LCP echoes watch a call"
    assert health.job(cable, Health()) is None, "a link that is down is not probed"
    assert health.job(cable, replace(judged(PLAIN_PROBE), verdict="bad")) is not None


def test_bad_settings_are_named() -> None:
    from masqgate.contract.errors import InvalidConfig

    bad = 'targets = ["nobody", "127.0.0.1"], bytes_per_day = 5, intervall_s = 1'
    with pytest.raises(InvalidConfig) as caught:
        config(bad)
    assert [(p.path, p.code) for p in caught.value.problems] == [
        ("uplink[0].probe.intervall_s", "unknown_key")
    ]
    with pytest.raises(InvalidConfig) as caught:
        config(bad.replace(", intervall_s = 1", ""))
    assert [(p.path, p.code) for p in caught.value.problems] == [
        ("uplink[0].probe.targets[0]", "bad_address"),
        ("uplink[0].probe.targets[1]", "not_a_host"),
        ("uplink[0].probe.bytes_per_day", "too_small"),
    ]
