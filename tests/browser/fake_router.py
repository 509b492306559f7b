"""A router without hardware: the contract's calls over a few values that a test may set."""

from __future__ import annotations

import threading
import time
import zlib
from pathlib import Path

import msgspec
from masqgate.contract import backup, document
from masqgate.contract.backup import Backup
from masqgate.contract.calls import Flows, SelfTestRun, SelfTestStep
from masqgate.contract.client import Client
from masqgate.contract.errors import MasqgateError
from masqgate.contract.hardware import Board, Card, Data, Hardware
from masqgate.contract.status import (
    Counters,
    Entry,
    Flow,
    Host,
    LanStatus,
    LinkState,
    LinkStatus,
    Reason,
    Status,
)

NOW = 1_795_000_000.0  # November 2026
HARDWARE = Hardware(
    board=Board(model="Raspberry Pi 3 Model B", temperature_c=48.3),
    card=Card(
        device="mmcblk0",
        name="SC16G",
        serial="0x1234abcd",
        made="03/2024",
        size_bytes=15_931_539_456,
        errors=0,
        written_bytes=21_000_000,
        written_ever_bytes=1_340_000_000,
    ),
    data=Data(
        state="writable", size_bytes=15_000_000_000, free_bytes=14_900_000_000, used_percent=1
    ),
)
CONFIG = """\
version = 1

[system]
hostname = "masqgate"

[lan]
address = "192.168.77.1/24"

[[uplink]]
kind = "modem"
name = "modem1"
port = "/dev/ttyAMA0"
number = "0555123"
user = "alice"
password = "open sesame"
"""
REASONS = {
    LinkState.UP: Reason("up", "The call is up and IP flows."),
    LinkState.IDLE: Reason("asked", "Disconnected by hand.", "It stays down until you connect."),
    LinkState.DIALING: Reason("dialing", "The modem dials 0555…, and waits for the carrier."),
    LinkState.NEGOTIATING: Reason("ppp", "The modem has a carrier; PPP logs in."),
    LinkState.WAITING: Reason(
        "no_carrier", "The line was lost (NO CARRIER).", "Check the telephone cable."
    ),
    LinkState.NO_PORT: Reason(
        "no_port", "/dev/ttyAMA0 is not there.", "Is the modem plugged in and switched on?"
    ),
}


def link(state: LinkState = LinkState.IDLE, **changes: object) -> LinkStatus:
    """An uplink in a state, as a dialer would tell it."""
    status = LinkStatus(
        name="modem1",
        state=state,
        reason=REASONS.get(state, Reason(state.value, f"The link is {state.value}.")),
        since_at=NOW - 754,
        modem="Conexant 56k V.92 Rev 1.2",
    )
    if state is LinkState.UP:
        status = msgspec.structs.replace(
            status,
            interface="ppp-modem1",
            address="198.51.100.23",
            peer="198.51.100.1",
            dns=("198.51.100.53", "198.51.100.54"),
            connect_rate=33_600,
            connect_text="CONNECT 33600/ARQ/V34/LAPM/V42BIS",
            calls=3,
            counters=Counters(1_284_331, 211_008),
        )
    if state is LinkState.WAITING:
        status = msgspec.structs.replace(status, retry_in_s=12.4, attempts=2)
    return msgspec.structs.replace(status, **changes)


HOSTS = (
    Host(name="a-box", mac="02:00:00:00:00:0a", address="192.168.77.100", expires_at=NOW + 40_000),
    Host(name="b-box", mac="02:00:00:00:00:0b", address="192.168.77.101", expires_at=NOW + 39_000),
    Host(name="c-box", mac="02:00:00:00:00:0c", address="192.168.77.102", expires_at=NOW + 1_800),
)
FLOWS = tuple(
    Flow(
        protocol=protocol,
        source=f"192.168.77.{100 + index}",
        source_port=port,
        destination=to,
        destination_port=to_port,
        masqueraded="198.51.100.23",
        masqueraded_port=seen,
        state=state,
        timeout_s=left,
    )
    for index, (protocol, port, to, to_port, seen, state, left) in enumerate(
        [
            ("tcp", 49_152, "203.0.113.80", 443, 49_152, "ESTABLISHED", 7_439),
            ("tcp", 49_152, "203.0.113.80", 443, 1_024, "ESTABLISHED", 7_412),
            ("udp", 5_060, "203.0.113.99", 5_060, 5_060, "ASSURED", 118),
            ("icmp", None, "203.0.113.7", None, None, "", 28),
        ]
    )
)
ENTRIES = tuple(
    Entry(number=n + 1, at=NOW - 900 + n * 40, source=source, code=code, text=text, level=level)  # type: ignore[arg-type]
    for n, (source, code, text, level) in enumerate(
        [
            ("system", "started", "The router started.", "info"),
            ("modem1", "dialing", "Dials 0555123.", "info"),
            ("modem1", "no_carrier", "The call did not come up: NO CARRIER.", "warning"),
            ("modem1", "dialing", "Dials 0555123.", "info"),
            ("modem1", "connected", "CONNECT 33600/ARQ/V34/LAPM/V42BIS", "info"),
            ("modem1", "up", "Up with 198.51.100.23.", "info"),
            ("lan", "lease", "c-box has 192.168.77.102.", "info"),
        ]
    )
)

TEST = (
    SelfTestStep(number=1, title="The ruleset is loaded", verdict="good", text="14 rules."),
    SelfTestStep(
        number=2, title="A web page", verdict="failed", text="No answer from deb.example.",
        diagnosis="Names work, the web does not: a proxy is needed.",
    ),
    SelfTestStep(number=3, title="Large packets", verdict="skipped", text="The page failed."),
)  # fmt: skip


