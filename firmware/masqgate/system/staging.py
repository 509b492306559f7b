"""A folder of its own for what comes in over a line, empty before and after."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path
from types import TracebackType

from masqgate.contract.errors import MasqgateError


class Staging:
    """The folder, as a context. Whatever was in it before is removed."""

    def __init__(self, folder: Path, most: int) -> None:
        """`most`: bytes that a received file may have."""
        self.folder = folder
        self._most = most

    def __enter__(self) -> Staging:
        """Make it anew; MasqgateError if there is no room for it."""
        shutil.rmtree(self.folder, ignore_errors=True)
        try:
            self.folder.mkdir(mode=0o700, parents=True)
        except OSError as error:
            why = (error.strerror or "an error").lower()
            raise MasqgateError("no_staging", f"There is no room for the file: {why}.") from None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        """Remove it, and all that is in it."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def put(self, name: str, data: bytes) -> Path:
        """Write a file that only root can read."""
        path = self.folder / name
        try:
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as f:
                f.write(data)
        except OSError as error:
            why = (error.strerror or "an error").lower()
            raise MasqgateError("no_staging", f"There is no room for the file: {why}.") from None
        return path

    def received(self) -> Path:
        """Return the one file that came; MasqgateError if it is not one, or too large."""
        found = list(self.folder.iterdir())
        if len(found) != 1:
            text = "No file came." if not found else f"{len(found)} files came; one is expected."
            raise MasqgateError("not_received", text, "Send it again.")
        state = found[0].lstat()
        if not stat.S_ISREG(state.st_mode):
            raise MasqgateError("not_received", "What came is no file.", "Send it again.")
        if state.st_size > self._most:
            text = f"The file has {state.st_size} bytes; {self._most} are the most."
            raise MasqgateError("too_large", text)
        return found[0]

    def room(self) -> int:
        """Return how many bytes a file here may have: no more than is free, less some."""
        state = os.statvfs(self.folder)
        return min(self._most, max(0, state.f_bavail * state.f_frsize - (8 << 20)))
