"""A supervisor in a thread: real loop, socket, store and history; the kernel is played.

Waiting has a deadline that is only reached when something is broken.
"""

from __future__ import annotations

import contextlib
import queue
import socket
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from masqgate.contract import framing
from masqgate.contract.client import Client
from masqgate.contract.codec import from_json, to_json
from masqgate.contract.config import Config
from masqgate.contract.dialer import AnyConfig, Command, Report
from masqgate.contract.document import parse
from masqgate.contract.errors import Problem
from masqgate.contract.hardware import Hardware
from masqgate.contract.paths import Paths
from masqgate.contract.status import Counters, Entry, Flow, Host, LinkState, LinkStatus, Reason
from masqgate.core.health import Job
from masqgate.core.messages import Message, Post, Stop
from masqgate.desired.facts import Delegation, Facts
from masqgate.supervisor.parts import Parts
from masqgate.supervisor.passwords import Passwords
from masqgate.supervisor.supervisor import Supervisor
from masqgate.supervisor.testing import Climb, SelfTest
from masqgate.system.clock import Clock
from masqgate.system.dialers import Dialers
from masqgate.system.heartbeat import Heartbeat
from masqgate.system.history import History
from masqgate.system.kept_leases import KeptLeases
from masqgate.system.kept_prefixes import KeptPrefixes
from masqgate.system.kept_usage import KeptUsage
from masqgate.system.password import LockoutFile, PasswordFile, Worker
from masqgate.system.reboot import Rebooter
from masqgate.system.server import Server
from masqgate.system.store import Store

DEADLINE_S = 60.0

DOCUMENT = """\
version = 1

[lan]
address = "192.168.77.1/24"

[[uplink]]
kind = "modem"
name = "modem1"
port = "/dev/ttyAMA0"
number = "5551000"
user = "alice"
password = "dial-secret"
"""


def until(condition: Callable[[], bool], what: str = "what was waited for") -> None:
    """Wait until something is so."""
    end = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < end, f"{what} did not happen"
        time.sleep(0.005)


def link(name: str = "modem1", state: LinkState = LinkState.UP, **more: object) -> LinkStatus:
    """A link's status; an address if it is up."""
    up = {"address": "198.51.100.7", "peer": "198.51.100.1", "interface": f"ppp-{name}"}
    reason = Reason("test", "The test says so.")
    given = {"reason": reason, **(up if state is LinkState.UP else {}), **more}
    return LinkStatus(name=name, state=state, since_at=1.8e9, **given)  # type: ignore[arg-type]


MACS = {"192.168.77.120": "02:00:00:00:00:78"}  # of hosts of the LAN


class FakeClock(Clock):
    """The real clocks plus what the test adds."""

    def __init__(self) -> None:
        self.added_s = 0.0
        self.jump_s = 0.0
        self.is_known = False

    def monotonic(self) -> float:
        return super().monotonic() + self.added_s

    def wall(self) -> float:
        return super().wall() + self.jump_s

    def known(self) -> bool:
        return self.is_known


class FakeApplier:
    """Records what is to be applied; fails on demand."""

    def __init__(self) -> None:
        self.applied: list[tuple[Config, Facts]] = []
        self.problems: Callable[[Config], Sequence[Problem]] = lambda config: ()
        self.closed = 0
        self.known_way_out = ""
        self.known_hosts: tuple[Host, ...] = ()
        self.known_flows: tuple[Flow, ...] = ()
        self.uses: dict[str, int] = {}

    def apply(self, config: Config, facts: Facts) -> tuple[Problem, ...]:
        self.applied.append((config, facts))
        return tuple(self.problems(config))

    def close(self) -> tuple[Problem, ...]:
        self.closed += 1
        return ()

    def ports(self) -> tuple[str, ...]:
        return ("eth0", "eth1")

    def way_out(self) -> str:
        return self.known_way_out

    def hosts(self) -> tuple[Host, ...]:
        return self.known_hosts

    def flows(self, limit: int) -> tuple[Flow, ...]:
        return self.known_flows[:limit]

    def counters(self, interface: str) -> Counters:
        return Counters(1000, 200) if interface == "eth1" else Counters()

    def used(self) -> dict[str, int]:
        return dict(self.uses)

    def address6(self, interface: str) -> str:
        return "2001:db8:0:1::7/64" if interface == "eth1" else ""

    def flow_count(self) -> int:
        return len(self.known_flows)


class FakeSensors:
    """What the board tells; a test sets it."""

    def __init__(self) -> None:
        self.hardware = Hardware()

    def read(self) -> Hardware:
        return self.hardware


class FakeServices:
    """Units that start and stop; `on_start` may bring a dialer up."""

    def __init__(self) -> None:
        self.started: list[str] = []
        self.stopped: list[str] = []
        self.on_start: Callable[[str], None] = lambda unit: None

    def start(self, unit: str) -> bool:
        self.started.append(unit)
        self.on_start(unit)
        return True

    def stop(self, unit: str) -> bool:
        self.stopped.append(unit)
        return True

    def restart(self, unit: str) -> bool:
        return True

    def reload(self, unit: str) -> bool:
        return True

    def active(self, unit: str) -> bool:
        return unit in self.started and unit not in self.stopped


