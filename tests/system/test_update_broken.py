"""Systems that panic, hang or can't dial: the router goes back by itself (`make long`).

Slot A runs and is good; every test installs a broken system in slot B, and nobody touches the
router until slot A is back, but for the one hang that only a real board's watchdog ends.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.lab import Lab
from tests.lab.pi import Image

from . import update_bundles as bundles
from .update_steps import STEP_S, slot, wait_good, wait_said

pytestmark = [pytest.mark.long, pytest.mark.timeout(7200)]
VERSIONS = {
    "panics": ("0.1.2", bundles.PANICS),
    "dialer": ("0.1.3", bundles.WITHOUT_DIALER),
    "hangs": ("0.1.4", bundles.HANGS),
    "trial": ("0.1.5", bundles.TRIAL_HANGS),
}


@pytest.fixture(scope="module")
def router(image: Image, logs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """The booted router, set up, with the broken bundles on its data partition."""
    folder = tmp_path_factory.mktemp("broken")
    made = {f"{name}.bundle": bundles.make(image.disk, folder, version, breaks)
            for name, (version, breaks) in VERSIONS.items()}  # fmt: skip
    card = Image(folder / "masqgate.img", image.boot)
    bundles.card_with(image.disk, card.disk, made)
    own = logs / "broken"
    own.mkdir()
    with Lab(card, logs=own, progress=lambda text: print(text, flush=True)) as lab:
        lab.wait_ready()
        lab.set_up()
        yield lab


def install(lab: Lab, name: str) -> int:
    """Install a bundle in slot B and restart; return from where on the console counts."""
    wait_good(lab, "a")
    done = lab.cli("update", "install", f"/data/{name}.bundle", timeout_s=STEP_S)
    assert done.code == 0, done.output
    lab.say(f"installed: {name}")
    start = lab.console.line.position
    lab.console.restarted()
    lab.console.line.send(" reboot\r")
    return start


def back(lab: Lab, name: str, start: int, tries: int, why: str) -> None:
    """Slot A is back after so many starts of slot B, counted from `start`, and tells why."""
    lab.console.restarted()
    wait_said(lab, start, "Masqgate: slot a")
    lab.console.booted(STEP_S)
    status = wait_good(lab, "a", "taken_back")
    assert lab.console.line.text(start).count("Masqgate: slot b") == tries
    assert slot(status, "b")["state"] == "not_bootable"
    assert VERSIONS[name][0] in status["last"]["text"] and why in status["last"]["text"]
    lab.wait_ready()


def test_a_system_that_panics_before_its_userspace(router: Lab) -> None:
    """The kernel restarts 10 s after the panic; the third start is the old system."""
    start = install(router, "panics")
    seen = start
    for _ in range(2):
        seen = wait_said(router, seen, "Masqgate: slot b", "Kernel panic")
    back(router, "panics", start, 2, "never came up")


def test_a_system_without_a_dialer(router: Lab) -> None:
    """It is there, with its page, but can't dial: it gives itself up."""
    start = install(router, "dialer")
    wait_said(router, start, "Masqgate: slot b", "did not prove itself")
    back(router, "dialer", start, 1, "dialer")


def test_a_system_whose_trial_hangs(router: Lab) -> None:
    """The deadline restarts it (after three minutes here, not fifty), twice."""
    start = install(router, "trial")
    seen = start
    for _ in range(2):
        seen = wait_said(router, seen, "Masqgate: slot b", "did not prove itself in time")
    back(router, "trial", start, 2, "never came up")


def test_a_system_that_hangs_before_systemd(router: Lab) -> None:
    """A board's watchdog restarts it. The emulated one has none: here the power is cut."""
    start = install(router, "hangs")
    seen = start
    for _ in range(2):
        seen = wait_said(router, seen, "Masqgate: slot b", "Test: hangs here")
        router.restart(power_cut=True)
    back(router, "hangs", start, 2, "never came up")
