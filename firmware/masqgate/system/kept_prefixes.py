"""The LAN's IPv6 prefixes and the router's DHCP identifier, as they outlive a restart."""

from __future__ import annotations

import contextlib
import logging
import uuid
from pathlib import Path

import msgspec

from ..contract.codec import from_json, to_json
from ..desired.six import is_lan_prefix
from . import atomic
from .leases import read_file
from .store import not_saved

_MAX_FILE = 4096
log = logging.getLogger(__name__)


class Kept(msgspec.Struct, frozen=True):
    """What is in the file."""

    uuid: str = ""  # 32 hexadecimal digits
    prefixes: tuple[str, ...] = ()


class KeptPrefixes:
    """Reads once, and writes only what is new. Only `forget` raises."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._kept = Kept()

    def restore(self) -> tuple[str, ...]:
        """The prefixes that were kept; nothing of a file that is broken."""
        with contextlib.suppress(OSError, ValueError, msgspec.MsgspecError):
            kept = from_json(read_file(self._path, _MAX_FILE), Kept)
            uuid.UUID(kept.uuid)
            self._kept = kept
        return tuple(one for one in self._kept.prefixes if is_lan_prefix(one))

    @property
    def duid(self) -> str:
        """Who we are to DHCPv6 servers (DUID-UUID, RFC 6355): the same after every restart.

        A provider that knows us again gives the same prefix. Made at the first use.
        """
        if not self._kept.uuid:
            self._write(msgspec.structs.replace(self._kept, uuid=uuid.uuid4().hex))
        return (b"\x00\x04" + uuid.UUID(self._kept.uuid).bytes).hex(":")

    def keep(self, prefixes: tuple[str, ...]) -> None:
        """Write the prefixes down, if they are others than before."""
        if prefixes != self._kept.prefixes:
            self._write(msgspec.structs.replace(self._kept, prefixes=prefixes))

    def forget(self) -> None:
        """Be another router to the provider, without prefixes; MasqgateError if the file stays."""
        self._kept = Kept()
        try:
            atomic.remove(self._path)
        except OSError as error:
            raise not_saved(error) from error

    def _write(self, kept: Kept) -> None:
        self._kept = kept
        try:
            atomic.write(self._path, to_json(kept))
        except OSError as error:
            log.error("The LAN's IPv6 prefixes cannot be kept: %s", error.strerror)
