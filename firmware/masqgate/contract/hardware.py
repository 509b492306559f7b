"""What board, card and data partition tell of themselves; None: this board does not tell."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal

import msgspec

NOT_TOLD = "not told by this board"
_FARTHEST = 253_402_300_799  # the last second that a date can tell
_UNITS = ("B", "kB", "MB", "GB", "TB")


class Board(msgspec.Struct, frozen=True, kw_only=True):
    """The board itself."""

    model: str = ""
    temperature_c: float | None = None  # of the processor
    under_voltage: bool | None = None  # at this moment
    held_back: bool | None = None  # the processor is slowed down, against heat or low voltage


class Card(msgspec.Struct, frozen=True, kw_only=True):
    """The SD card (or eMMC) that the router runs from."""

    device: str = ""  # mmcblk0
    name: str = ""  # product name of its maker (CID)
    serial: str = ""
    made: str = ""  # month/year
    size_bytes: int | None = None
    worn_percent: int | None = None  # eMMC: at most so much of its life is used (JESD84-B51)
    spare: Literal["", "normal", "warning", "urgent"] = ""  # eMMC: its spare blocks
    errors: int | None = None  # that its file systems have met since they were last repaired
    last_error_at: float | None = None  # Unix time
    written_bytes: int | None = None  # since the start
    written_ever_bytes: int | None = None  # to the data partition, since it was made


class Data(msgspec.Struct, frozen=True, kw_only=True):
    """The data partition; `volatile`: it can't be used, and memory stands in for it."""

    state: Literal["writable", "read_only", "volatile", "unusable"] = "unusable"
    size_bytes: int = 0
    free_bytes: int = 0
    used_percent: int | None = None


class Hardware(msgspec.Struct, frozen=True, kw_only=True):
    """All of it at one moment."""

    board: Board = Board()
    card: Card = Card()
    data: Data = Data()


def rows(hardware: Hardware, *, serial: bool) -> tuple[tuple[str, str], ...]:
    """Label and words of each thing, for page, console and command line alike."""
    board, card, data = hardware.board, hardware.card, hardware.data
    return (
        ("Board", board.model or NOT_TOLD),
        ("Temperature", _temperature(board)),
        ("Supply voltage", _flag(board.under_voltage, "too low", "good")),
        ("Processor", _flag(board.held_back, "slowed down by heat or low voltage", "full speed")),
        ("Card", _card(card, serial=serial)),
        ("Card's wear", _wear(card)),
        ("Card's errors", _errors(card)),
        ("Written", _written(card)),
        ("Data partition", _data(data)),
    )


def short(hardware: Hardware) -> str:
    """The same on one line, without what is not known; empty: nothing is."""
    board, card, data = hardware.board, hardware.card, hardware.data
    parts = []
    if board.temperature_c is not None:
        parts.append(_temperature(board))
    if board.under_voltage:
        parts.append("supply voltage too low")
    if card.errors is not None:
        parts.append(f"card with {card.errors} errors" if card.errors else "card without errors")
    if data.used_percent is not None:
        parts.append(f"data partition {_data(data)}")
    return ", ".join(parts)


def size(count: int) -> str:
    """Bytes in powers of 1000."""
    value = float(count)
    for unit in _UNITS[:-1]:
        if value < 999.5:
            return f"{value:.0f} {unit}" if unit == "B" or value >= 99.5 else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} {_UNITS[-1]}"


def _flag(value: bool | None, yes: str, no: str) -> str:
    if value is None:
        return NOT_TOLD
    return yes if value else no


def _temperature(board: Board) -> str:
    return NOT_TOLD if board.temperature_c is None else f"{board.temperature_c:.0f} °C"


def _card(card: Card, *, serial: bool) -> str:
    parts = [card.name]
    if card.size_bytes is not None:
        parts.append(size(card.size_bytes))
    if card.made:
        parts.append(f"made {card.made}")
    if serial and card.serial:
        parts.append(f"serial number {card.serial}")
    return ", ".join(filter(None, parts)) or NOT_TOLD


def _wear(card: Card) -> str:
    parts = []
    if card.worn_percent is not None:
        parts.append(f"at most {card.worn_percent} % of its life used")
    if card.spare:
        parts.append(f"spare blocks {card.spare}")
    return ", ".join(parts) or "not told by this card"


def _errors(card: Card) -> str:
    if card.errors is None:
        return NOT_TOLD
    if not card.errors:
        return "none"
    if not 0 < (card.last_error_at or 0) <= _FARTHEST:
        return str(card.errors)
    when = datetime.fromtimestamp(card.last_error_at or 0, UTC).strftime("%Y-%m-%d %H:%M:%S")
    return f"{card.errors}, the last {when} UTC"


def _written(card: Card) -> str:
    parts = []
    if card.written_bytes is not None:
        parts.append(f"{size(card.written_bytes)} since the start")
    if card.written_ever_bytes is not None:
        parts.append(f"{size(card.written_ever_bytes)} since the data partition was made")
    return ", ".join(parts) or NOT_TOLD


def _data(data: Data) -> str:
    if data.state == "unusable" or data.used_percent is None:
        return "can't be used"
    state = {"read_only": ", read-only", "volatile": ", in memory only"}.get(data.state, "")
    full = f"{data.used_percent} % full ({size(data.free_bytes)} of {size(data.size_bytes)} free)"
    return full + state
