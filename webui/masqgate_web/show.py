"""How values are told to people: pure functions, registered as template filters."""

from __future__ import annotations

from datetime import UTC, datetime

from flask import Flask
from markupsafe import Markup
from masqgate.contract import hardware, mobile
from masqgate.contract.status import LinkState, LinkStatus, Status

CLOCK_SET = 1_577_836_800  # 2020; a clock before that was never set
FARTHEST = 253_402_300_799  # the last second that a date can tell

WORDS: dict[LinkState, tuple[str, str]] = {
    LinkState.OFF: ("Switched off", "calm"),
    LinkState.IDLE: ("Not connected", "calm"),
    LinkState.NO_PORT: ("Modem not found", "bad"),
    LinkState.WAITING: ("Waiting to redial", "warn"),
    LinkState.INIT: ("Preparing the modem", "busy"),
    LinkState.DIALING: ("Dialing", "busy"),
    LinkState.NEGOTIATING: ("Logging in", "busy"),
    LinkState.UP: ("Connected", "good"),
    LinkState.HANGING_UP: ("Hanging up", "busy"),
    LinkState.RESETTING: ("Resetting the modem", "warn"),
}
ETHERNET_WORDS: dict[LinkState, tuple[str, str]] = {
    LinkState.NO_PORT: ("Port not found", "bad"),
    LinkState.WAITING: ("Waiting for the network", "warn"),
    LinkState.INIT: ("Preparing the port", "busy"),
    LinkState.NEGOTIATING: ("Asking for an address", "busy"),
    LinkState.HANGING_UP: ("Going down", "busy"),
}


LINE_WORDS: dict[LinkState, tuple[str, str]] = {
    LinkState.IDLE: ("Waiting for a call", "calm"),
    LinkState.WAITING: ("Not answering for a while", "warn"),
    LinkState.DIALING: ("Answering", "busy"),
    LinkState.UP: ("A caller is connected", "good"),
}
DEAD_BEYOND = ("Up, but dead beyond", "warn")
BY_KIND = {"ethernet": ETHERNET_WORDS, "dialin": LINE_WORDS}


def words(link: LinkStatus) -> str:
    """The state of an uplink in words."""
    return _words(link)[0]


def tone(link: LinkStatus) -> str:
    """How the state is coloured: good, busy, calm, warn or bad."""
    return _words(link)[1]


def _words(link: LinkStatus) -> tuple[str, str]:
    if link.state is LinkState.UP and link.health.verdict == "bad":
        return DEAD_BEYOND
    usual = WORDS[link.state]
    return BY_KIND.get(link.kind, {}).get(link.state, usual)


def duration(seconds: float) -> str:
    """Two units are enough: '2 h 5 min'."""
    left = max(0, round(seconds))
    for unit, name, smaller, small in (
        (86_400, "d", 3600, "h"),
        (3600, "h", 60, "min"),
        (60, "min", 1, "s"),
    ):
        if left >= unit:
            return f"{left // unit} {name} {left % unit // smaller} {small}"
    return f"{left} s"


def size(count: float) -> str:
    """Bytes in powers of 1000, three digits: '12.3 MB'."""
    return _scaled(count, ("B", "kB", "MB", "GB", "TB"))


def speed(rate: float | None) -> str:
    """Bytes per second, or a dash."""
    return "–" if rate is None else f"{size(rate)}/s"


def bitrate(rate: float) -> str:
    """Bit per second of a line: '33.6 kbit/s'."""
    return _scaled(rate, ("bit/s", "kbit/s", "Mbit/s", "Gbit/s"))


def _scaled(value: float, units: tuple[str, ...]) -> str:
    index = 0
    while value >= 999.5 and index < len(units) - 1:
        value /= 1000
        index += 1
    digits = 0 if index == 0 or value >= 99.95 else 1 if value >= 9.995 else 2
    number = f"{value:.{digits}f}"
    return f"{number.rstrip('0').rstrip('.') if '.' in number else number} {units[index]}"


def moment(at: float) -> Markup:
    """A Unix time as a `time` element in UTC, which the page's script tells in local time."""
    if not CLOCK_SET <= at <= FARTHEST:
        return Markup('<span class="faint">clock not set</span>')
    when = datetime.fromtimestamp(at, UTC)
    return Markup('<time datetime="{}">{} UTC</time>').format(
        when.strftime("%Y-%m-%dT%H:%M:%SZ"), when.strftime("%Y-%m-%d %H:%M:%S")
    )


def age(status: Status, since_at: float) -> float | None:
    """Seconds since a Unix time; None where the clock was set in between, and nobody knows."""
    passed = status.at - since_at
    return passed if -5 <= passed <= status.uptime_s + 60 else None


def signal(dbm: int) -> str:
    """A received signal strength (3GPP TS 27.007, section 8.5) with a word for it."""
    for least, word in ((-73, "excellent"), (-83, "good"), (-93, "fair"), (-109, "weak")):
        if dbm >= least:
            return f"{dbm} dBm, {word}"
    return f"{dbm} dBm, hardly any"


def endpoint(address: str, port: int | None) -> str:
    """Address and port as people write them."""
    if port is None:
        return address
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def register(app: Flask) -> None:
    """Give the templates these functions."""
    for function in (words, tone, duration, size, speed, bitrate, moment, signal, endpoint):
        app.jinja_env.filters[function.__name__] = function
    app.jinja_env.filters["network"] = mobile.network
    app.jinja_env.globals.update(
        age=age, told_ago_s=mobile.told_ago_s, hardware_rows=hardware.rows
    )
