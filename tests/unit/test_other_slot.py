"""The console's key `o`, on a file in place of a card."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from masqgate.contract.errors import MasqgateError
from masqgate.core import bootstate
from masqgate.core.bootstate import BootState
from masqgate.system.other_slot import start_next
from masqgate.system.slots import Slots


def card(folder: Path, *, other_is_good: bool) -> Slots:
    """A card whose slot A runs."""
    path = folder / "card"
    path.touch()
    os.truncate(path, 4 << 20)
    slots = Slots(path, "a")
    slots.write(BootState(good=(True, other_is_good)))
    return slots


def test_a_slot_that_proved_itself_starts_next(tmp_path: Path) -> None:
    slots = card(tmp_path, other_is_good=True)
    assert start_next(slots) == "The system in slot B starts at the next reboot."
    state = slots.read()
    assert state is not None
    assert (state.first, state.good) == ("b", (True, True))


def test_a_slot_that_did_not_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    slots = card(tmp_path, other_is_good=False)
    before = slots.disk.read_bytes()
    with pytest.raises(MasqgateError, match="no system that has proved itself"):
        start_next(slots)
    assert slots.disk.read_bytes() == before


def test_a_card_without_a_record_or_without_a_card(tmp_path: Path) -> None:
    slots = card(tmp_path, other_is_good=True)
    slots.disk.write_bytes(bytes(4 << 20))
    assert slots.read() is None
    with pytest.raises(MasqgateError, match="no system"):
        start_next(slots)
    with pytest.raises(MasqgateError, match="cannot be changed"):
        start_next(Slots(tmp_path / "none", "a"))
    assert bootstate.SLOTS == ("a", "b")
