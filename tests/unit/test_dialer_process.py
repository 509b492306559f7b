"""The real dialer against the lab's modem and provider; pppd is a stand-in that speaks PPP.

Each test waits for a condition, never for a time.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from masqgate.contract.paths import Paths
from masqgate.contract.secret import Secret
from masqgate.contract.status import LinkState, LinkStatus

from tests.lab.at import Result
from tests.lab.pty_modem import PtyLab, pty_modem
from tests.lab.runner import wait_until
from tests.lab.sim import MobileSim
from tests.unit.dialer_kit import PATIENCE_S, DialerProcess, dialer

pytestmark = pytest.mark.slow

UP, WAITING, IDLE, NO_PORT = LinkState.UP, LinkState.WAITING, LinkState.IDLE, LinkState.NO_PORT


@pytest.fixture
def lab() -> Iterator[PtyLab]:
    with pty_modem() as made:
        yield made


def comes_back(process: DialerProcess, lab: PtyLab) -> None:
    """The fault is over: without a hand's turn there is a call again."""
    lab.modem.clear()
    lab.isp.clear()
    process.wait_for(UP)


def test_a_call_comes_up_and_is_told_of(lab: PtyLab, tmp_path: Path) -> None:
    with dialer(tmp_path, lab.path) as process:
        status = process.wait(lambda s: s.state is UP and len(s.dns) > 0, "up, with DNS")
        assert status.address == lab.isp.address
        # The lab's provider gives the same server as the primary and the secondary one.
        assert (status.peer, status.dns) == ("198.51.100.1", ("198.51.100.53",))
        assert (status.connect_rate, status.connect_text) == (115_200, "CONNECT 115200")
        assert status.modem == "Lab modem"
        assert (status.calls, status.attempts) == (1, 0)
        assert status.pppd_pid is not None
        assert [entry.code for entry in process.entries] == ["dialing", "up"]


def test_a_call_is_told_with_its_name_servers(lab: PtyLab, tmp_path: Path) -> None:
    """Without them, the LAN would be told for a moment that no name exists."""
    with dialer(tmp_path, lab.path, environment={"MASQGATE_TEST_GATHER": "5"}) as process:
        assert process.wait_for(UP).dns == ("198.51.100.53",)


def test_its_socket_and_options_are_for_root_alone(lab: PtyLab, tmp_path: Path) -> None:
    with dialer(tmp_path, lab.path) as process:
        process.wait_for(UP)
        for path in (process.paths.dialer_socket("modem1"), process.paths.ppp_options("modem1")):
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
        command = Path(f"/proc/{process.status.pppd_pid}/cmdline").read_bytes()
        assert b"lab-secret" not in command
        assert "lab-secret" not in process.log.read_text()


@pytest.mark.parametrize(
    ("result", "code"),
    [
        (Result.BUSY, "busy"),
        (Result.NO_CARRIER, "no_carrier"),
        (Result.NO_DIALTONE, "no_dialtone"),
        (Result.NO_ANSWER, "no_answer"),
        (Result.ERROR, "dial_refused"),
    ],
)
def test_a_failed_dial_is_named_and_tried_again(
    lab: PtyLab, tmp_path: Path, result: Result, code: str
) -> None:
    lab.modem.fault(dial_result=result)
    with dialer(tmp_path, lab.path) as process:
        status = process.wait(
            lambda s: s.state is WAITING and s.reason.code == code, f"waiting for {code}"
        )
        assert status.reason.text.startswith("Waiting ")
        assert status.retry_in_s is not None
        process.wait(lambda s: s.attempts >= 2, "a second dial")
        comes_back(process, lab)


PROVIDERS = """<serviceproviders format="2.0"><country code="zz"><provider><name>Lab</name><gsm>
<network-id mcc="232" mnc="01"/><apn value="lab.net"><usage type="internet"/></apn>
</gsm></provider></country></serviceproviders>
"""
MODEM_FAULTS: dict[str, dict[str, Any]] = {
    "silent": {"silent": True},
    "deaf": {"deaf": True},
    "only errors": {"always_error": True},
    "half a CONNECT": {"hang_connect": True},
    "garbage": {"garble_rate": 0.5},
    "another rate": {"fixed_rate": 9600},
}


@pytest.mark.parametrize("fault", MODEM_FAULTS)
def test_a_broken_modem_is_not_given_up(lab: PtyLab, tmp_path: Path, fault: str) -> None:
    lab.modem.fault(**MODEM_FAULTS[fault])
    with dialer(tmp_path, lab.path, dial_timeout_s=2) as process:
        process.wait_for(WAITING)
        process.wait_for(LinkState.INIT)
        process.wait_for(WAITING)
        comes_back(process, lab)


