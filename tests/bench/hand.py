"""A hand on the router: connect, disconnect and the link's state without a program for each.

To start a Python program takes seconds on the emulated board, and the router's processor is what
is measured. So one program waits for words, and uses the same calls as the command line.
"""

from __future__ import annotations

from tests.lab.lab import Lab
from tests.lab.processes import LabError

PATIENCE_S = 900.0
PLACE = "/run/bench-hand"
PROGRAM = f"""
import os, signal, time
from pathlib import Path
from masqgate.contract.client import Client
client = Client(Path("/run/masqgate/supervisor.sock"), 60)
def link():
    return next(one for one in client.status().uplinks if one.name == "modem1")
def until(state):
    end = time.monotonic() + 600
    while link().state != state or (state == "up" and client.status().active != "modem1"):
        if time.monotonic() > end:
            raise TimeoutError(state)
        time.sleep(0.5)
def answer(verb, *words):
    if verb == "until":
        until(words[0])
    elif verb == "anew":
        client.disconnect("modem1")
        until("idle")
        client.connect("modem1")
        until("up")
    elif verb == "pid":
        return link().pppd_pid
    elif verb == "kill":
        began = time.time()
        os.kill(int(words[0]), signal.SIGKILL)
        return began
    elif verb == "write":
        began = time.time()
        Path(words[1]).write_text(words[0])
        return began
    elif verb in ("connect", "disconnect"):
        getattr(client, verb)("modem1")
    return time.time()
while True:
    words = Path("{PLACE}/in").read_text().split()
    try:
        told = f"ok {{answer(*words)}}"
    except Exception as error:
        told = f"failed: {{error}}"
    Path("{PLACE}/out").write_text(told + "\\n")
"""


class Hand:
    """Starts the program once; `do` gives it a word."""

    def __init__(self, lab: Lab) -> None:
        self._console = lab.console
        self._console.run(f"mkdir -p {PLACE}; mkfifo {PLACE}/in {PLACE}/out", PATIENCE_S)
        self._console.put(f"{PLACE}/hand.py", PROGRAM.encode())
        self._console.run(f"(python3 {PLACE}/hand.py > {PLACE}/log 2>&1 &)", PATIENCE_S)

    def do(self, words: str) -> str:
        """Do something on the router; the answer is its time of day, just before if it matters.

        `connect`, `disconnect`, `until STATE`, `anew` (both, and wait), `now`, `kill PID`, `write
        TEXT PATH`; `pid` answers that of pppd.
        """
        command = f"echo {words} > {PLACE}/in; cat {PLACE}/out"
        answer = self._console.run(command, PATIENCE_S).output.split()
        if not answer or answer[0] != "ok":
            raise LabError(f"{words}: {' '.join(answer)}")
        return answer[1]
