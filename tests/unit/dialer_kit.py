"""The real dialer as a process, for tests: its folders, its socket, and quick timings."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from masqgate.contract import framing
from masqgate.contract.codec import from_json, to_json
from masqgate.contract.config import Caller, DialIn, Modem
from masqgate.contract.dialer import AnswerConfig, AnyConfig, Command, DialerConfig, Report
from masqgate.contract.paths import Paths
from masqgate.contract.secret import Secret
from masqgate.contract.status import Entry, LinkState, LinkStatus
from masqgate.dialer import Dialer
from masqgate.link.timings import Timings
from masqgate.system import atomic
from masqgate.system.providers import Providers
from masqgate.system.serialport import PortRule

ROOT = Path(__file__).resolve().parents[2]
STANDIN = (sys.executable, str(Path(__file__).with_name("standin_pppd.py")))
PTYS = PortRule(re.compile(r"/dev/pts/[0-9]+"))
PATIENCE_S = 60.0  # generous: a loaded machine must not fail a test
QUICK = Timings(
    port_open=5.0, port_poll=0.1, probe=0.5, late_probe=1.0, command=1.0, slow_command=2.0,
    settle=0.05, guard=1.05, dtr_low=0.25, restart=0.5, negotiation=60.0, silence=8.0, steady=30.0,
    terminate=3.0, kill=1.0, least_redial=0.1, first_redial=0.4, longest_redial=2.0,
    auth_pause=2.5, auth_long_pause=5.0, blocked=5.0, power=0.5, live=0.3, live_retry=0.2,
    check=1.0, ring=4.0, first_pause=0.3, longest_pause=1.0,
)  # fmt: skip


class DialerProcess:
    """A dialer that runs, and a client of its socket."""

    def __init__(
        self, folder: Path, port: Path, environment: dict[str, str] | None = None, **fields: Any
    ) -> None:
        self.environment = environment or {}
        self.paths = Paths(folder / "run", folder / "data", folder / "share")
        self.fields = {
            "port": str(port), "flow_control": False, "echo_interval_s": 5,
            **self.usual(), **fields,
        }  # fmt: skip
        self.name = str(self.fields["name"])
        self.log = folder / "dialer.log"
        self.configure()
        self.process = self._start()
        self.seen: list[LinkStatus] = []
        self.entries: list[Entry] = []
        self.client = self._connect()

    @property
    def status(self) -> LinkStatus:
        return self.seen[-1]

    def usual(self) -> dict[str, Any]:
        return {
            "name": "modem1", "number": "5551000", "user": "masqgate",
            "password": Secret("lab-secret"), "dial_timeout_s": 10,
        }  # fmt: skip

    def config(self) -> AnyConfig:
        return DialerConfig(modem=Modem(**self.fields), interface=f"ppp-{self.name}")

    def configure(self, **fields: Any) -> None:
        self.fields.update(fields)
        path = self.paths.dialer_config(self.name)
        atomic.write(path, to_json(self.config(), secrets=True))

    def tell(self, verb: Any) -> None:
        framing.send(self.client, to_json(Command(verb)))

    def wait(self, what: Callable[[LinkStatus], bool], text: str) -> LinkStatus:
        """Wait until a report fits; the history is in the message otherwise."""
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            payload = framing.receive(self.client)
            assert payload is not None, f"the dialer ended; {self.history()}"
            report = from_json(payload, Report)
            self.seen.append(report.status)
            self.entries.extend(report.events)
            if what(report.status):
                return report.status
        raise AssertionError(f"not seen: {text}; {self.history()}")

    def wait_for(self, state: LinkState) -> LinkStatus:
        return self.wait(lambda status: status.state is state, f"state {state}")

    def wait_reason(self, code: str) -> LinkStatus:
        return self.wait(lambda status: status.reason.code == code, f"reason {code}")

    def history(self) -> str:
        steps = [f"{s.state}: {s.reason.text}" for s in self.seen]
        return "\n".join([*steps, self.log.read_text(errors="replace")])

    def end(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE_S)

    def close(self) -> None:
        self.client.close()
        if self.process.poll() is None:
            self.end()

    def _start(self) -> subprocess.Popen[bytes]:
        environment = dict(os.environ, PYTHONPATH=f"{ROOT}:{ROOT / 'firmware'}")
        environment.pop("NOTIFY_SOCKET", None)
        environment.update(self.environment)
        command = [
            sys.executable, "-m", "tests.unit.dialer_kit", str(self.paths.run),
            str(self.paths.data), self.name,
        ]  # fmt: skip
        with self.log.open("ab") as log:
            return subprocess.Popen(command, stderr=log, stdout=log, env=environment, cwd=ROOT)

    def _connect(self) -> socket.socket:
        path = str(self.paths.dialer_socket(self.name))
        end = time.monotonic() + PATIENCE_S
        while True:
            client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                client.connect(path)
            except OSError:
                client.close()
                assert time.monotonic() < end and self.process.poll() is None, self.history()
                time.sleep(0.05)
                continue
            client.settimeout(PATIENCE_S)
            return client


class AnswererProcess(DialerProcess):
    """A dialer that answers the telephone; `password` is that of its one caller."""

    def usual(self) -> dict[str, Any]:
        return {
            "name": "modem2", "address": "192.168.77.60", "answer_timeout_s": 10, "rings": 1,
            "password": Secret("eight letters"),
        }  # fmt: skip

    def config(self) -> AnyConfig:
        fields = dict(self.fields)
        caller = Caller(name="anybox", password=fields.pop("password"))
        line = DialIn(caller=(caller,), **fields)
        return AnswerConfig(line=line, interface="ppp-modem2", router="192.168.77.1")


@contextmanager
def answerer(folder: Path, port: Path, **fields: Any) -> Iterator[AnswererProcess]:
    """Run a dialer that answers on a port; it is ended at last."""
    process = AnswererProcess(folder, port, **fields)
    try:
        yield process
    finally:
        process.close()


@contextmanager
def dialer(folder: Path, port: Path, **fields: Any) -> Iterator[DialerProcess]:
    """Run a dialer on a port; it is ended at last."""
    process = DialerProcess(folder, port, **fields)
    try:
        yield process
    finally:
        process.close()


def main() -> None:
    """The process itself: the product's dialer with quick timings and the stand-in."""
    import logging

    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(message)s")
    run, data, name = sys.argv[1:]
    paths = Paths(Path(run), Path(data), Path(run))
    program = os.environ.get("MASQGATE_TEST_PPPD", " ".join(STANDIN)).split()
    providers = Providers(Path(os.environ.get("MASQGATE_TEST_PROVIDERS", "/nonexistent")))
    timings = replace(QUICK, gather=float(os.environ.get("MASQGATE_TEST_GATHER", QUICK.gather)))
    Dialer(paths, name, timings, program, rule=PTYS, find=providers.find).run()


if __name__ == "__main__":
    main()
