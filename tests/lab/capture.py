"""Captures on every link of the lab, as pcap files."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from .netns import Namespace
from .processes import Processes, stop
from .runner import wait_until

START_S = 20.0
PCAP_HEADER = 24


@dataclass(frozen=True, slots=True)
class Tap:
    """One interface to listen on."""

    name: str
    namespace: Namespace
    interface: str


class Capture:
    """Running tcpdumps; `stop` ends them, after which the files are complete."""

    def __init__(self, processes: Processes, folder: Path, taps: list[Tap], snap: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._running: list[subprocess.Popen[bytes]] = []
        files = []
        for tap in taps:
            path = folder / f"{tap.name}.pcap"
            path.unlink(missing_ok=True)
            files.append(path)
            command = ["tcpdump", "-i", tap.interface, "-s", str(snap), "-U", "-n", "-Z", "root",
                       "--immediate-mode", "-w", str(path)]  # fmt: skip
            self._running.append(
                processes.start(f"tcpdump-{tap.name}", tap.namespace.command(command))
            )
        wait_until(lambda: all(map(_has_header, files)), START_S, "all captures are running")

    def stop(self) -> None:
        """End all captures."""
        for process in self._running:
            stop(process)
        self._running = []


def _has_header(path: Path) -> bool:
    return path.exists() and path.stat().st_size >= PCAP_HEADER
