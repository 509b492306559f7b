"""What breaks is named, and mends itself: on the booted image, with real pppd."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.lab import external, places
from tests.lab.at import Result
from tests.lab.lab import Lab

from .helpers import LONG_S, link, wait_code, wait_up

DOWN = ("waiting", "init", "dialing", "negotiating", "hanging_up", "resetting")


def not_up(status: dict) -> bool:  # type: ignore[type-arg]
    return link(status)["state"] in DOWN


def dial_anew(lab: Lab) -> None:
    """Hang up and dial, by hand: a lost carrier would be noticed a minute later."""
    assert lab.cli("disconnect").code == 0
    lab.wait_status(lambda s: link(s)["state"] in ("idle", "off"), LONG_S, "the call is over")
    assert lab.cli("connect").code == 0


@pytest.fixture(autouse=True)
def connected(lab: Lab) -> Iterator[None]:
    """Each test begins with the call up, and must end so without a hand."""
    lab.console.run("masqgate connect")
    wait_up(lab)
    yield


def test_carrier_lost_in_mid_call(lab: Lab) -> None:
    calls = lab.modem.calls
    lab.modem.drop_carrier()
    lab.wait_status(lambda s: link(s)["calls"] > 0 and lab.modem.calls > calls, LONG_S, "redial")
    address = wait_up(lab)["address"]
    assert lab.boxes["A"].fetch("http://web.example/").strip() == address
    # The emulated board has no carrier-detect wire: the loss shows as silence.
    log = lab.cli("log", "-n", "40").output.lower()
    assert "fell silent" in log or "carrier" in log


def test_provider_hangs(lab: Lab) -> None:
    """Silence behind a standing carrier is noticed by LCP echoes, and hung up."""
    calls = lab.modem.calls
    lab.isp.hang()
    lab.wait_status(not_up, LONG_S, "the silence is noticed")
    lab.clear()
    lab.wait_status(lambda s: lab.modem.calls > calls, LONG_S, "redial")
    wait_up(lab)


def test_pppd_killed(lab: Lab) -> None:
    calls = lab.modem.calls
    pid = link(lab.status())["pppd_pid"]
    assert lab.console.run(f"kill -9 {pid}").code == 0
    lab.wait_status(lambda s: lab.modem.calls > calls, LONG_S, "redial")
    assert wait_up(lab)["pppd_pid"] != pid


def test_wrong_password_is_named_and_tried_again(lab: Lab) -> None:
    lab.isp.set_password("another")
    dial_anew(lab)
    status = wait_code(lab, "auth_failed")
    assert "password" in f"{status['reason']['text']} {status['reason']['hint']}".lower()
    lab.clear()
    lab.console.run("masqgate connect")  # the next try by itself may be minutes away
    wait_up(lab)


@pytest.mark.parametrize(
    ("result", "code"),
    [
        (Result.BUSY, "busy"),
        (Result.NO_CARRIER, "no_carrier"),
        (Result.NO_DIALTONE, "no_dialtone"),
    ],
)
def test_refused_dial_is_named(lab: Lab, result: Result, code: str) -> None:
    lab.modem.fault(dial_result=result)
    dial_anew(lab)
    wait_code(lab, code)
    lab.clear()
    wait_up(lab)


def test_silent_modem_is_named(lab: Lab) -> None:
    lab.modem.fault(silent=True)
    dial_anew(lab)
    wait_code(lab, "modem_silent")
    lab.clear()
    wait_up(lab)


def test_call_outlives_the_supervisor_and_the_page(lab: Lab) -> None:
    """Same pppd, same address, and a download that runs on."""
    before = link(lab.status())
    box = lab.boxes["A"]
    url = "http://web.example/large?bytes=200000&pace=5000"
    download = box.popen(["curl", "-sS", "-w", "%{size_download}", "-o", "/dev/null", url])
    lab.console.run("systemctl kill -s KILL masqgate.service masqgate-web.service")
    after = wait_up(lab)
    assert after["pppd_pid"] == before["pppd_pid"]
    assert after["address"] == before["address"]
    output, errors = download.communicate(timeout=LONG_S)
    assert output == "200000", errors


def test_a_reload_right_after_its_start_does_not_end_dnsmasq(lab: Lab) -> None:
    """A signal before its handler is there would: it counts as started once that is there."""
    unit = "masqgate-dnsmasq"
    shown = f"systemctl show -p MainPID -p NRestarts {unit}"
    for _ in range(3):
        ask = f"systemctl restart {unit} && {shown} && systemctl reload {unit} && sleep 1; {shown}"
        done = lab.console.run(ask, LONG_S)
        before, after = done.output.splitlines()[:2], done.output.splitlines()[2:4]
        assert done.code == 0, done.output
        assert before == after
        assert "MainPID=0" not in before


def test_disconnect_and_connect(lab: Lab) -> None:
    assert lab.cli("disconnect").code == 0
    lab.wait_status(lambda s: link(s)["state"] in ("idle", "off"), LONG_S, "the call is over")
    lab.modem.wait_idle(60)
    assert lab.cli("connect").code == 0
    wait_up(lab)


def test_provider_that_nobody_here_wrote(lab: Lab) -> None:
    """pppd in another machine answers the call: a peer that shares no code with the lab."""
    before = lab.cli("config", "show").output
    try:
        changed = before.replace('number = "5551000"', f'number = "{external.NUMBER}"')
        assert changed != before
        lab.console.put("/tmp/other.toml", changed.encode())
        assert lab.cli("config", "apply", "/tmp/other.toml").code == 0
        link_up = lab.wait_status(
            lambda s: link(s)["address"] == places.EXTERNAL_CALLER, LONG_S, "the other provider"
        )
        assert link(link_up)["peer"] == places.EXTERNAL_GATEWAY
        seen = lab.boxes["A"].fetch("http://web.example/", timeout_s=90).strip()
        assert seen == places.EXTERNAL_CALLER
    finally:
        lab.console.put("/tmp/before.toml", before.encode())
        assert lab.cli("config", "apply", "/tmp/before.toml").code == 0
        wait_up(lab)
