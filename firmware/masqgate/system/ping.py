"""Send ICMP echo requests and wait for the answers; needs root or CAP_NET_RAW."""

from __future__ import annotations

import errno
import os
import socket
import time
from dataclasses import dataclass

from masqgate.core import icmp

ATTEMPTS = 3
WAIT_S = 3.0  # for each; dial-up lines are slow

# <linux/in.h>; Python has no names for them.
_IP_MTU_DISCOVER, _IP_MTU, _PMTUDISC_DO = 10, 14, 2


@dataclass(frozen=True)
class Pong:
    """An answer after `ms` milliseconds, or why there is none. `path_mtu` is in bytes."""

    ms: float | None
    error: str = ""
    path_mtu: int = 0

    def __bool__(self) -> bool:
        return self.ms is not None


def ping(
    address: str,
    size: int = 56,
    *,
    attempts: int = ATTEMPTS,
    wait_s: float = WAIT_S,
    way: tuple[str, str] | None = None,
) -> Pong:
    """Ask an address until it answers once; never raises. Packets are not fragmented.

    `way`: the interface, and the source address, that they have to leave by.
    """
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as sock:
            sock.setsockopt(socket.IPPROTO_IP, _IP_MTU_DISCOVER, _PMTUDISC_DO)
            if way is not None:
                interface, source = way
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode())
                sock.bind((source, 0))
            sock.connect((address, 0))
            return _ask(sock, size, attempts, wait_s)
    except PermissionError:
        return Pong(None, "the firewall or missing rights forbid it")
    except OSError as error:
        return Pong(None, (error.strerror or str(error)).lower())


def _ask(sock: socket.socket, size: int, attempts: int, wait_s: float) -> Pong:
    identifier = int.from_bytes(os.urandom(2), "big")
    last = Pong(None, "no answer")
    for sequence in range(1, attempts + 1):
        begin = time.monotonic()
        try:
            sock.send(icmp.echo_request(identifier, sequence, size))
        except OSError as error:
            if error.errno != errno.EMSGSIZE:
                raise
            mtu = sock.getsockopt(socket.IPPROTO_IP, _IP_MTU)
            return Pong(None, f"the path takes at most {mtu} bytes", mtu)
        answer = _answer(sock, identifier, begin + wait_s)
        if answer is not None and not answer.error:
            return Pong((time.monotonic() - begin) * 1000)
        if answer is not None:
            last = Pong(None, answer.error)
    return last


def _answer(sock: socket.socket, identifier: int, end: float) -> icmp.Answer | None:
    """Wait for an answer to any of our requests, a late one too."""
    while (left := end - time.monotonic()) > 0:
        sock.settimeout(left)
        try:
            packet = sock.recv(65_535)
        except TimeoutError:
            return None
        if answer := icmp.parse(packet, identifier):
            return answer
    return None
