"""What is decided about updates: versions, trials, what is told of slots."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from masqgate import trial
from masqgate.contract.status import LinkState
from masqgate.core import updates, versions
from masqgate.core.bootstate import BootState
from masqgate.core.trial import CRASHES, Limits, Seen, dialer_unit, judge
from masqgate.system import health, trial_notes
from masqgate.system.trial_notes import Notes

from tests.unit.update_kit import Card

WELL = Seen(supervisor=True, lan=True, uplink=True)
LIMITS = Limits(100.0, 200.0)


# --- versions -----------------------------------------------------------------------------


@pytest.mark.parametrize(("older", "newer"), [
    ("0.1.0", "0.1.1"), ("0.9", "0.10"), ("1.2-rc1", "1.2"), ("1.2-rc1", "1.2-rc2"),
    ("1.2-rc9", "1.2-rc10"), ("1.2", "1.2.0.1"), ("0.1.0-draft", "0.1.0"), ("nonsense", "0.1"),
])  # fmt: skip
def test_older(older: str, newer: str) -> None:
    assert versions.is_older(older, newer)
    assert not versions.is_older(newer, older)


@pytest.mark.parametrize(("one", "other"), [("1.0", "1"), ("1.0.0", "1.0"), ("x", "y")])
def test_as_old(one: str, other: str) -> None:
    assert not versions.is_older(one, other)
    assert not versions.is_older(other, one)


@pytest.mark.parametrize("text", ["", "v1", "1.", "1..2", "1.0 ", "1.0\n", "1.0/..", "1" * 65])
def test_no_version(text: str) -> None:
    assert not versions.well_formed(text)


@given(st.lists(st.lists(st.integers(0, 99), min_size=1, max_size=4), min_size=2, max_size=2))
def test_numbers_decide(pair: list[list[int]]) -> None:
    texts = [".".join(map(str, numbers)) for numbers in pair]
    keys = [[*numbers, *[0] * (4 - len(numbers))] for numbers in pair]
    assert versions.is_older(*texts) == (keys[0] < keys[1])


# --- trial --------------------------------------------------------------------------------


def test_a_system_that_has_all_is_good_at_once() -> None:
    assert judge(WELL, True, 0.0, LIMITS).kind == "good"
    assert judge(replace(WELL, uplink=False), False, 0.0, LIMITS).kind == "good"


@pytest.mark.parametrize(("seen", "word"), [
    (replace(WELL, supervisor=False), "supervisor"),
    (replace(WELL, lan=False), "LAN"),
    (replace(WELL, page="HTTP status 500"), "HTTP status 500"),
    (replace(WELL, dead_dialers=("modem1",)), "modem1"),
])  # fmt: skip
def test_what_is_missing_is_waited_for_and_named(seen: Seen, word: str) -> None:
    early, late = (judge(seen, False, at, LIMITS) for at in (99.0, 100.0))
    assert (early.kind, late.kind) == ("wait", "failed")
    assert word in late.text


def test_an_uplink_has_longer_and_only_if_there_was_one() -> None:
    seen = replace(WELL, uplink=False)
    kinds = [judge(seen, True, at, LIMITS).kind for at in (0.0, 100.0, 199.0, 200.0)]
    assert kinds == ["wait", "wait", "wait", "failed"]
    assert "before the update" in judge(seen, True, 200.0, LIMITS).text


def test_a_service_that_ends_again_and_again_is_not_waited_for() -> None:
    seen = replace(WELL, page="connection refused", crashes={"masqgate-web.service": CRASHES})
    verdict = judge(seen, False, 1.0, LIMITS)
    assert verdict.kind == "failed"
    assert verdict.text == "the page (masqgate-web.service) ended again and again"
    dialer = replace(WELL, crashes={dialer_unit("modem1"): CRASHES})
    assert "the dialer of modem1" in judge(dialer, False, 1.0, LIMITS).text
    few = replace(seen, crashes={"masqgate-web.service": CRASHES - 1})
    assert judge(few, False, 1.0, LIMITS).kind == "wait"


@pytest.fixture
def card(tmp_path: Path) -> Card:
    card = Card(tmp_path, signed=False)
    card.slots.write(BootState(seq=9, first="b", good=(True, False), tries=(0, 1)))
    card.run_slot("b")
    trial_notes.begin(card.paths, "a", Notes(slot="b", version="0.2.0", uplink_up=True))
    return card


def run(card: Card, seen: Seen, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(trial, "look", lambda _: seen)
    monkeypatch.setattr(trial, "LOOK_S", 0.0)
    monkeypatch.setattr(trial_notes, "sync", lambda: None)
    return trial.run_trial(card.paths, card.slots, Limits(0.0, 0.0))


def ended(card: Card) -> tuple[str, str]:
    notes = trial_notes.read(card.paths)
    assert notes is not None and notes.ended is not None
    return notes.ended.code, notes.ended.text


def test_a_good_trial_is_recorded(card: Card, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(card, WELL, monkeypatch) == trial.GOOD
    assert (card.state.first, card.state.good) == ("b", (True, True))
    assert ended(card)[0] == "updated"


def test_a_bad_one_gives_itself_up(card: Card, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(card, replace(WELL, page="no form"), monkeypatch) == trial.GIVEN_UP
    state = card.state
    assert (state.first, state.good, state.tries) == ("a", (True, False), (0, 0))
    code, text = ended(card)
    assert code == "taken_back" and "0.2.0" in text and "no form" in text


def test_the_uplink_counts_as_it_was_before(card: Card, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = replace(WELL, uplink=False)
    trial_notes.begin(card.paths, "a", Notes(slot="b", version="0.2.0", uplink_up=False))
    assert run(card, seen, monkeypatch) == trial.GOOD
    card.slots.write(BootState(seq=20, first="b", good=(True, False), tries=(0, 1)))
    trial_notes.begin(card.paths, "a", Notes(slot="b", version="0.2.0", uplink_up=True))
    assert run(card, seen, monkeypatch) == trial.GIVEN_UP


def test_a_slot_that_hung_is_named_after_the_way_back(
    card: Card, monkeypatch: pytest.MonkeyPatch
) -> None:
    """U-Boot has counted its tries down and started slot A again."""
    card.slots.write(BootState(seq=12, first="b", good=(True, False), tries=(0, 0)))
    card.run_slot("a")
    assert run(card, Seen(), monkeypatch) == trial.GOOD
    assert card.state.first == "a"
    assert ended(card)[0] == "taken_back" and "never came up" in ended(card)[1]


def test_without_a_way_back_nothing_is_given_up(
    card: Card, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new card: it is asked until it is healthy, however long that takes."""
    card.slots.write(BootState(seq=9, first="b", good=(False, False), tries=(0, 1)))
    looks = iter([Seen(), replace(WELL, page="no form"), replace(WELL, uplink=False)])
    monkeypatch.setattr(trial, "look", lambda _: next(looks))
    monkeypatch.setattr(trial, "LOOK_S", 0.0)
    assert trial.run_trial(card.paths, card.slots, Limits(0.0, 0.0)) == trial.GOOD