class FakeCopies:
    """Remembers what was sent."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []

    def send(self, data: Sequence[bytes]) -> int:
        self.sent += data
        return len(data)


class FakeWatcher:
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.configs: list[Config] = []

    def update(self, config: Config) -> None:
        self.configs.append(config)


class FakeProber:
    """Remembers what was last to be probed."""

    def __init__(self) -> None:
        self.jobs: dict[str, Job] = {}

    def update(self, jobs: Iterable[Job]) -> None:
        self.jobs = {job.name: job for job in jobs}


class FakeDelegations:
    """What was delegated is what the test says; remembers whose client was to run."""

    def __init__(self) -> None:
        self.given: dict[str, Delegation] = {}
        self.asked: list[tuple[str, str]] = []

    def update(self, interface: str, duid: str) -> None:
        self.asked.append((interface, duid))

    def read(self, interface: str) -> Delegation | None:
        return self.given.get(interface)


class FakeRebooter(Rebooter):
    """Keeps the count, and only remembers that it was told to restart."""

    ordered = 0

    def reboot(self) -> bool:
        self.ordered += 1
        return True


class FakeDialer:
    """A dialer's end of the protocol on a real socket: tells its status, takes commands."""

    def __init__(self, paths: Paths, name: str, status: LinkStatus) -> None:
        self.status = status
        self.commands: list[str] = []
        self.told: list[Command] = []
        self.configs: list[AnyConfig] = []
        self._paths, self._name = paths, name
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        path = paths.dialer_socket(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        self._socket.bind(str(path))
        self._socket.listen()
        self._connections: list[socket.socket] = []
        self._lock = threading.Lock()
        threading.Thread(target=self._accept, daemon=True).start()

    def tell(self, status: LinkStatus, *events: Entry) -> None:
        """Report a new status to everybody connected."""
        with self._lock:
            self.status = status
            for sock in self._connections:
                with contextlib.suppress(OSError):
                    framing.send(sock, to_json(Report(status, events)))

    def close(self) -> None:
        """Die without a word; the socket's file stays, as after SIGKILL."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        for sock in self._connections:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                sock, _ = self._socket.accept()
                with self._lock:  # no report is lost between the first one and the next
                    framing.send(sock, to_json(Report(self.status)))
                    self._connections.append(sock)
                threading.Thread(target=self._listen, args=(sock,), daemon=True).start()

    def _listen(self, sock: socket.socket) -> None:
        with contextlib.suppress(OSError, framing.FramingError):
            while data := framing.receive(sock):
                command = from_json(data, Command)
                verb = command.verb
                self.told.append(command)
                if verb == "reload":
                    file = self._paths.dialer_config(self._name)
                    self.configs.append(from_json(file.read_bytes(), AnyConfig))
                self.commands.append(verb)


class Router:
    """Everything together, in the folders of one test."""

    def __init__(self, folder: Path, document: str | None = DOCUMENT) -> None:
        self.paths = Paths(folder / "run", folder / "data", folder / "share")
        self.paths.share.mkdir(parents=True, exist_ok=True)
        self.paths.data.mkdir(parents=True, exist_ok=True)
        self.paths.factory_config.write_text('[system]\nhostname = "factory"\n')
        if document is not None:
            self.paths.config.parent.mkdir(parents=True, exist_ok=True)
            self.paths.config.write_text(document)
        self.clock = FakeClock()
        self.applier = FakeApplier()
        self.services = FakeServices()
        self.watcher = FakeWatcher()
        self.prober = FakeProber()
        self.delegations = FakeDelegations()
        self.copies = FakeCopies()
        self.sensors = FakeSensors()
        self.rebooter = FakeRebooter(self.paths.reboots)
        self.dialers: dict[str, FakeDialer] = {}
        self.climb: Climb = lambda status: iter(())
        self.client = Client(self.paths.socket, DEADLINE_S)
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start a supervisor; a second time after `stop`, a new one."""
        self.inbox: queue.SimpleQueue[Message] = queue.SimpleQueue()
        self._worker = Worker()
        self._dialers = Dialers(self.paths, self.services, self.inbox.put)
        self.supervisor = Supervisor(self._parts(self._dialers, self._worker), self.inbox)
        self._server = Server(self.paths.socket, self.inbox.put)
        self._thread = threading.Thread(target=self.supervisor.run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the supervisor; dialers go on."""
        if self._thread is None:
            return
        self.inbox.put(Stop())
        self._thread.join(DEADLINE_S)
        assert not self._thread.is_alive()
        self._thread = None
        for part in (self._server, self._dialers, self._worker):
            part.close()

    def close(self) -> None:
        """End everything."""
        self.stop()
        for dialer in self.dialers.values():
            dialer.close()

    def dialer(self, name: str, status: LinkStatus) -> FakeDialer:
        """Bring a dialer up."""
        self.dialers[name] = FakeDialer(self.paths, name, status)
        return self.dialers[name]

    def codes(self) -> list[str]:
        """The codes of the events so far."""
        return [entry.code for entry in self.client.log(limit=1000)]

    def applied(self) -> tuple[Config, Facts]:
        """What was applied last."""
        return self.applier.applied[-1]

    def _parts(self, dialers: Dialers, worker: Worker) -> Parts:
        post: Post = self.inbox.put
        return Parts(
            store=Store(self.paths),
            history=History(self.paths.events),
            usage=KeptUsage(self.paths.usage),
            leases=KeptLeases(self.paths.leases, self.paths.kept_leases),
            call_log=History(self.paths.call_log),
            applier=self.applier,
            dialers=dialers,
            watcher=self.watcher,
            prober=self.prober,
            delegations=self.delegations,
            prefixes=KeptPrefixes(self.paths.kept_prefixes),
            rebooting=self.rebooter,
            sensors=self.sensors,
            passwords=Passwords(
                PasswordFile(self.paths.password),
                LockoutFile(self.paths.lockout),
                worker,
                self.clock,
                post,
                mac_of=lambda address: MACS.get(address, ""),
            ),
            copies=self.copies,
            clock=self.clock,
            heartbeat=Heartbeat(),
            self_test=SelfTest(self.climb, worker, post),
        )


def config(document: str = DOCUMENT) -> Config:
    """The Config of a document."""
    return parse(document)
