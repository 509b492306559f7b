"""Power cuts, replayed: what the booted image writes to its card while it saves.

A sample with a seed; docs/POWERCUTS.md tells the rest. What was recorded is judged on the host.
"""

from __future__ import annotations

import random
from pathlib import Path

from tests.lab.first_use import PASSWORD
from tests.lab.lab import Lab
from tests.lab.pi import Image
from tests.powercut.blocklog import SECTOR
from tests.powercut.record import Recorder, set_password
from tests.powercut.replay import Limits, Recording
from tests.powercut.uboot import UBoot, expected, torn, trouble

SEED = 20
STATES = 15  # torn boot states
LIMITS = Limits(prefixes=24, subsets=4, epochs=5, exhausted=2)


def test_a_power_cut_leaves_the_old_or_the_new_and_never_half(lab: Lab, tmp_path: Path) -> None:
    pi = lab.pi
    assert pi is not None and pi.record is not None
    recorder = Recorder(lab, pi.record.parent, pi.record.name)
    wanted = "s/^lease_minutes = .*/lease_minutes = 444/"
    lab.console.run("masqgate config show >/tmp/before.toml")
    lab.console.run(f"sed '{wanted}' /tmp/before.toml >/tmp/other.toml")
    for name, command in (
        ("configuration save", "masqgate config apply /tmp/other.toml"),
        ("password change", set_password(PASSWORD)),
        ("configuration save, back", "masqgate config apply /tmp/before.toml"),
    ):
        recorder.operation(name, command, settle_s=2.0)
    recording = Recording(pi.record, tmp_path)
    for mark in recorder.marks:
        assert mark.done > mark.start, f"{mark.name}: nothing was written"
        result = recording.judge(mark, LIMITS, SEED)
        assert result.bad == [], mark.name
        assert result.prefixes and result.subsets
        assert result.outcomes["old"] and result.outcomes["new"]


def test_the_boot_loader_reads_torn_boot_states_as_the_router_does(
    image: Image, tmp_path: Path
) -> None:
    """The real U-Boot, without a kernel to start: what it tries, and what it leaves."""
    rng = random.Random(f"{SEED} boot state")
    with UBoot(image, tmp_path) as uboot:
        for one in torn(rng, STATES):
            assert trouble(uboot, one) == "", one.what
        both = (bytes(SECTOR), b"\xff" * SECTOR)
        assert uboot.start(both) == expected(both) == ("abab", both)
