"""Dial on demand on the booted image: a host's first packet dials, and is not lost."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.lab import places
from tests.lab.boxes import Box
from tests.lab.lab import Lab
from tests.lab.processes import LabError

from .helpers import link, wait_code, wait_up

SEND = """\
import socket
socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("{}", {}))
"""
QUIET_S = 3.0
AGAIN_S = 5.0  # a person who tries again
PATIENCE_S = 600.0


@pytest.fixture
def resting(lab: Lab) -> Iterator[Lab]:
    """The router in mode demand, with its link down; as before at the end."""
    wait_up(lab, PATIENCE_S)
    before = lab.cli("config", "show").output
    changed, count = re.subn(r'(?m)^mode = "always"$', 'mode = "demand"', before)
    changed, more = re.subn(r"(?m)^idle_minutes = \d+$", "idle_minutes = 1", changed)
    assert (count, more) == (1, 1)
    assert lab.cli("disconnect").code == 0
    wait_code(lab, "disconnected", timeout_s=PATIENCE_S)
    _apply(lab, changed)
    try:
        wait_code(lab, "idle_demand", timeout_s=PATIENCE_S)
        yield lab
    finally:
        _apply(lab, before)
        wait_up(lab, PATIENCE_S)


def _apply(lab: Lab, text: str) -> None:
    lab.console.put("/tmp/demand.toml", text.encode())
    done = lab.cli("config", "apply", "/tmp/demand.toml")
    assert done.code == 0, done.output


def _fetch(lab: Lab, box: Box, url: str) -> str:
    """Fetch a page; on a machine that is very slow a host gives up first, and people try again."""
    began = time.monotonic()
    for attempt in range(1, 20):
        try:
            text = box.fetch(url, timeout_s=PATIENCE_S).strip()
        except LabError as error:
            lab.say(f"attempt {attempt}: {error}")
            time.sleep(AGAIN_S)
            continue
        lab.say(
            f"attempt {attempt} of {box.name} was answered {time.monotonic() - began:.1f} s on"
        )
        return text
    raise AssertionError(f"{url} was never answered")


def _triggered(lab: Lab, wanted: Callable[[dict[str, Any]], bool], what: str) -> dict[str, Any]:
    """Wait until the status tells this reason for dialing."""
    found: dict[str, Any] = link(
        lab.wait_status(lambda s: wanted(link(s)["trigger"] or {}), PATIENCE_S, what)
    )["trigger"]
    return found


def test_the_first_request_by_name_dials_and_is_answered(resting: Lab) -> None:
    lab = resting
    box = lab.boxes["A"]
    calls = lab.modem.calls
    # What nobody waits for does not dial: time, NetBIOS, multicast, a look-up by the router.
    box.run(["python3", "-c", SEND.format(places.WEB, 123)])
    box.run(["python3", "-c", SEND.format(places.WEB, 137)])
    box.run(["python3", "-c", SEND.format("239.255.255.250", 1900)])
    # In the background and without a word: the console is for others.
    ask = "import socket; socket.gethostbyname('own.example')"
    lab.console.run(f'(python3 -c "{ask}" > /dev/null 2>&1 &)')
    lab.page("/")
    time.sleep(QUIET_S)
    assert link(lab.status())["state"] == "idle"
    assert lab.modem.calls == calls

    assert _fetch(lab, box, "http://web.example/") == lab.isp.address
    trigger = _triggered(lab, lambda t: t.get("asked") == "web.example", "the name dialed")
    assert (trigger["host"], trigger["source"]) == ("A-box", box.address)
    assert lab.modem.calls > calls
    assert "A-box (" in " ".join(lab.cli("log", "-n", "60").output.split())

    wait_code(lab, "idle_hung_up", timeout_s=PATIENCE_S)
    box = lab.boxes["B"]
    assert _fetch(lab, box, f"http://{places.WEB}/") == lab.isp.address
    trigger = _triggered(lab, lambda t: t.get("host") == "B-box", "the address dialed")
    assert (trigger["protocol"], trigger["port"]) == ("tcp", 80)
    assert (trigger["source"], trigger["destination"]) == (box.address, places.WEB)
