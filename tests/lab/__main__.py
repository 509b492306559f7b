"""The lab from the command line: `make run` boots the router in it.

python -m tests.lab [run] [--image FILE] [--port N]   the lab, until Ctrl-C
python -m tests.lab box A curl http://web.example/    a command in a box of the running lab
python -m tests.lab console                           the router's console
python -m tests.lab router masqgate status            a command on the router, by its console
python -m tests.lab dial [NUMBER USER PASSWORD]        Anybox dials in at the router's second modem
python -m tests.lab hangup                            …and hangs up
python -m tests.lab cut | state | clear | reset | power
python -m tests.lab modem silent=yes                  faults of the modem: modem_core.ModemFaults
python -m tests.lab isp refuse_auth="No credit"       faults of the provider: isp.IspFaults
python -m tests.lab line rate=9600 delay_s=0.5        the line's rate (bit/s) and delay

With several labs on one machine, LAB=mg1 in the environment chooses one (`make run` tells its
name); the newest is taken otherwise.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
import time
from pathlib import Path
from types import FrameType

from .first_use import PASSWORD
from .forward import Forward
from .lab import Lab
from .pi import Image
from .processes import LabError
from .remote import Control, ask, find_lab
from .terminal import attach
from .world import ROOT

PORT = 8080
PAGE_PORT = 80
BANNER = """
Masqgate is up, in the lab {lab}.
  Admin page    http://localhost:{port}/   (password: {password})
  Console       make console          (Ctrl-] leaves it)
  In a box      make box BOX=A CMD='curl -s http://web.example/'
  Cut the call  make lab DO=cut
  Dial in       make lab DO=dial      then: make box BOX=any CMD='ping -c 3 192.168.77.1'
  Faults        make lab DO='modem silent=yes' · 'isp no_echo=yes' · 'line rate=9600' · clear
  Logs          {logs}
Ctrl-C ends it all.
"""
NOT_READY = """
Masqgate did not come up. The lab stays as it is: `make console` may tell why, and the logs are
in {logs}. Ctrl-C ends it all.
"""


def main(words: list[str]) -> int:
    """Run one subcommand; errors become one sentence and the exit code 1."""
    do, rest = (words[0], words[1:]) if words and not words[0].startswith("-") else ("run", words)
    try:
        if do == "run":
            return run(rest)
        if do in ("help", "-h", "--help"):
            print(__doc__)
            return 0
        folder = find_lab(os.environ.get("LAB", ""))
        if do == "console":
            attach(folder / "console")
        elif do == "box":
            enter_box(folder, rest)
        else:
            print(ask(folder, do, *rest))
    except (LabError, OSError, TimeoutError) as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nlab: interrupted")
        return 130
    return 0


def enter_box(folder: Path, words: list[str]) -> None:
    """Become a command (or a shell) in one of the boxes."""
    letter, command = (words[0].upper(), words[1:]) if words else ("", [])
    if letter not in ("A", "B", "C", "ANY"):
        raise LabError("which box? A, B, C or any (once it has dialed in), then the command")
    command = ["sh", "-c", command[0]] if len(command) == 1 else command or ["bash"]
    name = f"{folder.name}-{letter.lower()}"
    os.execvp("ip", ["ip", "netns", "exec", name, *command])


def run(words: list[str]) -> int:
    """Boot the router in the lab and keep it until Ctrl-C."""
    parser = argparse.ArgumentParser(prog="python -m tests.lab run")
    parser.add_argument("--image", type=Path, default=ROOT / "build" / "masqgate.img")
    parser.add_argument("--port", type=int, default=PORT, help="of the admin page on localhost")
    parser.add_argument("--logs", type=Path, default=ROOT / "build" / "lab-logs" / "run")
    parser.add_argument("--wan", action="store_true", help="with an Ethernet uplink as well")
    parser.add_argument("--no-modem2", action="store_true", help="without a modem for callers")
    options = parser.parse_args(words)
    for sign in (signal.SIGINT, signal.SIGTERM):  # a shell ignores SIGINT for its background
        signal.signal(sign, _interrupt)
    image = Image.of(options.image)
    with Lab(
        image, logs=options.logs, progress=_print, wan=options.wan, modem2=not options.no_modem2
    ) as lab:
        control = Control(lab)
        lab.runner.wait(control.start())
        box = lab.boxes["A"]
        forward = Forward(box.namespace, lambda: box.router, PAGE_PORT)
        port = lab.runner.wait(forward.start(options.port))
        lab.say("booting; this takes a minute or two")
        ready = _booted(lab)
        print(
            (BANNER if ready else NOT_READY).format(
                port=port, logs=options.logs, lab=lab.state.name, password=PASSWORD
            ),
            flush=True,
        )
        _follow(lab)
    return 0


def _booted(lab: Lab) -> bool:
    """Whether the page came up; if not, why is told, and the lab stays for a look at it."""
    try:
        lab.wait_ready()
        lab.set_up(dialin="modem2" in lab.exchange.modems)
        lab.console.leave_shell()
    except (LabError, TimeoutError) as error:
        print(f"lab: {error}", file=sys.stderr)
        return False
    return True


def _follow(lab: Lab) -> None:
    """Tell of calls that come up and end, until interrupted."""
    was = ""
    while threading.main_thread().is_alive():
        address = lab.isp.address
        if address != was:
            lab.say(f"the provider gave the address {address}" if address else "the call is over")
            was = address
        time.sleep(0.5)


def _print(text: str) -> None:
    print(text, flush=True)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
