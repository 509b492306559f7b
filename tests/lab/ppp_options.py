"""What a PPP peer of the lab wants: its settings, its faults, and its option policies."""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import IPv4Address

from .ppp_auth import Auth, Credentials
from .ppp_fsm import Option, Policy

ANY = IPv4Address("0.0.0.0")
LCP_MRU, LCP_ACCM, LCP_AUTH, LCP_MAGIC, LCP_PFC, LCP_ACFC = 1, 2, 3, 5, 7, 8
IPV6CP_IDENTIFIER = 1
IPCP_ADDRESS, IPCP_DNS1, IPCP_DNS2 = 3, 129, 131


@dataclass(slots=True)
class PeerFaults:
    """What the peer does wrong; may be changed while a call is up."""

    hang: bool = False  # nothing goes in or out
    lcp_silent: bool = False  # LCP is ignored from the start
    no_echo: bool = False  # LCP echo requests are not answered
    auth_silent: bool = False
    refuse_auth: str | None = None  # refuse everyone, with this message
    ipcp_silent: bool = False
    reject_ipcp: bool = False  # answer IPCP with Protocol-Reject
    no_dns: bool = False
    nak_loop: bool = False  # nak every address of the peer
    zero_address: bool = False  # hand out 0.0.0.0
    ask_own_address: bool = False  # ask to be given our own address
    ipv6: bool = False  # no fault, but off unless wanted: take IPV6CP instead of rejecting it


@dataclass(frozen=True, slots=True)
class PeerSettings:
    """One side of a PPP link. An address of 0.0.0.0 means: to be given by the other side."""

    name: str = "isp"
    require: Auth | None = None
    accounts: tuple[Credentials, ...] = ()
    login: Credentials | None = None  # what we answer when asked to authenticate
    own_address: IPv4Address = ANY
    peer_address: IPv4Address = ANY
    dns: tuple[IPv4Address, ...] = ()
    ask_dns: bool = False
    mru: int = 1500
    message: str = "Welcome"
    extra_lcp: tuple[Option, ...] = field(default=())


class LcpPolicy(Policy):
    """Options of the link itself (RFC 1661, section 6; RFC 1662, section 7)."""

    def __init__(self, settings: PeerSettings, magic: int) -> None:
        self.settings = settings
        self.magic = magic
        self.loops = 0
        self.peer_mru = 1500
        self.peer_accm = 0xFFFFFFFF
        self.peer_pfc = False
        self.peer_acfc = False
        self.peer_auth: bytes | None = None
        self.auth_refused = False
        self._refused: set[int] = set()

    def wanted(self) -> list[Option]:
        """ACCM 0, magic number, both compressions, MRU if not 1500, authentication if any."""
        options = [Option(LCP_ACCM, bytes(4))]
        if self.settings.mru != 1500:
            options.append(Option(LCP_MRU, self.settings.mru.to_bytes(2, "big")))
        if self.settings.require is not None:
            options.append(Option(LCP_AUTH, self.settings.require.value))
        options.append(Option(LCP_MAGIC, self.magic.to_bytes(4, "big")))
        options += [Option(LCP_PFC), Option(LCP_ACFC), *self.settings.extra_lcp]
        return [option for option in options if option.type not in self._refused]

    def judge(self, option: Option) -> Option | bool | None:
        """Accept what RFC 1661 and 1662 define; reject the rest."""
        if option.type == LCP_AUTH:
            return self._judge_auth(option)
        if option.type == LCP_MAGIC and len(option.data) == 4:
            if option.data == self.magic.to_bytes(4, "big"):  # looped back (section 6.4)
                self.loops += 1
                return Option(LCP_MAGIC, (self.magic ^ 0x5A5A5A5A).to_bytes(4, "big"))
            return True
        if option.type == LCP_MRU and len(option.data) == 2:
            small = int.from_bytes(option.data, "big") < 68
            return Option(LCP_MRU, (1500).to_bytes(2, "big")) if small else True
        if option.type == LCP_ACCM and len(option.data) == 4:
            return True
        return True if option.type in (LCP_PFC, LCP_ACFC) and not option.data else None

    def _judge_auth(self, option: Option) -> Option | bool | None:
        if self.settings.login is None:
            return None
        known = option.data in [auth.value for auth in Auth]
        return True if known else Option(LCP_AUTH, Auth.CHAP.value)

    def take(self, options: list[Option]) -> None:
        """Remember how the peer wants to receive."""
        given = {option.type: option.data for option in options}
        self.peer_accm = int.from_bytes(given.get(LCP_ACCM, b"\xff" * 4), "big")
        self.peer_mru = int.from_bytes(given.get(LCP_MRU, b"\x05\xdc"), "big")
        self.peer_pfc = LCP_PFC in given
        self.peer_acfc = LCP_ACFC in given
        self.peer_auth = given.get(LCP_AUTH)

    def naked(self, options: list[Option]) -> None:
        """Change the magic number if the peer says so; never the authentication."""
        for option in options:
            if option.type == LCP_MAGIC:
                self.magic = (self.magic * 1103515245 + 12345) & 0xFFFFFFFF or 1

    def rejected(self, options: list[Option]) -> None:
        """Leave the options out; refused authentication ends the link later."""
        for option in options:
            self._refused.add(option.type)
            self.auth_refused |= option.type == LCP_AUTH


