"""What is told of slots and updates, in words. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from masqgate.contract.status import Reason
from masqgate.contract.update import Phase, SlotState, SlotStatus, UpdateStatus

from .bootstate import SLOTS, BootState, other

MB = 1_000_000


def slots(state: BootState | None, running: str, versions: Mapping[str, str]) -> list[SlotStatus]:
    """Tell what is in both slots."""
    return [
        SlotStatus(
            slot=slot,
            state=_slot_state(state, slot),
            version=versions.get(slot, ""),
            running=slot == running,
            first=state is not None and state.first == slot,
        )
        for slot in SLOTS
    ]


def _slot_state(state: BootState | None, slot: str) -> SlotState:
    if state is None:
        return "unknown"
    if state.is_good(slot):
        return "good"
    return "on_trial" if state.tries_of(slot) else "not_bootable"


def resting(
    state: BootState | None, running: str, versions: Mapping[str, str]
) -> tuple[Phase, str]:
    """Tell the phase, and a sentence about it, when no update is being written."""
    if state is None:
        return "idle", "The boot record can't be read."
    version = versions.get(other(running)) or "the other version"
    if not state.is_good(running) and state.is_good(other(running)):
        text = "This version is on trial: it stays if LAN, page, dialer and uplink come up."
        return "on_trial", text
    if state.first != running and state.is_good(state.first):
        return "ready", f"The next restart goes back to {version} in slot {state.first.upper()}."
    if state.first != running and state.tries_of(state.first):
        return "ready", f"Version {version} is in slot {state.first.upper()}: restart to try it."
    return "idle", "No update is waiting."


def working(phase: Phase, done: int, total: int, slot: str) -> str:
    """Tell how far an update is."""
    if phase == "writing":
        what = f"Writing to slot {slot.upper()}"
    elif phase == "comparing":
        what = f"Reading slot {slot.upper()} back and comparing it"
    else:
        what = "Verifying the update"
    return f"{what}: {done // MB} of {total // MB} MB." if total else f"{what}."


def lines(status: UpdateStatus) -> list[str]:
    """Tell all of it for a terminal."""
    found = [f"Version {status.version}, for {status.compatible}.", status.text]
    words = {
        "good": "proved itself",
        "on_trial": "on trial",
        "not_bootable": "empty or not to be started",
        "unknown": "unknown",
    }
    for slot in status.slots:
        marks = [words[slot.state]]
        marks += ["runs"] if slot.running else []
        marks += ["starts next"] if slot.first else []
        version = slot.version or "version not known"
        found.append(f"  slot {slot.slot.upper()}: {version}, {', '.join(marks)}")
    if status.last is not None:
        found.append(f"Last update: {told(status.last)}")
    return found


def told(reason: Reason) -> str:
    """A reason with its hint, on one line."""
    return f"{reason.text} {reason.hint}".rstrip()
