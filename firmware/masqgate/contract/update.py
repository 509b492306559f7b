"""Updates: their calls, on a socket of their own, and what is told of slots and progress."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from .calls import Call, Nothing
from .status import Reason

SlotState = Literal["good", "on_trial", "not_bootable", "unknown"]
Phase = Literal["idle", "verifying", "writing", "comparing", "ready", "on_trial"]


class SlotStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One of the two places for a system on the card."""

    slot: str  # a, b
    state: SlotState
    version: str = ""  # empty: not known
    running: bool = False
    first: bool = False  # the one that is started next


class UpdateStatus(msgspec.Struct, frozen=True, kw_only=True):
    """What is in both slots, and how far an update is."""

    version: str  # that runs
    compatible: str  # the boards that this system is for
    slots: tuple[SlotStatus, ...]
    phase: Phase
    text: str  # the same in words
    done_bytes: int = 0
    total_bytes: int = 0
    last: Reason | None = None  # how the last update ended


class InstallOrder(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The bundle follows on the same connection, until the caller shuts its side.

    `check_only`: verify all of it and write nothing.
    """

    allow_downgrade: bool = False
    check_only: bool = False


class BundleInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A bundle that was verified; `slot` is the one that it was written to, if it was."""

    version: str
    compatible: str
    slot: str = ""


UPDATE_STATUS = Call("update_status", Nothing, UpdateStatus)
UPDATE_INSTALL = Call("update_install", InstallOrder, BundleInfo)
UPDATE_BACK = Call("update_back", Nothing, UpdateStatus)
UPDATE_RESTART = Call("update_restart", Nothing, Nothing)

UPDATE_CALLS: dict[str, Call[Any, Any]] = {
    call.name: call for call in (UPDATE_STATUS, UPDATE_INSTALL, UPDATE_BACK, UPDATE_RESTART)
}