@pytest.mark.parametrize("fault", [{"split": True}, {"echo_stuck": True}])
def test_oddities_do_not_matter(lab: PtyLab, tmp_path: Path, fault: dict[str, Any]) -> None:
    lab.modem.fault(**fault)
    with dialer(tmp_path, lab.path) as process:
        process.wait_for(UP)


def test_a_modem_that_obeys_only_a_reset_needs_no_second_round(
    lab: PtyLab, tmp_path: Path
) -> None:
    lab.modem.fault(until_reset=True)
    with dialer(tmp_path, lab.path) as process:
        process.wait_for(UP)
        assert process.status.resets == {} and WAITING not in states(process.seen)


def test_a_silent_modem_is_reset_step_by_step(lab: PtyLab, tmp_path: Path) -> None:
    lab.modem.fault(silent=True)
    with dialer(tmp_path, lab.path) as process:
        process.wait(lambda s: s.resets.get("modem_silent", 0) >= 3, "three steps")
        texts = [entry.text for entry in process.entries if entry.code == "reset"]
        assert texts[:3] == [
            "Bringing the modem back (hanging up).",
            "Bringing the modem back (dropping DTR).",
            "Bringing the modem back (restarting it).",
        ]
        comes_back(process, lab)


def test_a_lot_of_noise_does_not_matter(lab: PtyLab, tmp_path: Path) -> None:
    lab.modem.fault(silent=True)
    with dialer(tmp_path, lab.path) as process:
        process.wait_for(LinkState.INIT)
        lab.modem.set_uart_rate(921_600)
        for _ in range(8):
            lab.modem.inject(b"\0\xff~}" * 8192)
        process.wait_for(WAITING)
        comes_back(process, lab)


def test_an_idle_call_stays_up(lab: PtyLab, tmp_path: Path) -> None:
    """Longer than the dialer's patience with a pppd that gives no sign of life."""
    with dialer(tmp_path, lab.path, echo_interval_s=2) as process:
        process.wait_for(UP)
        begin = time.monotonic()
        process.wait(lambda s: time.monotonic() - begin > 17.0, "seventeen seconds")
        assert {s.state for s in process.seen[-4:]} == {UP}, process.history()
        assert process.status.calls == 1


def lost_carrier(lab: PtyLab, process: DialerProcess) -> None:
    lab.modem.drop_carrier()


def hung_provider(lab: PtyLab, process: DialerProcess) -> None:
    lab.isp.hang()


def terminated(lab: PtyLab, process: DialerProcess) -> None:
    lab.isp.terminate()


def replugged(lab: PtyLab, process: DialerProcess) -> None:
    lab.modem.replug()


def killed(lab: PtyLab, process: DialerProcess) -> None:
    assert process.status.pppd_pid is not None
    os.kill(process.status.pppd_pid, signal.SIGKILL)


def stopped(lab: PtyLab, process: DialerProcess) -> None:
    assert process.status.pppd_pid is not None
    os.kill(process.status.pppd_pid, signal.SIGSTOP)


def power_cycled(lab: PtyLab, process: DialerProcess) -> None:
    lab.modem.power_cycle()


LOSSES = {
    lost_carrier: {"echo_lost"},
    hung_provider: {"echo_lost"},
    terminated: {"peer_closed", "carrier_lost"},
    replugged: {"carrier_lost"},
    killed: {"pppd_killed"},
    stopped: {"pppd_stopped", "pppd_silent"},
    power_cycled: {"echo_lost"},
}


@pytest.mark.parametrize("loss", LOSSES)
def test_a_lost_call_is_dialed_again(lab: PtyLab, tmp_path: Path, loss: Any) -> None:
    interval = 2 if LOSSES[loss] == {"echo_lost"} else 5
    with dialer(tmp_path, lab.path, echo_interval_s=interval) as process:
        first = process.wait_for(UP)
        loss(lab, process)
        ended = process.wait_for(LinkState.HANGING_UP)
        assert ended.reason.code in LOSSES[loss], process.history()
        comes_back(process, lab)
        assert process.status.pppd_pid != first.pppd_pid
        assert process.status.calls == 2
        assert not Path(f"/proc/{first.pppd_pid}").exists()


PROVIDER_FAULTS: dict[str, tuple[dict[str, Any], set[str]]] = {
    "refuses the login": ({"refuse_auth": "No credit\n"}, {"auth_failed"}),
    "rejects IP": ({"reject_ipcp": True}, {"no_network", "no_ipcp", "peer_refused"}),
}


