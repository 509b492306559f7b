"""What a person does first with a new router: a password for the page, and whom to call."""

from __future__ import annotations

import shlex
import time
from pathlib import Path

from .console import Console
from .ppp_auth import Credentials
from .processes import LabError

PASSWORD = "three boxes one line"  # of the admin page
CONFIG = Path(__file__).with_name("router.toml")
DIALIN = Path(__file__).with_name("dialin.toml")  # goes with a second modem
ANYBOX = Credentials("anybox", "any port in a storm")  # who may dial in there
NO_ANSWER = 3  # exit code of `masqgate`: the supervisor is on its way up
DEADLINE_S = 240.0
PAUSE_S = 2.0


def set_up(console: Console, *, dialin: bool = False) -> None:
    """Set the password, without which nothing passes, and apply the lab's configuration.

    `dialin`: the second modem answers the telephone.
    """
    typed = shlex.quote(PASSWORD)
    insist(console, rf"printf '%s\n' {typed} {typed} | masqgate password set")
    console.put("/tmp/lab.toml", CONFIG.read_bytes() + (DIALIN.read_bytes() if dialin else b""))
    insist(console, "masqgate config apply /tmp/lab.toml")


def insist(console: Console, command: str) -> None:
    """Run a command until the supervisor is there to answer; LabError if it is refused."""
    end = time.monotonic() + DEADLINE_S
    while True:
        done = console.run(command)
        if done.code == 0:
            return
        if done.code != NO_ANSWER or time.monotonic() >= end:
            raise LabError(f"on the router, {command!r} said: {done.output}")
        time.sleep(PAUSE_S)
