"""Copies of packets from the ruleset (NFLOG), and sending packets that were kept.

Linux's netfilter_log over netlink (nfnetlink, nfnetlink_log.h).
"""

from __future__ import annotations

import contextlib
import logging
import os
import select
import socket
import struct
import threading
from collections.abc import Callable, Iterable, Iterator

from ..core.packets import Packet, read

_NETLINK_NETFILTER = 12
_SUBSYSTEM = 4 << 8  # NFNL_SUBSYS_ULOG
_PACKET, _CONFIG = 0, 1  # messages
_REQUEST_ACK = 1 | 4  # NLM_F_REQUEST, NLM_F_ACK
_ERROR = 2  # NLMSG_ERROR: also an acknowledgement, then with 0
_CFG_CMD, _CFG_MODE, _CFG_THRESHOLD = 1, 2, 5  # attributes of a configuration
_BIND, _COPY_PACKET = 1, 2
_PAYLOAD, _PREFIX = 9, 10  # attributes of a packet
_NETLINK_HEAD, _NFGEN_HEAD = 16, 4  # bytes
_ROOM = 1 << 20  # bytes of the socket's buffer
RETRY_S = 3.0

Take = Callable[[str, Packet, bytes], None]
log = logging.getLogger(__name__)


class Copies:
    """A thread that calls `take` with prefix, packet and bytes of each copy, until closed."""

    def __init__(self, group: int, take: Take) -> None:
        self._group = group
        self._take = take
        self._stop, self._stopped = socket.socketpair()
        self._thread = threading.Thread(target=self._run, name="copies", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the thread."""
        self._stop.close()
        self._thread.join()
        self._stopped.close()

    def send(self, data: Iterable[bytes]) -> int:
        """Send whole IPv4 packets on the way that routes and rules give; how many went."""
        return send(data)

    def _run(self) -> None:
        told = ""
        while not select.select([self._stopped], [], [], 0)[0]:
            try:
                with _bound(self._group) as sock:
                    told = ""
                    self._follow(sock)
                    return
            except OSError as error:
                if str(error) != told:
                    log.error("Packets that may dial cannot be watched: %s", error)
                told = str(error)
            select.select([self._stopped], [], [], RETRY_S)

    def _follow(self, sock: socket.socket) -> None:
        while True:
            ready, _, _ = select.select([sock, self._stopped], [], [])
            if self._stopped in ready:
                return
            with contextlib.suppress(OSError):  # some were lost (ENOBUFS): others come
                for prefix, data in packets(sock.recv(1 << 17)):
                    if (packet := read(data)) is not None:
                        self._take(prefix, packet, data)


def send(data: Iterable[bytes]) -> int:
    """Send whole IPv4 packets on the way that routes and rules give; how many went."""
    count = 0
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as sock:
        for packet in data:
            try:
                sock.sendto(packet, (socket.inet_ntoa(packet[16:20]), 0))
                count += 1
            except OSError as error:
                log.warning("A packet that was kept could not be sent: %s", error)
    return count


def packets(data: bytes) -> Iterator[tuple[str, bytes]]:
    """Read netlink messages: prefix and payload of each packet; what is broken is left out."""
    while len(data) >= _NETLINK_HEAD:
        length, kind = struct.unpack_from("=IH", data)
        if not _NETLINK_HEAD <= length <= len(data):
            return
        if kind == _SUBSYSTEM | _PACKET:
            found = dict(_attributes(data[_NETLINK_HEAD + _NFGEN_HEAD : length]))
            prefix = found.get(_PREFIX, b"").rstrip(b"\0").decode("ascii", "replace")
            yield prefix, found.get(_PAYLOAD, b"")
        data = data[(length + 3) & ~3 :]


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    while len(data) >= 4:
        length, kind = struct.unpack_from("=HH", data)
        if not 4 <= length <= len(data):
            return
        yield kind & 0x3FFF, data[4:length]
        data = data[(length + 3) & ~3 :]


def _bound(group: int) -> socket.socket:
    """A socket that gets the group's packets; OSError if the kernel refuses."""
    sock = socket.socket(
        socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _NETLINK_NETFILTER
    )
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _ROOM)
        sock.bind((0, 0))
        for attribute, value in (
            (_CFG_CMD, struct.pack("=B", _BIND)),
            (_CFG_MODE, struct.pack("!IBx", 0xFFFF, _COPY_PACKET)),
            (_CFG_THRESHOLD, struct.pack("!I", 1)),  # at once, not by tens
        ):
            sock.send(_configure(group, attribute, value))
            _acknowledged(sock.recv(4096))
    except OSError:
        sock.close()
        raise
    return sock


def _acknowledged(reply: bytes) -> None:
    """Nothing, or the kernel's OSError."""
    kind = struct.unpack_from("=H", reply, 4)[0]
    code = struct.unpack_from("=i", reply, _NETLINK_HEAD)[0]
    if kind == _ERROR and code:
        raise OSError(-code, os.strerror(-code))


def _configure(group: int, attribute: int, value: bytes) -> bytes:
    """One message of configuration (nfulnl_msg_config_*)."""
    body = struct.pack("=BBH", socket.AF_INET, 0, socket.htons(group))
    body += struct.pack("=HH", 4 + len(value), attribute) + value + b"\0" * (-len(value) % 4)
    head = struct.pack(
        "=IHHII", _NETLINK_HEAD + len(body), _SUBSYSTEM | _CONFIG, _REQUEST_ACK, 1, 0
    )
    return head + body
