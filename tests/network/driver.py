"""The router's network code in a process of its own: started inside a namespace, told by lines.

Each line on standard input is a JSON object with a method and its arguments; each line on
standard output is the result. The tests hold the other end (`router.py`).
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import msgspec
from masqgate.contract.codec import to_plain
from masqgate.contract.document import parse
from masqgate.contract.paths import Paths
from masqgate.desired.facts import Facts
from masqgate.system.applier import Applier
from masqgate.system.netlink import Monitor, watch


class Processes:
    """Stands in for systemd: runs dnsmasq as its unit would, and remembers what was asked."""

    def __init__(self, paths: Paths) -> None:
        self.calls: list[str] = []
        self._paths = paths
        self._program = shutil.which("dnsmasq", path="/usr/sbin:/usr/bin") or "dnsmasq"
        self._dnsmasq: subprocess.Popen[bytes] | None = None

    def start(self, unit: str) -> bool:
        self.calls.append(f"start {unit}")
        return self._dnsmasq is not None or self._run()

    def stop(self, unit: str) -> bool:
        self.calls.append(f"stop {unit}")
        if self._dnsmasq is not None:
            self._dnsmasq.terminate()
            self._dnsmasq.wait(10)
            self._dnsmasq = None
        return True

    def restart(self, unit: str) -> bool:
        self.calls.append(f"restart {unit}")
        self.stop(unit)
        self.calls.pop()
        return self._run()

    def reload(self, unit: str) -> bool:
        self.calls.append(f"reload {unit}")
        if self._dnsmasq is None:
            return self._run()
        self._dnsmasq.send_signal(signal.SIGHUP)
        return True

    def active(self, unit: str) -> bool:
        return self._dnsmasq is not None and self._dnsmasq.poll() is None

    def _run(self) -> bool:
        log = (self._paths.run / "dnsmasq.log").open("ab")
        command = [self._program, "--keep-in-foreground", "-C", str(self._paths.dnsmasq_config)]
        command += [f"--pid-file={self._paths.run}/dnsmasq.pid", "--log-facility=-", "--log-dhcp"]
        self._dnsmasq = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        return self._dnsmasq.poll() is None


class Driver:
    """The methods that tests call."""

    def __init__(self, folder: Path) -> None:
        self.paths = Paths(folder / "run", folder / "data", folder / "share")
        self.services = Processes(self.paths)
        self.applier = Applier(self.paths, self.services)
        self.changed = threading.Event()
        self.monitor: Monitor | None = None

    def apply(self, config: str, facts: dict[str, Any], ports: bool = True) -> Any:
        known = {"password_set": True, **facts}
        if ports:
            known["ports"] = self.applier.ports()
        found = self.applier.apply(parse(config), msgspec.convert(known, Facts))
        return [problem.code for problem in found]

    def close(self) -> Any:
        return [problem.code for problem in self.applier.close()]

    def ports(self) -> Any:
        return self.applier.ports()

    def hosts(self) -> Any:
        return self.applier.hosts()

    def flows(self, limit: int) -> Any:
        return self.applier.flows(limit)

    def flow_count(self) -> Any:
        return self.applier.flow_count()

    def counters(self, interface: str) -> Any:
        return self.applier.counters(interface)

    def services_called(self) -> Any:
        calls, self.services.calls = self.services.calls, []
        return calls

    def watch(self) -> None:
        self.monitor = watch(self.changed.set)

    def wait_change(self, timeout_s: float) -> bool:
        happened = self.changed.wait(timeout_s)
        self.changed.clear()
        return happened

    def path(self, value: str) -> None:
        """Where tools are looked for from now on: an empty folder means there are none."""
        os.environ["PATH"] = value


def main() -> None:
    logging.basicConfig(level=logging.INFO, stream=sys.stderr)
    driver = Driver(Path(sys.argv[1]))
    for line in sys.stdin:
        request = json.loads(line)
        try:
            result = getattr(driver, request["method"])(*request["arguments"])
            reply = {"result": to_plain(result)}
        except Exception as error:
            logging.exception("failed")
            reply = {"error": f"{type(error).__name__}: {error}"}
        sys.stdout.write(json.dumps(reply) + "\n")
        sys.stdout.flush()
    driver.services.stop("at the end")


if __name__ == "__main__":
    main()
