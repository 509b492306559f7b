"""The configuration: one typed, versioned document (TOML). Reading it is in `document.py`."""

from __future__ import annotations

from ipaddress import IPv4Interface
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from .secret import Secret

VERSION: Literal[1] = 1
MOST_UPLINKS = 8
MOST_LINES = 4  # that answer the telephone
MOST_CALLERS = 64  # of one line

Name = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9]{0,9}\Z")]
Text = Annotated[str, Meta(max_length=128)]
Seconds = Annotated[int, Meta(ge=1, le=86_400)]
Hold = Annotated[int, Meta(ge=0, le=86_400)]  # seconds an uplink is well until traffic returns
Minutes = Annotated[int, Meta(ge=0, le=1440)]

# Chatter of hosts that nobody waits for: time, NetBIOS, discovery of neighbours, DHCP.
CHATTER = (
    "udp/123", "udp/137-139", "tcp/137-139", "udp/1900", "udp/5353", "udp/5355", "udp/67-68",
    "igmp",
)  # fmt: skip

AuthMethod = Literal["pap", "chap", "mschapv2"]
DialMode = Literal["always", "demand", "manual", "off"]
Traffic = Literal["tcp", "udp", "icmp", "other"]
SerialSpeed = Literal[
    300, 1200, 2400, 4800, 9600, 19_200, 38_400, 57_600, 115_200, 230_400, 460_800, 921_600
]


