"""Steps of an update on the booted router: what it tells of its slots, and what is waited for."""

from __future__ import annotations

import json
import time
from typing import Any

from tests.lab.lab import Lab
from tests.lab.processes import LabError

STEP_S = 1500.0  # a loaded host boots it slowly
ASK_S = 3.0


def update_status(lab: Lab) -> dict[str, Any]:
    """What `masqgate update status` tells."""
    found: dict[str, Any] = json.loads(lab.cli("update", "status", "--json").output)
    return found


def slot(status: dict[str, Any], name: str) -> dict[str, Any]:
    """What it tells of one slot."""
    found: dict[str, Any] = next(one for one in status["slots"] if one["slot"] == name)
    return found


def wait_good(lab: Lab, name: str, ended: str = "") -> dict[str, Any]:
    """Wait until a slot runs and is recorded as good, and the last update ended in this way."""
    end = time.monotonic() + STEP_S
    last: object = None
    while time.monotonic() < end:
        try:
            last = status = update_status(lab)
            rests = slot(status, name)["running"] and slot(status, name)["state"] == "good"
            if rests and (not ended or (status["last"] or {}).get("code") == ended):
                lab.say(f"slot {name} runs and is good")
                return status
        except (LabError, ValueError, LookupError) as error:
            lab.console.lost()
            last = error
        time.sleep(ASK_S)
    raise LabError(f"slot {name} has not become good. Last seen: {last}")


def wait_said(lab: Lab, start: int, *texts: str) -> int:
    """Wait for what boot script and trial say on the console, one after the other.

    Return the position after it.
    """
    for text in texts:
        start = lab.console.line.wait_for(text, STEP_S, start)
        lab.say(text)
    return start
