"""Time windows and budgets on the booted image: obeyed, told, and kept over a restart."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.lab.lab import Lab

from .helpers import changed, wait_code, wait_up

PATIENCE_S = 900.0
KNOWN = "/run/systemd/timesync/synchronized"  # a time server has answered since the start
DAY_ENDS, DAY_BEGINS = "Pacific/Pago_Pago", "Pacific/Kiritimati"  # always a day apart
HOUR_S = 3600


def run(lab: Lab, command: str) -> str:
    """A command on the router, which has to work."""
    done = lab.console.run(command, PATIENCE_S)
    assert done.code == 0, done.output
    return done.output


@pytest.fixture
def document(lab: Lab) -> Iterator[str]:
    """The router's configuration, in force again at the end; the time of day is known."""
    wait_up(lab, PATIENCE_S)
    before = lab.cli("config", "show", timeout_s=PATIENCE_S).output
    run(lab, f"mkdir -p {KNOWN.rpartition('/')[0]} && touch {KNOWN}")
    try:
        yield before
    finally:
        lab.clear()
        run(lab, f"rm -f {KNOWN}; masqgate connect")
        changed(lab, before)
        wait_up(lab, PATIENCE_S)


def shift(lab: Lab, seconds: int) -> None:
    """Set the router's clock."""
    run(lab, f"date -s @$(( $(date +%s) + {seconds} ))")


def usage(lab: Lab) -> dict[str, Any]:
    """What the card says the modem has used."""
    found: dict[str, Any] = json.loads(run(lab, "cat /data/log/usage.json"))["modem1"]
    return found


def test_a_time_window_closes_and_opens(lab: Lab, document: str) -> None:
    """The clock is set past the window's end, and back again."""
    now = int(run(lab, "date -u +%s").split()[-1])
    begin, end = (time.strftime("%H:%M", time.gmtime(now + at)) for at in (-HOUR_S, HOUR_S))
    changed(lab, document, windows=f'["daily {begin}-{end}"]', timezone='"UTC"')
    wait_up(lab, PATIENCE_S)
    calls = lab.modem.calls
    shift(lab, 2 * HOUR_S)
    try:
        status = wait_code(lab, "outside_hours", timeout_s=PATIENCE_S)
        lab.modem.wait_idle(PATIENCE_S)
        assert status["state"] in ("hanging_up", "idle", "off")
        wait_code(lab, "outside_hours", timeout_s=PATIENCE_S)
        words = " ".join(lab.cli("status", timeout_s=PATIENCE_S).output.split())
        assert f"{begin}." in words, words
        assert lab.modem.calls == calls
    finally:
        shift(lab, -2 * HOUR_S)
    wait_up(lab, PATIENCE_S)
    assert lab.modem.calls == calls + 1


def test_a_budget_ends_the_call_and_outlives_the_supervisor(lab: Lab, document: str) -> None:
    """At most a minute more than what was used so far; then the next day."""
    run(lab, "systemctl restart masqgate")  # writes down what is known
    minutes = int(usage(lab)["day_s"] // 60) + 1
    changed(lab, document, day_minutes=f"{minutes}", timezone=f'"{DAY_ENDS}"')
    wait_code(lab, "budget_used", timeout_s=PATIENCE_S)
    lab.modem.wait_idle(PATIENCE_S)
    calls = lab.modem.calls
    assert usage(lab)["day_s"] >= minutes * 60
    run(lab, "systemctl kill -s KILL masqgate")
    wait_code(lab, "budget_used", timeout_s=PATIENCE_S)
    sentence = f"The {minutes} min of its budget for today are used up"
    assert sentence in " ".join(lab.cli("status", timeout_s=PATIENCE_S).output.split())
    assert sentence in " ".join(lab.page("/").body.split())
    assert lab.modem.calls == calls
    changed(lab, document, day_minutes=f"{minutes}", timezone=f'"{DAY_BEGINS}"')
    wait_up(lab, PATIENCE_S)
