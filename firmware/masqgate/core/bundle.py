"""The bundle of an update: its format, and whether this router may install it. Pure.

    magic (8 bytes) | length of manifest | length of signature (4 bytes each, big-endian)
    manifest (JSON) | signature (CMS, DER, detached: RFC 5652) | payload

The manifest names every piece of the slot's content with its place and SHA-256; the payload
is these pieces, one after the other. So a piece is verified before it is written, and what
lies in the slot can be compared with the manifest again. Blocks that the slot's file system
does not use are in neither.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass

import msgspec

from masqgate.contract.codec import from_json
from masqgate.contract.errors import MasqgateError

from . import versions

MAGIC = b"MASQUPD1"
HEAD = struct.Struct(">8sII")
MAX_MANIFEST = 1 << 20
MAX_SIGNATURE = 1 << 16
MAX_PIECE = 1 << 20  # bytes: what is held in memory
_SHA256 = re.compile(r"[0-9a-f]{64}")
AGAIN = "Fetch it again, and compare its checksum with the one published beside it."


class Piece(msgspec.Struct, frozen=True, array_like=True):
    """Bytes of the slot: where they belong, how many, and their SHA-256 in hexadecimal."""

    offset: int
    length: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What is signed. Fields that are not known are passed over: they are signed as well."""

    compatible: str
    version: str
    slot_bytes: int
    pieces: tuple[Piece, ...]

    @property
    def payload_bytes(self) -> int:
        """The length of the payload."""
        return sum(piece.length for piece in self.pieces)


@dataclass(frozen=True)
class Installed:
    """What a bundle is compared with: the running system, and the size of the spare slot."""

    compatible: str
    version: str
    slot_bytes: int


def parse_head(head: bytes) -> tuple[int, int]:
    """Return the lengths of manifest and signature; MasqgateError if this is no bundle."""
    if len(head) != HEAD.size or not head.startswith(MAGIC):
        text = "This file is not an update of Masqgate."
        raise MasqgateError("update_no_bundle", text, "An update's name ends in .bundle.")
    _, manifest, signature = HEAD.unpack(head)
    if signature == 0:
        text = "The update is not signed."
        raise MasqgateError("update_unsigned", text, "Take one from the project's releases.")
    if manifest > MAX_MANIFEST or signature > MAX_SIGNATURE:
        raise damaged("its head has impossible lengths")
    return manifest, signature


def parse_manifest(data: bytes) -> Manifest:
    """Parse a manifest whose signature was verified; MasqgateError if it makes no sense."""
    try:
        manifest = from_json(data, Manifest)
    except msgspec.MsgspecError:
        text = "The update is signed, but of a form that this version does not know."
        hint = "Update to a version in between first."
        raise MasqgateError("update_unknown_form", text, hint) from None
    end = 0
    for piece in manifest.pieces:
        if piece.offset < end or not 0 < piece.length <= MAX_PIECE:
            raise damaged("its pieces overlap or have impossible lengths")
        if not _SHA256.fullmatch(piece.sha256):
            raise damaged("a checksum is none")
        end = piece.offset + piece.length
    if not manifest.pieces or end > manifest.slot_bytes:
        raise damaged("its content does not fit its own size")
    return manifest


def admit(manifest: Manifest, installed: Installed, allow_downgrade: bool) -> None:
    """MasqgateError, with the reason, unless this router may install the bundle."""
    if manifest.compatible != installed.compatible:
        raise MasqgateError(
            "update_wrong_board",
            f"The update is for other boards ('{manifest.compatible[:40]}'); "
            f"this router is '{installed.compatible}'.",
            "Take the one for this board.",
        )
    if manifest.slot_bytes > installed.slot_bytes:
        text = "The update is larger than a slot of this card."
        raise MasqgateError("update_too_large", text, "Write the card anew (docs/FLASH.md).")
    if not versions.well_formed(manifest.version):
        raise damaged("its version is none")
    if versions.is_older(manifest.version, installed.version) and not allow_downgrade:
        raise MasqgateError(
            "update_older",
            f"The update has version {manifest.version}, and {installed.version} runs.",
            "An older version may have known flaws. Say that you want it all the same, "
            "if you do (--allow-downgrade).",
        )


def damaged(what: str) -> MasqgateError:
    """The error for a bundle that is not as it was made."""
    return MasqgateError("update_damaged", f"The update is damaged: {what}.", AGAIN)


def truncated() -> MasqgateError:
    """The error for a bundle that ends too early."""
    text = "The update is incomplete: the file ends too early."
    return MasqgateError("update_truncated", text, AGAIN)
