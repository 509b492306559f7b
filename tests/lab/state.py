"""What a lab has made on the host, written down so that it can be removed even after a crash.

Each lab has a folder under `/run/masqgate-lab/`. It names the lab's owner, processes,
namespaces and paths. A janitor process waits for the owner's end and removes what is left;
should both be killed, the next lab does it. Only the standard library: the file runs by itself.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path("/run/masqgate-lab")
KILL_AFTER_S = 3.0


def start_time(pid: int) -> str:
    """Return the process's start time in clock ticks since boot; empty if it is gone."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return ""
    fields = stat.rpartition(")")[2].split()
    return "" if fields[0] in "ZX" else fields[19]


class State:
    """One lab's folder. Creating it registers this process as the owner."""

    def __init__(self, root: Path = ROOT) -> None:
        sweep(root)
        root.mkdir(parents=True, exist_ok=True)
        self.folder = _new_folder(root)
        self.name = self.folder.name
        _note(self.folder / "owner", f"{os.getpid()} {start_time(os.getpid())}")
        self._janitor = self._start_janitor()

    def process(self, pid: int) -> None:
        """A process to be killed at the end."""
        _note(self.folder / "processes", f"{pid} {start_time(pid)}")

    def namespace(self, name: str) -> None:
        """A network namespace to be removed at the end, with all processes in it."""
        _note(self.folder / "namespaces", name)

    def path(self, path: Path) -> None:
        """A file or folder to be removed at the end."""
        _note(self.folder / "paths", str(path))

    def close(self) -> None:
        """Remove everything."""
        clean(self.folder)
        if self._janitor.stdin is not None:
            self._janitor.stdin.close()
        self._janitor.wait()

    def _start_janitor(self) -> subprocess.Popen[bytes]:
        """Its standard input ends when this process does, however it does.

        A session of its own, so that Ctrl-C at the terminal does not end it first.
        """
        command = [sys.executable, str(Path(__file__).resolve()), str(self.folder)]
        return subprocess.Popen(
            command, stdin=subprocess.PIPE, start_new_session=True, cwd="/", bufsize=0
        )


def sweep(root: Path = ROOT) -> list[str]:
    """Clean up after the labs whose owners are gone; return their names."""
    if not root.is_dir():
        return []
    dead = [folder for folder in sorted(root.iterdir()) if folder.is_dir() and not alive(folder)]
    for folder in dead:
        clean(folder)
    return [folder.name for folder in dead]


def alive(folder: Path) -> bool:
    """Tell whether the lab's owner still runs; a folder in the making counts as alive."""
    for pid, started in _pairs(folder / "owner"):
        return start_time(pid) == started
    with contextlib.suppress(OSError):
        return time.time() - folder.stat().st_mtime < 10
    return False


def clean(folder: Path) -> None:
    """Kill the lab's processes, remove its namespaces and paths, and then the folder."""
    _end([pid for pid, started in _pairs(folder / "processes") if start_time(pid) == started])
    for name in _lines(folder / "namespaces"):
        _remove_namespace(name)
    for path in [*map(Path, _lines(folder / "paths")), folder]:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def _new_folder(root: Path) -> Path:
    for number in range(1000):
        folder = root / f"mg{number}"
        with contextlib.suppress(FileExistsError):
            folder.mkdir(mode=0o700)
            return folder
    raise RuntimeError(f"{root} is full of running labs: end some of them")


def _remove_namespace(name: str) -> None:
    listing = subprocess.run(["ip", "netns", "pids", name], capture_output=True, text=True)
    _end([int(pid) for pid in listing.stdout.split()])
    subprocess.run(["ip", "netns", "delete", name], capture_output=True)


def _end(pids: list[int]) -> None:
    """TERM, then KILL after a while; the last process started ends first."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        for pid in reversed(pids):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, sign)
        deadline = time.monotonic() + KILL_AFTER_S
        while any(map(start_time, pids)) and time.monotonic() < deadline:
            time.sleep(0.02)


def _note(path: Path, line: str) -> None:
    with path.open("a") as file:
        file.write(line + "\n")


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except OSError:
        return []


def _pairs(path: Path) -> list[tuple[int, str]]:
    parts = [line.split() for line in _lines(path)]
    return [(int(part[0]), part[1]) for part in parts if len(part) == 2]


def _janitor(folder: Path) -> None:
    """Wait for the end of standard input, then clean."""
    with contextlib.suppress(KeyboardInterrupt):
        sys.stdin.read()
    if folder.exists():
        clean(folder)


if __name__ == "__main__":
    _janitor(Path(sys.argv[1]))
