"""The real dialer asks a modem's second port during a call; whatever that does, the call stays.

Each test waits for a condition, never for a time.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from masqgate.contract.status import LinkState, LinkStatus

from tests.lab.pty_modem import PtyLab, pty_modem
from tests.lab.sim import MobileSim
from tests.unit.dialer_kit import DialerProcess, dialer

pytestmark = pytest.mark.slow

UP, WAITING = LinkState.UP, LinkState.WAITING


@pytest.fixture
def lab() -> Iterator[PtyLab]:
    with pty_modem() as made:
        yield made


def trouble(code: str) -> Any:
    def seen(status: LinkStatus) -> bool:
        return status.network_trouble is not None and status.network_trouble.code == code

    return seen


def lives(process: DialerProcess, sim: MobileSim) -> None:
    """What the network says from now on is told, in the call that came up first."""
    sim.rsrp = 30 if sim.rsrp != 30 else 31
    dbm = sim.rsrp - 141
    status = process.wait(lambda s: s.signal_dbm == dbm, f"a signal of {dbm} dBm")
    assert (status.state, status.calls, status.network_trouble) == (UP, 1, None)


def test_signal_and_operator_are_live(lab: PtyLab, tmp_path: Path) -> None:
    sim = MobileSim()
    lab.modem.insert(sim)
    with (
        lab.second_port(sim) as second,
        dialer(tmp_path, lab.path, apn="internet", status_port=str(lab.second_path)) as process,
    ):
        process.wait_for(UP)
        assert process.status.signal_dbm == -96
        lives(process, sim)
        sim.operator, sim.roaming = "Over There", True
        status = process.wait(lambda s: s.operator == "Over There", "the other operator")
        assert status.registration == "roaming"
        assert status.network_at is not None and abs(time.time() - status.network_at) < 600
        assert lab.modem.online and second.commands.count("+CESQ") >= 2
        assert "+CSQ" not in lab.modem.commands
        lab.isp.terminate()
        process.wait(lambda s: s.calls == 2, "a second call")
        assert "warning" not in {e.level for e in process.entries if "second port" in e.text}
        process.tell("disconnect")
        process.wait_for(LinkState.IDLE)
        asked = len(second.commands)
        process.tell("connect")
        process.wait(lambda s: s.calls == 3, "a third call")
        process.wait(lambda _: len(second.commands) > asked, "it is asked again")


@pytest.mark.parametrize(
    ("fault", "code"),
    [({"silent": True}, "silent"), ({"always_error": True}, "tells_nothing")],
)
def test_a_second_port_that_does_not_tell(
    lab: PtyLab, tmp_path: Path, fault: dict[str, Any], code: str
) -> None:
    sim = MobileSim()
    with (
        lab.second_port(sim) as second,
        dialer(tmp_path, lab.path, status_port=str(lab.second_path)) as process,
    ):
        second.fault(**fault)
        process.wait(trouble(f"status_port_{code}"), "the trouble is told")
        assert process.status.state is UP
        second.fault(**dict.fromkeys(fault, False))
        process.wait(lambda s: s.signal_dbm is not None, "it is asked again")
        lives(process, sim)
        codes = [entry.code for entry in process.entries]
        assert codes == ["dialing", "up", f"status_port_{code}", "status_port"]


def test_one_that_is_not_there_comes_and_goes(lab: PtyLab, tmp_path: Path) -> None:
    sim = MobileSim()
    with dialer(tmp_path, lab.path, status_port=str(lab.second_path)) as process:
        process.wait(trouble("status_port_missing"), "it is missed")
        assert process.status.state is UP
        with lab.second_port(sim) as second:
            lives(process, sim)
            second.replug()  # another number, the same path
            lives(process, sim)
        process.wait(trouble("status_port_missing"), "it is missed again")
        assert (process.status.state, process.status.calls) == (UP, 1)
        lab.isp.terminate()  # and the redial does not mind
        process.wait(lambda s: s.calls == 2, "a second call")


def test_noise_without_end_on_it(lab: PtyLab, tmp_path: Path) -> None:
    sim = MobileSim()
    with (
        lab.second_port(sim) as second,
        dialer(tmp_path, lab.path, status_port=str(lab.second_path)) as process,
    ):
        process.wait_for(UP)
        second.fault(silent=True)
        for _ in range(50):
            second.inject(os.urandom(8192).replace(b"OK", b"ok"))
        process.wait(lambda s: s.network_trouble is not None, "the trouble is told")
        assert (process.status.state, process.status.calls) == (UP, 1)
        second.fault(silent=False)
        process.wait(lambda s: s.network_trouble is None, "it is over")
        lives(process, sim)


def test_the_port_of_the_call_by_another_name(lab: PtyLab, tmp_path: Path) -> None:
    alias = tmp_path / "alias"
    alias.symlink_to(lab.path)
    with dialer(tmp_path, lab.path, status_port=str(alias)) as process:
        process.wait(trouble("status_port_same"), "it is named")
        assert (process.status.state, process.status.calls) == (UP, 1)
        process.configure(status_port="")
        process.tell("reload")
        process.wait(lambda s: s.network_trouble is None, "nobody is asked any more")
        assert (process.status.state, process.status.calls) == (UP, 1)
