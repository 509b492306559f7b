"""How long a call that ends, or does not come about, goes unnoticed, and until the next dial.

Each cause is made in the lab around the booted image; the router finds out and mends by itself.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.lab.at import Result
from tests.lab.lab import Lab

from .stopwatch import PATIENCE_S, Stopwatch, apply, load, span

ADAPTER = "/dev/serial/by-path/platform-3f980000.usb-usb-0:1.2:1.0-port0"
TTY = "/sys/class/tty/ttyUSB0/device/../.."  # the adapter's USB device
NOT_NEWS = ("dialing", "up", "config")
Break = Callable[["Bench"], float]  # makes the fault; when it began


@dataclass
class Bench:
    """The lab with its stopwatch."""

    lab: Lab
    watch: Stopwatch
    adapter: str = ""  # the USB device of the serial port that was pulled

    def anew(self) -> None:
        """The call up, and no failure counted: as after a long good call."""
        self.lab.clear()
        self.watch.hand.do("anew")
        self.watch.seen(lambda: self.lab.isp.up, "IP at the provider")

    def hang_up(self) -> None:
        """No call, by hand."""
        self.watch.hand.do("disconnect")
        self.watch.hand.do("until idle")


@dataclass(frozen=True)
class Cause:
    """One fault: how it is made, and how it is mended."""

    name: str
    begin: Break
    heal: Callable[[Lab], None] = lambda lab: None  # at the next dial, if nothing was mended
    mend: Callable[[Bench], None] | None = None  # once it is noticed: without, nothing dials
    port: str = ""  # another port than the UART
    told: bool = True  # whether the history tells: what is mended at once is no news


@dataclass
class Times:
    """Seconds: to the notice; then (or since beginning or mending) to the dial; fault to IP."""

    noticed: list[float] = field(default_factory=list)
    dialed: list[float] = field(default_factory=list)
    up: list[float] = field(default_factory=list)
    loads: list[float] = field(default_factory=list)

    def row(self, name: str) -> str:
        """A row of a Markdown table."""
        loads = f"{min(self.loads):.0f} to {max(self.loads):.0f}" if self.loads else "–"
        parts = (name, span(self.noticed), span(self.dialed), span(self.up), str(len(self.up)))
        return f"| {' | '.join(parts)} | {loads} |"


HEAD = """\
| Cause | Noticed after (s) | Then dialed after (s) | IP again, in all (s) | N | Host's load |
|---|---|---|---|---|---|"""


def _now(act: Callable[[Lab], object]) -> Break:
    def begin(bench: Bench) -> float:
        began = time.time()
        act(bench.lab)
        return began

    return begin


def _refused(result: Result) -> Break:
    """The next dial is refused, and no other one; it begins with that dial."""

    def begin(bench: Bench) -> float:
        bench.hang_up()
        bench.lab.modem.fault(dial_result=result)
        before = bench.watch.dials()
        bench.watch.hand.do("connect")
        began = bench.watch.dialed(before)
        bench.lab.modem.clear()
        return began

    return begin


def _silent(bench: Bench) -> float:
    """The modem takes everything and answers nothing; it begins with the first command."""
    return _first_command(bench, silent=True)


def _only_reset(bench: Bench) -> float:
    """The modem answers ERROR until it is told ATZ; it begins with the first command."""
    return _first_command(bench, until_reset=True)


def _first_command(bench: Bench, **fault: bool) -> float:
    bench.hang_up()
    bench.lab.modem.fault(**fault)
    before = len(bench.lab.modem.commands)
    bench.watch.hand.do("connect")
    return bench.watch.seen(lambda: len(bench.lab.modem.commands) > before, "a command")


def _password(bench: Bench) -> float:
    """The provider takes another password; it begins with the dial that is refused."""
    bench.hang_up()
    bench.lab.isp.set_password("another")
    before = bench.watch.dials()
    bench.watch.hand.do("connect")
    return bench.watch.dialed(before)


def _killed(bench: Bench) -> float:
    return bench.watch.on_router(f"kill {int(bench.watch.hand.do('pid'))}")


def _pulled(bench: Bench) -> float:
    device = bench.lab.console.run(f"readlink -f {TTY}", PATIENCE_S).output.split()[-1]
    bench.adapter = device
    return bench.watch.on_router(f"write 0 {device}/authorized")


def _plugged(bench: Bench) -> None:
    bench.lab.console.run(f"echo 1 > {bench.adapter}/authorized", PATIENCE_S)


CAUSES = (
    Cause("the line breaks (no carrier-detect wire)", _now(lambda lab: lab.modem.drop_carrier())),
    Cause("the provider ends the call (LCP terminate)", _now(lambda lab: lab.isp.terminate())),
    Cause("the line falls silent, the carrier stays", _now(lambda lab: lab.isp.hang()), Lab.clear),
    Cause("BUSY", _refused(Result.BUSY)),
    Cause("NO CARRIER", _refused(Result.NO_CARRIER)),
    Cause("NO DIALTONE", _refused(Result.NO_DIALTONE)),
    Cause("the modem answers nothing *", _silent, mend=lambda bench: bench.lab.clear()),
    Cause("the modem obeys nothing but ATZ", _only_reset, told=False),
    Cause("the adapter is pulled, and plugged in *", _pulled, mend=_plugged, port=ADAPTER),
    Cause("pppd is killed", _killed),
    Cause("the password is refused", _password, Lab.clear),
)


def measure(bench: Bench, cause: Cause, count: int) -> Times:
    """Make one fault several times."""
    lab, watch, times = bench.lab, bench.watch, Times()
    for _ in range(count):
        bench.anew()
        began = cause.begin(bench)
        before = watch.dials()
        mended = 0.0
        if cause.mend is not None:
            watch.told(began, _is_news)
            cause.mend(bench)
            mended = time.time()
        dialed = watch.dialed(before)
        cause.heal(lab)
        up = watch.up(dialed)
        noticed = watch.told(began, _is_news) if cause.told else began
        if cause.told:
            times.noticed.append(noticed - began)
        times.dialed.append(dialed - (mended or noticed))
        times.up.append(up - began)
        times.loads.append(load())
        lab.say(f"{cause.name}: {times.row(cause.name)}")
    return times


def rows(watch: Stopwatch, count: int) -> list[str]:
    """All causes; rows of a table. Those of another port come last."""
    lab, found = watch.lab, []
    bench = Bench(lab, watch)
    before = lab.cli("config", "show", timeout_s=PATIENCE_S).output
    port = ""
    for cause in sorted(CAUSES, key=lambda one: one.port):
        if cause.port != port:
            port = cause.port
            apply(lab, before.replace("/dev/ttyAMA0", port))
        found.append(measure(bench, cause, count).row(cause.name))
    apply(lab, before)
    return found


def _is_news(event: dict[str, object]) -> bool:
    return event["source"] == "modem1" and event["code"] not in NOT_NEWS
