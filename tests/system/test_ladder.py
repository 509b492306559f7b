"""The recovery ladder climbs by itself, up to the power of the modem's USB port."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.lab.lab import Lab

from .helpers import changed, link, wait_up

pytestmark = [pytest.mark.long, pytest.mark.timeout(7200)]

PATIENCE_S = 1200.0  # four rounds with their pauses, each with a modem that says nothing
PORT = "/dev/serial/by-path/platform-3f980000.usb-usb-0:1.2:1.0-port0"
SILENT = f"""
[[uplink]]
kind = "modem"
name = "modem2"
port = "{PORT}"
flow_control = false
number = "5551000"
user = "masqgate"
password = "lab-secret"
mode = "always"

"""


@pytest.fixture(scope="module")
def second(booted: Lab) -> Iterator[Lab]:
    """The second modem is an uplink after the first, and says nothing; taken back afterwards."""
    wait_up(booted)
    before = booted.cli("config", "show").output
    modem = booted.exchange.modems["modem2"]
    try:
        modem.fault(silent=True)
        changed(booted, before.rstrip() + "\n" + SILENT)
        yield booted
    finally:
        modem.clear()
        changed(booted, before)
        wait_up(booted)


def test_a_silent_modem_loses_its_power_and_comes_back(second: Lab) -> None:
    lab = second

    def cut(status: dict[str, Any]) -> bool:
        return bool(link(status, "modem2")["power_cuts"])

    shown = link(lab.wait_status(cut, PATIENCE_S, "the USB port was switched"), "modem2")
    assert shown["power_cuts"] == {"modem_silent": 1}
    assert shown["resets"]["modem_silent"] >= 4, "no step of the ladder is left out"
    unit = "journalctl -b -u masqgate-usbpower@modem2 -o cat --no-pager"
    assert "without power" in lab.console.run(unit).output
    lab.exchange.modems["modem2"].clear()  # it answers again, and nobody lends a hand
    lab.wait_status(
        lambda s: link(s, "modem2")["state"] == "up", PATIENCE_S, "the second call is up"
    )
    told = json.loads(lab.cli("status", "--json").output)
    assert link(told, "modem2")["power_cuts"] == {"modem_silent": 1}, "counted once, and kept"
