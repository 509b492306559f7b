"""The same line and the same faults for pppd with chat, and for wvdial, run by hand on the board.

The router's own programs are stopped meanwhile. wvdial is not of the image: `--wvdial` names an
archive of its package and of the libraries that it needs, with the folders `bin` and `lib`.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.lab.at import Result
from tests.lab.lab import Lab

from .stopwatch import PATIENCE_S, Stopwatch, load, span

FOLDER = "/run/bench"
SECRET = "masqgate * lab-secret *\n"
OPTIONS = """\
noauth
noipdefault
nodefaultroute
lcp-echo-interval 10
lcp-echo-failure 4
"""
CHAT = r"""TIMEOUT 5
ABORT BUSY
ABORT "NO CARRIER"
ABORT "NO DIALTONE"
ABORT "NO ANSWER"
"" ATZ
OK-+++\c-OK ATH0
OK ATDT5551000
TIMEOUT 60
CONNECT ""
"""
PPPD = f"""\
/dev/ttyAMA0
115200
local
nocrtscts
lock
nodetach
user masqgate
persist
maxfail 0
holdoff 5
connect "/usr/sbin/chat -v -f {FOLDER}/chat"
{OPTIONS}"""
WVDIAL = """\
[Dialer Defaults]
Modem = /dev/ttyAMA0
Baud = 115200
FlowControl = NOFLOW
Init1 = ATZ
Init2 = ATQ0 V1 E1 S0=0
Phone = 5551000
Username = masqgate
Password = lab-secret
Stupid Mode = on
Carrier Check = no
Auto Reconnect = on
Auto DNS = off
Check Def Route = off
Abort on Busy = off
Abort on No Dialtone = off
Dial Attempts = 0
Idle Seconds = 0
"""
RUN_PPPD = f"pppd file {FOLDER}/options"
RUN_WVDIAL = f"env LD_LIBRARY_PATH={FOLDER}/lib {FOLDER}/bin/wvdial -C {FOLDER}/wvdial.conf"
FETCH = (
    f'mkdir -p {FOLDER} && python3 -c "import urllib.request as u;'
    f"u.urlretrieve('http://{{}}:8099/{{}}','{FOLDER}/archive')\" "
    f"&& tar -C {FOLDER} -xzf {FOLDER}/archive && rm {FOLDER}/archive"
)
HEAD = """\
| Who | Dial to IP (s) | Silent line: cut to IP again (s) | BUSY to IP (s) | A modem that obeys \
only ATZ: first command to IP (s) | N | Host's load |
|---|---|---|---|---|---|---|"""


@dataclass
class Times:
    """Seconds of one program; one that never came up again is not in them."""

    dial: list[float] = field(default_factory=list)
    silent: list[float] = field(default_factory=list)
    busy: list[float] = field(default_factory=list)
    reset: list[float] = field(default_factory=list)
    loads: list[float] = field(default_factory=list)

    def row(self, name: str) -> str:
        """A row of the table."""
        told = [span(found) for found in (self.dial, self.silent, self.busy, self.reset)]
        loads = f"{min(self.loads):.0f} to {max(self.loads):.0f}" if self.loads else "–"
        return f"| {name} | {' | '.join(told)} | {len(self.dial)} | {loads} |"


class Program:
    """A program that dials, and dials again; started and ended by hand."""

    def __init__(self, watch: Stopwatch, command: str) -> None:
        self._watch = watch
        self._console = watch.lab.console
        self._command = command

    @contextmanager
    def running(self) -> Iterator[None]:
        """Start it in the background; end it, and the modem hangs up."""
        words = f"setsid sh -c '{self._command} > {FOLDER}/log 2>&1 & echo $! > {FOLDER}/pid'"
        self._console.run(words, PATIENCE_S)
        try:
            yield
        finally:
            stop = f"kill -- -$(cat {FOLDER}/pid) 2> /dev/null; kill $(cat {FOLDER}/pid)"
            self._console.run(f"{stop}; sleep 3; killall -q -9 wvdial pppd chat", PATIENCE_S)
            with suppress(RuntimeError):
                self._watch.lab.isp.hang_up()
            self._watch.seen(lambda: not self._watch.lab.modem.online, "the modem is on the hook")

    def measure(self, count: int) -> Times:
        """Dial, and meet each fault."""
        times, lab, watch = Times(), self._watch.lab, self._watch
        for _ in range(count):
            lab.clear()
            before = watch.dials()
            with self.running():
                dialed = watch.dialed(before)
                times.dial.append(watch.up(dialed) - dialed)
                times.silent.append(self._silent())
            times.busy.append(self._busy())
            times.reset.append(self._reset())
            times.loads.append(load())
            lab.say(times.row(self._command.split()[0]))
        return times

    def _silent(self) -> float:
        lab, watch = self._watch.lab, self._watch
        time.sleep(3)
        before, began = watch.dials(), time.time()
        lab.isp.hang()
        dialed = watch.dialed(before)
        lab.clear()
        return watch.up(dialed) - began

    def _busy(self) -> float:
        lab, watch = self._watch.lab, self._watch
        lab.modem.fault(dial_result=Result.BUSY)
        before = watch.dials()
        with self.running():
            began = watch.dialed(before)
            lab.clear()
            return watch.up(began) - began

    def _reset(self) -> float:
        lab, watch = self._watch.lab, self._watch
        lab.modem.fault(until_reset=True)
        before = len(lab.modem.commands)
        with self.running():
            began = watch.seen(lambda: len(lab.modem.commands) > before, "a command")
            return watch.up(began) - began


def measure(watch: Stopwatch, count: int, wvdial: Path | None) -> list[str]:
    """Stop the router's own programs, and measure the others; rows of a table."""
    lab = watch.lab
    if wvdial is not None:
        _bring(lab, wvdial)
    _must(lab, f"mkdir -p {FOLDER} /etc/ppp/peers; touch /etc/ppp/pap-secrets")
    for path, text in (
        (f"{FOLDER}/options", PPPD),
        (f"{FOLDER}/chat", CHAT),
        (f"{FOLDER}/wvdial.conf", WVDIAL),
        ("/etc/ppp/peers/wvdial", f"{OPTIONS}name wvdial\n"),
        ("/etc/ppp/chap-secrets", SECRET),
    ):
        lab.console.put(path, text.encode())
    lab.console.run("systemctl stop masqgate masqgate-dialer@modem1", PATIENCE_S)
    with suppress(RuntimeError):
        lab.isp.hang_up()
    rows = [Program(watch, RUN_PPPD).measure(count).row("pppd with chat")]
    if wvdial is not None:
        rows.append(Program(watch, RUN_WVDIAL).measure(count).row("wvdial"))
    lab.console.run("systemctl start masqgate", PATIENCE_S)
    return rows


def _bring(lab: Lab, archive: Path) -> None:
    """Have the router fetch the archive from A-box."""
    box = lab.boxes["A"]
    command = ["python3", "-m", "http.server", "8099", "-d", str(archive.resolve().parent)]
    server = box.popen(command)
    try:
        time.sleep(2)
        _must(lab, FETCH.format(box.address, archive.name))
    finally:
        server.kill()
        server.wait()


def _must(lab: Lab, command: str) -> None:
    done = lab.console.run(command, PATIENCE_S)
    if done.code != 0:
        raise RuntimeError(f"{command!r} said: {done.output}")
