"""What modems that answer the telephone must obey beyond their types; pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from ipaddress import IPv4Address

from .config import Caller, Config, DialIn
from .errors import Problem

SHORTEST, LONGEST = 8, 128  # characters of a caller's password
PortCheck = Callable[[str, DialIn], Iterable[Problem]]


def check(config: Config, port: PortCheck) -> list[Problem]:
    """Return everything that is wrong; `port` checks a line's serial port."""
    problems: list[Problem] = []
    names = {link.name: "an uplink" for link in config.uplink}
    ports = {link.port: f"the uplink '{link.name}'" for link in config.uplink}
    taken: dict[str, str] = {}  # an address, and the line that gives it
    for index, line in enumerate(config.dialin):
        path = f"dialin[{index}]"
        problems += port(path, line)
        if line.name in names:
            text = f"The name '{line.name}' is used by {names[line.name]} already."
            problems.append(Problem(f"{path}.name", "duplicate", text, "Choose another name."))
        if line.port in ports:
            text = f"The port '{line.port}' is used by {ports[line.port]} already."
            hint = "A modem dials or it answers: it needs a port of its own."
            problems.append(Problem(f"{path}.port", "duplicate", text, hint))
        names[line.name] = "another line"
        ports[line.port] = f"the line '{line.name}'"
        problems += _line(path, line, config, taken)
    return problems


def _line(path: str, line: DialIn, config: Config, taken: dict[str, str]) -> Iterator[Problem]:
    addresses = {f"{path}.address": line.address}
    if not line.caller:
        text = "Nobody may log in: the line has no caller."
        yield Problem(f"{path}.caller", "no_caller", text, "Write one under [[dialin.caller]].")
    if not line.auth:
        text = "There is no way to log in."
        yield Problem(f"{path}.auth", "no_method", text, "Name pap, chap or mschapv2.")
    seen: set[str] = set()
    for index, caller in enumerate(line.caller):
        where = f"{path}.caller[{index}]"
        if caller.name in seen:
            text = f"The caller '{caller.name}' is there twice."
            yield Problem(f"{where}.name", "duplicate", text, "One entry for each.")
        seen.add(caller.name)
        yield from _password(where, caller)
        if caller.address:
            addresses[f"{where}.address"] = caller.address
    for where, address in addresses.items():
        if (other := taken.get(address, line.name)) != line.name:
            text = f"{address} is given by the line '{other}', too."
            hint = "Two lines may have callers at the same time."
            yield Problem(where, "duplicate", text, hint)
        yield from _address(where, address, config)
    for address in addresses.values():
        taken.setdefault(address, line.name)


def _password(path: str, caller: Caller) -> Iterator[Problem]:
    text = caller.password.reveal()
    if caller.password.hidden:
        return
    if not SHORTEST <= len(text) <= LONGEST:
        told = f"A caller's password has {SHORTEST} to {LONGEST} characters."
        yield Problem(f"{path}.password", "bad_length", told, "Whoever dials may guess.")
    if not (text.isascii() and text.isprintable()):
        told = "The password holds other signs than those of plain ASCII."
        hint = "The ways to log in do not agree on what those are in bytes."
        yield Problem(f"{path}.password", "not_ascii", told, hint)
    if text.startswith("@/"):
        told = "The password begins with '@/', which pppd takes for a file's name."
        yield Problem(f"{path}.password", "bad_start", told, "Begin it otherwise.")


def _address(where: str, text: str, config: Config) -> Iterator[Problem]:
    try:
        address = IPv4Address(text)
    except ValueError:
        told = f"'{text}' is not an IPv4 address."
        yield Problem(where, "bad_address", told, "One of the LAN that nobody has.")
        return
    try:
        lan = config.lan.interface
    except ValueError:
        return  # told with the LAN
    net = lan.network
    if address not in net or address in (net.network_address, net.broadcast_address):
        hint = f"Use one between {net[1]} and {net[-2]}: a caller is a host of the LAN."
        yield Problem(where, "outside_lan", f"{address} is not a host's in {net}.", hint)
    elif address == lan.ip:
        yield Problem(where, "router", f"{address} is the router's own.", "Choose another one.")
    elif config.lan.dhcp and _in_pool(address, config):
        told = f"{address} may be given to a host by DHCP."
        hint = f"Choose one outside of {config.lan.dhcp_first} to {config.lan.dhcp_last}."
        yield Problem(where, "in_pool", told, hint)


def _in_pool(address: IPv4Address, config: Config) -> bool:
    try:
        first, last = IPv4Address(config.lan.dhcp_first), IPv4Address(config.lan.dhcp_last)
    except ValueError:
        return False
    return first <= address <= last