# --- the page, over HTTP ------------------------------------------------------------------


@pytest.fixture
def page() -> Iterator[tuple[int, list[tuple[int, str, bytes]]]]:
    """A server that answers what a test wants, and its port."""
    answers: list[tuple[int, str, bytes]] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            code, location, body = answers[0]
            self.send_response(code)
            if location:
                self.send_header("Location", location)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port, answers
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(("answer", "trouble"), [
    ((200, "", b'<input name="form_token" value="x">'), ""),
    ((303, "/first-password", b""), ""),
    ((303, "/elsewhere", b""), "no form"),
    ((200, "", b"hello"), "no form"),
    ((503, "", b'name="form_token"'), "HTTP status 503"),
])  # fmt: skip
def test_the_page_is_asked_over_http(
    page: tuple[int, list[tuple[int, str, bytes]]],
    answer: tuple[int, str, bytes],
    trouble: str,
) -> None:
    port, answers = page
    answers.append(answer)
    assert health.page_trouble("127.0.0.1", port) == trouble


def test_a_page_that_is_not_there() -> None:
    assert health.page_trouble("127.0.0.1", 1) == "connection refused"


def test_a_router_without_a_supervisor_is_looked_at(card: Card) -> None:
    seen = health.look(card.paths)
    assert not seen.supervisor and not seen.uplink and not seen.lan
    assert LinkState.OFF == "off"


# --- words --------------------------------------------------------------------------------


@pytest.mark.parametrize(("state", "running", "phase"), [
    (None, "a", "idle"),
    (BootState(first="a", good=(True, False), tries=(0, 0)), "a", "idle"),
    (BootState(first="b", good=(True, False), tries=(0, 2)), "a", "ready"),
    (BootState(first="b", good=(True, True), tries=(0, 0)), "a", "ready"),
    (BootState(first="b", good=(True, False), tries=(0, 1)), "b", "on_trial"),
    (BootState(first="a", good=(False, False), tries=(2, 0)), "a", "idle"),
])  # fmt: skip
def test_phases(state: BootState | None, running: str, phase: str) -> None:
    found, text = updates.resting(state, running, {"b": "0.2.0"})
    assert found == phase
    assert text.endswith(".")


def test_progress_in_words() -> None:
    assert updates.working("writing", 12_400_000, 50_700_000, "b") == (
        "Writing to slot B: 12 of 50 MB."
    )
    assert updates.working("verifying", 0, 0, "b") == "Verifying the update."
