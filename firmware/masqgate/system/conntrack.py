"""The kernel's table of flows: what is masqueraded, and what has become stale.

`conntrack` is asked instead of netlink: it reads the table at the speed of C, which counts on a
small board with thousands of flows, and its line format has been stable for a decade.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import msgspec

from ..contract.status import Flow
from .run import ToolError, run

COUNT = Path("/proc/sys/net/netfilter/nf_conntrack_count")
_LOOPBACK = IPv4Network("127.0.0.0/8")
_BROADCAST = IPv4Address("255.255.255.255")
_NOT_FOUND = "0 flow entries"


class Tracked(msgspec.Struct, frozen=True):
    """One flow as the kernel tracks it: where it began, and how the answers come."""

    protocol: str
    source: str
    destination: str
    reply_source: str
    reply_destination: str  # the source that the destination sees
    source_port: int | None = None
    destination_port: int | None = None
    reply_destination_port: int | None = None
    state: str = ""
    timeout_s: int = 0

    @property
    def masqueraded(self) -> bool:
        """Whether the source was rewritten."""
        return self.reply_destination != self.source


def flows(lan: IPv4Network, limit: int) -> tuple[Flow, ...]:
    """At most `limit` masqueraded flows of the LAN; ToolError if they cannot be read."""
    found: list[Flow] = []
    for flow in dump():
        if len(found) >= limit:
            break
        if flow.masqueraded and IPv4Address(flow.source) in lan:
            found.append(_told(flow))
    return tuple(found)


def count(lan: IPv4Network) -> int:
    """How many masqueraded flows of the LAN there are; ToolError if they cannot be read."""
    return sum(flow.masqueraded and IPv4Address(flow.source) in lan for flow in dump())


def flush_stale(
    lan: IPv4Network, active: str, alive: Iterable[str], beat: Callable[[], None] = lambda: None
) -> int:
    """Forget the flows that no longer have a way; how many. ToolError if that cannot be done.

    `active` is the address of the uplink that carries the default route (empty: there is none),
    `alive` the addresses of all uplinks that are up. `beat` is called before each run of a tool.
    """
    beat()
    addresses = set(alive)
    stale = [flow for flow in dump() if is_stale(flow, lan, active, addresses)]
    for match in dict.fromkeys(map(_match, stale)):
        beat()
        _forget(match)
    return len(stale)


def is_stale(flow: Tracked, lan: IPv4Network, active: str, alive: set[str]) -> bool:
    """Whether a flow belongs to an uplink address of the past.

    A LAN host's flow to the Internet is fresh only with the active uplink's address: it would
    leave by that uplink. A flow of the router itself is fresh as long as its address is alive.
    """
    source, seen = IPv4Address(flow.source), IPv4Address(flow.reply_destination)
    if source in _LOOPBACK or source.is_unspecified:
        return False
    destination = IPv4Address(flow.destination)
    if source in lan and seen != source:
        return str(seen) != active
    here = destination in lan or destination.is_multicast or destination == _BROADCAST
    if here or flow.destination in alive:
        return False
    return source in lan or str(seen) not in alive


def dump() -> Iterator[Tracked]:
    """All IPv4 flows; ToolError if they cannot be read."""
    yield from filter(None, map(parse, run(["conntrack", "-L", "-f", "ipv4"]).splitlines()))


def parse(line: str) -> Tracked | None:
    """One line of `conntrack -L`; None if it is not a flow."""
    words = line.split()
    if len(words) < 6 or not words[1].isdecimal() or not words[2].isdecimal():
        return None
    pairs = [word.partition("=")[::2] for word in words[3:] if "=" in word]
    original, reply = _directions(pairs)
    try:
        return Tracked(
            protocol=words[0],
            source=original["src"],
            destination=original["dst"],
            reply_source=reply["src"],
            reply_destination=reply["dst"],
            source_port=_port(original, "sport"),
            destination_port=_port(original, "dport"),
            reply_destination_port=_port(reply, "dport"),
            state=words[3] if "=" not in words[3] and not words[3].startswith("[") else "",
            timeout_s=int(words[2]),
        )
    except (KeyError, ValueError):
        return None


def _directions(pairs: list[tuple[str, str]]) -> tuple[dict[str, str], dict[str, str]]:
    """The original and the reply tuple: the second 'src' begins the reply."""
    starts = [index for index, (key, _) in enumerate(pairs) if key == "src"]
    middle = starts[1] if len(starts) > 1 else len(pairs)
    return dict(pairs[:middle]), dict(pairs[middle:])


def _port(direction: dict[str, str], key: str) -> int | None:
    return int(direction[key]) if key in direction else None


def _told(flow: Tracked) -> Flow:
    return Flow(
        protocol=flow.protocol,
        source=flow.source,
        source_port=flow.source_port,
        destination=flow.destination,
        destination_port=flow.destination_port,
        masqueraded=flow.reply_destination,
        masqueraded_port=flow.reply_destination_port,
        state=flow.state,
        timeout_s=flow.timeout_s,
    )


def _match(flow: Tracked) -> tuple[str, ...]:
    """What finds this flow and its like: a host has many flows, and each call costs a process."""
    match = ("-s", flow.source, "-q", flow.reply_destination)
    return match if flow.masqueraded else (*match, "-d", flow.destination)


def _forget(match: tuple[str, ...]) -> None:
    """Delete flows; that they ended by themselves meanwhile is no error."""
    try:
        run(["conntrack", "-D", "-f", "ipv4", *match])
    except ToolError as error:
        if _NOT_FOUND not in str(error):
            raise
