"""What the form of the configuration asks for, in people's words. The rest is in the document."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from masqgate.contract.config import DialIn, Ethernet, Modem

Kind = Literal["text", "tel", "number", "tick", "choice", "lines", "secret"]
Choices = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Field:
    """One field: `path` is its place inside of its table, as in the document."""

    path: str
    label: str
    hint: str = ""
    kind: Kind = "text"
    choices: Choices = ()
    suggestions: tuple[str, ...] = ()


@dataclass(frozen=True)
class Group:
    """Fields that belong together; a folded one shows itself when somebody has used it."""

    title: str
    fields: tuple[Field, ...]
    folded: bool = True


@dataclass(frozen=True)
class LinkForm:
    """One kind of uplink, or a line that answers."""

    title: str
    table: Literal["uplink", "dialin"]
    new: Modem | Ethernet | DialIn  # what one begins with
    groups: tuple[Group, ...]


def _choices(*values: int, unit: str) -> Choices:
    return tuple((str(value), f"{value:,} {unit}".replace(",", " ")) for value in values)


SPEED = Field(
    "speed", "Speed of the serial port", kind="choice",
    choices=_choices(
        300, 1200, 2400, 4800, 9600, 19_200, 38_400, 57_600, 115_200, 230_400, 460_800, 921_600,
        unit="bit/s",
    ),
)  # fmt: skip
SERIAL = Field(
    "port",
    "Serial port",
    "A path under /dev/serial/by-path/ stays the same when a USB modem is plugged in again.",
    suggestions=("/dev/ttyAMA0", "/dev/ttyUSB0", "/dev/ttyACM0"),
)
FLOW = Field("flow_control", "Hardware flow control (RTS/CTS)", kind="tick")
INIT = Field("init", "AT commands first", "One in a line.", "lines")
MTU = Field("mtu", "Largest packet, in bytes", kind="number")
ECHO = Field(
    "echo_interval_s", "Seconds between two echoes",
    "After four without an answer the call counts as dead.", "number",
)  # fmt: skip
IPV6 = Field("ipv6", "IPv6, where the provider has it", kind="tick")
ALIVE = Group(
    "Is it alive?",
    (
        Field("probe.enabled", "Send probes (pings)", kind="tick"),
        Field("probe.targets", "Addresses to ping",
              "One in a line. None: an Ethernet uplink’s gateway; nobody on a modem.", "lines"),
        Field("probe.interval_s", "Seconds between two probes", kind="number"),
        Field("probe.down_after", "Lost probes until it counts as dead", kind="number"),
        Field("probe.up_after", "Answered probes until it is alive again", kind="number"),
        Field("probe.bytes_per_day", "Bytes a day that probes may cost", "0: no limit.", "number"),
        Field("hold_s", "Seconds it must be well before traffic returns to it", kind="number"),
    ),
)  # fmt: skip

MODEM = LinkForm(
    "Modem", "uplink", Modem(name="modem1", port="", number=""),
    (
        Group("", (
            Field("number", "Number to dial",
                  "As the provider gave it; *99# with most mobile modems.", "tel"),
            Field("user", "User name", "Leave it empty if the provider asks for none."),
            Field("password", "Password", kind="secret"),
            Field("mode", "When to connect", kind="choice", choices=(
                ("always", "Always connected, redials for ever"),
                ("demand", "On demand: dials when somebody on the LAN needs it"),
                ("manual", "By hand: connects when asked"),
                ("off", "Off"),
            )),
            SERIAL,
            SPEED,
        ), folded=False),
        Group("Mobile modem", (
            Field("apn", "Access point name (APN)",
                  "Only with a mobile modem: ‘auto’ finds it by the SIM, or write the provider’s. "
                  "Empty for a modem on a telephone line.", suggestions=("auto",)),
            Field("provider", "Country and provider, instead of what the SIM tells",
                  "Only with ‘auto’, for example at/A1."),
            Field("pin", "PIN of the SIM card", kind="secret"),
            Field("status_port", "Second serial port, for signal and operator during a call",
                  "Only with a mobile modem that has several: another of its paths under "
                  "/dev/serial/by-path/. Empty: they are asked at the call’s start."),
        ), folded=False),
        Group("On demand", (
            Field("idle_minutes", "Hang up after so many minutes without traffic",
                  "0: never.", "number"),
            Field("ignore", "Traffic that does not dial", "One in a line.", "lines"),
        )),
        Group("Hours and budget", (
            Field("windows", "When it dials by itself",
                  "One in a line, like mon-fri 07:00-19:00. None: at every hour.", "lines"),
            Field("budget.day_minutes", "Minutes a day", "0: no limit.", "number"),
            Field("budget.month_minutes", "Minutes a month", kind="number"),
            Field("budget.day_megabytes", "Megabytes a day", kind="number"),
            Field("budget.month_megabytes", "Megabytes a month", kind="number"),
            Field("budget.at_limit", "When that is used up", kind="choice", choices=(
                ("warn", "Only tell"),
                ("hang_up", "Hang up until the next day or month"),
                ("manual", "Let the call go on, then dial only when told to"),
            )),
        )),
        Group("The modem", (
            Field("dial", "How to dial", kind="choice", choices=(
                ("tone", "Tones"), ("pulse", "Pulses"), ("plain", "As the modem likes (ATD)"),
            )),
            Field("dial_timeout_s", "Seconds to wait for CONNECT", kind="number"),
            INIT, FLOW, MTU, ECHO, IPV6,
        )),
        ALIVE,
    ),
)  # fmt: skip
ETHERNET = LinkForm(
    "Ethernet", "uplink", Ethernet(name="cable", port=""),
    (
        Group("", (
            Field("port", "Ethernet port", "It leaves the LAN and leads to another router.",
                  suggestions=("eth1", "eth0")),
            Field("enabled", "Use it as an uplink", kind="tick"),
            Field("address", "Address", "dhcp, or one with its prefix, like 203.0.113.5/24.",
                  suggestions=("dhcp",)),
            Field("gateway", "Gateway", "Only with an address of your own."),
            Field("dns", "Name servers",
                  "One in a line; only with an address of your own.", "lines"),
            IPV6,
        ), folded=False),
        ALIVE,
    ),
)  # fmt: skip
DIALIN = LinkForm(
    "Answering", "dialin", DialIn(name="line1", port="", address=""),
    (
        Group("", (
            SERIAL,
            Field("enabled", "Answer the telephone", kind="tick"),
            Field("address", "Address that a caller gets",
                  "One of the LAN that nobody has and DHCP does not give."),
            Field("rings", "Answer after so many rings", kind="number"),
            Field("admin", "Callers reach this page", kind="tick"),
        ), folded=False),
        Group("Limits", (
            Field("idle_minutes", "Hang up after so many minutes without a packet",
                  "0: never.", "number"),
            Field("session_minutes", "The longest call, in minutes", "0: no limit.", "number"),
            Field("failures", "Refused logins until the line stays silent", kind="number"),
            Field("failures_within_minutes", "…in so many minutes", kind="number"),
            Field("lockout_minutes", "…and so many minutes it does not answer", kind="number"),
        )),
        Group("The modem", (
            SPEED,
            Field("answer_timeout_s", "Seconds to wait for CONNECT", kind="number"),
            INIT, FLOW, MTU, ECHO,
        )),
    ),
)  # fmt: skip
FORMS = {"modem": MODEM, "ethernet": ETHERNET, "dialin": DIALIN}

TABLES = {
    "lan": (
        Group("LAN", (
            Field("address", "The router’s address",
                  "With its prefix, for example 192.168.77.1/24. If you change it, the page "
                  "moves there."),
            Field("dhcp", "Give addresses to hosts (DHCP)", kind="tick"),
            Field("dhcp_first", "First address of the pool",
                  "The pool follows the router into another network by itself."),
            Field("dhcp_last", "Last address of the pool"),
        ), folded=False),
        Group("Names and leases", (
            Field("domain", "Domain of the hosts’ names"),
            Field("lease_minutes", "Minutes that a host may keep its address", kind="number"),
        )),
    ),
    "system": (
        Group("Router", (
            Field("hostname", "Name"),
            Field("timezone", "Time zone", "Of the hours in which modems dial: Europe/Vienna."),
            Field("reboot_after_minutes", "Restart after so many minutes without an uplink",
                  "0: never. The last resort.", "number"),
        ), folded=False),
    ),
    "console": (
        Group("Serial console", (
            Field("password", "Its menu asks for the password", kind="tick"),
            Field("window_s", "Seconds at the start in which a key makes the modem’s line "
                  "the console", "0: never.", "number"),
        )),
    ),
}  # fmt: skip
