"""A mobile modem on the booted image: its SIM's PIN, and the access point that belongs to it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.lab import places
from tests.lab.lab import Lab
from tests.lab.sim import MobileSim

from .helpers import changed, link, wait_code, wait_up

PATIENCE_S = 900.0
PROVIDER = "23201"  # MCC and MNC of a provider that is in the list
ACCESS = "a1.net"  # is its first access point there
WRONG, RIGHT = "9999", "1234"


@pytest.fixture
def sim(lab: Lab) -> Iterator[MobileSim]:
    """The first modem is a mobile one, with a locked SIM; plain again at the end."""
    wait_up(lab, PATIENCE_S)
    before = lab.cli("config", "show", timeout_s=PATIENCE_S).output
    sim = MobileSim(imsi=f"{PROVIDER}1234567890", pin=RIGHT, operator="Field & Sea")
    lab.modem.insert(sim)
    changed(lab, before, number='"*99#"', apn='"auto"', pin=f'"{WRONG}"')
    try:
        yield sim
    finally:
        lab.modem.insert(None)
        changed(lab, before)
        lab.cli("connect", timeout_s=PATIENCE_S)
        wait_up(lab, PATIENCE_S)


def test_a_wrong_pin_is_tried_once_and_the_sim_finds_its_access_point(
    lab: Lab, sim: MobileSim
) -> None:
    status = wait_code(lab, "pin_wrong", timeout_s=PATIENCE_S)
    assert "the wrong one is not tried again" in status["reason"]["hint"]
    assert (sim.tried, sim.attempts) == ([WRONG], 2)
    assert lab.cli("connect", timeout_s=PATIENCE_S).code == 0

    def again(told: dict[str, Any]) -> bool:
        one = link(told)
        return one["reason"]["code"] == "pin_wrong" and one["since_at"] > status["since_at"]

    lab.wait_status(again, PATIENCE_S, "the SIM was looked at again")
    assert sim.tried == [WRONG], "a person who says connect does not spend an attempt either"

    changed(lab, lab.cli("config", "show", timeout_s=PATIENCE_S).output, pin=f'"{RIGHT}"')
    status = wait_up(lab, PATIENCE_S)
    assert sim.tried == [WRONG, RIGHT]
    assert (status["apn"], status["operator"]) == (ACCESS, "Field & Sea")
    assert status["signal_dbm"] == -96
    assert sim.contexts[-1] == ACCESS
    page = lab.boxes["A"].fetch(f"http://{places.WEB}/", timeout_s=300).strip()
    assert page == lab.isp.address
    words = " ".join(lab.cli("status", timeout_s=PATIENCE_S).output.split())
    for told in ("Field & Sea", "-96 dBm", ACCESS):
        assert told in words, words
