"""The provider's router: joins the calls to the lab's Internet through one tun device."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections import deque
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Network

MTU = 1500
PREFIX_BITS = 56  # of what callers are delegated
QUEUE = 64  # packets that wait for a slow line; more are lost, as at a real provider
BATCH = 16
ANYWHERE = IPv4Address("0.0.0.0")


def destination6(packet: bytes) -> IPv6Network | None:
    """Return the network of callers that an IPv6 packet goes to; None if it is no IPv6."""
    if len(packet) < 40 or packet[0] >> 4 != 6:
        return None
    return IPv6Network((packet[24:40], PREFIX_BITS), strict=False)


def destination(packet: bytes) -> IPv4Address | None:
    """Return where an IPv4 packet goes (RFC 791, section 3.1); None if it is no IPv4."""
    if len(packet) < 20 or packet[0] >> 4 != 4:
        return None
    return IPv4Address(packet[16:20])


class CallUplink:
    """One call's way to the Internet; implements `isp.Uplink`."""

    def __init__(self, tun: IspTun, address: IPv4Address, give: Callable[[bytes], None]) -> None:
        self.address = address
        self.dropped = 0
        self._tun = tun
        self._give = give
        self._paused = False
        self._waiting: deque[bytes] = deque()

    def write(self, packet: bytes) -> None:
        """A packet from the caller."""
        self._tun.write(packet)

    def take(self, packet: bytes) -> None:
        """A packet for the caller: now, or when the line has room."""
        if len(self._waiting) >= QUEUE:
            self.dropped += 1
            return
        self._waiting.append(packet)
        self._flush()

    def delegate(self, prefix: IPv6Network) -> None:
        """Packets for this prefix are this call's, too."""
        self._tun.delegate(prefix, self)

    def pause(self, paused: bool) -> None:
        """Stop or go on giving packets for the caller."""
        was, self._paused = self._paused, paused
        if was and not paused:
            self._flush()

    def close(self) -> None:
        """The call is over: packets for its address are lost from now on."""
        self._waiting.clear()
        self._tun.forget(self)

    def _flush(self) -> None:
        while self._waiting and not self._paused:
            self._give(self._waiting.popleft())


class IspTun:
    """Owns the tun's descriptor. Make it, and use it, on the lab's loop only."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._calls: dict[IPv4Address, CallUplink] = {}
        self._prefixes: dict[IPv6Network, CallUplink] = {}
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(fd, self._readable)

    def uplink(self, address: IPv4Address, give: Callable[[bytes], None]) -> CallUplink:
        """An `isp.UplinkFactory`; a newer call with the same address takes it over."""
        call = CallUplink(self, address, give)
        self._calls[address] = call
        return call

    def default(self, give: Callable[[bytes], None]) -> CallUplink:
        """Take all packets that belong to no other call, as a caller's own computer does."""
        return self.uplink(ANYWHERE, give)

    def write(self, packet: bytes) -> None:
        """Send a packet into the Internet; what the kernel does not take is lost."""
        with contextlib.suppress(OSError):
            os.write(self._fd, packet)

    def delegate(self, prefix: IPv6Network, call: CallUplink) -> None:
        """A call has a prefix of IPv6."""
        self._prefixes[prefix] = call

    def forget(self, call: CallUplink) -> None:
        """A call is over."""
        self._prefixes = {key: one for key, one in self._prefixes.items() if one is not call}
        if self._calls.get(call.address) is call:
            del self._calls[call.address]

    def close(self) -> None:
        """Give the descriptor back."""
        self._loop.remove_reader(self._fd)
        os.close(self._fd)

    def _readable(self) -> None:
        for _ in range(BATCH):
            try:
                packet = os.read(self._fd, MTU + 100)
            except OSError:  # nothing more for now
                return
            if (prefix := destination6(packet)) is not None:
                six = self._prefixes.get(prefix)
                if six is not None:
                    six.take(packet)
                continue
            address = destination(packet)
            if address is None:
                continue
            call = self._calls.get(address) or self._calls.get(ANYWHERE)
            if call is not None:
                call.take(packet)
