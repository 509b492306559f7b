"""The supervisor's loop: takes messages, keeps the state, has the desired state applied.

Nothing in here waits for anything but the inbox, and all timers are monotonic.
"""

from __future__ import annotations

import logging
import queue
from typing import Literal

from masqgate.contract.calls import BACKUP, PASSWORD_CHECK, PASSWORD_SET
from masqgate.contract.config import Config
from masqgate.contract.errors import Problem
from masqgate.contract.status import Entry, LinkStatus, Reason
from masqgate.core import lines, uplinks
from masqgate.core.messages import (
    CallMade,
    DialerFound,
    DialerLost,
    DialerReported,
    HashingFailed,
    LinkReported,
    Message,
    NetworkChanged,
    PacketCopied,
    PasswordChecked,
    PasswordHashed,
    Probed,
    SelfTestStepped,
    Stop,
)
from masqgate.core.problems import closes, new_ones
from masqgate.core.timers import Timers
from masqgate.desired.facts import Facts, Guest

from .budgets import Budgets
from .calls import Calls
from .choosing import Choosing
from .configuring import TIMER, Configuring
from .demand import IDLE, RELEASE, Demand
from .hardware import HardwareWatch
from .hours import HOURS, OpeningHours
from .lastresort import LastResort
from .parts import Parts
from .prefixes import Prefixes

SETTLE_S = 4.0  # a new supervisor waits so long for the dialers that run already
LOST_S = 5.0  # a dialer may be away so long before its call counts as ended
DEBOUNCE_S = 0.3  # the kernel tells of one change in many messages
RETRY_S = 3.0  # after something could not be applied
RECONCILE_S = 60.0  # even if nothing tells of a change

log = logging.getLogger(__name__)


