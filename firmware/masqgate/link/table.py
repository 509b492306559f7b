"""The transitions of the link machine: state × event → handler and the states it may lead to.

This table is the machine: what is not in it does not happen (the event is ignored). Tests hold
the machine to the last column, and docs/LINK.md is drawn from it.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..contract.status import LinkState
from .events import (
    Began,
    ConfigLoaded,
    ConfigRefused,
    ConnectCalled,
    Counted,
    DialCalled,
    DisconnectCalled,
    Event,
    PortData,
    PortFailed,
    PortLent,
    PortLost,
    PortOpened,
    PppdBegan,
    PppdEnded,
    PppdFailed,
    PppdLogged,
    PppdStirred,
    PppdStopped,
    RestCalled,
    ShutdownCalled,
    Timer,
    TimerExpired,
)

Trigger = type[Event] | Timer

OFF, IDLE, NO_PORT, WAITING = (
    LinkState.OFF, LinkState.IDLE, LinkState.NO_PORT, LinkState.WAITING,
)  # fmt: skip
INIT, DIALING, NEGOTIATING, UP = (
    LinkState.INIT, LinkState.DIALING, LinkState.NEGOTIATING, LinkState.UP,
)  # fmt: skip
HANGING_UP, RESETTING = LinkState.HANGING_UP, LinkState.RESETTING


@dataclass(frozen=True, slots=True)
class Row:
    """What an event does: the machine's method, and every state it may lead to."""

    handler: str
    leads_to: frozenset[LinkState]


def _row(handler: str, *states: LinkState) -> Row:
    return Row(handler, frozenset(states))


_SETTLED = (OFF, IDLE, WAITING, INIT)  # where a link goes that holds neither port nor call
_STUCK = (*_SETTLED, RESETTING, NO_PORT)

_CALLS: dict[Trigger, Row] = {
    Began: _row("_began", OFF, IDLE, INIT),
    ConnectCalled: _row("_connect", OFF, IDLE, INIT),
    DisconnectCalled: _row("_disconnect", OFF, IDLE),
    DialCalled: _row("_dial_called", OFF, IDLE, INIT),
    RestCalled: _row("_rest", OFF, IDLE),
    ConfigLoaded: _row("_reload", *_SETTLED),
    ShutdownCalled: _row("_shut_down", OFF),
}
_NO_CALL_YET: dict[Trigger, Row] = {
    DisconnectCalled: _row("_disconnect", OFF, IDLE),
    RestCalled: _row("_rest", OFF, IDLE),
    ConfigLoaded: _row("_reload", *_SETTLED),
    ShutdownCalled: _row("_shut_down", OFF),
}
_IN_CALL: dict[Trigger, Row] = {
    DisconnectCalled: _row("_disconnect", HANGING_UP),
    RestCalled: _row("_rest", HANGING_UP),
    ConfigLoaded: _row("_reload", HANGING_UP),
    ShutdownCalled: _row("_shut_down", HANGING_UP),
}
_LATER: dict[Trigger, Row] = {  # heard now, done when the link is settled
    ConnectCalled: _row("_connect_later"),
    DisconnectCalled: _row("_disconnect_later"),
    DialCalled: _row("_dial_later"),
    RestCalled: _row("_rest_later"),
    ConfigLoaded: _row("_reload_later"),
    ShutdownCalled: _row("_shut_down_later"),
}

TABLE: dict[LinkState, dict[Trigger, Row]] = {
    OFF: _CALLS,
    IDLE: _CALLS,
    WAITING: {
        Timer.REDIAL: _row("_open", INIT),
        ConnectCalled: _row("_connect", INIT),
        **_NO_CALL_YET,
    },
    NO_PORT: {
        Timer.PORT: _row("_look_for_port"),
        PortOpened: _row("_prepare", INIT),
        PortFailed: _row("_still_no_port"),
        **_NO_CALL_YET,
    },
    INIT: {
        PortOpened: _row("_prepare"),
        PortFailed: _row("_no_port", NO_PORT),
        PortLost: _row("_port_lost", WAITING, IDLE, OFF),
        PortData: _row("_hear", DIALING, *_STUCK),
        Timer.PORT: _row("_port_stuck", NO_PORT),
        Timer.STEP: _row("_step_over", DIALING, *_STUCK),
        **_NO_CALL_YET,
    },
    DIALING: {
        PortData: _row("_hear", NEGOTIATING, HANGING_UP, *_STUCK),
        PortLost: _row("_port_lost", WAITING, IDLE, OFF),
        Timer.STEP: _row("_step_over", HANGING_UP),
        **_IN_CALL,
    },
    NEGOTIATING: {
        PortLent: _row("_start_pppd"),
        PppdBegan: _row("_pppd_began"),
        PppdFailed: _row("_pppd_failed", HANGING_UP),
        PppdLogged: _row("_logged", UP, HANGING_UP),
        PppdStopped: _row("_pppd_stopped", HANGING_UP),
        PppdEnded: _row("_pppd_ended", HANGING_UP),
        PortLost: _row("_port_lost_in_call", HANGING_UP),
        Counted: _row("_counted"),
        Timer.PORT: _row("_lend_stuck", HANGING_UP),
        Timer.LIFE: _row("_no_life", HANGING_UP),
        Timer.NEGOTIATION: _row("_negotiation_over", HANGING_UP),
        **_IN_CALL,
    },
    UP: {
        PppdLogged: _row("_logged", HANGING_UP),
        PppdStirred: _row("_stirred"),
        PppdStopped: _row("_pppd_stopped", HANGING_UP),
        PppdEnded: _row("_pppd_ended", HANGING_UP),
        PortLost: _row("_port_lost_in_call", HANGING_UP),
        Counted: _row("_counted"),
        Timer.LIFE: _row("_no_life", HANGING_UP),
        Timer.STEADY: _row("_steady"),
        **_IN_CALL,
    },
    HANGING_UP: {
        PppdBegan: _row("_pppd_began_late"),
        PppdFailed: _row("_pppd_gone"),
        PppdLogged: _row("_logged_late"),
        PppdEnded: _row("_pppd_gone"),
        PppdStopped: _row("_kill_pppd"),
        PortOpened: _row("_hang_up_modem"),
        PortFailed: _row("_port_gone", *_SETTLED),
        PortLost: _row("_port_lost_late", WAITING, INIT, IDLE, OFF),
        PortData: _row("_hear", *_STUCK),
        Timer.KILL: _row("_kill_pppd"),
        Timer.PORT: _row("_port_gone", *_SETTLED),
        Timer.STEP: _row("_step_over", *_STUCK),
        **_LATER,
    },
    RESETTING: {
        PortLost: _row("_port_lost", WAITING, INIT, IDLE, OFF),
        PortData: _row("_hear", *_SETTLED),
        Timer.STEP: _row("_step_over", *_SETTLED),
        DisconnectCalled: _row("_disconnect", OFF, IDLE),
        DialCalled: _row("_dial_later"),
        RestCalled: _row("_rest", OFF, IDLE),
        ConfigLoaded: _row("_reload_later"),
        ConnectCalled: _row("_connect_later"),
        ShutdownCalled: _row("_shut_down", OFF),
    },
}

for _rows in TABLE.values():
    _rows[ConfigRefused] = _row("_config_refused")


def trigger(event: Event) -> Trigger:
    """Return the column of the table that an event belongs to."""
    return event.timer if isinstance(event, TimerExpired) else type(event)
