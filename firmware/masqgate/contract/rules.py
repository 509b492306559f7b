"""What a configuration must obey beyond its types; pure, and all problems at once."""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Interface, IPv4Network

from . import dialin_rules
from .apn import AUTO
from .config import Config, DialIn, Ethernet, Lan, Modem, Probe, System
from .errors import Problem
from .secret import Secret
from .traffic import kind
from .windows import window
from .zones import rule

PRIVATE = tuple(map(IPv4Network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")))
_NUMBER = re.compile(r"[0-9A-Da-d*#+,!@W;TPtp -]+")  # V.250, section 6.3.1
_PORT = re.compile(
    r"/dev/(tty(AMA|USB|ACM|S)[0-9]+|serial/by-(path|id)/[A-Za-z0-9_][A-Za-z0-9._:+-]*)"
)
_INTERFACE = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9._-]{0,14}")
_APN = re.compile(r"[A-Za-z0-9.-]+")
_PROVIDER = re.compile(r"[A-Za-z]{2}/[^\x00-\x1f\x7f]+")
_PIN = re.compile(r"[0-9]{4,8}")
SHORTEST_REBOOT_MIN = 10
PROBE_BYTES = 72  # one probe and its answer: twice IPv4 (20), ICMP (8), data (8)
OURS = ("lo", "br0", "all", "default")  # the last two stand for every interface in /proc/sys


def check(config: Config) -> list[Problem]:
    """Return everything that is wrong; an empty list for a good configuration."""
    problems = [*_system(config.system), *_lan(config.lan)]
    seen: dict[str, int] = {}
    ports: dict[str, int] = {}
    for index, link in enumerate(config.uplink):
        path = f"uplink[{index}]"
        problems += _modem(path, link) if isinstance(link, Modem) else _ethernet(path, link)
        problems += _probe(f"{path}.probe", link.probe)
        if link.name in seen:
            text = f"The name '{link.name}' is used twice."
            problems.append(Problem(f"{path}.name", "duplicate", text, "Choose another name."))
        if link.port in ports:
            text = f"The port '{link.port}' is used twice."
            problems.append(Problem(f"{path}.port", "duplicate", text, "One uplink per port."))
        seen[link.name] = ports[link.port] = index
    problems += _overlaps(config)
    problems += _second_ports(config)
    problems += dialin_rules.check(config, serial_port)
    return problems


def _system(system: System) -> Iterator[Problem]:
    if 0 < system.reboot_after_minutes < SHORTEST_REBOOT_MIN:
        text = f"{system.reboot_after_minutes} min are too short: a call may take as long."
        hint = f"At least {SHORTEST_REBOOT_MIN}, or 0 for never."
        yield Problem("system.reboot_after_minutes", "too_short", text, hint)
    if rule(system.timezone) is None:
        text = f"There is no time zone '{system.timezone}'."
        yield Problem("system.timezone", "bad_zone", text, "For example Europe/Vienna, or UTC.")


def _lan(lan: Lan) -> Iterator[Problem]:
    try:
        interface = IPv4Interface(lan.address)
    except ValueError:
        text = f"'{lan.address}' is not an IPv4 address with a prefix."
        yield Problem("lan.address", "bad_address", text, "For example 192.168.77.1/24.")
        return
    network = interface.network
    if not any(network.subnet_of(private) for private in PRIVATE):
        hint = "Use one from 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16 (RFC 1918)."
        yield Problem("lan.address", "not_private", f"{network} is not a private network.", hint)
    if not 8 <= network.prefixlen <= 29:
        text = f"A prefix of /{network.prefixlen} is of no use for a LAN."
        yield Problem("lan.address", "bad_prefix", text, "Use /8 to /29, most often /24.")
        return
    if interface.ip in (network.network_address, network.broadcast_address):
        text = f"{interface.ip} is the network's own or its broadcast address."
        yield Problem("lan.address", "not_a_host", text, f"For example {network[1]}.")
    if lan.dhcp:
        yield from _pool(lan, interface)


def _pool(lan: Lan, interface: IPv4Interface) -> Iterator[Problem]:
    found: list[IPv4Address] = []
    network = interface.network
    for name in ("dhcp_first", "dhcp_last"):
        text = getattr(lan, name)
        try:
            address = IPv4Address(text)
        except ValueError:
            yield Problem(f"lan.{name}", "bad_address", f"'{text}' is not an IPv4 address.")
            continue
        found.append(address)
        if address not in network or address in (
            network.network_address,
            network.broadcast_address,
        ):
            problem = f"{address} is not a host's address in {network}."
            hint = f"Use one between {network[1]} and {network[-2]}."
            yield Problem(f"lan.{name}", "outside_lan", problem, hint)
    if len(found) == 2 and found[0] > found[1]:
        yield Problem("lan.dhcp_last", "bad_order", "The pool ends before it begins.")
    elif len(found) == 2 and found[0] <= interface.ip <= found[1]:
        text = f"The pool holds the router's own address {interface.ip}."
        yield Problem("lan.dhcp_first", "holds_router", text, "Move the pool or the address.")


def _plain(path: str, value: str | Secret) -> Iterator[Problem]:
    """No control characters (C0, DEL, C1, U+2028, U+2029): they would end lines in files."""
    text = value.reveal() if isinstance(value, Secret) else value
    if any(ord(c) < 32 or 127 <= ord(c) < 160 or c in "\u2028\u2029" for c in text):
        yield Problem(path, "control_character", "The value holds a control character.")


def _modem(path: str, modem: Modem) -> Iterator[Problem]:
    for field in ("user", "password"):
        yield from _plain(f"{path}.{field}", getattr(modem, field))
    if len(modem.password.reveal()) > 128:
        yield Problem(f"{path}.password", "too_long", "At most 128 characters are taken.")
    yield from serial_port(path, modem)
    unneeded = modem.mode == "off" and not modem.number
    if not unneeded and not _NUMBER.fullmatch(modem.number):
        text = f"'{modem.number}' cannot be dialed." if modem.number else "There is no number."
        hint = "Digits and * # + , are taken; *99# with most mobile modems."
        yield Problem(f"{path}.number", "bad_number", text, hint)
    for index, text in enumerate(modem.ignore):
        try:
            kind(text)
        except ValueError as error:
            hint = "For example udp/123, tcp/137-139, icmp, or a protocol's number."
            yield Problem(f"{path}.ignore[{index}]", "bad_traffic", str(error), hint)
    for index, text in enumerate(modem.windows):
        try:
            window(text)
        except ValueError as error:
            hint = "For example mon-fri 07:00-19:00, or daily 22:00-06:00."
            yield Problem(f"{path}.windows[{index}]", "bad_window", str(error), hint)
    if modem.apn and not _APN.fullmatch(modem.apn):
        text = f"'{modem.apn}' is not an access point name."
        yield Problem(f"{path}.apn", "bad_apn", text, "Letters, digits, dots and dashes.")
    if modem.provider and modem.apn != AUTO:
        text = "A provider is of use only where the access point is looked up."
        yield Problem(f"{path}.provider", "not_auto", text, 'Set apn = "auto", or leave it out.')
    elif modem.provider and not _PROVIDER.fullmatch(modem.provider):
        text = f"'{modem.provider}' is not a country and a provider."
        yield Problem(f"{path}.provider", "bad_provider", text, "For example at/A1.")
    if modem.pin and not modem.pin.hidden and not _PIN.fullmatch(modem.pin.reveal()):
        yield Problem(f"{path}.pin", "bad_pin", "A PIN has 4 to 8 digits.")
    if modem.user and not modem.auth:
        text = "There is a user but no way to log in."
        yield Problem(f"{path}.auth", "no_method", text, "Name pap, chap or mschapv2.")


def serial_port(path: str, modem: Modem | DialIn) -> Iterator[Problem]:
    """What is wrong with a modem's port, and with what it is told first."""
    if not _PORT.fullmatch(modem.port):
        text = f"'{modem.port}' is not a serial port."
        hint = "For example /dev/ttyAMA0, or a path under /dev/serial/by-path/."
        yield Problem(f"{path}.port", "bad_port", text, hint)
    for index, line in enumerate(modem.init):
        if not line.upper().startswith("AT") or not line.isascii() or not line.isprintable():
            text = f"'{line}' is not an AT command line."
            yield Problem(f"{path}.init[{index}]", "bad_command", text, "It begins with AT.")


def _second_ports(config: Config) -> Iterator[Problem]:
    """A port that tells signal and operator has no other use, not with any modem."""
    users = {link.port: f"the uplink '{link.name}' dials by it" for link in config.modems}
    users |= {line.port: f"the line '{line.name}' answers by it" for line in config.dialin}
    for index, modem in enumerate(config.uplink):
        if not isinstance(modem, Modem) or not modem.status_port:
            continue
        path, port = f"uplink[{index}].status_port", modem.status_port
        if not _PORT.fullmatch(port):
            text = f"'{port}' is not a serial port."
            hint = "A path under /dev/serial/by-path/, or leave it empty."
            yield Problem(path, "bad_port", text, hint)
        elif port in users:
            text = f"The port '{port}' is not free: {users[port]}."
            hint = "Name another port of the same modem, or leave it empty."
            yield Problem(path, "duplicate", text, hint)
        users.setdefault(port, f"the uplink '{modem.name}' is asked by it for its signal")


def _ethernet(path: str, link: Ethernet) -> Iterator[Problem]:
    if not _INTERFACE.fullmatch(link.port) or link.port in OURS or link.port.startswith("ppp"):
        text = f"'{link.port}' cannot be an uplink's Ethernet port."
        yield Problem(f"{path}.port", "bad_port", text, "For example eth1.")
    if link.address == "dhcp":
        for field in ("gateway", "dns"):
            if getattr(link, field):
                text = "With address = 'dhcp' the provider tells this."
                hint = "Leave it out, or write a static address."
                yield Problem(f"{path}.{field}", "not_used", text, hint)
        return
    try:
        interface = IPv4Interface(link.address)
        if "/" not in link.address:
            raise ValueError
    except ValueError:
        text = f"'{link.address}' is neither 'dhcp' nor an address with a prefix."
        yield Problem(f"{path}.address", "bad_address", text, "For example 203.0.113.5/24.")
        return
    for where, value in [
        (f"{path}.gateway", link.gateway),
        *((f"{path}.dns[{i}]", server) for i, server in enumerate(link.dns)),
    ]:
        try:
            address = IPv4Address(value)
        except ValueError:
            text = f"'{value}' is not an IPv4 address." if value else "The gateway is missing."
            yield Problem(where, "bad_address", text)
            continue
        if where.endswith("gateway") and address not in interface.network:
            text = f"{address} is not in {interface.network}."
            yield Problem(where, "outside_network", text, "The gateway is a neighbour.")


def _probe(path: str, probe: Probe) -> Iterator[Problem]:
    for index, text in enumerate(probe.targets):
        try:
            address = IPv4Address(text)
        except ValueError:
            problem = f"'{text}' is not an IPv4 address."
            hint = "Names are not asked for: a probe must not depend on DNS."
            yield Problem(f"{path}.targets[{index}]", "bad_address", problem, hint)
            continue
        if address.is_multicast or address.is_loopback or address.is_unspecified:
            problem = f"{address} is not the address of a host on the way to the Internet."
            yield Problem(f"{path}.targets[{index}]", "not_a_host", problem)
    if probe.bytes_per_day and probe.bytes_per_day < PROBE_BYTES:
        text = f"One probe costs {PROBE_BYTES} bytes, there and back."
        hint = "0 means no limit; enabled = false means no probes."
        yield Problem(f"{path}.bytes_per_day", "too_small", text, hint)


def _overlaps(config: Config) -> Iterator[Problem]:
    try:
        lan = config.lan.interface.network
    except ValueError:
        return
    for index, link in enumerate(config.uplink):
        if not isinstance(link, Ethernet) or link.address == "dhcp":
            continue
        try:
            network = IPv4Interface(link.address).network
        except ValueError:
            continue
        if network.overlaps(lan):
            text = f"{network} overlaps the LAN {lan}."
            hint = "Give the LAN another network."
            yield Problem(f"uplink[{index}].address", "overlaps_lan", text, hint)
