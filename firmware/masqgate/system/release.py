"""Which version runs, and for which boards: what the slot itself says."""

from __future__ import annotations

import contextlib

import msgspec

from masqgate import __version__
from masqgate.contract.codec import from_json
from masqgate.contract.paths import Paths


class Release(msgspec.Struct, frozen=True):
    """The file `release.json` of a slot."""

    version: str = __version__
    compatible: str = "masqgate-rpi64"


def running(paths: Paths) -> Release:
    """Return the running slot's; what our own code says if the slot has none."""
    with contextlib.suppress(OSError, msgspec.MsgspecError):
        return from_json(paths.release.read_bytes(), Release)
    return Release()
