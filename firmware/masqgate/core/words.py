"""The router's state in words, 80 columns, plain ASCII: for command line and console."""

from __future__ import annotations

import textwrap
import time
from collections.abc import Iterable, Iterator

from masqgate.contract import hardware, mobile
from masqgate.contract.apn import Apns
from masqgate.contract.hardware import Hardware
from masqgate.contract.status import (
    Entry,
    Flow,
    LanStatus,
    LinkState,
    LinkStatus,
    Reason,
    Status,
)

from .ladder import Result

WIDTH = 79  # a terminal of 80 columns wraps after the 80th
HEIGHT = 24
_LABEL = 11
_EARLIEST = 1_600_000_000  # 2020: an earlier time comes from a clock that was not set

_STATES = {
    LinkState.OFF: "off",
    LinkState.IDLE: "idle",
    LinkState.NO_PORT: "its port is not there",
    LinkState.WAITING: "waiting",
    LinkState.INIT: "preparing the modem",
    LinkState.DIALING: "dialing",
    LinkState.NEGOTIATING: "logging in",
    LinkState.UP: "up",
    LinkState.HANGING_UP: "hanging up",
    LinkState.RESETTING: "resetting the modem",
}
_LINE_STATES = {
    LinkState.IDLE: "waits for a call",
    LinkState.WAITING: "does not answer for a while",
    LinkState.DIALING: "answering",
    LinkState.NEGOTIATING: "the caller logs in",
    LinkState.UP: "a caller is connected",
}
_FIREWALL = {
    "open": "in force",
    "closed": "closed: nothing passes yet",
    "failed": "FAILED: its rules could not be loaded, so nothing passes",
}


def status_lines(status: Status) -> list[str]:
    """Describe the whole router."""
    lines = [
        f"Masqgate {status.version} on {ascii_only(status.hostname)}, "
        f"running for {duration(status.uptime_s)}",
        *_row("Time", moment(status.at)),
        *_row("Firewall", _FIREWALL[status.firewall]),
        *_row("Admin page", _page(status)),
    ]
    lines += _unconfirmed(status)
    if status.reboots:
        counts = ", ".join(f"{code} {count}" for code, count in sorted(status.reboots.items()))
        lines += _row("Restarts", f"for want of an uplink: {counts}")
    if board := hardware.short(status.hardware):
        lines += _row("Board", board)
    for warning in status.warnings:
        lines += _row("WARNING", _reason(warning))
    for link in status.uplinks:
        lines += ["", *link_lines(link, status.at, active=link.name == status.active)]
    if not status.uplinks:
        lines += ["", "No uplink is configured."]
    for line in status.dialin:
        lines += ["", *_telephone(line, status.at)]
    return [*lines, "", *lan_lines(status.lan)]


def _telephone(line: LinkStatus, at: float) -> list[str]:
    """Describe a modem that answers the telephone."""
    lines = [f"Dial-in {line.name}: {line_state(line)}{_since(line.since_at, at)}"]
    lines += _row("Why", _reason(line.reason))
    if line.caller and line.peer:
        number = f", number {line.caller_id}" if line.caller_id else ""
        lines += _row("Caller", f"{line.caller}{number}, with the address {line.peer}")
    counters = line.counters
    if line.caller and (counters.rx_bytes or counters.tx_bytes):
        text = f"{size(counters.rx_bytes)} received, {size(counters.tx_bytes)} sent"
        lines += _row("Traffic", text)
    resets = ", ".join(f"{name} {count}" for name, count in sorted(line.resets.items()))
    more = f"; resets: {resets}" if resets else ""
    return [*lines, *_row("Calls", f"{line.calls} came up{more}")]


def hardware_lines(told: Hardware, warnings: Iterable[Reason]) -> list[str]:
    """Describe board, card and data partition, and what the router warns of."""
    lines = []
    for label, text in hardware.rows(told, serial=True):
        lines += _row(label, text, 16)
    for warning in warnings:
        lines += _row("WARNING", _reason(warning), 16)
    return lines


