"""dnsmasq's leases, kept on the data partition: after a restart the hosts still have their names.

dnsmasq writes its leases to memory at every renewal. A card is not made for that, so the copy is
written only when a host came, went or changed its name or address, when it has grown old, and
at the end; never more often than `SELDOM_S`.
"""

from __future__ import annotations

import contextlib
import logging
from pathlib import Path

from ..contract.status import Host
from . import atomic
from .leases import MAX_LEASES, parse, read_file
from .store import not_saved

SELDOM_S = 120.0
OLD_S = 6 * 3600.0  # half of the default lease: a host renews its lease so often

log = logging.getLogger(__name__)


class KeptLeases:
    """The leases in memory, and their copy on the card. Only `forget` raises."""

    def __init__(self, leases: Path, copy: Path) -> None:
        self._leases = leases
        self._copy = copy
        self._known: frozenset[tuple[str, str, str]] = frozenset()
        self._written_at: float | None = None  # monotonic

    def restore(self) -> None:
        """Give dnsmasq what was kept, before it starts; if it has leases, they count."""
        with contextlib.suppress(OSError):
            text = read_file(self._copy, MAX_LEASES)
            self._known = _known(text)
            if not self._leases.exists():
                atomic.write(self._leases, text, 0o644)

    def keep(self, now: float, *, ending: bool = False) -> None:
        """Write the copy if it is time to; `now` is monotonic."""
        since = None if self._written_at is None else now - self._written_at
        if since is not None and since < SELDOM_S and not ending:
            return
        with contextlib.suppress(OSError):  # no leases yet
            text = read_file(self._leases, MAX_LEASES)
            if _known(text) != self._known or ending or since is None or since >= OLD_S:
                self._write(text, now)

    def forget(self) -> None:
        """Remove the copy; MasqgateError if that fails."""
        try:
            atomic.remove(self._copy)
        except OSError as error:
            raise not_saved(error) from error

    def _write(self, text: bytes, now: float) -> None:
        try:
            if not self._copy.is_file() or read_file(self._copy, MAX_LEASES) != text:
                atomic.write(self._copy, text, 0o644)
        except OSError as error:
            log.warning("the leases cannot be kept: %s", error.strerror)
        self._known, self._written_at = _known(text), now


def _known(text: bytes) -> frozenset[tuple[str, str, str]]:
    def short(host: Host) -> tuple[str, str, str]:
        return host.mac, host.address, host.name

    return frozenset(map(short, parse(text.decode(errors="replace"))))
