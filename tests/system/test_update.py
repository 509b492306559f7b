"""An update without a page on the booted image: it takes itself back, and nobody is there."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.lab.lab import Lab
from tests.lab.pi import Image

from . import update_bundles

VERSION = "0.1.2"
STEP_S = 1500.0  # a loaded host boots it slowly


@pytest.mark.timeout(3600)
def test_an_update_without_a_page_takes_itself_back(
    image: Image, logs: Path, tmp_path: Path
) -> None:
    """U-Boot tries slot B; its trial finds no page, and the next start is slot A again."""
    bundle = update_bundles.make(image.disk, tmp_path, VERSION, without_page=True)
    card = Image(tmp_path / "masqgate.img", image.boot)
    update_bundles.card_on_trial(image.disk, card.disk, bundle, VERSION)
    own = logs / "update"
    own.mkdir()
    with Lab(card, logs=own, progress=lambda text: print(text, flush=True)) as lab:
        line, at = lab.console.line, 0
        for said in ("Masqgate: slot b", "did not prove itself", "Masqgate: slot a"):
            at = line.wait_for(said, STEP_S, at)
            lab.say(said)