def line_state(line: LinkStatus) -> str:
    """The state of a modem that answers the telephone, in a few words."""
    return _LINE_STATES.get(line.state, _STATES[line.state])


def call_lines(calls: Iterable[Entry]) -> list[str]:
    """List calls that were answered: when, who, from where, how long, how much, and why over."""
    lines: list[str] = []
    for entry in calls:
        if (call := entry.call) is None:
            continue
        who = call.caller or "nobody"
        number = f" from {call.caller_id}" if call.caller_id else ""
        address = f" as {call.address}" if call.address else ""
        counted = f"{size(call.counters.rx_bytes)} in, {size(call.counters.tx_bytes)} out"
        text = (
            f"{moment(call.began_at)} {call.line:<10} {who}{number}{address}, "
            f"{duration(call.duration_s)}, {counted}. {call.text}"
        )
        indent = " " * 20
        lines += textwrap.wrap(ascii_only(text), WIDTH, subsequent_indent=indent)
    return lines or ["No call has been answered yet."]


def apn_lines(known: Apns) -> list[str]:
    """List access points, or the countries that have some."""
    if known.countries:
        text = f"Access points are known of {', '.join(known.countries)}. Name one of these."
        return textwrap.wrap(text, WIDTH)
    lines: list[str] = []
    for one in known.found:
        login = f", user {one.user}, password {one.password}" if one.user else ""
        notes = ", ".join(note for note in (one.name, one.plan, one.usage) if note)
        networks = " ".join(one.networks)
        text = f"{one.apn:<24} {one.provider} ({networks or 'no network'}): {notes}{login}"
        lines += textwrap.wrap(ascii_only(text), WIDTH, subsequent_indent=" " * 25)
    return lines or ["No access point is known there."]


def summary_lines(status: Status) -> list[str]:
    """Describe the router on few lines that change only when something has happened."""
    lines = _row("Firewall", _FIREWALL[status.firewall])
    lines += _row("Admin page", _page(status))
    for link in status.uplinks:
        mark = ", carries the traffic" if link.name == status.active else ""
        address = f" with {link.address}" if link.address else ""
        text = f"{_STATES[link.state]}{address}{mark}. {_reason(link.reason)}"
        lines += _row(link.name, text)
    if not status.uplinks:
        lines += _row("Uplink", "none is configured")
    for line in status.dialin:
        lines += _row(line.name, f"{line_state(line)}. {_reason(line.reason)}")
    ports = ", ".join(status.lan.ports) or "no Ethernet adapter"
    both = ", ".join(filter(None, (status.lan.address, status.lan.address6)))
    lines += _row("LAN", f"{both} on {ports}; hosts: {len(status.lan.hosts)}")
    for warning in status.warnings:
        lines += _row("WARNING", _reason(warning))
    return lines


def link_lines(link: LinkStatus, at: float, *, active: bool) -> list[str]:
    """Describe one uplink; `at` is now in Unix time."""
    mark = ", carries the traffic" if active else ""
    retry = ""
    if link.retry_in_s is not None:
        retry = f", dials again in {duration(link.retry_in_s)}"
    state = f"{_STATES[link.state]}{_since(link.since_at, at)}{retry}{mark}"
    lines = [f"Uplink {link.name} ({link.kind}): {state}"]
    lines += _row("Why", _reason(link.reason))
    if link.trigger is not None:
        lines += _row("Dialed for", f"{moment(link.trigger.at).strip()}: {link.trigger.text}")
    if link.address:
        peer = f", peer {link.peer}" if link.peer else ""
        lines += _row("Address", f"{link.address} on {link.interface}{peer}")
    lines += _six(link)
    if link.dns:
        lines += _row("Servers", "DNS " + ", ".join(link.dns))
    lines += [*_health(link), *_call(link, at)]
    return lines