@pytest.mark.parametrize("fault", PROVIDER_FAULTS)
def test_a_refusing_provider_is_named(lab: PtyLab, tmp_path: Path, fault: str) -> None:
    faults, codes = PROVIDER_FAULTS[fault]
    lab.isp.fault(**faults)
    with dialer(tmp_path, lab.path) as process:
        process.wait(lambda s: s.state is WAITING and s.reason.code in codes, f"{codes}")
        comes_back(process, lab)


def test_a_refused_login_is_tried_thrice_then_seldom(lab: PtyLab, tmp_path: Path) -> None:
    with dialer(tmp_path, lab.path, password=Secret("wrong")) as process:
        waits: list[float] = []
        for _ in range(6):
            status = process.wait(
                lambda s: s.state is WAITING and s.retry_in_s is not None, "waiting"
            )
            assert status.reason.code == "auth_failed"
            assert 'it says: "Login incorrect"' in status.reason.text
            waits.append(status.retry_in_s or 0.0)
            process.wait_for(LinkState.NEGOTIATING)
        short, long = max(waits[0], waits[1], waits[3], waits[4]), min(waits[2], waits[5])
        assert short < 1.0 < long, waits


def test_mute_provider_is_no_ppp(lab: PtyLab, tmp_path: Path) -> None:
    lab.isp.fault(hang=True)
    with dialer(tmp_path, lab.path) as process:
        process.wait_for(LinkState.NEGOTIATING)
        process.tell("disconnect")
        process.wait_for(IDLE)
        lab.modem.wait_idle()


def test_a_port_that_is_not_there_is_waited_for(lab: PtyLab, tmp_path: Path) -> None:
    elsewhere = tmp_path / "port"
    with dialer(tmp_path, elsewhere) as process:
        status = process.wait_for(NO_PORT)
        assert status.reason.code == "port_missing"
        assert str(elsewhere) in status.reason.text
        elsewhere.symlink_to(lab.path)
        process.wait_for(UP)


def test_manual_mode_waits_to_be_told(lab: PtyLab, tmp_path: Path) -> None:
    with dialer(tmp_path, lab.path, mode="manual") as process:
        process.wait_for(IDLE)
        process.tell("connect")
        process.wait_for(UP)
        process.tell("disconnect")
        process.wait_for(IDLE)
        assert process.status.reason.code == "disconnected"
        lab.modem.wait_idle()
        process.tell("connect")
        process.wait_for(UP)


def test_off_is_off(lab: PtyLab, tmp_path: Path) -> None:
    with dialer(tmp_path, lab.path, mode="off") as process:
        process.wait_for(LinkState.OFF)
        process.tell("connect")
        process.wait(lambda s: any(e.code == "refused" for e in process.entries), "refused")
        process.configure(mode="always")
        process.tell("reload")
        process.wait_for(UP)


def test_a_reload_redials_only_if_the_call_is_concerned(lab: PtyLab, tmp_path: Path) -> None:
    with dialer(tmp_path, lab.path) as process:
        first = process.wait_for(UP)
        process.configure(name="another", dial_timeout_s=30, init=("ATZ",))
        process.tell("reload")
        status = process.wait(lambda s: s.name == "another", "the change, under another name")
        assert (status.state, status.pppd_pid) == (UP, first.pppd_pid)
        process.configure(number="5551002")
        process.tell("reload")
        process.wait(lambda s: s.state is UP and s.calls == 2, "up again")
        assert process.status.pppd_pid != first.pppd_pid
        assert lab.network.dialed == ["5551000", "5551002"]


def test_a_bad_reload_changes_nothing(lab: PtyLab, tmp_path: Path) -> None:
    with dialer(tmp_path, lab.path) as process:
        first = process.wait_for(UP)
        process.paths.dialer_config("modem1").write_text('{"modem": 1}')
        process.tell("reload")
        process.wait(lambda s: any(e.code == "config_bad" for e in process.entries), "told")
        assert process.status.pppd_pid == first.pppd_pid


def test_the_end_hangs_up(lab: PtyLab, tmp_path: Path) -> None:
    with dialer(tmp_path, lab.path) as process:
        up = process.wait_for(UP)
        assert process.end() == 0
        lab.modem.wait_idle()
        assert not Path(f"/proc/{up.pppd_pid}").exists()
        assert not process.paths.dialer_socket("modem1").exists()
        assert not process.paths.ppp_options("modem1").exists()


