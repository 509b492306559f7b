"""Figures of the booted image, a table for each part. Run by `make bench`.

Prints a table in Markdown. Emulation is slow and its speed is the host's: the figures compare
one state of the project with another on one machine, and say nothing of a board.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from pathlib import Path

from tests.lab.lab import Lab
from tests.lab.pi import Image
from tests.lab.world import ROOT

from . import causes, failover, others
from .stopwatch import Stopwatch

MEMORY = r"""for unit in masqgate masqgate-dialer@modem1 masqgate-web masqgate-dnsmasq masqgate-console@ttyS1
do for pid in $(cat /sys/fs/cgroup/system.slice/$unit.service/cgroup.procs \
  /sys/fs/cgroup/system.slice/*/$unit.service/cgroup.procs 2>/dev/null)
do awk -v n=$unit -v c="$(cat /proc/$pid/comm)" '/^Pss:/ {print n, c, $2}' /proc/$pid/smaps_rollup
done; done; awk '/^MemAvailable|^MemTotal/ {print "all", $1, $2}' /proc/meminfo"""  # noqa: E501 - shell
COUNT = 3
PARTS = ("board", "causes", "failover", "others")
DOWNLOAD = 200_000  # bytes


def main(words: list[str]) -> int:
    """Boot the image in the lab and measure."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--image", type=Path, default=ROOT / "build" / "masqgate.img")
    parser.add_argument("--count", type=int, default=COUNT, help="how often each thing is done")
    parser.add_argument("--wvdial", type=Path, help="for 'others': see tests/bench/others.py")
    parser.add_argument("parts", nargs="*", help=f"some of {', '.join(PARTS)}; none: all")
    wanted = parser.parse_args(words)
    if unknown := set(wanted.parts) - set(PARTS):
        parser.error(f"there is no {', '.join(sorted(unknown))}")
    parts = wanted.parts or PARTS
    image = Image.of(wanted.image)
    logs = ROOT / "build" / "lab-logs" / "bench"
    with Lab(image, logs=logs, progress=_tell, wan=True, modem2=True) as lab:
        rows = [*_sizes(image), *_boot(lab)]
        tables = [_board(lab, wanted.count, rows)] if "board" in parts else []
        watch = Stopwatch(lab)
        try:
            if "causes" in parts:
                tables.append([causes.HEAD, *causes.rows(watch, wanted.count)])
            if "failover" in parts:
                tables.append([failover.HEAD, *failover.measure(watch, wanted.count)])
            if "others" in parts:
                found = others.measure(watch, wanted.count, wanted.wvdial)
                tables.append([others.HEAD, *found])
        finally:
            watch.close()
    for table in tables:
        print("\n".join(table), end="\n\n")
    print(f"The two clocks agree within {watch.error_s:.1f} s.")
    return 0


def _board(lab: Lab, count: int, rows: list[tuple[str, str]]) -> list[str]:
    rows += [*_dial(lab, count), *_goodput(lab), *_memory(lab)]
    return ["| Figure | Value |\n|---|---|", *(f"| {name} | {value} |" for name, value in rows)]


def _sizes(image: Image) -> list[tuple[str, str]]:
    rows = [("image, on disk (MB)", f"{image.disk.stat().st_blocks * 512 / 1e6:.0f}")]
    squashfs = image.disk.parent / "work" / "slot" / "root.squashfs"
    if squashfs.exists():
        rows.append(("root squashfs (MB)", f"{squashfs.stat().st_size / 1e6:.1f}"))
    return rows


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _boot(lab: Lab) -> list[tuple[str, str]]:
    """Seconds from power-on to the console, and to the page's answer to A-box."""
    began = time.monotonic()
    lab.console.booted(900)
    console = time.monotonic() - began
    lab.wait_ready(900)
    page = time.monotonic() - began
    lab.set_up()
    lab.isp.wait_up(900)
    lab.wait_status(lambda s: s["active"] == "modem1", 900)
    return [("power to console (s)", f"{console:.0f}"), ("power to page (s)", f"{page:.0f}")]


def _dial(lab: Lab, count: int) -> list[tuple[str, str]]:
    """Seconds from the modem's dial to IP at the provider."""
    times = []
    for _ in range(count):
        calls = lab.modem.calls
        dials = len(lab.exchange.network.dialed)
        lab.isp.hang_up()
        while len(lab.exchange.network.dialed) == dials:
            time.sleep(0.05)
        began = time.monotonic()
        while lab.modem.calls == calls or not lab.isp.up:
            time.sleep(0.05)
        times.append(time.monotonic() - began)
        lab.wait_status(lambda s: s["active"] == "modem1", 240)
    shown = f"{statistics.median(times):.1f} (least {min(times):.1f}, most {max(times):.1f})"
    return [(f"dial to IP, median of {count} (s)", shown)]


def _goodput(lab: Lab) -> list[tuple[str, str]]:
    """Bytes a second of one download over a line of 115,200 bit/s."""
    url = f"http://web.example/large?bytes={DOWNLOAD}"
    command = ["curl", "-sS", "-o", "/dev/null", "-w", "%{speed_download}", url]
    speed = float(lab.boxes["A"].run(command, timeout_s=240).stdout)
    return [("download at 115,200 bit/s (kB/s)", f"{speed / 1000:.1f}")]


def _memory(lab: Lab) -> list[tuple[str, str]]:
    """Proportional set size of each of our processes, in MB."""
    rows = []
    for line in lab.console.run(MEMORY).output.splitlines():
        fields = line.split()
        if len(fields) == 3:
            rows.append((f"memory: {fields[0]}, {fields[1].rstrip(':')} (MB)",
                         f"{int(fields[2]) / 1024:.1f}"))  # fmt: skip
    return rows


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