def uplinks_lines(status: Status) -> list[str]:
    """Describe the uplinks in their order: how each is, and why it is not used."""
    if not status.uplinks:
        return ["No uplink is configured."]
    lines: list[str] = []
    for number, link in enumerate(status.uplinks, 1):
        mark = ", carries the traffic" if link.name == status.active else ""
        address = f" with {link.address}" if link.address else ""
        lines.append(f"{number}. {link.name} ({link.kind}): {_STATES[link.state]}{address}{mark}")
        lines += _row("Why", _reason(link.reason))
        lines += _six(link)
        lines += _health(link)
        if link.health.probed_at is not None:
            ago = duration(status.at - link.health.probed_at)
            spent = f"; {size(link.health.spent_bytes)} for probes today"
            lines += _row("Probe", f"the last one {ago} ago{spent}")
    return lines


def _health(link: LinkStatus) -> Iterator[str]:
    verdicts = {"good": "well. ", "bad": "DEAD BEYOND THE LINK. "}
    if link.health.text:
        yield from _row("Health", verdicts.get(link.health.verdict, "") + link.health.text)
    if link.health.unused:
        yield from _row("Not used", link.health.unused)


def _call(link: LinkStatus, at: float) -> Iterator[str]:
    if link.connect_rate or link.connect_text:
        rate = f"{link.connect_rate} bit/s" if link.connect_rate else ""
        said = f"'{link.connect_text}'" if link.connect_text else ""
        yield from _row("Line", ", ".join(filter(None, (rate, said))))
    counters = link.counters
    if counters.rx_bytes or counters.tx_bytes:
        text = f"{size(counters.rx_bytes)} received, {size(counters.tx_bytes)} sent"
        yield from _row("Traffic", text)
    modem = [link.modem, mobile.network(link)]
    if link.signal_dbm is not None:
        modem.append(f"signal {link.signal_dbm} dBm")
    if any(modem):
        ago = mobile.told_ago_s(link, at)
        told = "" if ago is None else f" ({duration(ago)} ago)"
        yield from _row("Modem", ", ".join(filter(None, modem)) + told)
    if link.network_trouble is not None:
        yield from _row("Signal", _reason(link.network_trouble))
    if link.apn:
        others = ", ".join(link.apn_others)
        yield from _row("Access", link.apn + (f"; others: {others}" if others else ""))
    if link.power_cuts:
        counts = ", ".join(f"{name} {count}" for name, count in sorted(link.power_cuts.items()))
        yield from _row("USB power", f"switched off and on: {counts}")
    if link.kind == "modem":
        counts = f"{link.calls} came up, {link.attempts} attempts since"
        resets = ", ".join(f"{name} {count}" for name, count in sorted(link.resets.items()))
        yield from _row("Calls", counts + (f"; resets: {resets}" if resets else ""))


def _six(link: LinkStatus) -> list[str]:
    """What an uplink has of IPv6; nothing of one that has none."""
    own = f"{link.address6} on {link.interface}" if link.address6 else ""
    given = f"{link.prefix6} for the LAN" if link.prefix6 else ""
    return _row("IPv6", ", ".join(filter(None, (own, given)))) if own or given else []


def lan_lines(lan: LanStatus) -> list[str]:
    """Describe the LAN and its hosts."""
    lines = [f"LAN {lan.interface}: {lan.address or 'no address'}"]
    if lan.address6:
        lines += _row("IPv6", lan.address6)
    if lan.old_prefixes6:
        lines += _row("Old IPv6", f"{', '.join(lan.old_prefixes6)}: hosts are told to leave it")
    lines += _row("Ports", ", ".join(lan.ports) or "none: no Ethernet adapter is there")
    if not lan.hosts:
        return [*lines, *_row("Hosts", "none has asked for an address yet")]
    lines.append("  Address          MAC                Name")
    for host in lan.hosts:
        row = f"  {host.address:<16} {host.mac:<18} {ascii_only(host.name) or '-'}"
        lines.append(row[:WIDTH])
    return lines


def entry_line(entry: Entry) -> str:
    """Describe one event, on one line."""
    level = "" if entry.level == "info" else f"{entry.level.upper()} "
    return f"{moment(entry.at)} {entry.source:<10} {level}{ascii_only(entry.text)}"


