"""The booted image in the lab: one boot for each half of the tests that can share one.

With `-n 2` two labs run side by side, as an emulated Pi keeps one processor busy. Which tests
share a worker, and so a boot, is fixed: what they leave behind must not differ from run to run.

`IMAGE=… pytest tests/system` or `--image …` tells which image; build/masqgate.img otherwise.
Console log, programs' logs and (short) captures stay in build/lab-logs/ if a test fails.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

from tests.lab.lab import Lab
from tests.lab.pi import Image
from tests.lab.processes import LabError
from tests.lab.world import ROOT

DEFAULT_IMAGE = os.environ.get("IMAGE", str(ROOT / "build" / "masqgate.img"))
TEST_S = 1800  # the first test's time includes the boot; emulation is slow
JOURNAL_S = 300.0
MODULES = {  # of each group but the largest
    "own": {"test_update", "test_update_broken"},  # these boot labs of their own
    "uplinks": {
        "test_demand",
        "test_dialin",
        "test_failover",
        "test_hours",
        "test_ladder",
        "test_mobile",
    },
}
REST = "router"
GROUPS = ("own", REST, "uplinks")  # a worker that is through with its own takes the last
SNAP = 160  # bytes kept of each packet: heads, not bodies


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add --image and --keep-logs (known only if tests/system is named on the command line)."""
    parser.addoption("--image", default=DEFAULT_IMAGE, help="the SD-card image to boot")
    parser.addoption("--keep-logs", action="store_true", help="keep the logs of a good run too")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give the tests of this folder more time than others have, and each group its turn."""
    folder = Path(__file__).parent
    for item in items:
        if folder in item.path.parents and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(TEST_S))
    items.sort(key=lambda item: GROUPS.index(_group(item.nodeid)))  # inside, the order stays


def _group(nodeid: str) -> str:
    """Who shares a worker: `tests/system/test_demand.py::test_…` is of the uplinks."""
    module = Path(nodeid.partition("::")[0]).stem
    return next((group for group, modules in MODULES.items() if module in modules), REST)


class Workers(LoadScopeScheduling):  # type: ignore[misc]  # xdist has no types
    """Gives a worker one group after the other."""

    def _split_scope(self, nodeid: str) -> str:
        return _group(nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Workers:
    """Have the groups kept together, in the order of the tests."""
    config.option.loadscopereorder = False
    return Workers(config, log)


@pytest.fixture(scope="session")
def image(request: pytest.FixtureRequest) -> Image:
    """The files to boot."""
    try:
        return Image.of(Path(request.config.getoption("--image", DEFAULT_IMAGE)))
    except LabError as error:
        pytest.fail(str(error), pytrace=False)


@pytest.fixture(scope="session")
def logs(request: pytest.FixtureRequest) -> Iterator[Path]:
    """The session's folder of logs, removed after a good run."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "")
    folder = ROOT / "build" / "lab-logs" / f"{time.strftime('%Y%m%d-%H%M%S')}{worker}"
    folder.mkdir(parents=True, exist_ok=True)
    yield folder
    if not (request.session.testsfailed or request.config.getoption("--keep-logs", False)):
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def booted(request: pytest.FixtureRequest, image: Image, logs: Path) -> Iterator[Lab]:
    """The lab with the router up and set up: one boot for the session."""
    made = Lab(image, logs=logs, progress=_say, wan=True, modem2=True)
    assert made.pi is not None
    made.pi.record = made.pi.card.parent / "recording"
    with made as lab:
        lab.start_capture(logs / "captures", snap=SNAP)
        lab.wait_ready()
        lab.set_up()
        yield lab
        if request.session.testsfailed:
            _keep_journal(lab, logs)


@pytest.fixture
def lab(booted: Lab, request: pytest.FixtureRequest) -> Iterator[Lab]:
    """The booted lab with every fault gone, before and after the test."""
    booted.clear()
    booted.say(f"test {request.node.name}")
    try:
        yield booted
    finally:
        booted.clear()


def _say(text: str) -> None:
    print(text, flush=True)


def _keep_journal(lab: Lab, logs: Path) -> None:
    """Save the router's own log beside the lab's; a router that is gone has none to give."""
    with contextlib.suppress(LabError):
        journal = lab.console.run("journalctl -b --no-pager -n 1500", JOURNAL_S)
        (logs / "journal.log").write_text(journal.output)
