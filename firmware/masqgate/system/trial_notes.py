"""What an update leaves on the data partition: for its trial, and for the way back."""

from __future__ import annotations

import contextlib
import os

import msgspec

from masqgate.contract.codec import from_json, to_json
from masqgate.contract.document import MAX_DOCUMENT
from masqgate.contract.paths import Paths
from masqgate.contract.status import Reason

from . import atomic


class Notes(msgspec.Struct, frozen=True, kw_only=True):
    """One update: what is on trial, how it was before, and how it ended."""

    slot: str
    version: str
    uplink_up: bool = False
    ended: Reason | None = None  # empty: not yet


class Record(msgspec.Struct, frozen=True):
    """What an update wrote to a slot."""

    version: str


def begin(paths: Paths, running: str, notes: Notes) -> None:
    """Keep the configuration for the running slot, and note what is written to the other one.

    OSError, and no slot was touched, if there is no room for it.
    """
    keep_config(paths, running)
    atomic.write(paths.slot_record(notes.slot), to_json(Record(notes.version)))
    atomic.write(paths.update_trial, to_json(notes))


def keep_config(paths: Paths, slot: str) -> None:
    """Copy the configuration in force for a slot; OSError if that fails."""
    try:
        with paths.config.open("rb") as file:
            text = file.read(MAX_DOCUMENT * 2)
    except FileNotFoundError:
        atomic.remove(paths.slot_config(slot))
        return
    atomic.write(paths.slot_config(slot), text)


def read(paths: Paths) -> Notes | None:
    """Return the last update's notes; None if there are none that can be read."""
    with contextlib.suppress(OSError, msgspec.MsgspecError):
        return from_json(paths.update_trial.read_bytes(), Notes)
    return None


def end(paths: Paths, code: str, text: str, hint: str = "") -> None:
    """Note how the last update ended; a data partition that takes no note stops nothing."""
    notes = read(paths)
    if notes is None:
        return
    with contextlib.suppress(OSError):
        done = msgspec.structs.replace(notes, ended=Reason(code, text, hint))
        atomic.write(paths.update_trial, to_json(done))


def version_in(paths: Paths, slot: str) -> str:
    """Return the version that an update wrote to a slot; empty if that is not known."""
    with contextlib.suppress(OSError, msgspec.MsgspecError):
        return from_json(paths.slot_record(slot).read_bytes(), Record).version
    return ""


def sync() -> None:
    """Wait until everything is on the card: a restart follows."""
    os.sync()
