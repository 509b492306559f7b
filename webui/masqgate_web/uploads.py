"""A form with one large file, read while it arrives: nothing of the file stays in memory.

What `request.form` would do, it does by collecting the whole file first, in a folder in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from flask import request
from werkzeug.exceptions import BadRequest, LengthRequired, RequestEntityTooLarge
from werkzeug.sansio.multipart import NEED_DATA, Data, Epilogue, Event, Field, File
from werkzeug.sansio.multipart import MultipartDecoder as Decoder

MAX_UPLOAD = 256 * 1024 * 1024  # bytes; a slot of the card has 192 MiB
MAX_FIELD = 4096  # bytes of a field before the file
PARTS = 8
CHUNK = 64 * 1024
EXTEND = "masqgate.extend"  # in the environment: gives a request more time (see server.py)
UPLOAD_S = 1800.0


class Upload:
    """The fields before the file, and the file's bytes as they come."""

    def __init__(self, boundary: bytes, chunks: Iterator[bytes]) -> None:
        self.fields: dict[str, str] = {}
        self._chunks = chunks
        self._events = _events(boundary, chunks)
        for event in self._events:
            if isinstance(event, Field):
                self.fields[event.name] = self._value()
            elif isinstance(event, File):
                break

    @classmethod
    def of_this_request(cls) -> Upload:
        """Begin to read the request's body; it gets as long as an upload takes."""
        length = request.content_length
        if length is None:
            raise LengthRequired
        if length > MAX_UPLOAD:
            raise RequestEntityTooLarge(f"An update has at most {MAX_UPLOAD >> 20} MiB.")
        boundary = request.mimetype_params.get("boundary", "")
        if request.mimetype != "multipart/form-data" or not 0 < len(boundary) <= 70:
            raise BadRequest("This is not the form for an update.")
        extend: Callable[[float], None] | None = request.environ.get(EXTEND)
        if extend is not None:
            extend(UPLOAD_S)
        return cls(boundary.encode("latin-1", "replace"), _body(length))

    def file(self) -> Iterator[bytes]:
        """Yield the file's bytes; nothing if the form has none."""
        for event in self._events:
            if not isinstance(event, Data):
                return
            if event.data:
                yield bytes(event.data)
            if not event.more_data:
                return

    def drain(self) -> None:
        """Read the rest and forget it: a browser hears an answer only when it has sent all."""
        for _ in self._chunks:
            pass

    def _value(self) -> str:
        data = bytearray()
        for event in self._events:
            if not isinstance(event, Data):
                break
            data += event.data
            if len(data) > MAX_FIELD:
                raise BadRequest("A field of the form is too long.")
            if not event.more_data:
                break
        return data.decode("utf-8", "replace")


def _body(length: int) -> Iterator[bytes]:
    source = request.environ["wsgi.input"]
    while length > 0:
        chunk: bytes = source.read(min(length, CHUNK))
        if not chunk:
            return
        length -= len(chunk)
        yield chunk


def _events(boundary: bytes, chunks: Iterator[bytes]) -> Iterator[Event]:
    # What it may hold back: a form that never comes to its file must not fill the memory.
    decoder = Decoder(boundary, max_form_memory_size=4 * CHUNK, max_parts=PARTS)
    try:
        for chunk in chunks:
            decoder.receive_data(chunk)
            while (event := decoder.next_event()) is not NEED_DATA:
                yield event
                if isinstance(event, Epilogue):
                    return
    except ValueError:
        raise BadRequest("This is not the form for an update.") from None
