"""A data partition that is full or read-only: a save is refused, nothing is lost, all goes on."""

from __future__ import annotations

import pytest

from tests.lab.lab import Lab

from .data_partition import assert_goes_on, fill, save, warnings
from .helpers import LONG_S, wait_up


@pytest.fixture(autouse=True)
def connected(lab: Lab) -> None:
    """Each test begins with the call up."""
    lab.console.run("masqgate connect")
    wait_up(lab)


def test_hardware_is_told(lab: Lab) -> None:
    """What the emulated board has: the card's size, what was written, the data partition."""
    told = lab.status()["hardware"]
    assert told["board"]["model"].startswith("Raspberry Pi 3")
    assert told["card"]["size_bytes"] == 512 << 20
    assert told["card"]["errors"] == 0
    assert told["card"]["written_bytes"] > 0
    assert told["card"]["written_ever_bytes"] > 0
    assert told["data"]["state"] == "writable"
    assert 0 < told["data"]["used_percent"] < 90
    listed = " ".join(lab.cli("hardware").output.split())
    page = lab.page("/").body
    for text in (listed, page):
        assert "Raspberry Pi 3" in text
        assert "not told by this board" in text  # the supply voltage, by this kernel
        assert "since the data partition was made" in text
    assert told["card"]["serial"] in listed
    assert told["card"]["serial"] not in page


def test_full(lab: Lab) -> None:
    before = lab.cli("config", "show").output
    fill(lab)
    try:
        code, words = save(lab, 555)
        assert code != 0
        assert "full" in words
        assert "Traceback" not in words
        assert "data_full" in warnings(lab)
        assert_goes_on(lab)
        assert lab.cli("config", "show").output == before
    finally:
        lab.console.run("rm -f /data/ballast; sync")
    assert save(lab, 555)[0] == 0
    assert not warnings(lab) & {"data_full", "data_nearly_full"}


def test_read_only(lab: Lab) -> None:
    before = lab.cli("config", "show").output
    done = lab.console.run("mount -o remount,ro /data")
    assert done.code == 0, done.output
    try:
        code, words = save(lab, 556)
        assert code != 0
        assert "read-only" in words
        assert "Traceback" not in words
        assert "data_read_only" in warnings(lab)
        assert "The data partition is read-only" in lab.page("/").body
        _assert_console_tells(lab, "The data partition is read-only")
        # A supervisor that starts on it has the configuration, too.
        assert lab.console.run("systemctl restart masqgate.service").code == 0
        address = wait_up(lab)["address"]
        assert lab.boxes["A"].fetch("http://web.example/").strip() == address
        assert lab.cli("config", "show").output == before
    finally:
        assert lab.console.run("mount -o remount,rw /data").code == 0
    # One that started meanwhile has its own view of the partition, which stays read-only.
    assert lab.console.run("systemctl restart masqgate.service").code == 0
    wait_up(lab)
    assert save(lab, 556)[0] == 0
    assert "data_read_only" not in warnings(lab)


def _assert_console_tells(lab: Lab, words: str) -> None:
    lab.console.leave_shell()
    line = lab.console.line
    start = line.position
    line.send("\r")
    line.wait_for(r"^masqgate> ?$", LONG_S, start, "the state at the console")
    assert words in " ".join(line.text(start).split())