class FakeRouter(Client):
    """Answers every call of the page by itself. Public values are for tests to set."""

    def __init__(self) -> None:
        super().__init__(Path("/nonexistent"))
        self.lock = threading.Lock()
        self.uplinks: tuple[LinkStatus, ...] = (link(),)
        self.dialin: tuple[LinkStatus, ...] = ()
        self.calls: tuple[Entry, ...] = ()
        self.hosts: tuple[Host, ...] = HOSTS
        self.entries: tuple[Entry, ...] = ENTRIES
        self.connections: tuple[Flow, ...] = FLOWS
        self.confirm_in_s: float | None = None
        self.total = 0  # of the connections, where more than are listed
        self.test = SelfTestRun(running=False)
        self.warnings: tuple[Reason, ...] = ()
        self.hardware = HARDWARE
        self.firewall = "open"
        self.password: str | None = "correct horse battery"
        self.config = document.parse(CONFIG)
        self.failure: MasqgateError | None = None  # raised by every call
        self.refusals: dict[str, MasqgateError] = {}  # by call
        self.asked: list[tuple[str, ...]] = []  # what changed something
        self.now = NOW

    def status(self) -> Status:
        self._may("status")
        active = [up.name for up in self.uplinks if up.state is LinkState.UP]
        return Status(
            version="0.1.0",
            hostname=self.config.system.hostname,
            at=self.now,
            uptime_s=93_784,
            active=active[0] if active else "",
            uplinks=self.uplinks,
            dialin=self.dialin,
            lan=LanStatus(address=self.config.lan.address, ports=("eth0",), hosts=self.hosts),
            firewall=self.firewall,  # type: ignore[arg-type]
            password_set=self.password is not None,
            password_generation=zlib.crc32((self.password or "").encode()),
            warnings=self.warnings,
            hardware=self.hardware,
            confirm_in_s=self.confirm_in_s,
        )

    def connect(self, uplink: str = "") -> None:
        self._may("connect", uplink)
        self._set(uplink, LinkState.DIALING)

    def disconnect(self, uplink: str = "") -> None:
        self._may("disconnect", uplink)
        self._set(uplink, LinkState.IDLE)

    def config_show(self) -> str:
        self._may("config_show")
        return document.render(self.config)

    def config_check(self, text: str) -> None:
        self._may("config_check")
        document.keep_secrets(document.parse(text), self.config)

    def config_apply(self, text: str, confirm_within_s: int = 0) -> None:
        self._may("config_apply", text)
        self.config = document.keep_secrets(document.parse(text), self.config)
        self.confirm_in_s = float(confirm_within_s) or None

    def config_confirm(self) -> None:
        self._may("config_confirm", "")
        if self.confirm_in_s is None:
            text = "No configuration waits to be confirmed."
            raise MasqgateError("nothing_to_confirm", text, "It may have been taken back already.")
        self.confirm_in_s = None

    def backup(self, *, secrets: bool = True, password: str = "", client: str = "") -> str:
        self._may("backup", client)
        if secrets and password != self.password:
            raise MasqgateError("wrong_password", "This is not the password.")
        return backup.write(Backup(self.config, secrets=secrets))

    def log(self, after: int = 0, limit: int = 100) -> tuple[Entry, ...]:
        self._may("log")
        return tuple(entry for entry in self.entries if entry.number > after)[-limit:]

    def call_log(self, limit: int = 100) -> tuple[Entry, ...]:
        return self.calls[-limit:]

    def all_flows(self) -> Flows:
        self._may("flows")
        return Flows(self.connections, self.total or len(self.connections))

    def self_test(self, *, begin: bool = False) -> SelfTestRun:
        self._may("self_test", *(["begin"] if begin else []))
        if begin and not self.test.running:
            self.test = SelfTestRun(running=True)
        elif self.test.running:  # each look finds one step more
            steps = TEST[: len(self.test.steps) + 1]
            self.test = SelfTestRun(running=len(steps) < len(TEST), steps=steps)
        return self.test

    def password_check(self, password: str, client: str = "") -> None:
        self._may("password_check", client)
        if password != self.password:
            hint = "After ten wrong ones the router waits a minute."
            raise MasqgateError("wrong_password", "The password is wrong.", hint)

    def password_set(self, password: str, old: str = "", client: str = "") -> None:
        self._may("password_set", client)
        if self.password is not None and old != self.password:
            raise MasqgateError("wrong_password", "The old password is wrong.", "Try again.")
        self.password = password

    def _may(self, call: str, *details: str) -> None:
        if details:
            with self.lock:
                self.asked.append((call, *details))
        if self.failure:
            raise self.failure
        if call in self.refusals:
            raise self.refusals[call]

    def _set(self, name: str, state: LinkState) -> None:
        self.uplinks = tuple(
            link(state, name=up.name, since_at=self.now) if up.name == name else up
            for up in self.uplinks
        )


class LivelyRouter(FakeRouter):
    """For demonstrations: all of it happens today, and time passes."""

    def __init__(self) -> None:
        super().__init__()
        shift = time.time() - NOW
        self.now = time.time()
        self.entries = tuple(
            msgspec.structs.replace(entry, at=entry.at + shift) for entry in self.entries
        )
        self.hosts = tuple(
            msgspec.structs.replace(host, expires_at=host.expires_at + shift)
            for host in self.hosts
        )

    def status(self) -> Status:
        self.now = time.time()
        return super().status()
