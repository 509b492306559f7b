"""The router's network code in a process of its own: started inside a namespace, told by lines.

Each line on standard input is a JSON object with a method and its arguments; each line on
standard output is the result. The tests hold the other end (`router.py`).
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import msgspec
from masqgate.contract.codec import to_plain
from masqgate.contract.document import parse
from masqgate.contract.paths import Paths
from masqgate.contract.status import LinkStatus
from masqgate.core.demand import Waiting
from masqgate.core.packets import Packet
from masqgate.core.prefixes import Known, follow
from masqgate.desired.demand import GROUP
from masqgate.desired.facts import Facts
from masqgate.desired.six import lan_prefix, way
from masqgate.system.applier import Applier
from masqgate.system.copies import Copies, send
from masqgate.system.delegations import Delegations
from masqgate.system.ethernet import EthernetWatcher
from masqgate.system.netlink import Monitor, watch

ROOT = Path(__file__).parents[2]
UNITS = ROOT / "rootfs-overlay/usr/lib/systemd/system"
TOOLS = "/usr/sbin:/usr/bin:/sbin:/bin"
SCRIPTS = "/usr/lib/masqgate/"
HANDLER_S = 60.0
DUID = "00:04:6d:61:73:71:67:61:74:65:00:00:00:00:00:00:00:01"


def catches_hup(pid: int) -> bool:
    """Whether a process has a handler for SIGHUP (proc(5), SigCgt: bit 0 is signal 1)."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("SigCgt:"):
                return bool(int(line.split()[1], 16) & 1)
    return False


class Processes:
    """Stands in for systemd: runs what the units run, and remembers what was asked."""

    def __init__(self, paths: Paths) -> None:
        self.calls: list[str] = []
        self._paths = paths
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        # Programs of the router run as nobody, who may not enter every folder that holds a clone.
        self._scripts = Path(tempfile.mkdtemp(prefix="mgnet-scripts-"))
        shutil.copytree(f"{ROOT}/rootfs-overlay{SCRIPTS}", self._scripts, dirs_exist_ok=True)
        self._scripts.chmod(0o755)

    def start(self, unit: str) -> bool:
        self.calls.append(f"start {unit}")
        return self.active(unit) or self._run(unit)

    def stop(self, unit: str) -> bool:
        self.calls.append(f"stop {unit}")
        self._end(unit)
        return True

    def restart(self, unit: str) -> bool:
        self.calls.append(f"restart {unit}")
        self._end(unit)
        return self._run(unit)

    def reload(self, unit: str) -> bool:
        self.calls.append(f"reload {unit}")
        if not self.active(unit):
            return self._run(unit)
        process = self._running[unit]
        # Without a handler yet, it would end. systemd waits for the fork; here there is none.
        until = time.monotonic() + HANDLER_S
        while process.poll() is None and not catches_hup(process.pid):
            assert time.monotonic() < until, f"{unit} does not handle SIGHUP"
            time.sleep(0.01)
        process.send_signal(signal.SIGHUP)
        return True

    def active(self, unit: str) -> bool:
        return unit in self._running and self._running[unit].poll() is None

    def script(self, name: str) -> str:
        """Where a script of the router is."""
        return str(self._scripts / name)

    def stop_all(self) -> None:
        for unit in list(self._running):
            self._end(unit)
        shutil.rmtree(self._scripts, ignore_errors=True)

    def _end(self, unit: str) -> None:
        process = self._running.pop(unit, None)
        if process is not None:
            process.terminate()
            process.wait(10)

    def _run(self, unit: str) -> bool:
        log = (self._paths.run / f"{unit}.log").open("ab")
        environment = {**os.environ, "MASQGATE_RUN": str(self._paths.run), "PATH": TOOLS}
        self._running[unit] = subprocess.Popen(
            self._command(unit), stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment
        )
        return True

    def _command(self, unit: str) -> list[str]:
        """The command of the unit's own file, with this test's folders."""
        name, at, instance = unit.removesuffix(".service").partition("@")
        lines = (UNITS / f"{name}{at}.service").read_text().splitlines()
        values = dict(line.partition("=")[::2] for line in lines if "=" in line)
        command = values["ExecStart"].replace("%i", instance)
        command = command.replace("/run/masqgate", str(self._paths.run))
        command = command.replace(SCRIPTS, f"{self._scripts}/")
        extra = {"masqgate-dnsmasq": " --keep-in-foreground --log-facility=-"}
        words = f"{command}{extra.get(name, '')}".split()
        if "AmbientCapabilities" not in values:
            return words
        given = [
            word.removeprefix("CAP_").lower() for word in values["AmbientCapabilities"].split()
        ]
        caps = ",".join(f"+{word}" for word in given)
        user = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", "--no-new-privs"]
        return [
            *_folders(values),
            *user,
            f"--inh-caps=-all,{caps}",
            f"--ambient-caps=-all,{caps}",
            f"--bounding-set=-all,{caps}",
            *words,
        ]


