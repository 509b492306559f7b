"""Configuration on the booted image: a bad document changes nothing, a good one survives."""

from __future__ import annotations

from tests.lab.lab import Lab

from .helpers import LONG_S, wait_up

BAD = b"""version = 1
[lan]
adress = "192.168.9.1/24"
address = "8.8.8.8/24"
[[uplink]]
kind = "modem"
name = "modem1"
port = "/dev/ttyAMA0"
number = "dial me"
speed = 1234
"""


def leases_kept(lab: Lab) -> int:
    return int(lab.console.run("cat /data/log/leases | wc -l").output.strip())


def test_bad_document_lists_everything_and_changes_nothing(lab: Lab) -> None:
    pid = wait_up(lab)["pppd_pid"]
    before = lab.console.run("sha256sum /data/config/* 2>/dev/null; masqgate config show").output
    lab.console.put("/tmp/bad.toml", BAD)
    done = lab.cli("config", "apply", "/tmp/bad.toml")
    assert done.code == 2
    for path in ("lan.adress", "uplink[0].speed"):
        assert path in done.output
    after = lab.console.run("sha256sum /data/config/* 2>/dev/null; masqgate config show").output
    assert after == before
    assert wait_up(lab)["pppd_pid"] == pid


def test_a_change_survives_a_power_cut(lab: Lab) -> None:
    """Saved, then the plug is pulled at once; the router comes up with it and dials again."""
    wait_up(lab)
    before = lab.cli("config", "show").output
    changed = before.replace("lease_minutes = 720", "lease_minutes = 333")
    assert changed != before
    lab.wait_status(lambda _: leases_kept(lab) == len(lab.boxes), LONG_S, "the leases are kept")
    lab.console.put("/tmp/new.toml", changed.encode())
    assert lab.cli("config", "apply", "/tmp/new.toml").code == 0
    lab.restart(power_cut=True)
    lab.wait_ready()
    names = {host["name"] for host in lab.status()["lan"]["hosts"]}
    assert names >= {box.name for box in lab.boxes.values()}
    assert "lease_minutes = 333" in lab.cli("config", "show").output
    address = wait_up(lab)["address"]
    assert lab.boxes["A"].fetch("http://web.example/").strip() == address
