"""Reloads of the ruleset under load: `python -m tests.network.bench_reload [COUNT]` (root).

While two rulesets take turns (the way out open, and closed), host A begins a new flow with every
packet and sends segments of no flow, and the Internet sends packets to the router and to host A.
Counted: packets that left with another source than the uplink's, and packets of the Internet
that reached host A. Both must be none.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from scapy.layers.inet import IP, TCP, UDP

from tests.lab.netns import Namespace

from .router import LAN, MODEM_MAC, SERVER, UPLINK, World, eventually, facts, world
from .wire import Wire, with_port

PAUSE_S = 0.0005  # between rounds of packets: some are to be sent by the time of a reload
STRANGER = "8.8.4.4"


def main(count: int) -> int:
    """Run, and print what was counted; 0 if nothing leaked."""
    with (
        tempfile.TemporaryDirectory(prefix="mgnet-", dir="/dev/shm") as folder,
        world(Path(folder)) as made,
    ):
        assert made.router.apply() == []
        eventually(made.router.forwarding, "the bridge passes frames")
        leaks = Capture(made.internet, "isp0", f"ip and not src host {UPLINK}")
        intruders = Capture(made.hosts[0], "eth0", f"src host {STRANGER}")
        everything = Capture(made.internet, "isp0", f"src host {UPLINK}", quiet=True)
        started = time.monotonic()
        sent = under_load(made, lambda: reload(made, count))
        seconds = time.monotonic() - started
        found = [capture.end() for capture in (leaks, intruders, everything)]
    print(f"{count} reloads in {seconds:.0f} s; {sent} packets sent by host A and the Internet")
    print(f"passed with the uplink's source: {found[2]}")
    print(f"left with another source: {found[0]}; reached host A: {found[1]}")
    return 0 if found[0] == found[1] == 0 and found[2] else 1


def reload(made: World, count: int) -> None:
    """Let two rulesets take turns."""
    for number in range(count):
        assert made.router.apply(facts() if number % 2 else facts(password_set=False)) == []


def under_load(made: World, work: Callable[[], None]) -> int:
    """Do the work while packets flow; how many were sent."""
    mac = made.router.tool("cat", "/sys/class/net/br0/address").strip()
    inside, outside = Wire(made.hosts[0], "eth0"), Wire(made.internet, "isp0")
    lan, ours = IP(src=f"{LAN}.11", dst=SERVER), IP(src=STRANGER, dst=UPLINK)
    past = IP(src=STRANGER, dst=f"{LAN}.11")
    segment, datagram = TCP(sport=9, flags="A", chksum=0), UDP(sport=9, chksum=0)
    frames = [
        (inside, inside.frame(lan / datagram, mac)),
        (inside, inside.frame(lan / segment, mac)),
        (outside, outside.frame(ours / datagram, MODEM_MAC)),
        (outside, outside.frame(past / datagram, MODEM_MAC)),
    ]
    done, sent = threading.Event(), [0]

    def send() -> None:
        while not done.is_set():
            port = sent[0] % 60000 + 1000
            for wire, frame in frames:
                wire.socket.send(with_port(frame, port))
            sent[0] += len(frames)
            time.sleep(PAUSE_S)

    thread = threading.Thread(target=send)
    thread.start()
    try:
        work()
    finally:
        done.set()
        thread.join()
        inside.close()
        outside.close()
    return sent[0]


class Capture:
    """Counts what comes in on an interface and fits a filter."""

    def __init__(self, space: Namespace, interface: str, match: str, quiet: bool = False) -> None:
        self._count, self._quiet = 0, quiet
        command = ["tcpdump", "-n", "-q", "-t", "-l", "-s", "64", "-Q", "in", "-i", interface]
        self._process = subprocess.Popen(
            space.command([*command, match]),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self._process.stderr
        while "listening on" not in (line := self._process.stderr.readline()):
            assert line, "tcpdump does not start"
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def end(self) -> int:
        """Stop; how many packets came."""
        time.sleep(1)
        self._process.terminate()
        self._thread.join()
        self._process.wait()
        return self._count

    def _read(self) -> None:
        assert self._process.stdout
        for line in filter(str.strip, self._process.stdout):
            self._count += 1
            if not self._quiet:
                print(line.strip())


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000))