class Supervisor:
    """State and decisions. `run` is the loop; `handle` and `tick` are its two halves."""

    def __init__(self, parts: Parts, inbox: queue.SimpleQueue[Message]) -> None:
        self.parts = parts
        self.inbox = inbox
        self.config = Config()
        self.links: dict[str, LinkStatus] = {}
        self.lines: dict[str, LinkStatus] = {}  # the modems that answer the telephone
        self.ports: tuple[str, ...] = ()  # Ethernet interfaces, as of the last apply
        self.firewall: Literal["open", "closed", "failed"] = "closed"
        self.problems: tuple[Problem, ...] = ()
        self.config_warnings: tuple[Reason, ...] = ()
        self.card_warnings: tuple[Reason, ...] = ()
        self._told_problems: list[Problem] = []
        self.stopped = False
        self.timers = Timers()
        self._settling: set[str] = set()
        self._ready = False
        self.configuring = Configuring(self)
        self.choosing = Choosing(self)
        self.last_resort = LastResort(self, parts.rebooting)
        self.hardware = HardwareWatch(self, parts.sensors)
        self.calls = Calls(self)
        self.budgets = Budgets(self)
        self.demand = Demand(self)
        self.hours = OpeningHours(self)
        self.prefixes = Prefixes(self)
        parts.passwords.record = lambda code, text, level: self.record("system", code, text, level)
        parts.passwords.changed = self.apply_soon
        parts.passwords.granted = self.calls.make

    @property
    def active(self) -> str:
        """The uplink that carries the traffic; empty: none."""
        return self.choosing.active

    def start(self) -> None:
        """Load the configuration and look for what a supervisor before this one left."""
        if self.parts.store.clean():
            text = (
                "The router restarted before a new configuration was confirmed; it is forgotten."
            )
            self.record("config", "config_taken_back", text, "warning")
        loaded = self.parts.store.load()
        self.config, self.config_warnings = loaded.config, loaded.warnings
        self.card_warnings = self.parts.store.card_warnings()
        for warning in loaded.warnings:
            log.error("%s", warning.text)
            self.record("config", warning.code, warning.text, "error")
        text = f"The supervisor started with the {loaded.origin} configuration."
        self.record("system", "started", text)
        self.budgets.start()
        self.choosing.resume()
        self.prefixes.start()
        self.parts.leases.restore()  # before anything is applied, which starts dnsmasq
        self.follow_links()
        self.timers.set(HOURS, self._now())
        self._settling = {
            *self.parts.dialers.running(),
            *(link.name for link in self.config.ethernets if link.enabled),
        }
        self.timers.set("apply", self._now() + (SETTLE_S if self._settling else 0.0))

    def run(self) -> None:
        """Turn until told to stop."""
        self.start()
        while not self.stopped:
            self.turn()
        self.parts.heartbeat.stopping()
        self.parts.leases.keep(self._now(), ending=True)
        self.choosing.keep()
        self.budgets.keep()

    def turn(self) -> None:
        """Wait for a message or a timer, and do what it asks for."""
        self.tick()
        longest = self.parts.heartbeat.interval_s or RECONCILE_S
        wait = min(self.timers.wait_s(self._now(), RECONCILE_S), longest)
        try:
            message = self.inbox.get(timeout=wait)
        except queue.Empty:
            return
        self.handle(message)

    def handle(self, message: Message) -> None:
        """Do what a message asks for; never raises."""
        try:
            self._handle(message)
        except Exception as error:
            if isinstance(message, CallMade):
                message.answer(error)
            else:
                log.exception("handling %s failed", type(message).__name__)

    def tick(self) -> None:
        """Do what is due; never raises."""
        self.parts.heartbeat.alive()
        for name in self.timers.due(self._now()):
            try:
                if name == "apply":
                    self.apply()
                elif name == "links":
                    self.follow_links()
                elif name == RELEASE:
                    self.demand.release()
                elif name == HOURS:
                    self.hours.look()
                elif name == IDLE:
                    self.demand.look()
                elif name == TIMER:
                    self.configuring.take_back()
                else:
                    self._give_up(name.removeprefix("lost "))
            except Exception:
                log.exception("the timer %r failed", name)
                self.apply_soon(RETRY_S)

    def apply_soon(self, delay_s: float = 0.0) -> None:
        """Have the desired state applied in a while at the latest."""
        if not self._settling:
            self.timers.at_latest("apply", self._now() + delay_s)

    def apply(self) -> tuple[Problem, ...]:
        """Apply the desired state now; what could not be done is told, kept and tried again."""
        self._settling = set()
        self.parts.heartbeat.alive()  # what comes may take long on a small board
        before, self.problems = self.problems, self._applied()
        self._tell_problems(before)
        self._guard_firewall()
        self.parts.leases.keep(self._now())
        self.demand.applied()
        self.prefixes.applied()
        delay = RETRY_S if self.problems else RECONCILE_S
        self.timers.set("apply", self._now() + delay)
        for again_at in (self.choosing.again_at, self.prefixes.again_at):
            if again_at is not None:
                self.timers.at_latest("apply", again_at)
        if not self._ready:
            self._ready = True
            self.parts.heartbeat.ready()
        self.last_resort.look()
        self.hardware.look()
        return self.problems

    def _tell_problems(self, before: tuple[Problem, ...]) -> None:
        """Record a problem that is there again; at first it may be of the moment."""
        told = [problem for problem in self._told_problems if problem in self.problems]
        for problem in self.problems:
            lasting = closes([problem]) or not new_ones([problem], before)
            if lasting and new_ones([problem], told):
                self.record("system", problem.code, str(problem), "error")
                told.append(problem)
        if self._told_problems and not self.problems:
            self.record("system", "applied", "Everything could be applied again.")
        self._told_problems = told

    def follow_links(self) -> None:
        """Have dialers and watcher for what the configuration names, and forget the others."""
        now = self.parts.clock.wall()
        self.links = {
            uplink.name: uplinks.kept(uplink, self.links.get(uplink.name), now)
            for uplink in self.config.uplink
        }
        self.lines = lines.kept(self.config, self.lines, now)
        try:
            self.parts.dialers.configure(self.config)
        except OSError as error:
            text = f"The dialers could not be told their configuration: {error.strerror}."
            log.error("%s", text)
            self.record("system", "dialers_not_told", text, "error")
            self.timers.set("links", self._now() + RETRY_S)
        except Exception:
            log.exception("the dialers could not be told their configuration")
            self.timers.set("links", self._now() + RETRY_S)
        try:
            self.parts.watcher.update(self.config)
        except Exception:
            log.exception("the Ethernet uplinks could not be told their configuration")
            self.timers.set("links", self._now() + RETRY_S)

    def record(self, source: str, code: str, text: str, level: str = "info") -> None:
        """Keep an event in the history."""
        self.parts.history.add(
            Entry(
                number=0,
                at=self.parts.clock.wall(),
                source=source,
                code=code,
                text=text,
                level="error" if level == "error" else "warning" if level == "warning" else "info",
            )
        )

    def _handle(self, message: Message) -> None:
        match message:
            case CallMade() if _asks_for_password(message):
                self.parts.passwords.take(message)
            case CallMade():
                message.answer(self.calls.make(message))
            case DialerFound(name=name):
                self.timers.clear(f"lost {name}")
            case DialerReported(name=name, report=report):
                for entry in report.events:
                    self.parts.history.add(entry)
                    if entry.call is not None:
                        self.parts.call_log.add(entry)
                self._told(name, report.status)
            case LinkReported(status=status):
                self._told(status.name, status)
            case DialerLost(name=name):
                self.timers.set(f"lost {name}", self._now() + LOST_S)
            case Probed():
                if self.choosing.probed(message):
                    self.apply_soon()
            case NetworkChanged():
                self.apply_soon(DEBOUNCE_S)
            case PacketCopied():
                self.demand.take(message)
            case PasswordChecked() | PasswordHashed() | HashingFailed():
                self.parts.passwords.handle(message)
            case SelfTestStepped():
                self.parts.self_test.handle(message)
            case Stop():
                self.stopped = True

    def _told(self, name: str, status: LinkStatus) -> None:
        """Take over what a dialer or the watcher told of an uplink or a line of ours."""
        if name in self.lines and status.name == name and status.kind == "dialin":
            self._told_of_line(name, status)
            return
        if name not in self.links or status.name != name:
            return
        if status.kind != self.links[name].kind:
            return
        before = (uplinks.routing(self.links), self.demand.armed)
        self.links[name] = status
        self.budgets.told(status)
        self.demand.told(name)
        self.hours.told(name)
        self.timers.clear(f"lost {name}")
        waited = bool(self._settling)
        self._settling.discard(name)
        if not self._settling and (
            waited or (uplinks.routing(self.links), self.demand.armed) != before
        ):
            self.apply_soon()

    def _guests(self) -> tuple[Guest, ...]:
        """Who has dialed in, from where."""
        return tuple(Guest(line.interface, line.peer) for line in lines.up(self.lines))

    def _told_of_line(self, name: str, status: LinkStatus) -> None:
        before = self._guests()
        self.lines[name] = status
        self.timers.clear(f"lost {name}")
        waited = name in self._settling
        self._settling.discard(name)
        if waited or self._guests() != before:
            self.apply_soon()

    def _give_up(self, name: str) -> None:
        """A dialer stayed away: its call is over."""
        self._settling.discard(name)
        if name in self.links:
            self._told(name, uplinks.lost(self.links[name], self.parts.clock.wall()))
        elif name in self.lines:
            lost = uplinks.lost(self.lines[name], self.parts.clock.wall())
            self._told_of_line(name, lost)

    def _applied(self) -> tuple[Problem, ...]:
        """Choose the uplink, and apply; never raises."""
        self.choosing.choose()
        self.prefixes.follow()
        try:
            self.ports = self.parts.applier.ports()
            facts = Facts(
                active=self.active,
                demand=self.demand.armed,
                links=tuple(self.links.values()),
                ports=self.ports,
                password_set=self.parts.passwords.is_set,
                guests=self._guests(),
                delegation=self.prefixes.delegation,
                stale=self.prefixes.stale,
            )
            return self.parts.applier.apply(self.config, facts)
        except Exception:
            log.exception("applying the desired state failed")
            text = "The desired state could not be applied."
            return (Problem("firewall", "internal", text, "The system log tells more."),)

    def _guard_firewall(self) -> None:
        """Close the firewall if its rules could not be put in force."""
        if not closes(self.problems):
            self.firewall = "open"
            return
        self.firewall = "failed"
        try:
            for problem in self.parts.applier.close():
                log.error("%s", problem)
        except Exception:
            log.exception("closing the firewall failed")

    def _now(self) -> float:
        return self.parts.clock.monotonic()


def _asks_for_password(made: CallMade) -> bool:
    """Whether a password is checked or made first: it takes a while, in a thread of its own."""
    if made.call is BACKUP:
        return bool(made.arguments.secrets) and not made.peer.root
    return made.call in (PASSWORD_CHECK, PASSWORD_SET)
