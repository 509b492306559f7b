"""Time windows: reading them, local time, and whether a modem may dial at an hour."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from masqgate.contract.status import LinkState, Reason
from masqgate.contract.windows import Window, window
from masqgate.contract.zones import RULES, rule
from masqgate.core.hours import ALWAYS, hours
from masqgate.core.messages import NetworkChanged
from masqgate.core.zone import local, unix

from tests.unit.router import DOCUMENT, FakeDialer, Router, link, until

VIENNA = "CET-1CEST,M3.5.0,M10.5.0/3"
WORK = (window("mon-fri 07:00-19:00"),)
NAMES = sorted(name for names in RULES.values() for name in names.split())


def at(text: str, zone: str = "Europe/Vienna") -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()


@given(st.sampled_from(NAMES), st.datetimes(datetime(2026, 11, 1), datetime(2036, 12, 31)))
def test_local_time_is_that_of_the_tz_database(name: str, moment: datetime) -> None:
    found = rule(name)
    assert found is not None
    wall = moment.replace(tzinfo=UTC).timestamp()
    if name in ("Africa/Casablanca", "Africa/El_Aaiun"):  # Ramadan is in no rule
        return
    assert local(found, wall) == datetime.fromtimestamp(wall, ZoneInfo(name)).replace(tzinfo=None)


@given(st.datetimes(datetime(1970, 1, 2), datetime(2090, 1, 1)), st.sampled_from(list(RULES)))
def test_the_way_back_is_the_same(moment: datetime, zone: str) -> None:
    moment = moment.replace(microsecond=0)
    back = local(zone, unix(zone, moment))
    assert abs((back - moment).total_seconds()) <= 7200  # a skipped or repeated hour
    assert rule("Nowhere/Land") is None


def test_every_zone_has_a_rule_that_can_be_read() -> None:
    for found in RULES:
        local(found, 1.8e9)
    with pytest.raises(ValueError, match="no rule"):
        local("Europe/Vienna", 1.8e9)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("mon-fri 07:00-19:00", Window(frozenset(range(5)), 420, 1140)),
        ("sat,sun 00:00-24:00", Window(frozenset({5, 6}), 0, 1440)),
        ("daily 22:00-06:00", Window(frozenset(range(7)), 1320, 360)),
        ("fri-mon 01:00-02:00", Window(frozenset({4, 5, 6, 0}), 60, 120)),
    ],
)
def test_windows_are_read(text: str, wanted: Window) -> None:
    assert window(text) == wanted


@pytest.mark.parametrize(
    "text",
    ["", "mon", "mon 7:00-8:00", "mon 07:00-24:01", "mon 24:00-01:00", "day 01:00-02:00",
     "mon-fri-sun 01:00-02:00", "mon 07:60-08:00", "mon 07:00-08:00\n"],
)  # fmt: skip
def test_what_is_no_window(text: str) -> None:
    with pytest.raises(ValueError, match=r"\.$"):
        window(text)


@pytest.mark.parametrize(
    ("moment", "within", "opens", "change"),
    [
        ("2026-12-01T07:00", True, "", "2026-12-01T19:00"),  # a Tuesday
        ("2026-12-01T18:59:59", True, "", "2026-12-01T19:00"),
        ("2026-12-01T19:00", False, "tomorrow at 07:00", "2026-12-02T07:00"),
        ("2026-12-01T06:59:59", False, "at 07:00", "2026-12-01T07:00"),
        ("2026-12-04T20:00", False, "on mon at 07:00", "2026-12-07T07:00"),
        ("2027-03-27T20:00", False, "on mon at 07:00", "2027-03-29T07:00"),  # summer time between
        ("2027-10-30T20:00", False, "on mon at 07:00", "2027-11-01T07:00"),
    ],
)
def test_the_hours_of_an_office(moment: str, within: bool, opens: str, change: str) -> None:
    found = hours(WORK, VIENNA, at(moment), known=True)
    assert (found.within, found.opens, found.change_at) == (within, opens, at(change))


def test_windows_over_midnight_and_windows_that_touch() -> None:
    night = (window("daily 22:00-06:00"),)
    assert hours(night, VIENNA, at("2026-12-01T03:00"), known=True).within
    assert not hours(night, VIENNA, at("2026-12-01T12:00"), known=True).within
    two = (window("mon 08:00-12:00"), window("mon 12:00-14:00"))
    found = hours(two, VIENNA, at("2026-11-30T11:00"), known=True)
    assert found.change_at == at("2026-11-30T14:00")
    whole = (window("daily 00:00-24:00"),)
    assert hours(whole, VIENNA, at("2026-11-30T11:00"), known=True) == ALWAYS


@pytest.mark.parametrize("jump", [0.0, 20 * 365 * 86_400.0 + 1.8e9, 1.8e9 - 365 * 86_400.0, -5e9])
def test_any_time_has_an_answer_and_an_unknown_one_is_within(jump: float) -> None:
    assert hours(WORK, VIENNA, jump, known=False) == ALWAYS
    assert hours((), VIENNA, jump, known=True) == ALWAYS
    found = hours(WORK, VIENNA, max(jump, 1e6), known=True)
    assert found.change_at is not None
    assert found.change_at > max(jump, 1e6)


# The supervisor

OPEN, CLOSED = "2026-12-01T12:00", "2026-12-01T20:00"


def office(folder: Path, mode: str, now: str) -> Router:
    """A router whose modem dials in an office's hours."""
    zone = '\n[system]\ntimezone = "Europe/Vienna"\n'
    text = f'mode = "{mode}"\nwindows = ["mon-fri 07:00-19:00"]\n'
    router = Router(folder, DOCUMENT + text + zone)
    router.clock.is_known = True
    set_time(router, now)
    return router


