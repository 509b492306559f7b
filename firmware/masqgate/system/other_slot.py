"""The other slot of the card, for the console: it needs neither supervisor nor updater."""

from __future__ import annotations

from masqgate.contract.errors import MasqgateError

from .slots import Slots


def start_next(slots: Slots) -> str:
    """Have the other slot started next; return what to tell. MasqgateError if it can't be.

    A slot that an update is being written to has not proved itself: it is refused.
    """
    name = slots.spare.upper()
    try:
        state = slots.read()
        if state is None or not state.is_good(slots.spare):
            text = f"Slot {name} holds no system that has proved itself."
            raise MasqgateError("no_other_slot", text, "Nothing was changed.")
        slots.write(state.to_be_first(slots.spare))
    except OSError as error:
        text = f"The record of the slots cannot be changed: {(error.strerror or 'error').lower()}."
        raise MasqgateError("no_other_slot", text, "A root shell (s) may tell more.") from None
    return f"The system in slot {name} starts at the next reboot."
