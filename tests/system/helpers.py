"""What system tests share: words for the router's states, and readers of captures."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

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
