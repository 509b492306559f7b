"""An updater without a card: it takes every bundle but those that it is told to refuse."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import msgspec
from masqgate.contract.errors import MasqgateError
from masqgate.contract.update import BundleInfo, SlotStatus, UpdateStatus
from masqgate.contract.update_client import UpdateClient


class FakeUpdates(UpdateClient):
    """Answers every call by itself. Public values are for tests to set and to look at."""

    def __init__(self) -> None:
        super().__init__(Path("/nonexistent"))
        self.refusal: MasqgateError | None = None
        self.took: list[tuple[int, int, bool]] = []  # bytes, largest piece, allow_downgrade
        self.restarts = 0
        self.status = UpdateStatus(
            version="0.1.0",
            compatible="masqgate-rpi64",
            slots=(
                SlotStatus(slot="a", state="good", version="0.1.0", running=True, first=True),
                SlotStatus(slot="b", state="not_bootable"),
            ),
            phase="idle",
            text="No update is waiting.",
        )

    def update_status(self) -> UpdateStatus:
        return self.status

    def install_stream(
        self, chunks: Iterable[bytes], allow_downgrade: bool = False, check_only: bool = False
    ) -> BundleInfo:
        if self.refusal is not None:
            next(iter(chunks), b"")
            raise self.refusal
        sizes = [len(chunk) for chunk in chunks]
        self.took.append((sum(sizes), max(sizes, default=0), allow_downgrade))
        return BundleInfo(version="0.2.0", compatible="masqgate-rpi64", slot="b")

    def update_back(self) -> UpdateStatus:
        if self.refusal is not None:
            raise self.refusal
        text = "The next restart goes back to 0.0.9 in slot B."
        self.status = msgspec.structs.replace(self.status, phase="ready", text=text)
        return self.status

    def update_restart(self) -> None:
        self.restarts += 1
