"""What system tests share: words for the router's states, and readers of captures."""

from __future__ import annotations

import json
import re
import subprocess
from ipaddress import IPv6Address, IPv6Network
from pathlib import Path
from typing import Any

from tests.lab import places
from tests.lab.lab import Lab

LONG_S = 240.0
APPLY_S = 900.0
PRIVATE = "(src net 10.0.0.0/8 or src net 172.16.0.0/12 or src net 192.168.0.0/16)"


def link(status: dict[str, Any], name: str = "modem1") -> dict[str, Any]:
    """The status of one uplink."""
    found: dict[str, Any] = next(item for item in status["uplinks"] if item["name"] == name)
    return found


def wait_up(lab: Lab, timeout_s: float = LONG_S) -> dict[str, Any]:
    """Wait until the modem uplink carries IP and the router routes by it."""

    def up(status: dict[str, Any]) -> bool:
        one = link(status)
        return one["state"] == "up" and status["active"] == "modem1" and bool(one["address"])

    return link(lab.wait_status(up, timeout_s, "the call is up"))


def wait_code(lab: Lab, *codes: str, timeout_s: float = LONG_S) -> dict[str, Any]:
    """Wait until the uplink's reason has one of these codes."""
    wanted = f"the uplink says {' or '.join(codes)}"
    return link(lab.wait_status(lambda s: link(s)["reason"]["code"] in codes, timeout_s, wanted))


def changed(lab: Lab, document: str, **values: str) -> None:
    """Put a configuration in force, with other values (TOML) for some settings."""
    for name, value in values.items():
        document, count = re.subn(rf"(?m)^{name} = .*$", f"{name} = {value}", document)
        assert count == 1, f"{name}: {count} times in {document}"
    lab.console.put("/tmp/changed.toml", document.encode())
    done = lab.cli("config", "apply", "/tmp/changed.toml", timeout_s=APPLY_S)
    assert done.code == 0, done.output


def packets(capture: Path, expression: str, *options: str) -> list[str]:
    """The packets of a capture that match a filter, a line each; `-tt`: seconds since 1970."""
    done = subprocess.run(
        ["tcpdump", "-nn", *options, "-r", str(capture), expression],
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def addresses6(lab: Lab, *, deprecated: bool = False) -> list[IPv6Address]:
    """The global addresses of A-box that are ready for use."""
    shown = lab.boxes["A"].run(["ip", "-6", "-j", "addr", "show", "dev", "eth0"]).stdout
    found = [one for entry in json.loads(shown or "[]") for one in entry.get("addr_info", [])]
    return [
        IPv6Address(one["local"])
        for one in found
        if one["scope"] == "global"
        and not one.get("tentative")
        and (one["preferred_life_time"] == 0) is deprecated
    ]


def reaches6(lab: Lab) -> str:
    """The address that a web server sees of A-box; empty if it does not reach it."""
    page = ["curl", "-s", "-m", "20", f"http://[{places.WEB6}]/"]
    return lab.boxes["A"].run(page).stdout.strip()


def closed6(lab: Lab, mine: IPv6Address) -> None:
    """Nothing that begins outside gets to A-box, or to the router's address beside it."""
    net = lab.world.internet
    router = IPv6Network((int(mine) >> 64 << 64, 64))[1]
    for target in (mine, router):
        assert net.run(["ping", "-c", "2", "-W", "3", str(target)]).returncode != 0, target
        page = ["curl", "-s", "-m", "5", "-o", "/dev/null", f"http://[{target}]/"]
        assert net.run(page).returncode != 0, target
    assert reaches6(lab) == str(mine), "what begins inside passes all the while"
