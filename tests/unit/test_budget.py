"""Budgets of minutes and bytes: periods, clock jumps, what is kept, and the limit."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from masqgate.contract.config import Budget
from masqgate.contract.rules import PROBE_BYTES
from masqgate.contract.status import Counters, LinkState, Reason
from masqgate.core import health
from masqgate.core.budget import Used, limit, spent
from masqgate.core.health import Outcome
from masqgate.core.messages import LinkReported, NetworkChanged, Probed
from masqgate.system.kept_usage import SELDOM_S, KeptUsage

from tests.unit.router import DOCUMENT, FakeDialer, Router, link, until

DAY = date(2026, 12, 1)
SOME = spent(Used(), DAY, 60.0, 1000)


@pytest.mark.parametrize(
    ("today", "day_s", "month_s"),
    [
        (DAY, 90, 90),
        (date(2026, 12, 2), 30, 90),
        (date(2027, 1, 1), 30, 30),
        (date(2046, 12, 1), 30, 30),  # twenty years on
        (date(2026, 11, 30), 90, 90),  # back over the turn of a month
        (date(2025, 12, 1), 90, 90),  # a year back
        (date(1970, 1, 1), 90, 90),
        (None, 90, 90),  # nobody knows
    ],
)
def test_days_and_months_begin_from_zero_and_going_back_gives_nothing_back(
    today: date | None, day_s: float, month_s: float
) -> None:
    used = spent(SOME, today, 30.0, 5)
    assert (used.day_s, used.month_s) == (day_s, month_s)


def test_a_clock_that_was_wrong_for_years_does_not_stop_the_days() -> None:
    used = spent(SOME, date(2046, 1, 1), 30.0)
    used = spent(used, date(2026, 12, 1), 30.0)
    assert used.day_s == 60.0
    assert spent(used, date(2026, 12, 2)).day_s == 0.0


def test_what_was_used_before_the_first_day_is_known_counts_for_it() -> None:
    used = spent(spent(Used(), None, 60.0, 7), DAY)
    assert (used.day_s, used.day_bytes, used.day) == (60.0, 7, "2026-12-01")


@given(st.lists(st.tuples(st.none() | st.dates(), st.floats(0, 1e5), st.integers(0, 10**9))))
def test_nothing_is_ever_negative_and_a_month_holds_its_days(
    steps: list[tuple[date | None, float, int]],
) -> None:
    used = Used()
    for today, seconds, count in steps:
        used = spent(used, today, seconds, count)
        assert 0 <= used.day_bytes <= used.month_bytes


def test_what_is_used_up_is_told_with_when_it_begins_anew() -> None:
    used = Used(day_s=600.0, month_s=6000.0, day_bytes=3_000_000, month_bytes=30_000_000)
    assert limit(Budget(), used) == ("", "")
    assert limit(Budget(day_minutes=11, day_megabytes=4), used) == ("", "")
    text = "The 10 min of its budget for today are used up"
    assert limit(Budget(day_minutes=10), used) == (text, "tomorrow at 00:00")
    text = "The 30 MB of its budget for this month are used up"
    again = "on the first of the next month"
    assert limit(Budget(month_megabytes=30, day_minutes=1), used) == (text, again)


def test_it_is_written_seldom_and_at_the_end_of_calls(tmp_path: Path) -> None:
    path = tmp_path / "usage.json"
    kept = KeptUsage(path)
    kept.keep({"modem1": SOME}, 100.0)
    first = path.read_bytes()
    more = spent(SOME, DAY, 5.0)
    kept.keep({"modem1": more}, 100.0 + SELDOM_S - 1)
    assert path.read_bytes() == first
    kept.keep({"modem1": more}, 100.0 + SELDOM_S)
    assert KeptUsage(path).restore() == {"modem1": more}
    most = spent(more, DAY, 5.0)
    kept.keep({"modem1": most}, 101.0 + SELDOM_S, ending=True)
    assert KeptUsage(path).restore() == {"modem1": most}
    path.write_bytes(b"{torn")
    assert KeptUsage(path).restore() == {}
    kept.forget()
    assert not path.exists()


def metered(folder: Path, at_limit: str, mode: str = "always") -> tuple[Router, FakeDialer]:
    """A router in a call, with a budget of one megabyte a day."""
    budget = f'[uplink.budget]\nday_megabytes = 1\nat_limit = "{at_limit}"\n'
    router = Router(folder, DOCUMENT + f'mode = "{mode}"\n' + budget)
    router.clock.is_known = True
    dialer = router.dialer("modem1", link())
    router.start()
    until(lambda: router.client.status().active == "modem1")
    return router, dialer


def use(router: Router, dialer: FakeDialer, count: int) -> None:
    """The call has carried so many bytes by now; the supervisor looks at it."""
    dialer.tell(link(counters=Counters(count // 2, count - count // 2)))
    until(lambda: router.client.status().uplinks[0].counters.rx_bytes == count // 2)
    look(router)


def look(router: Router) -> None:
    router.clock.added_s += 30
    router.inbox.put(NetworkChanged())
    router.client.status()


def rested(dialer: FakeDialer) -> list[Reason]:
    return [command.reason for command in dialer.told if command.reason is not None]


def test_at_its_limit_a_call_is_hung_up_until_the_next_day(tmp_path: Path) -> None:
    router, dialer = metered(tmp_path, "hang_up")
    use(router, dialer, 900_000)
    look(router)
    assert rested(dialer) == []
    use(router, dialer, 1_000_000)
    until(lambda: bool(rested(dialer)), "it is hung up")
    why = rested(dialer)[-1]
    wanted = "The 1 MB of its budget for today are used up; dials again tomorrow at 00:00."
    assert why.text == wanted
    dialer.tell(link(state=LinkState.IDLE, reason=why))
    until(lambda: router.client.status().uplinks[0].state is LinkState.IDLE)
    assert [warning.code for warning in router.client.status().warnings] == ["budget_used"]
    look(router)
    assert "dial" not in dialer.commands
    router.clock.jump_s += 86_400.0
    look(router)
    until(lambda: "dial" in dialer.commands, "it dials again")
    assert router.codes().count("budget_used") >= 2  # used up, and hung up
    router.close()


def test_what_is_used_outlives_the_supervisor(tmp_path: Path) -> None:
    router, dialer = metered(tmp_path, "hang_up")
    use(router, dialer, 999_999)
    router.stop()
    router.start()
    until(lambda: router.client.status().active == "modem1")
    dialer.tell(link(counters=Counters(600_000, 600_000)))
    until(lambda: router.client.status().uplinks[0].counters.rx_bytes == 600_000)
    look(router)
    until(lambda: bool(rested(dialer)), "it is hung up")
    router.close()


@pytest.mark.parametrize("at_limit", ["warn", "manual"])
def test_a_call_may_go_on_at_its_limit(tmp_path: Path, at_limit: str) -> None:
    router, dialer = metered(tmp_path, at_limit)
    use(router, dialer, 2_000_000)
    until(lambda: "budget_used" in router.codes())
    look(router)
    assert rested(dialer) == []
    dialer.tell(link(state=LinkState.IDLE, reason=Reason("idle", "Idle.")))
    until(lambda: router.client.status().uplinks[0].state is LinkState.IDLE)
    look(router)
    if at_limit == "manual":
        until(lambda: bool(rested(dialer)), "the next call is a person's")
        assert rested(dialer)[-1].code == "budget_used"
    else:
        assert rested(dialer) == []
    router.close()


def test_a_person_goes_over_the_budget_once(tmp_path: Path) -> None:
    router, dialer = metered(tmp_path, "hang_up", mode="manual")
    use(router, dialer, 2_000_000)
    until(lambda: bool(rested(dialer)))
    dialer.tell(link(state=LinkState.IDLE, reason=rested(dialer)[0]))
    until(lambda: router.client.status().uplinks[0].state is LinkState.IDLE)
    router.client.connect()
    until(lambda: "connect" in dialer.commands)
    use(router, dialer, 500)
    look(router)
    assert "rest" not in dialer.commands[dialer.commands.index("connect") :]
    dialer.tell(link(state=LinkState.WAITING))
    until(
        lambda: "rest" in dialer.commands[dialer.commands.index("connect") :],
        "the next call is not dialed",
    )
    router.close()


def test_what_probes_have_cost_outlives_the_supervisor(tmp_path: Path) -> None:
    cable = f"""
