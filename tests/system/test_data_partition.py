"""A data partition that is full, read-only or broken: routing and dialing go on.

A save is refused with the reason, and nothing is lost.
"""

from __future__ import annotations

import re

import pytest

from tests.lab.first_use import NO_ANSWER
from tests.lab.lab import Lab

from .helpers import LONG_S, link, wait_up

FILL = """
import os
file = os.open("/data/ballast", os.O_CREAT | os.O_WRONLY)
size, step = 0, 1 << 24
while step >= 4096:
    try:
        os.posix_fallocate(file, size, step)
        size += step
    except OSError:
        step //= 2
os.fsync(file)
"""
# The kernel is told that the mounted partition ends after 64 KiB: whatever lies behind that
# can be neither read nor written. (The emulated card hides its own errors from the board.)
BREAK = """
import array, fcntl, pathlib, struct
disk = pathlib.Path("/run/masqgate-boot/disk").read_text().strip()
start = int(pathlib.Path(f"/sys/class/block/{disk[5:]}p4/start").read_text()) * 512
part = array.array("b", struct.pack("=qqi64s64s4x", start, 1 << 16, 4, b"", b""))
ask = struct.pack("@iiiP", 3, 0, len(part), part.buffer_info()[0])
with open(disk, "rb") as device:
    fcntl.ioctl(device, 0x1269, ask)
"""


@pytest.fixture(autouse=True)
def connected(lab: Lab) -> None:
    """Each test begins with the call up."""
    lab.console.run("masqgate connect")
    wait_up(lab)


def run_python(lab: Lab, script: str) -> None:
    """Run a script on the router."""
    lab.console.put("/tmp/script.py", script.encode())
    done = lab.console.run("python3 /tmp/script.py")
    assert done.code == 0, done.output


def save(lab: Lab, minutes: int) -> tuple[int, str]:
    """Try to save another configuration; return exit code and words."""
    wanted = f"s/^lease_minutes = .*/lease_minutes = {minutes}/"
    lab.console.run(f"masqgate config show | sed '{wanted}' >/tmp/wanted.toml")
    while (done := lab.cli("config", "apply", "/tmp/wanted.toml")).code == NO_ANSWER:
        lab.wait_status(lambda status: True, LONG_S, "the supervisor answers")
    return done.code, done.output


def assert_goes_on(lab: Lab) -> None:
    """A new call comes up, the LAN gets through by it, and the page answers."""
    calls = lab.modem.calls
    assert lab.cli("disconnect").code == 0
    lab.wait_status(lambda s: link(s)["state"] in ("idle", "off"), LONG_S, "the call is over")
    assert lab.cli("connect").code == 0
    address = wait_up(lab)["address"]
    assert lab.modem.calls > calls
    assert lab.boxes["A"].fetch("http://web.example/").strip() == address
    assert lab.page("/").status in (200, 302, 303)


def warnings(lab: Lab) -> set[str]:
    """The codes of what the status warns of."""
    return {warning["code"] for warning in lab.status()["warnings"]}


def test_full(lab: Lab) -> None:
    before = lab.cli("config", "show").output
    run_python(lab, FILL)
    try:
        code, words = save(lab, 555)
        assert code != 0
        assert "full" in words
        assert "Traceback" not in words
        assert "data_full" in warnings(lab)
        assert_goes_on(lab)
        # A supervisor that starts on it has the configuration, too.
        assert lab.console.run("systemctl restart masqgate.service").code == 0
        wait_up(lab)
        assert lab.cli("config", "show").output == before
    finally:
        lab.console.run("rm -f /data/ballast; sync")
    assert save(lab, 555)[0] == 0
    assert "data_full" not in warnings(lab)


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
        assert_goes_on(lab)
        assert lab.console.run("systemctl restart masqgate.service").code == 0
        wait_up(lab)
        assert lab.cli("config", "show").output == before
    finally:
        assert lab.console.run("mount -o remount,rw /data").code == 0
    assert save(lab, 556)[0] == 0
    assert "data_read_only" not in warnings(lab)


def test_read_and_write_errors(lab: Lab) -> None:
    """The card gives errors; after the next start, with the card well again, all is there."""
    before = lab.cli("config", "show").output
    run_python(lab, BREAK)
    code, words = save(lab, 557)
    assert code != 0, words
    assert re.search("read or write error|read-only", words), words
    assert "Traceback" not in words
    assert lab.cli("config", "show").output == before
    assert_goes_on(lab)
    lab.restart(power_cut=True)
    lab.wait_ready()
    assert lab.console.run("test -e /run/data-volatile").code != 0
    assert lab.cli("config", "show").output == before
    wait_up(lab)
    assert save(lab, 557)[0] == 0
