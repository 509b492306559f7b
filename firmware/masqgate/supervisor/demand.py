"""Modems in mode `demand`: what makes them dial, and when they hang up.

Called from the supervisor's loop alone. Decisions are in `core/demand.py` and `core/idle.py`.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from masqgate.contract.config import Modem
from masqgate.contract.dialer import Command
from masqgate.contract.status import LinkState, Reason, Trigger
from masqgate.core.demand import Waiting
from masqgate.core.idle import Idle, kind_of
from masqgate.core.messages import PacketCopied
from masqgate.core.packets import Packet

if TYPE_CHECKING:
    from .supervisor import Supervisor

RELEASE, IDLE = "release", "idle"  # timers
RELEASE_S = 0.3  # dnsmasq takes over the provider's name servers
LOOK_S = 15.0  # between two looks at what a call is used for
AGAIN_S = 3.0  # the dialer is not told twice before it can have answered
_ABSENT = (LinkState.OFF, LinkState.NO_PORT)
_RESTING = (LinkState.OFF, LinkState.IDLE)

log = logging.getLogger(__name__)


class Demand:
    """Which modem a packet may dial, why it did, and how long its call has been idle."""

    def __init__(self, supervisor: Supervisor) -> None:
        self._supervisor = supervisor
        self._waiting = Waiting()
        self._triggers: dict[str, Trigger] = {}
        self._idle: dict[str, Idle] = {}
        self._told_at: dict[str, float] = {}
        self._dialed: set[str] = set()  # by a packet, not by a person
        self._questions: list[bytes] = []  # were sent once
        self._up: set[str] = set()  # a call's idle time begins when it can be used

    @property
    def armed(self) -> str:
        """The modem that a packet may dial now, or has: empty if there is none."""
        for modem in self._supervisor.config.modems:
            link = self._supervisor.links.get(modem.name)
            if modem.mode != "demand" or link is None or link.state in _ABSENT:
                continue
            if link.reason.code != "disconnected" and self._supervisor.hours.allows(modem):
                return modem.name
        return ""

    def trigger(self, name: str) -> Trigger | None:
        """Why a modem dialed last; None if no packet made it."""
        return self._triggers.get(name)

    def take(self, copied: PacketCopied) -> None:
        """Keep a packet for later, and dial if it is a reason to."""
        name = self.armed
        if not name or self._supervisor.active or copied.what not in ("packet", "ask", "lookup"):
            return
        now = self._now()
        reason = self._waiting.take(copied.what, copied.packet, copied.data, now)  # type: ignore[arg-type]
        if reason is None:
            return
        if idle := self._idle.get(name):
            idle.seen(kind_of(reason.protocol), now)
        if self._supervisor.links[name].state in _RESTING:
            self._dial(name, reason, now)

    def told(self, name: str) -> None:
        """A link's state is news."""
        state = self._supervisor.links[name].state
        up = state is LinkState.UP
        if self._modem(name) is None or state in (*_RESTING, *_ABSENT):
            self._idle.pop(name, None)
            self._dialed.discard(name)
        elif name not in self._idle or (up and name not in self._up):
            now = self._now()
            trigger = self._triggers.get(name) if name in self._dialed else None
            self._idle[name] = Idle(kind_of(trigger.protocol) if trigger else None, now)
            self._supervisor.timers.at_latest(IDLE, now + LOOK_S)
        (self._up.add if up else self._up.discard)(name)

    def applied(self) -> None:
        """The desired state is in force: what was kept can go, if there is a way."""
        if self._supervisor.active:
            self._supervisor.timers.at_latest(RELEASE, self._now() + RELEASE_S)

    def release(self) -> None:
        """Send what was kept; questions twice, as dnsmasq may be slow to know its servers."""
        if not self._supervisor.active:
            self._questions = []
            return
        again, (outward, self._questions) = self._questions, self._waiting.release(self._now())
        if kept := [*outward, *self._questions, *again]:
            count = self._supervisor.parts.copies.send(kept)
            log.info("%d packets that had waited for the call were sent.", count)
        if self._questions:
            self._supervisor.timers.set(RELEASE, self._now() + AGAIN_S)

    def look(self) -> None:
        """End the calls that have been idle for long enough."""
        now = self._now()
        for name, idle in list(self._idle.items()):
            modem = self._modem(name)
            if modem is None:
                del self._idle[name]
                continue
            if self._supervisor.active == name:
                idle.counted(self._supervisor.parts.applier.used(), now)
            end = idle.over_at(modem)
            if end is not None and now >= end:
                self._rest(name, modem)
        if self._idle:
            self._supervisor.timers.set(IDLE, now + LOOK_S)

    def _dial(self, name: str, packet: Packet, now: float) -> None:
        if now - self._told_at.get(name, -AGAIN_S) < AGAIN_S:
            return
        self._told_at[name] = now
        if not self._supervisor.parts.tell(name, Command("dial")):
            return
        hosts = {host.address: host.name for host in self._supervisor.parts.applier.hosts()}
        trigger = Trigger(
            at=self._supervisor.parts.clock.wall(),
            source=packet.source,
            host=hosts.get(packet.source, ""),
            protocol=packet.protocol,
            destination=packet.destination,
            port=packet.port,
            asked=packet.asked,
        )
        self._triggers[name] = trigger
        self._dialed.add(name)
        self._supervisor.record(name, "demand", f"{name} dials, because {trigger.text}.")

    def _rest(self, name: str, modem: Modem) -> None:
        text = f"Nothing was sent for {modem.idle_minutes} min; the next packet makes it dial."
        if self._supervisor.parts.tell(name, Command("rest", Reason("idle_hung_up", text))):
            self._supervisor.record(name, "idle_hung_up", f"{name} hangs up. {text}")
            self._idle.pop(name, None)

    def _modem(self, name: str) -> Modem | None:
        """The modem of that name, if it is in mode demand."""
        found = (m for m in self._supervisor.config.modems if m.name == name)
        return next((modem for modem in found if modem.mode == "demand"), None)

    def _now(self) -> float:
        return self._supervisor.parts.clock.monotonic()
