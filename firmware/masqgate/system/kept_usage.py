"""What modems have used of their budgets, kept on the data partition and written seldom."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Mapping
from pathlib import Path

import msgspec

from ..contract.codec import from_json, to_json
from ..core.budget import Used
from . import atomic
from .leases import read_file
from .store import not_saved

SELDOM_S = 900.0  # what a power cut costs at most: so many seconds are not counted
_MAX_FILE = 1 << 16

log = logging.getLogger(__name__)


class KeptUsage:
    """Use by the modems' names. Only `forget` raises."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._kept: dict[str, Used] = {}
        self._written_at: float | None = None  # monotonic

    def restore(self) -> dict[str, Used]:
        """What was kept; nothing of a file that is broken."""
        with contextlib.suppress(OSError, msgspec.MsgspecError):
            self._kept = from_json(read_file(self._path, _MAX_FILE), dict[str, Used])
        return dict(self._kept)

    def keep(self, used: Mapping[str, Used], now: float, *, ending: bool = False) -> None:
        """Write what changed, if it is time to (`now` is monotonic) or a call has ended."""
        due = self._written_at is None or now - self._written_at >= SELDOM_S
        if dict(used) == self._kept or not (due or ending):
            return
        self._written_at = now
        try:
            atomic.write(self._path, to_json(dict(used)))
            self._kept = dict(used)
        except OSError as error:
            log.error("The use of budgets cannot be kept: %s", error.strerror)

    def forget(self) -> None:
        """Remove the file; MasqgateError if that fails."""
        self._kept = {}
        try:
            atomic.remove(self._path)
        except OSError as error:
            raise not_saved(error) from error
