"""msgspec with our own leaf types. Secrets leave only where the caller says so."""

from __future__ import annotations

import threading
from typing import Any, TypeVar

import msgspec

from .secret import HIDDEN, Secret

T = TypeVar("T")

# msgspec works out a type at its first use, and crashes the whole process when two threads
# do that at once. Decoding holds the interpreter's lock anyway, so this one costs nothing.
_ONE_AT_A_TIME = threading.Lock()


def _decode_leaf(kind: type[Any], value: Any) -> Any:
    if kind is Secret:
        if not isinstance(value, str):
            raise ValueError(f"Expected `str`, got `{type(value).__name__}`")
        return Secret(value)
    raise NotImplementedError(kind)


def _hide(value: Any) -> Any:
    if isinstance(value, Secret):
        return HIDDEN if value else ""
    raise NotImplementedError(type(value))


def _reveal(value: Any) -> Any:
    return value.reveal() if isinstance(value, Secret) else _hide(value)


def convert(value: Any, kind: type[T]) -> T:
    """Turn plain data into `kind`; msgspec.ValidationError if it does not fit."""
    with _ONE_AT_A_TIME:
        return msgspec.convert(value, kind, dec_hook=_decode_leaf)


def to_plain(value: Any, *, secrets: bool = False) -> Any:
    """Turn structs into dicts, lists, strings and numbers; secrets are hidden unless asked for."""
    return msgspec.to_builtins(value, enc_hook=_reveal if secrets else _hide)


def to_json(value: Any, *, secrets: bool = False) -> bytes:
    """Encode as JSON; secrets are hidden unless asked for."""
    return msgspec.json.encode(value, enc_hook=_reveal if secrets else _hide)


def from_json(data: bytes, kind: type[T]) -> T:
    """Decode JSON; msgspec.DecodeError or msgspec.ValidationError if it does not fit."""
    try:
        with _ONE_AT_A_TIME:
            return msgspec.json.decode(data, type=kind, dec_hook=_decode_leaf)
    except (UnicodeDecodeError, RecursionError) as error:  # msgspec lets these two through
        raise msgspec.DecodeError(f"JSON is malformed: {type(error).__name__}") from None