def entry_lines(entry: Entry) -> list[str]:
    """Describe one event in 80 columns."""
    return textwrap.wrap(entry_line(entry), WIDTH, subsequent_indent=" " * 20)


def flow_lines(flows: Iterable[Flow]) -> list[str]:
    """List masqueraded connections: who, seen as what, to where."""
    flows = tuple(flows)
    if not flows:
        return ["No connection is masqueraded at the moment."]
    lines = [f"{'Proto':<6}{'LAN host':<22}{'seen as':<22}{'to':<22}State"]
    for flow in flows:
        lines.append(
            (
                f"{flow.protocol:<6}{_socket(flow.source, flow.source_port):<22}"
                f"{_socket(flow.masqueraded, flow.masqueraded_port):<22}"
                f"{_socket(flow.destination, flow.destination_port):<22}{flow.state[:7]}"
            ).rstrip()
        )
    return lines


def result_lines(result: Result) -> list[str]:
    """Describe one step of the self-test, and what a failure means."""
    verdict = {"good": "good", "failed": "FAILED", "skipped": "skipped"}[result.verdict]
    head = f"{result.step.number:>2}  {result.step.title}: {verdict} ({result.text})"
    lines = textwrap.wrap(ascii_only(head), WIDTH, subsequent_indent="    ")
    if result.verdict == "failed":
        lines += textwrap.wrap(
            result.step.diagnosis, WIDTH, initial_indent="    > ", subsequent_indent="      "
        )
    return lines


def fitted(lines: list[str]) -> list[str]:
    """Cut what would scroll off the screen, and tell where the rest is."""
    most = HEIGHT - 3  # what was typed stands above, the prompt below
    if len(lines) <= most:
        return lines
    return [*lines[: most - 1], "  and more: s, then `masqgate status`"]


def wrapped(text: str) -> list[str]:
    """Fold a text to the width of the terminal."""
    return textwrap.wrap(ascii_only(text), WIDTH, subsequent_indent="  ")


def duration(seconds: float) -> str:
    """Say a time span with its two largest units."""
    left = max(0, round(seconds))
    parts = []
    for unit, length in (("d", 86_400), ("h", 3600), ("min", 60), ("s", 1)):
        count, left = divmod(left, length)
        if count:
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2]) or "0 s"


def moment(at: float) -> str:
    """Say a Unix time as UTC; a clock that was never set is told as such."""
    if at < _EARLIEST:
        return "clock not set yet  "
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(at))


def size(count: int) -> str:
    """Say a number of bytes."""
    value = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000 or unit == "GB":
            break
        value /= 1000
    return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"


def ascii_only(text: str) -> str:
    """Replace what a plain terminal cannot show, and what could do something to it."""
    text = text.replace("\N{DEGREE SIGN}C", "C")
    return "".join(c if " " <= c <= "~" else "?" for c in text)


def _since(since: float, at: float) -> str:
    """Say how long ago, unless the clock has jumped in between."""
    if since < _EARLIEST or not 0 <= at - since < 10 * 365 * 86_400:
        return ""
    return f" (for {duration(at - since)})"


def _page(status: Status) -> str:
    address = status.lan.address.split("/")[0]
    if not address:
        return "not reachable: the router has no LAN address"
    note = "" if status.password_set else "; nothing passes until its password is set"
    return f"http://{address}/{note}"


def _unconfirmed(status: Status) -> list[str]:
    if status.confirm_in_s is None:
        return []
    text = f"not confirmed; it is taken back in {duration(status.confirm_in_s)}"
    return _row("Settings", text)


def _reason(reason: Reason) -> str:
    return f"{reason.text} {reason.hint}".strip()


def _row(label: str, text: str, width: int = _LABEL) -> list[str]:
    indent = " " * (width + 2)
    return textwrap.wrap(
        ascii_only(text), WIDTH, initial_indent=f"  {label:<{width}}", subsequent_indent=indent
    )


def _socket(address: str, port: int | None) -> str:
    return address if port is None else f"{address}:{port}"
