"""What the router tells of itself: one set of types for page, console and command line."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

import msgspec

from .hardware import Hardware


class LinkState(StrEnum):
    """Where an uplink is in its life. Table and diagram: `link/machine.py`, docs/LINK.md."""

    OFF = "off"  # mode off: nobody wants it
    IDLE = "idle"  # mode manual: waits for 'connect'
    NO_PORT = "no_port"  # the serial or Ethernet port is not there
    WAITING = "waiting"  # back-off before the next dial
    INIT = "init"  # speaks AT to the modem
    DIALING = "dialing"  # ATD sent, waits for CONNECT
    NEGOTIATING = "negotiating"  # PPP: LCP, authentication, IPCP
    UP = "up"  # IP flows
    HANGING_UP = "hanging_up"  # the call ends
    RESETTING = "resetting"  # the modem is brought back by a step of the ladder


class Reason(msgspec.Struct, frozen=True):
    """Why the link is in its state: a stable code and, for people, a sentence and a hint."""

    code: str
    text: str
    hint: str = ""


class Counters(msgspec.Struct, frozen=True):
    """Bytes over the link in this call (or since it came up)."""

    rx_bytes: int = 0
    tx_bytes: int = 0


class LinkHealth(msgspec.Struct, frozen=True, kw_only=True):
    """How an uplink is beyond its link, as the supervisor's probes show it."""

    verdict: Literal["", "unknown", "good", "bad", "link_only"] = ""  # empty: the link is not up
    text: str = ""
    probed_at: float | None = None  # Unix time of the last probe
    rtt_ms: float | None = None  # of the last probe that was answered
    spent_bytes: int = 0  # on probes, in this day of the budget
    unused: str = ""  # why it does not carry the traffic; empty: it does


class Trigger(msgspec.Struct, frozen=True, kw_only=True):
    """The packet of the LAN that made an uplink dial; `at` is Unix time."""

    at: float
    source: str  # address of the host
    host: str = ""  # its name, if it holds a lease
    protocol: str  # tcp, udp, icmp, or a number of IANA's
    destination: str = ""  # an address
    port: int | None = None
    asked: str = ""  # the name that it looked up, if it did

    @property
    def text(self) -> str:
        """Who wanted what, in words."""
        who = f"{self.host} ({self.source})" if self.host else self.source
        if self.asked:
            return f"{who} looked up {self.asked}"
        protocol = {"tcp": "TCP", "udp": "UDP"}.get(self.protocol, self.protocol)
        if self.protocol == "icmp":
            return f"{who} sent a ping to {self.destination}"
        port = "" if self.port is None else f", port {self.port}"
        return f"{who} sent {protocol} to {self.destination}{port}"


class LinkStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One uplink, as its dialer (or the Ethernet watcher) tells it.

    Times are seconds on the monotonic clock of the router unless they end in `_at`, which are
    Unix time; `None` where there is nothing to tell.
    """

    name: str
    kind: Literal["modem", "ethernet", "dialin"] = "modem"
    state: LinkState
    reason: Reason
    since_at: float  # Unix time of the last change of state
    interface: str = ""  # ppp-modem1, eth1
    address: str = ""  # ours, from the provider
    peer: str = ""  # the provider's end, or the gateway
    dns: tuple[str, ...] = ()
    address6: str = ""  # of IPv6; the supervisor tells it, of the one in use
    prefix6: str = ""  # what the provider delegated for the LAN; the same
    connect_rate: int | None = None  # bit/s, from CONNECT
    connect_text: str = ""  # the CONNECT line as the modem said it
    retry_in_s: float | None = None  # until the next dial
    attempts: int = 0  # dials since the link was last up
    calls: int = 0  # calls that came up since the dialer began
    pppd_pid: int | None = None
    counters: Counters = Counters()
    modem: str = ""  # what the modem says it is
    signal_dbm: int | None = None
    operator: str = ""
    registration: str = ""  # home, roaming, searching, denied, limited, none or unknown
    network_at: float | None = None  # when the modem told signal, operator and registration
    network_trouble: Reason | None = None  # why the second port tells none of it in this call
    apn: str = ""  # with apn = "auto": the access point that was chosen…
    apn_others: tuple[str, ...] = ()  # …and what else the SIM's network has
    resets: dict[str, int] = {}  # steps of the recovery ladder taken, by cause
    power_cuts: dict[str, int] = {}  # how often its USB port was switched off, by cause
    health: LinkHealth = LinkHealth()  # the supervisor's; dialer and watcher do not tell it
    trigger: Trigger | None = None  # mode demand: why it dialed last
    rings: int = 0  # dial-in: how often the telephone has rung for the call that comes
    caller: str = ""  # dial-in: who has logged in
    caller_id: str = ""  # dial-in: the number that the telephone network told


class Host(msgspec.Struct, frozen=True, kw_only=True):
    """A host of the LAN that holds a lease."""

    name: str
    mac: str
    address: str
    expires_at: float  # Unix time


class LanStatus(msgspec.Struct, frozen=True, kw_only=True):
    """The LAN side."""

    interface: str = "br0"
    address: str = ""
    address6: str = ""  # the router's, in the LAN's /64; empty: no IPv6
    old_prefixes6: tuple[str, ...] = ()  # that hosts are told to leave
    ports: tuple[str, ...] = ()  # Ethernet ports in the bridge
    hosts: tuple[Host, ...] = ()


class Flow(msgspec.Struct, frozen=True, kw_only=True):
    """One masqueraded connection: the original tuple and what the Internet sees."""

    protocol: str
    source: str
    source_port: int | None = None
    destination: str
    destination_port: int | None = None
    masqueraded: str  # the source address that the Internet sees
    masqueraded_port: int | None = None
    state: str = ""  # ESTABLISHED, …
    timeout_s: int = 0


class CallRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A call that was answered and is over; `began_at` is Unix time."""

    line: str
    began_at: float
    duration_s: float
    caller: str = ""  # who logged in; empty: nobody
    caller_id: str = ""  # the number that the telephone network told
    address: str = ""  # what the caller was given
    counters: Counters = Counters()  # received from the caller, sent to it
    why: str = ""  # the code of why it ended
    text: str = ""  # and the words


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One event of the history. `number` grows by one; `at` is Unix time."""

    number: int
    at: float
    source: str  # modem1, lan, config, system
    code: str
    text: str
    level: Literal["info", "warning", "error"] = "info"
    call: CallRecord | None = None  # dial-in: with the event that ends a call


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """The whole router at one moment."""

    version: str
    hostname: str
    at: float  # Unix time
    uptime_s: float
    active: str = ""  # the uplink that carries the default route; empty: none
    uplinks: tuple[LinkStatus, ...] = ()
    dialin: tuple[LinkStatus, ...] = ()  # the modems that answer the telephone
    lan: LanStatus = LanStatus()
    firewall: Literal["open", "closed", "failed"] = "closed"
    password_set: bool = False
    password_generation: int = 0  # another one with each password; 0: none
    warnings: tuple[Reason, ...] = ()  # what is wrong with the router itself (disk full, …)
    reboots: dict[str, int] = {}  # for want of an uplink, by cause
    hardware: Hardware = Hardware()
    confirm_in_s: float | None = None  # until an unconfirmed configuration is taken back