[[uplink]]
kind = "ethernet"
name = "cable"
port = "eth1"
probe = {{ bytes_per_day = {4 * PROBE_BYTES} }}

"""
    router = Router(tmp_path, DOCUMENT.replace("[[uplink]]", f"{cable}[[uplink]]", 1))
    up = LinkReported(link("cable", kind="ethernet", interface="eth1"))

    def spent_bytes() -> int:
        return router.client.status().uplinks[0].health.spent_bytes

    for count in (1, 2, 3, 4):
        if count % 2:  # two probes for each supervisor; the second one changes no verdict
            router.start()
            router.inbox.put(up)
        until(lambda: "cable" in router.prober.jobs)
        job = router.prober.jobs["cable"]
        router.inbox.put(Probed(job, Outcome("198.51.100.1", ms=1.0)))
        until(lambda count=count: spent_bytes() == count * PROBE_BYTES)  # type: ignore[misc]
        if not count % 2:
            router.stop()
    router.start()
    router.inbox.put(up)
    until(lambda: router.client.status().active == "cable")
    assert "used up" in router.client.status().uplinks[0].health.text
    assert "cable" not in router.prober.jobs
    router.clock.added_s += health.DAY_S
    router.inbox.put(NetworkChanged())
    until(lambda: "cable" in router.prober.jobs, "a day later it is probed again")
    router.close()
