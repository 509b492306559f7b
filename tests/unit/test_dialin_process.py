"""The real dialer as an answering machine, called over the lab's telephone by the lab's Anybox.

pppd is a stand-in that speaks PPP and asks for a login.
"""

from __future__ import annotations

import random
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from masqgate.contract.secret import Secret
from masqgate.contract.status import CallRecord, LinkState

from tests.lab.dialup import ClientCall
from tests.lab.ppp_auth import Credentials
from tests.lab.ppp_options import PeerSettings
from tests.lab.ppp_peer import Phase
from tests.lab.pty_modem import PtyLab, pty_modem
from tests.lab.runner import wait_until
from tests.unit.dialer_kit import PATIENCE_S, DialerProcess, answerer

pytestmark = pytest.mark.slow

NUMBER = "5559000"
GOOD = Credentials("anybox", "eight letters")
IDLE, UP = LinkState.IDLE, LinkState.UP


class NoTun:
    """IP packets go nowhere: the stand-in has none."""

    def write(self, packet: bytes) -> None:
        pass

    def default(self, give: object) -> NoTun:
        return self

    def pause(self, paused: bool) -> None:
        pass

    def close(self) -> None:
        pass


class Anybox:
    """Calls the router's modem."""

    def __init__(self, lab: PtyLab) -> None:
        self._lab = lab
        self.call: ClientCall | None = None

    def dial(self, login: Credentials) -> ClientCall:
        settings = PeerSettings(name="anybox", login=login, ask_dns=True)

        def start() -> ClientCall:
            call = ClientCall(settings, NoTun())  # type: ignore[arg-type]
            call.attempt = self._lab.network.dial(NUMBER, "5554000", call, call.refused)
            return call

        self.call = self._lab.runner.call(start)
        return self.call

    def hang_up(self) -> None:
        assert self.call is not None and self.call.attempt is not None
        self._lab.runner.call(self.call.attempt.cancel)


@pytest.fixture
def lab() -> Iterator[PtyLab]:
    with pty_modem() as made:
        made.runner.call(lambda: made.network.add(NUMBER, made.modem._modem))
        yield made


def wait_call(process: DialerProcess, count: int = 1) -> CallRecord:
    """Wait until so many calls are over; return the newest."""

    def calls() -> list[CallRecord]:
        return [entry.call for entry in process.entries if entry.call is not None]

    process.wait(lambda _: len(calls()) >= count, f"{count} calls are over")
    return calls()[-1]


def test_a_caller_logs_in_and_the_call_is_kept(lab: PtyLab, tmp_path: Path) -> None:
    anybox = Anybox(lab)
    with answerer(tmp_path, lab.path) as process:
        for count in (1, 2):
            process.wait_for(IDLE)
            call = anybox.dial(GOOD)
            status = process.wait_for(UP)
            assert (status.caller, status.caller_id) == ("anybox", "5554000")
            assert (status.peer, status.address) == ("192.168.77.60", "192.168.77.1")
            wait_until(lambda: call.ppp.phase is Phase.UP, PATIENCE_S, "IP at the caller")  # noqa: B023
            assert str(call.ppp.own_address) == "192.168.77.60"
            assert str(call.ppp.ipcp_policy.dns[0]) == "192.168.77.1"
            for path in (process.paths.ppp_options("modem2"), process.paths.ppp_secrets("modem2")):
                assert stat.S_IMODE(path.stat().st_mode) == 0o600
            anybox.hang_up()
            record = wait_call(process, count)
            assert (record.caller, record.caller_id) == ("anybox", "5554000")
            assert record.began_at > 1.6e9
        process.wait_for(IDLE)
        assert not process.paths.ppp_secrets("modem2").exists()
        assert "eight letters" not in process.log.read_text()


@pytest.mark.parametrize("method", ["pap", "chap", "mschapv2"])
def test_wrong_passwords_silence_the_line(lab: PtyLab, tmp_path: Path, method: str) -> None:
    anybox = Anybox(lab)
    with answerer(tmp_path, lab.path, auth=(method,), failures=2) as process:
        for count in (1, 2):
            process.wait_for(IDLE)
            anybox.dial(Credentials("anybox", f"wrong {random.random()}"))
            record = wait_call(process, count)
            assert (record.why, record.caller) == ("login_refused", "")
            assert '"anybox"' in record.text
        process.wait_reason("locked")
        assert lab.modem.calls == 2
        process.tell("connect")
        process.wait_for(IDLE)
        anybox.dial(GOOD)
        process.wait_for(UP)


def test_a_modem_that_dies_while_it_waits_is_found_again(lab: PtyLab, tmp_path: Path) -> None:
    with answerer(tmp_path, lab.path) as process:
        process.wait_for(IDLE)
        lab.modem.fault(silent=True)
        process.wait(lambda s: s.resets.get("modem_silent", 0) > 0, "a reset")
        lab.modem.clear()
        process.wait_for(IDLE)
        Anybox(lab).dial(GOOD)
        process.wait_for(UP)


def test_a_call_is_hung_up_by_hand(lab: PtyLab, tmp_path: Path) -> None:
    with answerer(tmp_path, lab.path) as process:
        process.wait_for(IDLE)
        Anybox(lab).dial(GOOD)
        process.wait_for(UP)
        process.tell("disconnect")
        assert wait_call(process).why == "hung_up_by_hand"


def test_a_change_of_the_password_ends_the_call(lab: PtyLab, tmp_path: Path) -> None:
    with answerer(tmp_path, lab.path) as process:
        process.wait_for(IDLE)
        Anybox(lab).dial(GOOD)
        process.wait_for(UP)
        process.configure(password=Secret("another secret"))
        process.tell("reload")
        assert wait_call(process).why == "config_changed"


def test_it_ends_in_order_in_a_call(lab: PtyLab, tmp_path: Path) -> None:
    with answerer(tmp_path, lab.path) as process:
        process.wait_for(IDLE)
        Anybox(lab).dial(GOOD)
        process.wait_for(UP)
        assert process.end() == 0
        lab.modem.wait_idle(PATIENCE_S)
