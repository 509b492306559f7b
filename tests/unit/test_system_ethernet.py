"""The watcher of the Ethernet uplinks: what it tells, and when."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from masqgate.contract.config import Config, Ethernet
from masqgate.contract.paths import Paths
from masqgate.contract.status import LinkState, LinkStatus
from masqgate.system import ethernet
from masqgate.system.ethernet import EthernetWatcher

PATIENCE_S = 30.0
LEASE = """{"interface": "usb1", "address": "192.0.2.100", "prefix": 24,
 "gateway": "192.0.2.1", "dns": []}"""


class StuckServices:
    """An init system whose programs do not end until they are let go."""

    def __init__(self) -> None:
        self.stopping, self.let_go = threading.Event(), threading.Event()

    def start(self, unit: str) -> bool:
        return True

    def stop(self, unit: str) -> bool:
        self.stopping.set()
        return self.let_go.wait(PATIENCE_S)

    def restart(self, unit: str) -> bool:
        return True

    def reload(self, unit: str) -> bool:
        return True

    def active(self, unit: str) -> bool:
        return True


def test_a_link_that_is_gone_is_told_before_its_client_has_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    carrier = tmp_path / "net" / "usb1" / "carrier"
    carrier.parent.mkdir(parents=True)
    carrier.write_text("1\n")
    lease = tmp_path / "run" / "lease" / "usb1.json"
    lease.parent.mkdir(parents=True)
    lease.write_text(LEASE)
    monkeypatch.setattr(ethernet, "SYS_NET", tmp_path / "net")
    services, up, gone = StuckServices(), threading.Event(), threading.Event()

    def told(link: LinkStatus) -> None:
        (up if link.state is LinkState.UP else gone).set()

    config = Config(uplink=(Ethernet(name="cable", port="usb1"),))
    watcher = EthernetWatcher(config, told, Paths(run=tmp_path / "run"), services)
    try:
        assert up.wait(PATIENCE_S)
        carrier.write_text("0\n")
        assert services.stopping.wait(PATIENCE_S)
        assert gone.is_set()
        assert [link.reason.code for link in watcher.links()] == ["no_carrier"]
    finally:
        services.let_go.set()
        watcher.close()
