"""An update on a card: its bundle, its installation, and whether a slot holds a whole system."""

from __future__ import annotations

import hashlib
import json
import struct
from dataclasses import dataclass
from pathlib import Path

from image.builder.disk import boot_state
from image.builder.layout import PARTITIONS
from tests.lab.pi import Image
from tests.system import update_bundles

from .card import Card
from .judge import Broken

VERSION = "0.1.1"
BUNDLE = "update.bundle"
INSTALL = f"masqgate update install /data/{BUNDLE}"
INSTALL_S = 900.0  # patience, on a loaded host
_HEAD = struct.Struct(">8sII")
Pieces = tuple[tuple[int, int, str], ...]  # place in the slot, length, SHA-256


@dataclass(frozen=True)
class Systems:
    """A card with a bundle on its data partition, and what its slots may hold."""

    card: Path
    whole: tuple[Pieces, ...]

    @classmethod
    def of(cls, image: Image, folder: Path) -> Systems:
        """Make bundle and card in a folder."""
        now = update_bundles.slot_release(image.disk, PARTITIONS["slot-a"][0])["version"]
        bundles = [update_bundles.make(image.disk, folder, name) for name in (now, VERSION)]
        card = folder / "with-bundle.img"
        update_bundles.card_with(image.disk, card, {BUNDLE: bundles[1]})
        return cls(card, (_image_pieces(image, bundles[0]), _pieces(bundles[1])))

    def check(self, path: Path) -> None:
        """Broken if a slot that may be started does not hold one of the systems, all of it."""
        state, _ = boot_state().newest(Card.of(path).copies)
        if state is None:
            raise Broken("both copies of the boot state are torn")
        for slot, good, tries in zip(boot_state().SLOTS, state.good, state.tries, strict=True):
            if (good or tries) and not any(_holds(path, slot, one) for one in self.whole):
                raise Broken(f"slot {slot} may be started, and holds no whole system")


def _image_pieces(image: Image, bundle: Path) -> Pieces:
    """What the image itself has in slot A: places from its bundle, sums from the image.

    The bundle's copy was rewritten by debugfs, so its own sums are not the image's.
    """
    offset = PARTITIONS["slot-a"][0]
    found = []
    with image.disk.open("rb") as file:
        for at, length, _ in _pieces(bundle):
            file.seek(offset + at)
            found.append((at, length, hashlib.sha256(file.read(length)).hexdigest()))
    return tuple(found)


def _pieces(bundle: Path) -> Pieces:
    with bundle.open("rb") as file:
        _, length, _ = _HEAD.unpack(file.read(_HEAD.size))
        return tuple(tuple(piece) for piece in json.loads(file.read(length))["pieces"])


def _holds(card: Path, slot: str, pieces: Pieces) -> bool:
    offset = PARTITIONS[f"slot-{slot}"][0]
    with card.open("rb") as file:
        for at, length, digest in pieces:
            file.seek(offset + at)
            if hashlib.sha256(file.read(length)).hexdigest() != digest:
                return False
    return True
