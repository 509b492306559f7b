"""Restarts of the router for want of an uplink: their count on the card, and the order."""

from __future__ import annotations

import logging
from pathlib import Path

import msgspec

from masqgate.contract.codec import from_json, to_json
from masqgate.core.lastresort import Reboots

from . import atomic
from .run import ToolError, run

log = logging.getLogger(__name__)


class Rebooter:
    """Keeps the count in a file; see `supervisor/lastresort.py`."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> Reboots:
        """What is known of earlier ones; nothing stored or unreadable counts as none."""
        try:
            return from_json(self._path.read_bytes(), Reboots)
        except FileNotFoundError:
            return Reboots()
        except (OSError, msgspec.MsgspecError) as error:
            log.warning("the count of restarts was lost: %s", error)
            return Reboots()

    def write(self, reboots: Reboots) -> bool:
        """Keep the count; whether that worked."""
        try:
            atomic.write(self._path, to_json(reboots))
        except OSError as error:
            log.error("the count of restarts cannot be kept: %s", error.strerror)
            return False
        return True

    def reboot(self) -> bool:
        """Order systemd to restart the router in an orderly way: calls are hung up."""
        try:
            run(["systemctl", "--no-block", "reboot"])
        except ToolError as error:
            log.error("the restart could not be ordered: %s", error)
            return False
        return True
