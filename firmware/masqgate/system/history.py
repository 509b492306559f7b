"""The history of events: a capped ring of JSON lines that a broken disk cannot stop."""

from __future__ import annotations

import logging
from collections import deque
from pathlib import Path

import msgspec

from masqgate.contract.codec import from_json, to_json
from masqgate.contract.status import Entry, Reason

from . import atomic

KEEP = 1000  # events kept in memory, and on disk when the file is written anew
FILE_BYTES = 512 * 1024  # the file is written anew when it is larger
TEXT = 400  # bytes of one event's text; a longer one comes from a hostile peer
NAME = 40  # bytes of its source and its code

log = logging.getLogger(__name__)


class History:
    """Events, numbered. Not for two threads at once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._entries: deque[Entry] = deque(maxlen=KEEP)
        self._number = 0  # of the newest event
        self._size = 0
        self._torn = False  # whether the file has a line that a power cut tore
        self._failure = ""
        self._load()

    @property
    def warning(self) -> Reason | None:
        """What is wrong with the file, if it cannot be written."""
        if not self._failure:
            return None
        text = f"The event history is not being saved: {self._failure}."
        return Reason("history_not_saved", text, "Recent events are kept in memory only.")

    def add(self, entry: Entry) -> Entry:
        """Keep an event under the next number; never fails."""
        self._number += 1
        entry = msgspec.structs.replace(
            entry,
            number=self._number,
            source=printable(entry.source, NAME),
            code=printable(entry.code, NAME),
            text=printable(entry.text),
        )
        self._entries.append(entry)
        self._save(to_json(entry) + b"\n")
        return entry

    def newest(self, after: int, limit: int) -> tuple[Entry, ...]:
        """Return the newest `limit` events with a number above `after`, oldest first."""
        entries = [entry for entry in self._entries if entry.number > after]
        return tuple(entries[-limit:]) if limit > 0 else ()

    def clear(self) -> None:
        """Forget everything but the count; the next event follows on."""
        self._entries.clear()
        try:
            atomic.remove(self._path)
        except OSError as error:
            self._failed(error)
        self._size = 0

    def _load(self) -> None:
        try:
            with self._path.open("rb") as file:
                size = file.seek(0, 2)
                file.seek(max(0, size - 2 * FILE_BYTES))
                lines = file.read().split(b"\n")
        except FileNotFoundError:
            return
        except OSError as error:
            self._failed(error)
            return
        self._torn = lines[-1] != b""
        for line in filter(None, lines):
            try:
                self._entries.append(from_json(line, Entry))
            except msgspec.MsgspecError:
                self._torn = True  # or it is cut off by the start of the window
        self._size = size
        self._number = max((entry.number for entry in self._entries), default=0)

    def _save(self, line: bytes) -> None:
        try:
            if self._size + len(line) > FILE_BYTES or self._failure or self._torn:
                self._rewrite()
            else:
                self._append(line)
        except OSError as error:
            self._failed(error)
        else:
            self._failure = ""

    def _append(self, line: bytes) -> None:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._path.open("ab") as file:
            file.write(line)
            self._size = file.tell()

    def _rewrite(self) -> None:
        lines = [to_json(entry) + b"\n" for entry in self._entries]
        while sum(map(len, lines)) > FILE_BYTES // 2:
            del lines[: max(1, len(lines) // 4)]
        data = b"".join(lines)
        atomic.write(self._path, data)
        self._size = len(data)
        self._torn = False

    def _failed(self, error: OSError) -> None:
        if not self._failure:
            log.warning("the event history cannot be saved: %s", error.strerror)
        self._failure = (error.strerror or "write error").lower()


def printable(text: str, size: int = TEXT) -> str:
    """Cut a text to a size in bytes, and replace what could disturb a terminal or a file."""
    harmless = "".join(c if c.isprintable() else "?" for c in text[:size])
    return harmless.encode("utf-8", "replace")[:size].decode("utf-8", "ignore")