def set_time(router: Router, now: str) -> None:
    router.clock.jump_s += at(now) - router.clock.wall()


def look(router: Router) -> None:
    """Let the supervisor look at the clock."""
    router.clock.added_s += 30
    router.client.status()
    router.inbox.put(NetworkChanged())


def rest_of(dialer: FakeDialer) -> list[str]:
    return [command.reason.text for command in dialer.told if command.reason is not None]


def test_a_call_is_hung_up_at_the_end_of_its_hours_and_dialed_when_they_begin(
    tmp_path: Path,
) -> None:
    router = office(tmp_path, "always", OPEN)
    dialer = router.dialer("modem1", link())
    router.start()
    until(lambda: router.client.status().active == "modem1")
    look(router)
    assert "rest" not in dialer.commands
    set_time(router, CLOSED)
    look(router)
    until(lambda: "rest" in dialer.commands, "it is hung up")
    wanted = "Outside its hours; dials again tomorrow at 07:00."
    assert rest_of(dialer)[-1] == wanted
    assert "outside_hours" in router.codes()
    dialer.tell(link(state=LinkState.IDLE, reason=Reason("outside_hours", wanted)))
    until(lambda: router.client.status().uplinks[0].state is LinkState.IDLE)
    look(router)
    assert "dial" not in dialer.commands
    set_time(router, "2026-12-02T07:00:10")
    look(router)
    until(lambda: "dial" in dialer.commands, "it dials again")
    router.close()


def test_a_persons_call_lasts_whatever_the_hour_until_it_ends(tmp_path: Path) -> None:
    router = office(tmp_path, "always", CLOSED)
    reason = Reason("outside_hours", "Outside its hours; dials again tomorrow at 07:00.")
    dialer = router.dialer("modem1", link(state=LinkState.IDLE, reason=reason))
    router.start()
    until(lambda: bool(router.applier.applied))
    router.client.connect()
    until(lambda: "connect" in dialer.commands)
    dialer.tell(link())
    until(lambda: router.client.status().active == "modem1")
    look(router)
    look(router)
    assert "rest" not in since_connect(dialer)
    dialer.tell(link(state=LinkState.WAITING))
    until(lambda: "rest" in since_connect(dialer), "the next call waits for its hours")
    router.close()


def since_connect(dialer: FakeDialer) -> list[str]:
    """Before it, a dialer that had not told its state yet may have been told to rest."""
    return dialer.commands[dialer.commands.index("connect") :]


def test_outside_its_hours_no_packet_dials(tmp_path: Path) -> None:
    router = office(tmp_path, "demand", CLOSED)
    dialer = router.dialer("modem1", link(state=LinkState.IDLE))
    router.start()
    until(lambda: "rest" in dialer.commands)
    assert set(rest_of(dialer)) == {
        "Outside its hours; a packet makes it dial again tomorrow at 07:00."
    }
    until(lambda: bool(router.applier.applied) and router.applied()[1].demand == "")
    set_time(router, OPEN)
    look(router)
    until(lambda: router.applied()[1].demand == "modem1", "a packet may dial")
    router.close()


@pytest.mark.parametrize("now", ["1970-01-01T12:00", "2046-12-01T20:00", "2025-12-01T20:00"])
def test_a_clock_that_nobody_has_set_keeps_nothing_from_dialing(tmp_path: Path, now: str) -> None:
    router = office(tmp_path, "always", now)
    router.clock.is_known = False
    dialer = router.dialer("modem1", link(state=LinkState.IDLE, reason=Reason("idle", "Idle.")))
    router.start()
    until(lambda: "dial" in dialer.commands)
    router.close()
