"""The last step of the recovery ladder: restart the router when no uplink comes up. Pure.

It is off unless somebody asks for it, since a restart helps against few faults: a USB controller
or a driver that hangs. It is bounded: each one in vain doubles the wait for the next, up to a
day, and a fault that a restart cannot mend does not count.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from masqgate.contract.status import LinkState, LinkStatus

LONGEST_S = 86_400.0
# What a restart does not help against: a cable that is out, a setting, a SIM.
HOPELESS: dict[str, frozenset[str]] = {
    "ethernet": frozenset({"no_carrier", "overlaps_lan", "no_gateway"}),
    "modem": frozenset({
        "sim_missing", "pin_missing", "pin_wrong", "pin_last_tries", "sim_puk", "port_console",
        "apn_unknown", "imsi_unknown", "provider_unknown",
    }),
}  # fmt: skip
NOT_WANTED = (LinkState.OFF, LinkState.IDLE)
TELLING = (LinkState.WAITING, LinkState.NO_PORT)  # their reasons say what went wrong


class Reboots(msgspec.Struct, frozen=True, kw_only=True):
    """The restarts so far; kept on the card."""

    in_vain: int = 0  # in a row, since an uplink was last up
    causes: dict[str, int] = {}  # how many in all, by the reason of the uplink that was wanted


def cause(links: Iterable[LinkStatus], active: str, dead: Iterable[str], dials: str = "") -> str:
    """Why there is no Internet although there should be; empty: there is, or nobody wants it.

    `active` carries the traffic (empty: nobody), `dead` are up but dead beyond their links,
    `dials` is a modem that dials when somebody needs it.
    """
    gone, links = set(dead), tuple(links)
    resting = any(link.name == dials and link.state is LinkState.IDLE for link in links)
    if resting or (active and active not in gone):
        return ""
    for link in links:
        if link.name in gone:
            return "dead_beyond"
        if link.state in NOT_WANTED or link.reason.code in HOPELESS[link.kind]:
            continue
        return link.reason.code if link.state in TELLING else str(link.state)
    return ""


def wait_s(minutes: int, reboots: Reboots) -> float:
    """How long there has to be no Internet before the next restart; `minutes` as configured."""
    return min(LONGEST_S, minutes * 60.0 * 2.0 ** min(reboots.in_vain, 20))


def counted(reboots: Reboots, code: str) -> Reboots:
    """One more."""
    causes = {**reboots.causes, code: reboots.causes.get(code, 0) + 1}
    return Reboots(in_vain=reboots.in_vain + 1, causes=causes)


def recovered(reboots: Reboots) -> Reboots:
    """An uplink is up: the next wait is a short one again."""
    return Reboots(causes=reboots.causes)
