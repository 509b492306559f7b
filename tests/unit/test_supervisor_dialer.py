"""Supervisor and dialer, both real, over their socket; only the modem is missing."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from masqgate.contract.status import LinkState

from tests.unit.router import DEADLINE_S, DOCUMENT, Router, until

PORT = "/dev/serial/by-id/no-such-port"
FIRMWARE = Path(__file__).resolve().parents[2] / "firmware"


@pytest.fixture
def router(tmp_path: Path) -> Iterator[Router]:
    """A router whose service manager really starts dialers."""
    made = Router(tmp_path, DOCUMENT.replace("/dev/ttyAMA0", PORT))
    processes: list[subprocess.Popen[bytes]] = []

    def start(unit: str) -> None:
        name = unit.partition("@")[2].removesuffix(".service")
        environment = {
            **os.environ,
            "PYTHONPATH": str(FIRMWARE),
            "MASQGATE_RUN": str(made.paths.run),
            "MASQGATE_DATA": str(made.paths.data),
        }
        command = [sys.executable, "-m", "masqgate.dialer", name]
        processes.append(subprocess.Popen(command, env=environment))

    made.services.on_start = start
    made.processes = processes  # type: ignore[attr-defined]
    yield made
    made.close()
    for process in processes:
        process.kill()
        process.wait(DEADLINE_S)


def state(router: Router) -> LinkState:
    return router.client.status().uplinks[0].state


def test_they_understand_each_other(router: Router) -> None:
    router.start()
    until(lambda: state(router) is LinkState.NO_PORT)
    assert PORT in router.client.status().uplinks[0].reason.text
    router.client.disconnect()
    until(lambda: state(router) is not LinkState.NO_PORT)
    router.client.connect()
    until(lambda: state(router) is LinkState.NO_PORT)
    assert {"connect", "disconnect"} <= set(router.codes())


def test_a_change_of_mode_reaches_the_running_dialer(router: Router) -> None:
    router.start()
    until(lambda: state(router) is LinkState.NO_PORT)
    router.client.config_apply(router.client.config_show().replace('"always"', '"off"'))
    until(lambda: state(router) is LinkState.OFF)


def test_it_outlives_the_supervisor_and_is_found_again(router: Router) -> None:
    router.start()
    until(lambda: state(router) is LinkState.NO_PORT)
    router.stop()
    router.start()
    until(lambda: state(router) is LinkState.NO_PORT)
    assert len(router.processes) == 1  # type: ignore[attr-defined]