def _folders(values: dict[str, str]) -> list[str]:
    """The beginning of a command that has the unit's own folders below /run and /var/lib."""
    if "StateDirectory" not in values:
        return []
    made = f"/run/{values['RuntimeDirectory']} /var/lib/{values['StateDirectory']}"
    script = (
        f"for d in {made}; do mount -t tmpfs -o mode=755 tmpfs ${{d%/*}} && mkdir $d &&"
        ' chown nobody $d; done; exec "$@"'
    )
    return ["unshare", "--mount", "sh", "-ec", script, "sh"]


class Driver:
    """The methods that tests call."""

    def __init__(self, folder: Path) -> None:
        self.paths = Paths(folder / "run", folder / "data", folder / "share")
        self.services = Processes(self.paths)
        self.applier = Applier(self.paths, self.services)
        self.changed = threading.Event()
        self.monitor: Monitor | None = None
        self.watcher: EthernetWatcher | None = None
        self.told: list[LinkStatus] = []
        self.watching: Copies | None = None
        self.delegations: Delegations | None = None
        self.known = Known()
        self.waiting = Waiting()
        self.reasons: list[Packet] = []

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

    def used(self) -> Any:
        return self.applier.used()

    def copies(self) -> None:
        """Watch for packets that may dial, as the supervisor does."""
        self.watching = Copies(GROUP, self._copied)

    def _copied(self, what: Any, packet: Packet, data: bytes) -> None:
        reason = self.waiting.take(what, packet, data, time.monotonic())
        if reason is not None:
            self.reasons.append(reason)

    def wanted(self) -> Any:
        """The packets that were reasons to dial, so far."""
        return [vars(reason) for reason in self.reasons]

    def release(self) -> Any:
        """Send what was kept; how many."""
        outward, questions = self.waiting.release(time.monotonic())
        return send([*outward, *questions])

    def services_called(self) -> Any:
        calls, self.services.calls = self.services.calls, []
        return calls

    def watch(self) -> None:
        self.monitor = watch(self.changed.set)

    def wait_change(self, timeout_s: float) -> bool:
        happened = self.changed.wait(timeout_s)
        self.changed.clear()
        return happened

    def apply_six(self, config: str, facts: dict[str, Any]) -> Any:
        """Apply as the supervisor does: the prefix is the DHCPv6 client's, or gone."""
        self.delegations = self.delegations or Delegations(
            lambda: None, self.paths, self.services, self.services.script("dhcp-prefix")
        )
        document, known = parse(config), msgspec.convert(facts, Facts)
        interface = way(document, known)
        found = self.delegations.read(interface) if interface else None
        self.known = follow(self.known, lan_prefix(found), time.monotonic())
        stale = [one.prefix for one in self.known.stale]
        problems = self.apply(config, {**facts, "delegation": found, "stale": stale})
        self.delegations.update(interface, DUID)
        return problems

    def prefix(self, interface: str) -> str:
        """What the DHCPv6 client of an interface was given."""
        found = self.delegations.read(interface) if self.delegations else None
        return found.prefix if found else ""

    def ethernet(self, config: str) -> None:
        """Start the watcher of Ethernet uplinks, or give it another configuration."""
        if self.watcher is None:
            self.watcher = EthernetWatcher(
                parse(config), self.told.append, self.paths, self.services
            )
        else:
            self.watcher.update(parse(config))

    def ethernet_close(self) -> None:
        if self.watcher is not None:
            self.watcher.close()
            self.watcher = None

    def ethernet_links(self) -> Any:
        return self.watcher.links() if self.watcher is not None else ()

    def ethernet_told(self) -> Any:
        return [(link.name, link.state, link.reason.code, link.address) for link in self.told]

    def path(self, value: str) -> None:
        """Where tools are looked for from now on: an empty folder means there are none."""
        os.environ["PATH"] = value


def main() -> None:
    logging.basicConfig(level=logging.INFO, stream=sys.stderr)
    logging.getLogger("masqgate").setLevel(logging.DEBUG)
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
    driver.ethernet_close()
    if driver.delegations is not None:
        driver.delegations.close()
    driver.services.stop_all()


if __name__ == "__main__":
    main()
