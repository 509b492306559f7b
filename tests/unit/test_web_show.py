"""How numbers and times are told, and plots drawn."""

from __future__ import annotations

import pytest
from masqgate.contract.status import LinkHealth, LinkState
from masqgate_web import show
from masqgate_web.rates import HEIGHT, WIDTH, RateBook, Sample, draw

from tests.browser.fake_router import link


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(0, "0 s"), (-3, "0 s"), (59.4, "59 s"), (59.6, "1 min 0 s"), (754, "12 min 34 s"),
     (7500, "2 h 5 min"), (93_784, "1 d 2 h")],
)  # fmt: skip
def test_durations(seconds: float, told: str) -> None:
    assert show.duration(seconds) == told


@pytest.mark.parametrize(
    ("count", "told"),
    [(0, "0 B"), (999, "999 B"), (1000, "1 kB"), (1284, "1.28 kB"), (12_840, "12.8 kB"),
     (999_499, "999 kB"), (999_600, "1 MB"), (5e15, "5000 TB")],
)  # fmt: skip
def test_sizes(count: float, told: str) -> None:
    assert show.size(count) == told


@pytest.mark.parametrize(
    ("rate", "told"),
    [(300, "300 bit/s"), (33_600, "33.6 kbit/s"), (115_200, "115 kbit/s"), (7.2e6, "7.2 Mbit/s")],
)
def test_line_rates(rate: float, told: str) -> None:
    assert show.bitrate(rate) == told


@pytest.mark.parametrize("at", [0.0, -1.0, 1e300, float("inf"), float("nan"), 1e11 * 3])
def test_a_clock_that_was_never_set_is_no_date(at: float) -> None:
    assert "clock not set" in show.moment(at)


def test_a_moment_is_told_in_utc() -> None:
    assert show.moment(1_795_000_000) == (
        '<time datetime="2026-11-18T11:06:40Z">2026-11-18 11:06:40 UTC</time>'
    )


def test_endpoints() -> None:
    assert show.endpoint("2001:db8::1", 80) == "[2001:db8::1]:80"
    assert show.endpoint("192.0.2.1", None) == "192.0.2.1"


def test_signal_has_a_word() -> None:
    assert show.signal(-70) == "-70 dBm, excellent"
    assert show.signal(-113) == "-113 dBm, hardly any"


def test_every_state_has_words_of_its_own() -> None:
    told = [show.words(link(state)) for state in LinkState]
    assert len(set(told)) == len(LinkState)
    assert {show.tone(link(state)) for state in LinkState} <= {
        "good", "busy", "calm", "warn", "bad",
    }  # fmt: skip


def test_an_uplink_that_is_dead_beyond_is_not_told_as_connected() -> None:
    dead = link(LinkState.UP, health=LinkHealth(verdict="bad", text="9.9.9.9: no answer."))
    assert (show.words(dead), show.tone(dead)) == ("Up, but dead beyond", "warn")
    assert show.words(link(LinkState.UP)) == "Connected"


def test_a_plot_stays_in_its_box_and_breaks_at_gaps() -> None:
    samples = [
        Sample(0.0, 0, 0),
        Sample(2.0, 10, 0, 5.0, 0.0),
        Sample(4.0, 10_000, 0, 4995.0, 0.0),
        Sample(60.0, 10_000, 0),
        Sample(62.0, 10_000, 800, 0.0, 400.0),
    ]
    trend = draw(samples, 62.0)
    assert trend.top == 5000
    assert trend.rx_path.count("M") == 2
    for part in trend.rx_path.replace("L", "M").split("M")[1:]:
        x, y = map(float, part.split())
        assert 0 <= x <= WIDTH
        assert 0 <= y <= HEIGHT
    assert (trend.rx_rate, trend.tx_rate) == (0.0, 400.0)


def test_two_watchers_do_not_disturb_each_other() -> None:
    book = RateBook()
    for tick in range(40):
        up = link(LinkState.UP, counters=link().counters.__class__(tick * 100, 0))
        trend = book.note(up, tick * 0.25)
    assert trend.rx_rate == pytest.approx(400)
