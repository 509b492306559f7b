"""Applying: the heart beats between slow tools, and what people wait for comes first."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from masqgate.contract.paths import Paths
from masqgate.desired.facts import Facts
from masqgate.system import applier as module
from masqgate.system import conntrack, nft
from masqgate.system.applier import Applier
from masqgate.system.run import TIMEOUT_S
from masqgate.system.services import TIMEOUT_S as UNIT_S

from tests.unit.router import FakeServices, config, link

UNIT = Path(__file__).parents[2] / "rootfs-overlay/usr/lib/systemd/system/masqgate.service"
FLOW = (
    "tcp 6 300 ESTABLISHED src=192.168.77.{0} dst=192.88.99.80 sport=1 dport=80 "
    "src=192.88.99.80 dst=203.0.113.9 sport=80 dport=1"
)
HOSTS = 20


class SlowTools:
    """Every tool takes as long as it may; how long the heart was silent."""

    def __init__(self) -> None:
        self.silent_s = 0.0
        self.longest_s = 0.0
        self.runs = 0

    def alive(self) -> None:
        self.silent_s = 0.0

    def passes(self, seconds: float) -> None:
        self.runs += 1
        self.silent_s += seconds
        self.longest_s = max(self.longest_s, self.silent_s)

    def run(self, command: list[str], stdin: str = "", timeout_s: float = TIMEOUT_S) -> str:
        self.passes(timeout_s)
        if command[:2] == ["conntrack", "-L"]:
            return "\n".join(FLOW.format(host) for host in range(100, 100 + HOSTS))
        return ""


class SlowServices(FakeServices):
    """Units that take as long as a call of systemctl may, twice for a restart."""

    def __init__(self, tools: SlowTools) -> None:
        super().__init__()
        self._tools = tools

    def restart(self, unit: str) -> bool:
        self._tools.passes(2 * UNIT_S)
        return super().restart(unit)


class NoKernel:
    """Netlink is not what is slow here."""

    def __init__(self) -> None:
        raise OSError("not in this test")


def test_the_watchdog_outlasts_what_is_between_two_beats(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tools = SlowTools()
    for place in (nft, conntrack):
        monkeypatch.setattr(place, "run", tools.run)
    monkeypatch.setattr(module, "Kernel", NoKernel)
    paths = Paths(tmp_path / "run", tmp_path / "data", tmp_path / "share")
    paths.run.mkdir()
    applier = Applier(paths, SlowServices(tools), tools.alive)
    facts = Facts(active="modem1", links=(link("modem1", address="198.51.100.9"),))
    applier.apply(config(), facts)
    applier.close()
    found = re.search(r"^WatchdogSec=(\d+)s$", UNIT.read_text(), re.M)
    assert found is not None
    assert tools.runs > HOSTS, "the tools were used"
    assert tools.longest_s < int(found[1]) * 3 / 4


def test_the_way_changes_before_anything_that_can_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until rules, routes and flows are the new uplink's, nobody on the LAN is answered."""
    steps: list[str] = []

    def run(command: list[str], stdin: str = "", timeout_s: float = TIMEOUT_S) -> str:
        steps.append(" ".join(command[:3]))
        return "table inet masqgate { }"

    for place in (nft, conntrack):
        monkeypatch.setattr(place, "run", run)
    monkeypatch.setattr(module, "Kernel", lambda: steps.append("routes") or NoKernel())
    paths = Paths(tmp_path / "run", tmp_path / "data", tmp_path / "share")
    paths.run.mkdir()
    applier = Applier(paths, FakeServices())
    facts = Facts(active="modem1", links=(link("modem1", address="198.51.100.9"),))
    applier.apply(config(), facts)
    assert steps == ["nft -c -f", "nft -f -", "routes", "conntrack -L -f", "nft --stateless list"]
    steps.clear()
    applier.apply(config(), facts)
    assert "nft -f -" not in steps, "what is in force is not loaded again"
