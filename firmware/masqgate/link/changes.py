"""Which changes of the configuration need a new call, and which wait for the next one."""

from __future__ import annotations

import msgspec

from ..contract.dialer import DialerConfig

# Fields that matter only while the modem is prepared and dials, or not to the call at all.
NEXT_CALL = frozenset(
    {
        "name", "mode", "dial", "init", "dial_timeout_s", "pin", "hold_s", "probe", "idle_minutes",
        "idle_hold", "ignore", "windows", "budget", "status_port",
    }
)  # fmt: skip


def must_redial(old: DialerConfig, new: DialerConfig) -> bool:
    """Tell whether a call made with `old` must be given up for `new`."""
    if old.interface != new.interface:
        return True
    names = (field.name for field in msgspec.structs.fields(type(old.modem)))
    return any(
        getattr(old.modem, name) != getattr(new.modem, name)
        for name in names
        if name not in NEXT_CALL
    )
