"""Dial on demand on the booted image: a host's first packet dials, and is not lost."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.lab import places
from tests.lab.lab import Lab

from .helpers import LONG_S, link, wait_code, wait_up

SEND = """\
import socket
socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("{}", {}))
"""
QUIET_S = 3.0


@pytest.fixture
def resting(lab: Lab) -> Iterator[Lab]:
    """The router in mode demand, with its link down; as before at the end."""
    wait_up(lab)
    before = lab.cli("config", "show").output
    changed, count = re.subn(r'(?m)^mode = "always"$', 'mode = "demand"', before)
    changed, more = re.subn(r"(?m)^idle_minutes = \d+$", "idle_minutes = 1", changed)
    assert (count, more) == (1, 1)
    _apply(lab, changed)
    try:
        _rest(lab)
        yield lab
    finally:
        _apply(lab, before)
        wait_up(lab)


def _apply(lab: Lab, text: str) -> None:
    lab.console.put("/tmp/demand.toml", text.encode())
    done = lab.cli("config", "apply", "/tmp/demand.toml")
    assert done.code == 0, done.output


def _rest(lab: Lab) -> dict[str, Any]:
    """Wait until the call is hung up because nobody used it."""
    return wait_code(lab, "idle_hung_up", timeout_s=LONG_S)


def test_the_first_request_by_name_dials_and_is_answered(resting: Lab) -> None:
    lab = resting
    box = lab.boxes["A"]
    calls = lab.modem.calls
    # What nobody waits for does not dial: time, NetBIOS, multicast, a look-up by the router.
    box.run(["python3", "-c", SEND.format(places.WEB, 123)])
    box.run(["python3", "-c", SEND.format(places.WEB, 137)])
    box.run(["python3", "-c", SEND.format("239.255.255.250", 1900)])
    lab.console.run("python3 -c 'import socket; socket.gethostbyname(\"own.example\")' &")
    lab.page("/")
    time.sleep(QUIET_S)
    assert link(lab.status())["state"] == "idle"
    assert lab.modem.calls == calls

    began = time.monotonic()
    seen = box.fetch("http://web.example/", timeout_s=LONG_S).strip()
    lab.say(f"the first request by name took {time.monotonic() - began:.1f} s")
    up = wait_up(lab)
    assert seen == up["address"]
    assert lab.modem.calls == calls + 1
    trigger = up["trigger"]
    assert (trigger["host"], trigger["source"]) == ("A-box", box.address)
    assert trigger["asked"] == "web.example"
    assert "A-box" in lab.cli("status").output
    assert "A-box (" in " ".join(lab.cli("log", "-n", "40").output.split())

    _rest(lab)
    began = time.monotonic()
    seen = lab.boxes["B"].fetch(f"http://{places.WEB}/", timeout_s=LONG_S).strip()
    lab.say(f"the first request by address took {time.monotonic() - began:.1f} s")
    trigger = wait_up(lab)["trigger"]
    assert seen == lab.isp.address
    assert (trigger["host"], trigger["protocol"], trigger["port"]) == ("B-box", "tcp", 80)
    assert trigger["destination"] == places.WEB
