"""Anybox dials in: the second modem answers, and the caller is a host of the LAN."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.lab import first_use
from tests.lab.first_use import ANYBOX
from tests.lab.lab import Lab
from tests.lab.ppp_auth import Credentials
from tests.lab.processes import LabError

from .helpers import LONG_S, wait_up

NUMBER = "5559001"
ADDRESS = "192.168.77.60"


@pytest.fixture(scope="module", autouse=True)
def answering(booted: Lab) -> Iterator[None]:
    """The second modem answers the telephone for as long as these tests run."""
    plain, dialin = first_use.CONFIG.read_bytes(), first_use.DIALIN.read_bytes()
    apply(booted, plain + dialin)
    yield
    booted.anybox.hang_up()
    apply(booted, plain)


def apply(lab: Lab, document: bytes) -> None:
    lab.console.put("/tmp/dialin.toml", document)
    done = lab.cli("config", "apply", "/tmp/dialin.toml")
    assert done.code == 0, done.output
    wait_up(lab)


def line(status: dict[str, Any]) -> dict[str, Any]:
    """The status of the line."""
    found: dict[str, Any] = status["dialin"][0]
    return found


def wait_line(lab: Lab, state: str) -> dict[str, Any]:
    return line(lab.wait_status(lambda s: line(s)["state"] == state, LONG_S, f"line is {state}"))


def calls(lab: Lab) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(lab.cli("calls", "--json").output)
    return found


def test_a_wrong_password_is_refused_and_told(lab: Lab) -> None:
    wait_line(lab, "idle")
    with pytest.raises(LabError, match="authentication failed"):
        lab.anybox.dial(NUMBER, Credentials("anybox", "a wrong password"), timeout_s=LONG_S)
    wait_line(lab, "idle")
    call = calls(lab)[-1]
    assert (call["why"], call["caller"], call["caller_id"]) == (
        "login_refused", "", lab.anybox.number,
    )  # fmt: skip
    assert "anybox" in call["text"]


def test_anybox_is_a_host_of_the_lan_and_masqueraded(lab: Lab) -> None:
    """Twice: what the first call leaves must not stand in the second one's way."""
    for _ in range(2):
        wait_line(lab, "idle")
        before = len(calls(lab))
        assert str(lab.anybox.dial(NUMBER, ANYBOX, timeout_s=LONG_S)) == ADDRESS
        status = wait_line(lab, "up")
        assert (status["caller"], status["peer"]) == ("anybox", ADDRESS)
        box = lab.boxes["A"]
        ping(lab, box.address)
        back = box.run(["ping", "-c", "3", "-W", "10", ADDRESS], timeout_s=LONG_S)
        assert back.returncode == 0, back.stdout  # by proxy ARP: A-box looks for it on its wire
        fetch = ["curl", "-s", "--max-time", "60"]
        page = lab.anybox.run([*fetch, "http://web.example/"], timeout_s=LONG_S)
        assert page.stdout.strip() == wait_up(lab)["address"], page.stderr
        admin = lab.anybox.run([*fetch, "http://192.168.77.1/"], timeout_s=LONG_S)
        assert admin.returncode == 7, "refused: callers do not see the admin page"
        lab.anybox.end(timeout_s=LONG_S)
        lab.wait_status(lambda s: line(s)["state"] != "up", LONG_S, "the call is over")
        kept = calls(lab)
        assert len(kept) == before + 1
        call = kept[-1]
        assert (call["caller"], call["address"]) == ("anybox", ADDRESS)
        assert call["counters"]["rx_bytes"] > 300 and call["counters"]["tx_bytes"] > 300


def ping(lab: Lab, address: str) -> None:
    """Ping from Anybox; the rules let its address in a moment after it has it."""
    done = lab.anybox.run(["ping", "-c", "1", "-w", "60", address], timeout_s=LONG_S)
    assert done.returncode == 0, done.stdout
