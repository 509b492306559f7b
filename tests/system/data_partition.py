"""A data partition that is full, read-only or broken, and what has to go on meanwhile."""

from __future__ import annotations

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


def fill(lab: Lab) -> None:
    """Leave not one block on it."""
    _run_python(lab, FILL)


def break_card(lab: Lab) -> None:
    """Let it give errors, until the next start."""
    _run_python(lab, BREAK)


def _run_python(lab: Lab, script: str) -> None:
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


def warnings(lab: Lab) -> set[str]:
    """The codes of what the status warns of."""
    return {warning["code"] for warning in lab.status()["warnings"]}


def assert_goes_on(lab: Lab) -> None:
    """A new call comes up, the LAN gets through by it, and the page answers."""
    calls = lab.modem.calls
    assert lab.cli("disconnect").code == 0
    lab.wait_status(lambda s: link(s)["state"] in ("idle", "off"), LONG_S, "the call is over")
    assert lab.cli("connect").code == 0
    address = wait_up(lab)["address"]
    assert lab.modem.calls > calls
    assert lab.boxes["A"].fetch("http://web.example/").strip() == address
    assert lab.page("/").status == 200
