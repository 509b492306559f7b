"""Kinds of traffic in words: `udp/123`, `tcp/137-139`, `icmp`, `igmp`, or a protocol's number."""

from __future__ import annotations

import re
from dataclasses import dataclass

NUMBERS = {"icmp": 1, "igmp": 2, "tcp": 6, "udp": 17, "gre": 47, "esp": 50, "sctp": 132}
NAMES = {number: name for name, number in NUMBERS.items()}
_KIND = re.compile(r"([a-z]+|[0-9]{1,3})(?:/([0-9]{1,5})(?:-([0-9]{1,5}))?)?")


@dataclass(frozen=True)
class Kind:
    """A protocol of IP (IANA's number), and destination ports (0 to 65535: all of them)."""

    protocol: int
    first: int = 0
    last: int = 65535


def kind(text: str) -> Kind:
    """Read a kind of traffic; ValueError, with a sentence, if it is none."""
    found = _KIND.fullmatch(text)
    if found is None:
        raise ValueError(f"'{text}' is no kind of traffic.")
    word, first, last = found.groups()
    protocol = NUMBERS.get(word, int(word) if word.isdecimal() else -1)
    if not 0 <= protocol <= 255:
        raise ValueError(f"There is no protocol '{word}'.")
    if first is None:
        return Kind(protocol)
    if protocol not in (NUMBERS["tcp"], NUMBERS["udp"]):
        raise ValueError(f"'{word}' has no ports.")
    ports = int(first), int(last or first)
    if not 0 < ports[0] <= ports[1] <= 65535:
        raise ValueError(f"'{text}' names no ports.")
    return Kind(protocol, *ports)
