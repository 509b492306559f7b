"""Waits between dials: soon at first, seldom later, never never."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from masqgate.link.backoff import Backoff, Cause
from masqgate.link.timings import Timings

MINUTE = 60.0


def waits(cause: Cause, count: int, chance: float = 0.5) -> list[float]:
    backoff = Backoff(Timings(), lambda: chance)
    return [backoff.wait(cause) for _ in range(count)]


def test_failures_of_the_line_double_up_to_five_minutes() -> None:
    assert waits(Cause.LINE, 9) == [5, 10, 20, 40, 80, 160, 300, 300, 300]


def test_refused_logins_come_in_threes_then_every_half_hour() -> None:
    short, five, half = 10.0, 5 * MINUTE, 30 * MINUTE
    assert waits(Cause.AUTH, 9) == [short, short, five, short, short, half, half, half, half]


@given(st.floats(0, 1, exclude_max=True), st.sampled_from(Cause), st.integers(1, 2000))
def test_the_first_wait_is_short_and_none_is_endless(
    chance: float, cause: Cause, count: int
) -> None:
    found = waits(cause, count, chance)
    assert all(0 < wait <= 30 * MINUTE * 1.2 for wait in found)
    if cause is not Cause.BLOCKED:
        assert found[0] <= 15.0
    if cause is Cause.LINE:
        assert max(found) <= 5 * MINUTE * 1.2


def test_a_good_call_starts_anew_a_login_does_not() -> None:
    backoff = Backoff(Timings(), lambda: 0.5)
    for _ in range(5):
        backoff.wait(Cause.LINE)
    backoff.logged_in()
    assert backoff.wait(Cause.LINE) == 160.0
    backoff.good_call()
    assert backoff.wait(Cause.LINE) == 5.0


def test_jitter_spreads_by_a_fifth() -> None:
    assert waits(Cause.LINE, 1, 0.0) == [4.0]
    assert 5.99 < waits(Cause.LINE, 1, 0.999)[0] < 6.0
