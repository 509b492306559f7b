"""What a mobile modem told of its network, in words that page, console and command line share."""

from __future__ import annotations

from .status import LinkStatus

_REGISTRATIONS = {  # nothing is said of being at home
    "roaming": "roaming",
    "searching": "searches for a network",
    "denied": "refused by the network",
    "limited": "registered for less than data",
    "none": "not registered",
    "unknown": "registration unknown",
}


def network(link: LinkStatus) -> str:
    """Return operator and registration: 'A1, roaming'; empty if nothing is known."""
    return ", ".join(filter(None, (link.operator, _REGISTRATIONS.get(link.registration, ""))))


def told_ago_s(link: LinkStatus, at: float) -> float | None:
    """Seconds since the modem told this; `at` is now. None if it did not, or the clock was set."""
    if link.network_at is None or not (network(link) or link.signal_dbm is not None):
        return None
    ago = at - link.network_at
    return ago if -5 <= ago < 366 * 86_400 else None
