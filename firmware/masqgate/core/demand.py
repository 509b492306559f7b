"""Dial on demand: which packet is a reason to dial, and what is kept for when the link is up.

Pure: the caller brings the time, on the monotonic clock.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Literal

from .packets import Packet, summed

ASKED_S = 15.0  # a look-up of dnsmasq is due to a host's question of so long ago at most
KEEP_S = 60.0  # a packet that is older is not sent: whoever waited for it has given up
MOST = 64  # packets that are kept

What = Literal["packet", "ask", "lookup"]


@dataclass(frozen=True)
class Kept:
    """A packet for later; `local`: to the router itself."""

    data: bytes
    at: float
    local: bool


class Waiting:
    """The newest packet of each flow, and who asked for which name."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[object, ...], Kept] = OrderedDict()
        self._asked: OrderedDict[str, tuple[float, Packet]] = OrderedDict()

    def take(self, what: What, packet: Packet, data: bytes, now: float) -> Packet | None:
        """Take a copy; return the packet of the LAN that is a reason to dial, if this is one.

        A question to the router is none by itself: dnsmasq may know the answer. Nor is a look-up
        of dnsmasq's that no host has asked for: that is the router's own business.
        """
        if what == "lookup":
            at, asker = self._asked.get(packet.asked, (0.0, None))
            return asker if asker is not None and packet.asked and now - at <= ASKED_S else None
        if what == "packet" and int.from_bytes(data[2:4], "big") != len(data):
            return packet  # a copy of its beginning: it was put together from fragments
        key = (packet.source, packet.source_port, packet.destination, packet.port, packet.protocol)
        self._kept[key] = Kept(data, now, what == "ask")
        self._kept.move_to_end(key)
        while len(self._kept) > MOST:
            self._kept.popitem(last=False)
        if what == "packet":
            return packet
        self._asked[packet.asked] = (now, packet)
        self._asked.move_to_end(packet.asked)
        while len(self._asked) > MOST:
            self._asked.popitem(last=False)
        return None

    def release(self, now: float) -> tuple[list[bytes], list[bytes]]:
        """What somebody may still wait for, in the order it came; it is kept no more.

        Packets to the Internet, and questions to the router.
        """
        fresh = [kept for kept in self._kept.values() if now - kept.at <= KEEP_S]
        self._kept.clear()
        self._asked.clear()
        outward = [summed(kept.data) for kept in fresh if not kept.local]
        return outward, [summed(kept.data) for kept in fresh if kept.local]