class IpcpPolicy(Policy):
    """Addresses and name servers (RFC 1332, section 3; RFC 1877, section 1); no VJ."""

    def __init__(self, settings: PeerSettings, faults: PeerFaults) -> None:
        self.settings = settings
        self.faults = faults
        self.own = ANY if faults.ask_own_address else settings.own_address
        self.peer = ANY
        self.dns = [ANY, ANY]
        self._refused: set[int] = set()

    def wanted(self) -> list[Option]:
        """Our address, and a question for name servers if we are a client."""
        options = [Option(IPCP_ADDRESS, self.own.packed)]
        if self.settings.ask_dns:
            options += [
                Option(IPCP_DNS1, self.dns[0].packed),
                Option(IPCP_DNS2, self.dns[1].packed),
            ]
        return [option for option in options if option.type not in self._refused]

    def judge(self, option: Option) -> Option | bool | None:
        """Acknowledge the address we hand out; nak others; reject compression and WINS."""
        if len(option.data) != 4:
            return None
        if option.type == IPCP_ADDRESS:
            return self._judge_address(option)
        index = {IPCP_DNS1: 0, IPCP_DNS2: 1}.get(option.type)
        servers = () if self.faults.no_dns else self.settings.dns
        if index is None or not servers:
            return None
        server = servers[min(index, len(servers) - 1)]
        return True if option.data == server.packed else Option(option.type, server.packed)

    def _judge_address(self, option: Option) -> Option | bool:
        wanted = ANY if self.faults.zero_address else self.settings.peer_address
        if self.faults.nak_loop:
            other = (int.from_bytes(option.data, "big") + 1) & 0xFFFFFFFF
            return Option(IPCP_ADDRESS, other.to_bytes(4, "big"))
        if wanted == ANY and not self.faults.zero_address:
            return True  # a client takes any address of its server
        return True if option.data == wanted.packed else Option(IPCP_ADDRESS, wanted.packed)

    def demand(self, options: list[Option]) -> list[Option]:
        """Ask a peer that names no address to use the one we hand out."""
        if self.settings.peer_address == ANY or any(o.type == IPCP_ADDRESS for o in options):
            return []
        return [Option(IPCP_ADDRESS, self.settings.peer_address.packed)]

    def take(self, options: list[Option]) -> None:
        """Remember the peer's address."""
        for option in options:
            if option.type == IPCP_ADDRESS:
                self.peer = IPv4Address(option.data)

    def naked(self, options: list[Option]) -> None:
        """Take the address and name servers that the peer gives."""
        for option in options:
            if len(option.data) != 4:
                continue
            if option.type == IPCP_ADDRESS and self.own == ANY:
                self.own = IPv4Address(option.data)
            elif option.type in (IPCP_DNS1, IPCP_DNS2):
                self.dns[option.type == IPCP_DNS2] = IPv4Address(option.data)

    def rejected(self, options: list[Option]) -> None:
        """Leave the options out."""
        self._refused.update(option.type for option in options)


class Ipv6cpPolicy(Policy):
    """Interface identifiers (RFC 5072, section 4.1)."""

    def __init__(self, identifier: bytes) -> None:
        self.own = identifier
        self.peer = b""

    def wanted(self) -> list[Option]:
        """Our identifier."""
        return [Option(IPV6CP_IDENTIFIER, self.own)]

    def judge(self, option: Option) -> Option | bool | None:
        """Take any identifier but none, and ours; reject compression."""
        if option.type != IPV6CP_IDENTIFIER or len(option.data) != 8:
            return None
        if option.data in (bytes(8), self.own):
            return Option(IPV6CP_IDENTIFIER, b"\x02" + self.own[1:])
        return True

    def take(self, options: list[Option]) -> None:
        """Remember the peer's identifier."""
        for option in options:
            self.peer = option.data

    def naked(self, options: list[Option]) -> None:
        """Ours stays as it is."""

    def rejected(self, options: list[Option]) -> None:
        """Ours stays as it is."""