def test_a_pppd_that_does_not_end_is_killed(
    lab: PtyLab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "stubborn"
    script.write_text("#!/bin/sh\ntrap '' TERM HUP\nwhile :; do sleep 1; done\n")
    script.chmod(0o755)
    monkeypatch.setenv("MASQGATE_TEST_PPPD", str(script))
    with dialer(tmp_path, lab.path) as process:
        status = process.wait(lambda s: s.pppd_pid is not None, "pppd runs")
        process.tell("disconnect")
        process.wait_for(IDLE)
        assert not Path(f"/proc/{status.pppd_pid}").exists()


@pytest.mark.parametrize("program", ["/bin/false", "/nonexistent/pppd"])
def test_a_pppd_that_fails_is_no_end(
    lab: PtyLab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str
) -> None:
    monkeypatch.setenv("MASQGATE_TEST_PPPD", program)
    with dialer(tmp_path, lab.path) as process:
        for _ in range(2):
            process.wait(lambda s: s.state is WAITING, "waiting")
            assert process.status.reason.code in ("pppd_failed", "no_ppp")
            process.wait_for(LinkState.DIALING)


def test_slow_and_many_clients_do_not_matter(lab: PtyLab, tmp_path: Path) -> None:
    with dialer(tmp_path, lab.path) as process:
        lazy = [process._connect() for _ in range(8)]  # never read from
        process.wait_for(UP)
        lab.isp.terminate()
        process.wait(lambda s: s.calls == 2, "a second call")
        for client in lazy:
            client.close()


def test_the_service_manager_is_told(lab: PtyLab, tmp_path: Path) -> None:
    told = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    told.bind(str(tmp_path / "notify"))
    heard: list[str] = []

    def listen() -> None:  # at once: a full queue would make the dialer's words be dropped
        with contextlib.suppress(OSError):
            while text := told.recv(4096).decode():
                heard.append(text)

    listener = threading.Thread(target=listen, daemon=True)
    listener.start()
    environment = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "3000000"}
    wanted = {"READY=1", "WATCHDOG=1", "STATUS=Dialing 5551000."}
    with told, dialer(tmp_path, lab.path, environment=environment) as process:
        wait_until(lambda: wanted <= set(heard), PATIENCE_S, "the service manager is told")
        assert heard[0] == "READY=1"
        process.end()
        wait_until(lambda: "STOPPING=1" in heard, PATIENCE_S, "the end is told")
        told.shutdown(socket.SHUT_RDWR)


def test_a_stale_pppd_is_ended_first(lab: PtyLab, tmp_path: Path) -> None:
    options = Paths(tmp_path / "run", tmp_path / "data", tmp_path).ppp_options("modem1")
    sleeper = [sys.executable, "-c", "import time; time.sleep(3600)", "file", str(options)]
    with subprocess.Popen(sleeper) as stale:
        try:
            with dialer(tmp_path, lab.path) as process:
                process.wait_for(UP)
                assert stale.wait(PATIENCE_S) == -signal.SIGTERM
        finally:
            stale.kill()


def test_a_dialer_that_was_killed_leaves_nothing_to_the_next(lab: PtyLab, tmp_path: Path) -> None:
    with dialer(tmp_path, lab.path) as process:
        orphaned = process.wait_for(UP).pppd_pid
        assert orphaned is not None
        process.process.kill()
        process.process.wait()
        with dialer(tmp_path, lab.path) as second:
            second.wait_for(UP)
            assert not Path(f"/proc/{orphaned}").exists()


def states(seen: list[LinkStatus]) -> list[LinkState]:
    out: list[LinkState] = []
    for status in seen:
        if not out or out[-1] is not status.state:
            out.append(status.state)
    return out


def test_every_report_has_a_sentence(lab: PtyLab, tmp_path: Path) -> None:
    with dialer(tmp_path, lab.path) as process:
        process.wait_for(UP)
        lab.isp.terminate()
        process.wait(lambda s: s.calls == 2, "a second call")
        assert all(status.reason.text.endswith(".") for status in process.seen)
        now = time.time()
        assert all(abs(now - status.since_at) < 600 for status in process.seen)


def test_a_mobile_modem_gets_its_access_point_by_the_sim(lab: PtyLab, tmp_path: Path) -> None:
    file = tmp_path / "providers.xml"
    file.write_text(PROVIDERS)
    sim = MobileSim()
    lab.modem.insert(sim)
    environment = {"MASQGATE_TEST_PROVIDERS": str(file)}
    with dialer(tmp_path, lab.path, environment=environment, apn="auto") as process:
        process.wait_for(UP)
        assert (process.status.apn, process.status.operator) == ("lab.net", "Lab Mobile")
        assert sim.contexts == ["lab.net"]
        assert sim.imsi not in process.log.read_text()
        sim.imsi = "999991234567890"
        process.tell("disconnect")
        process.wait_for(LinkState.IDLE)
        process.tell("connect")
        process.wait(lambda s: s.reason.code == "apn_unknown", "the other SIM is not known")
