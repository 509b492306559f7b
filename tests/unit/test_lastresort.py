"""The router's restart as the last step of the recovery ladder: when, how often, and counted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from masqgate.contract.errors import InvalidConfig
from masqgate.contract.status import LinkState, LinkStatus, Reason
from masqgate.core import lastresort
from masqgate.core.lastresort import Reboots
from masqgate.core.messages import NetworkChanged

from tests.unit.router import DOCUMENT, Router, config, link, until

WITH_REBOOT = DOCUMENT.replace("[lan]", "[system]\nreboot_after_minutes = 10\n\n[lan]")


def one(name: str, state: LinkState, code: str, kind: str = "modem") -> LinkStatus:
    reason = Reason(code, "So it is.")
    return LinkStatus(name=name, kind=kind, state=state, reason=reason, since_at=0.0)  # type: ignore[arg-type]


UP, WAITING, NO_PORT = LinkState.UP, LinkState.WAITING, LinkState.NO_PORT


@pytest.mark.parametrize(
    ("links", "active", "dead", "code"),
    [
        ([one("m", UP, "up")], "m", [], ""),
        ([one("m", WAITING, "modem_silent")], "", [], "modem_silent"),
        ([one("m", NO_PORT, "port_missing")], "", [], "port_missing"),
        ([one("m", LinkState.DIALING, "dialing")], "", [], "dialing"),
        ([one("m", LinkState.OFF, "off")], "", [], ""),
        ([one("m", LinkState.IDLE, "disconnected")], "", [], ""),  # somebody hung up
        ([one("m", WAITING, "sim_missing")], "", [], ""),
        ([one("m", WAITING, "no_carrier")], "", [], "no_carrier"),  # a modem's NO CARRIER
        ([one("e", NO_PORT, "no_carrier", "ethernet")], "", [], ""),  # a cable that is out
        ([one("e", NO_PORT, "no_port", "ethernet")], "", [], "no_port"),
        ([one("e", UP, "up", "ethernet")], "e", ["e"], "dead_beyond"),
        ([one("e", UP, "up", "ethernet"), one("m", UP, "up")], "m", ["e"], ""),
        ([], "", [], ""),
    ],
)  # fmt: skip
def test_the_cause(links: list[LinkStatus], active: str, dead: list[str], code: str) -> None:
    assert lastresort.cause(links, active, dead) == code


def test_a_modem_that_nobody_needs_is_no_cause() -> None:
    links = [one("e", UP, "up", "ethernet"), one("m", LinkState.IDLE, "idle")]
    assert lastresort.cause(links, "", ["e"]) == "dead_beyond"
    assert lastresort.cause(links, "", ["e"], dials="m") == ""
    links[1] = one("m", WAITING, "busy")
    assert lastresort.cause(links, "", ["e"], dials="m") == "dead_beyond"


def test_each_one_in_vain_doubles_the_wait_up_to_a_day() -> None:
    waits = [lastresort.wait_s(10, Reboots(in_vain=count)) for count in (0, 1, 2, 7, 8, 10_000)]
    assert waits == [600.0, 1200.0, 2400.0, 76_800.0, 86_400.0, 86_400.0]
    twice = lastresort.counted(lastresort.counted(Reboots(), "busy"), "busy")
    assert twice == Reboots(in_vain=2, causes={"busy": 2})
    assert lastresort.recovered(twice) == Reboots(in_vain=0, causes={"busy": 2})


def test_a_time_that_is_too_short_is_refused() -> None:
    with pytest.raises(InvalidConfig) as caught:
        config(WITH_REBOOT.replace("= 10\n", "= 9\n"))
    assert [p.path for p in caught.value.problems] == ["system.reboot_after_minutes"]


@pytest.fixture
def router(tmp_path: Path) -> Iterator[Router]:
    made = Router(tmp_path, WITH_REBOOT)
    made.dialer("modem1", one("modem1", WAITING, "modem_silent"))
    yield made
    made.close()


def pass_minutes(router: Router, minutes: float) -> None:
    """Let time pass, and wait until the supervisor has looked."""
    count = len(router.applier.applied)
    router.clock.added_s += minutes * 60
    router.inbox.put(NetworkChanged())
    until(lambda: len(router.applier.applied) > count)
    router.client.status()  # the loop is past the apply


def begin(router: Router) -> None:
    """Start, and wait until the supervisor has looked at what the dialer tells."""
    router.start()
    until(lambda: router.client.status().uplinks[0].state is WAITING)
    pass_minutes(router, 0)


def test_it_restarts_in_time_and_is_counted(router: Router) -> None:
    begin(router)
    pass_minutes(router, 9)
    assert router.rebooter.ordered == 0
    pass_minutes(router, 1.1)
    assert router.rebooter.ordered == 1
    assert router.client.status().reboots == {"modem_silent": 1}
    assert "reboot" in router.codes()
    pass_minutes(router, 60)
    assert router.rebooter.ordered == 1, "one order is enough"
    router.stop()
    begin(router)  # after the restart, which was in vain
    pass_minutes(router, 11)
    assert router.rebooter.ordered == 1, "the wait has doubled"
    pass_minutes(router, 10)
    assert router.rebooter.ordered == 2
    router.stop()
    router.start()
    router.dialers["modem1"].tell(link())
    until(lambda: router.rebooter.read().in_vain == 0)
    assert router.client.status().reboots == {"modem_silent": 2}


def test_without_the_setting_it_never_does(tmp_path: Path) -> None:
    router = Router(tmp_path)
    router.dialer("modem1", one("modem1", WAITING, "modem_silent"))
    begin(router)
    pass_minutes(router, 100_000)
    assert router.rebooter.ordered == 0
    router.close()


def test_a_card_that_does_not_keep_the_count_allows_no_restart(
    router: Router, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(router.rebooter, "write", lambda reboots: False)
    begin(router)
    pass_minutes(router, 11)
    assert router.rebooter.ordered == 0
    assert "reboot_not_counted" in router.codes()
