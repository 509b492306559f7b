"""The event history: numbers, the ring, power cuts, a failing disk."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from masqgate.contract.status import Entry
from masqgate.system import atomic, history
from masqgate.system.history import History


def entry(text: str = "Something happened.", code: str = "test") -> Entry:
    return Entry(number=0, at=1.8e9, source="system", code=code, text=text)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log" / "events.jsonl"


def test_events_get_numbers_that_go_on_after_a_restart(path: Path) -> None:
    first = History(path)
    assert [first.add(entry()).number for _ in range(3)] == [1, 2, 3]
    second = History(path)
    assert second.add(entry()).number == 4
    assert [e.number for e in second.newest(0, 100)] == [1, 2, 3, 4]
    assert [e.number for e in second.newest(2, 100)] == [3, 4]
    assert [e.number for e in second.newest(0, 2)] == [3, 4]
    assert second.newest(0, 0) == ()


def test_the_file_and_the_memory_are_capped(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "FILE_BYTES", 20_000)
    ring = History(path)
    for count in range(3000):
        ring.add(entry(f"Event {count}."))
        assert not path.exists() or path.stat().st_size <= 20_000
    assert len(ring.newest(0, 10_000)) == history.KEEP
    again = History(path)
    assert again.newest(0, 1)[0].text == "Event 2999."
    assert again.add(entry()).number == 3001


@pytest.mark.parametrize("cut", [1, 20, 60])
def test_a_line_that_a_power_cut_tore_is_left_out(path: Path, cut: int) -> None:
    before = History(path)
    before.add(entry("One."))
    before.add(entry("Two."))
    path.write_bytes(path.read_bytes()[:-cut])
    after = History(path)
    after.add(entry("Three."))
    assert [e.text for e in History(path).newest(0, 10)] == (
        ["One.", "Two.", "Three."] if cut == 1 else ["One.", "Three."]
    )
    # …and is not kept: else each power cut would leave one for good.
    kept = path.read_bytes().split(b"\n")
    assert kept.pop() == b"" and all(json.loads(line) for line in kept)


@pytest.mark.parametrize(
    "junk",
    [
        b"\0" * 3000,
        b"\xff\xfe\n{}\n[]\nnull\n",
        b"x" * 2_000_000,
        b'{"number":1,"at":1.0,"source":"system","code":"test","text":"\xff"}\n',
        b'{"more":' + b"[" * 9000 + b"\n",
    ],
)
def test_junk_in_the_file_is_left_out(path: Path, junk: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(junk)
    ring = History(path)
    assert ring.newest(0, 10) == ()
    ring.add(entry())
    assert len(History(path).newest(0, 10)) == 1


def test_hostile_text_stays_one_short_printable_line(path: Path) -> None:
    hostile = '\x1b[2J\n"}{\r\0\u2028' + "x" * 10_000
    kept = History(path).add(entry(hostile))
    assert kept.text.isprintable()
    assert len(kept.text.encode()) <= history.TEXT
    assert len(History(path.with_name("2")).add(entry("\U0001f600" * 500)).text) == 100
    assert path.read_bytes().count(b"\n") == 1


def test_a_failing_disk_costs_nothing_but_the_file(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ring = History(path)
    ring.add(entry("Before."))

    def fails(*_: object, **__: object) -> None:
        raise OSError(28, os.strerror(28))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", fails)
        patch.setattr(atomic, "write", fails)
        ring.add(entry("Meanwhile."))
        assert ring.warning is not None
        assert "no space left" in ring.warning.text
        ring.add(entry("And again."))
    ring.add(entry("After."))
    assert ring.warning is None
    texts = ["Before.", "Meanwhile.", "And again.", "After."]
    assert [e.text for e in ring.newest(0, 10)] == texts
    assert [e.text for e in History(path).newest(0, 10)] == texts, "what was missed is made up"


def test_cleared_means_gone_from_the_disk(path: Path) -> None:
    ring = History(path)
    ring.add(entry("Private."))
    ring.clear()
    assert ring.newest(0, 10) == ()
    assert not path.exists()
    assert ring.add(entry()).number == 2
    assert b"Private" not in path.read_bytes()
