"""What of board, card and data partition is worth a warning, and what to do about it. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from masqgate.contract.hardware import Card, Data, Hardware
from masqgate.contract.status import Reason

HOT_C, COOLED_C = 80.0, 75.0  # a Raspberry Pi slows itself down from 80 °C on
NEARLY_FULL, EMPTIED = 90, 85  # percent
WORN = 90  # percent of an eMMC's life
REPLACE = "Save a backup and replace the card."

_HOT = Reason(
    "too_hot",
    "The board is hotter than 80 °C.",
    "It slows itself down, and lives less long: give it air, a heat sink or a cooler place.",
)
_VOLTAGE = Reason(
    "under_voltage",
    "The board's supply voltage is too low.",
    "It spoils cards and resets USB modems: use the board's own supply and a short cable.",
)
_ERRORS = Reason("card_errors", "The card reports errors.", REPLACE)
_WORN = Reason("card_worn", "The card has nearly used up its life.", REPLACE)
_FULL = Reason(
    "data_nearly_full",
    "The data partition is nearly full.",
    "The router bounds its own files: look in /data (console, s) for others, and remove them.",
)
_VOLATILE = Reason(
    "data_volatile",
    "The data partition can't be used: what is saved now is lost at the next restart.",
    "Replace the card, and restore a backup.",
)


def reasons(hardware: Hardware, before: Collection[str] = ()) -> tuple[Reason, ...]:
    """All that is to be warned of.

    `before`: the codes of the last look. What is measured has to fall well below its bound
    before its warning goes away, so that it does not come and go all the time.
    """
    return tuple(_found(hardware, before))


def _found(hardware: Hardware, before: Collection[str]) -> Iterator[Reason]:
    board = hardware.board
    bound = COOLED_C if _HOT.code in before else HOT_C
    if board.temperature_c is not None and board.temperature_c > bound:
        yield _HOT
    if board.under_voltage:
        yield _VOLTAGE
    if hardware.card.errors:
        yield _ERRORS
    if _is_worn(hardware.card):
        yield _WORN
    if hardware.data.state == "volatile":
        yield _VOLATILE
    elif _is_nearly_full(hardware.data, _FULL.code in before):
        yield _FULL


def _is_worn(card: Card) -> bool:
    return card.spare in ("warning", "urgent") or (card.worn_percent or 0) >= WORN


def _is_nearly_full(data: Data, before: bool) -> bool:
    bound = EMPTIED if before else NEARLY_FULL
    return data.state == "writable" and (data.used_percent or 0) >= bound
