"""What is known of the modem and of the call; the machine fills it in, `status` shows it."""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network

from ..contract.apn import Access
from ..contract.status import Counters, Reason
from .pppd_log import Fact, LocalAddress, Log, NameServer, PppFact, RemoteAddress, Told


@dataclass(slots=True)
class Network:
    """What a modem told of the mobile network; None where it did not tell."""

    registration: str | None = None  # home, roaming, searching, denied, none or unknown
    operator: str | None = None
    signal_dbm: int | None = None


@dataclass(slots=True)
class ModemFacts:
    """What the modem told of itself; kept from call to call."""

    name: str = ""
    registration: str = ""
    operator: str = ""
    signal_dbm: int | None = None
    network_at: float | None = None  # when it told these three, monotonic seconds
    access: Access | None = None  # with apn = "auto": what is used…
    others: tuple[Access, ...] = ()  # …and what else this SIM might get
    pin_mark: str = ""  # of the PIN that was tried last and not taken
    pin_unsure: bool = False  # whether that try went without an answer
    pin_attempts: int | None = None  # left, if the modem tells

    def take(self, network: Network, now: float) -> None:
        """Take what it told of the network `now`; a signal that it does not know is none."""
        if network.registration is not None:
            self.registration = network.registration
        if network.operator is not None:
            self.operator = network.operator
        self.signal_dbm, self.network_at = network.signal_dbm, now


@dataclass(slots=True)
class CallFacts:
    """What is known of one call, from the dial on."""

    connect_rate: int | None = None  # bit/s
    connect_text: str = ""
    pppd_pid: int | None = None
    pppd_began: bool = False
    log: Log = field(default_factory=Log)
    address: str = ""
    peer: str = ""
    dns: dict[int, str] = field(default_factory=dict)
    counters: Counters = field(default_factory=Counters)
    told: set[Told] = field(default_factory=set)
    peer_says: str = ""
    up: bool = False
    network_trouble: Reason | None = None  # of the port that tells signal and operator meanwhile

    def take(self, fact: PppFact) -> None:
        """Take what a line of pppd's log tells."""
        match fact:
            case Fact(Told.PEER_SAYS, text):
                self.peer_says = text or self.peer_says
            case Fact(told, text):
                self.told.add(told)
                self.peer_says = text or self.peer_says
            case LocalAddress(address):
                self.address = str(address)
            case RemoteAddress(address):
                self.peer = str(address)
            case NameServer(index, address):
                self.dns[index] = str(address)


def usable(address: str) -> bool:
    """Tell whether a host can have this address (RFC 1122, 3.2.1.3)."""
    try:
        ip = IPv4Address(address)
    except ValueError:
        return False
    first = ip.packed[0]
    return 0 < first < 224 and not ip.is_loopback


def inside(address: str, network: str) -> bool:
    """Tell whether an address lies in a network; what is none of the two lies nowhere."""
    try:
        return IPv4Address(address) in IPv4Network(network, strict=False)
    except ValueError:
        return False