class System(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The router itself."""

    hostname: Annotated[str, Meta(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\Z")] = "masqgate"
    reboot_after_minutes: Annotated[int, Meta(ge=0, le=10_080)] = 0  # without an uplink; 0: never
    timezone: Text = "UTC"  # of time windows: Europe/Vienna


class Lan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The bridge over all Ethernet ports that are not an uplink. Addresses are RFC 1918."""

    address: str = "192.168.77.1/24"
    dhcp: bool = True
    dhcp_first: str = "192.168.77.100"
    dhcp_last: str = "192.168.77.199"
    lease_minutes: Annotated[int, Meta(ge=2, le=43_200)] = 720
    domain: Annotated[str, Meta(pattern=r"^[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?\Z")] = "lan"

    @property
    def interface(self) -> IPv4Interface:
        """Address and prefix; ValueError if the text is neither (a valid Config's never is)."""
        return IPv4Interface(self.address)


class Probe(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How an uplink is found to be dead although its link is up: ICMP echo (RFC 792)."""

    enabled: bool = True
    targets: Annotated[tuple[Text, ...], Meta(max_length=4)] = ()  # none: an Ethernet's gateway
    interval_s: Annotated[int, Meta(ge=1, le=3600)] = 10
    down_after: Annotated[int, Meta(ge=1, le=100)] = 3  # probes in a row without an answer
    up_after: Annotated[int, Meta(ge=1, le=100)] = 3  # answered probes in a row
    bytes_per_day: Annotated[int, Meta(ge=0, le=1_000_000_000)] = 0  # 0: as many as it takes


class Console(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The serial console."""

    password: bool = False  # whether the menu asks for the administrator's password
    window_s: Annotated[int, Meta(ge=0, le=60)] = 5  # on the modem's UART, at boot; 0: none


class Budget(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How much a modem may be used; 0: as much as it takes. A megabyte is 1,000,000 bytes."""

    day_minutes: Annotated[int, Meta(ge=0, le=1440)] = 0
    month_minutes: Annotated[int, Meta(ge=0, le=44_640)] = 0
    day_megabytes: Annotated[int, Meta(ge=0, le=1_000_000)] = 0
    month_megabytes: Annotated[int, Meta(ge=0, le=1_000_000)] = 0
    at_limit: Literal["warn", "hang_up", "manual"] = "hang_up"


class Modem(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    tag_field="kind",
    tag="modem",
):
    """An uplink that dials: PPP over a modem on a serial port."""

    name: Name
    port: Text  # /dev/ttyAMA0, or /dev/serial/by-path/… for a USB modem
    number: Text  # what is dialed after ATD; *99# with mobile modems
    mode: DialMode = "always"
    speed: SerialSpeed = 115_200  # bit/s on the serial port
    flow_control: bool = True  # RTS/CTS
    dial: Literal["tone", "pulse", "plain"] = "tone"  # ATDT, ATDP, ATD
    init: Annotated[tuple[Text, ...], Meta(max_length=16)] = ("ATZ", "ATE0V1X4&C1&D2")
    dial_timeout_s: Seconds = 60
    user: Text = ""
    password: Secret = Secret()
    auth: tuple[AuthMethod, ...] = ("pap", "chap", "mschapv2")
    apn: Text = ""  # with an APN, the modem is a mobile one (3GPP TS 27.007); auto: by the SIM
    provider: Text = ""  # with apn = "auto": country and provider, like at/A1, not the SIM's
    pin: Secret = Secret()
    status_port: Text = ""  # another one of the same modem, asked for signal during a call
    mtu: Annotated[int, Meta(ge=296, le=1500)] = 1500  # bytes
    echo_interval_s: Seconds = 10  # LCP echo (RFC 1661, section 5.8); four lost: the line is dead
    hold_s: Hold = 30
    probe: Probe = Probe()
    idle_minutes: Minutes = 5  # mode demand: hang up after so long without traffic; 0: never
    idle_hold: dict[Traffic, Minutes] = {}  # the same for one kind of traffic
    windows: Annotated[tuple[Text, ...], Meta(max_length=32)] = ()  # when it dials by itself
    budget: Budget = Budget()
    ignore: Annotated[tuple[Text, ...], Meta(max_length=64)] = CHATTER  # does not make it dial
    ipv6: bool = True  # where the provider offers it: IPV6CP, prefix delegation


class Ethernet(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    tag_field="kind",
    tag="ethernet",
):
    """An uplink on an Ethernet port, which leaves the LAN bridge."""

    name: Name
    port: Text  # interface, for example eth1
    enabled: bool = True
    address: str = "dhcp"  # or a static address with prefix
    gateway: str = ""  # with a static address
    dns: Annotated[tuple[Text, ...], Meta(max_length=8)] = ()  # with a static address
    hold_s: Hold = 30
    probe: Probe = Probe()
    ipv6: bool = True  # where the provider offers it: SLAAC, prefix delegation


Uplink = Modem | Ethernet


class Caller(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who may dial in on a line."""

    name: Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._@-]{0,62}\Z")]
    password: Secret  # 8 to 128 characters of printable ASCII
    address: str = ""  # of the LAN; empty: the line's


class DialIn(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A modem that answers the telephone: whoever logs in gets an address of the LAN."""

    name: Name
    port: Text  # as with an uplink's modem; one port, one use
    address: str  # what a caller gets: of the LAN, and nobody else's
    enabled: bool = True
    speed: SerialSpeed = 115_200  # bit/s on the serial port
    flow_control: bool = True  # RTS/CTS
    init: Annotated[tuple[Text, ...], Meta(max_length=16)] = ("ATZ", "ATE0V1X4&C1&D2")
    rings: Annotated[int, Meta(ge=1, le=20)] = 2  # the second brings the number of who calls
    answer_timeout_s: Seconds = 60  # until CONNECT
    auth: tuple[AuthMethod, ...] = ("chap", "mschapv2", "pap")
    mtu: Annotated[int, Meta(ge=296, le=1500)] = 1500  # bytes
    echo_interval_s: Seconds = 10  # LCP echo; four lost: the caller is gone
    idle_minutes: Annotated[int, Meta(ge=0, le=1440)] = 30  # without a packet; 0: for ever
    session_minutes: Annotated[int, Meta(ge=0, le=10_080)] = 0  # at most; 0: no limit
    admin: bool = False  # whether callers reach the admin page
    failures: Annotated[int, Meta(ge=1, le=100)] = 3  # refused logins…
    failures_within_minutes: Annotated[int, Meta(ge=1, le=1440)] = 10  # …in this time…
    lockout_minutes: Annotated[int, Meta(ge=1, le=1440)] = 10  # …and the line stays silent
    caller: Annotated[tuple[Caller, ...], Meta(max_length=MOST_CALLERS)] = ()


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All that a person can set. `uplink` is in order of preference."""

    version: Literal[1] = VERSION
    system: System = System()
    lan: Lan = Lan()
    console: Console = Console()
    uplink: Annotated[tuple[Uplink, ...], Meta(max_length=MOST_UPLINKS)] = ()
    dialin: Annotated[tuple[DialIn, ...], Meta(max_length=MOST_LINES)] = ()

    @property
    def modems(self) -> tuple[Modem, ...]:
        """The uplinks that dial."""
        return tuple(link for link in self.uplink if isinstance(link, Modem))

    @property
    def ethernets(self) -> tuple[Ethernet, ...]:
        """The uplinks on Ethernet ports."""
        return tuple(link for link in self.uplink if isinstance(link, Ethernet))

    @property
    def lines(self) -> tuple[DialIn, ...]:
        """The modems that answer the telephone."""
        return tuple(line for line in self.dialin if line.enabled)
