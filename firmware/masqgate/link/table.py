"""The transitions of the link machine: state × event → handler and the states it may lead to.

This table is the machine: what is not in it does not happen (the event is ignored). Tests hold
the machine to the last column, and docs/LINK.md is drawn from it. The functions return the rows
that any machine of a modem has (`skeleton.py`); `answer_table.py` takes them, too.
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
    Looked,
    PortData,
    PortFailed,
    PortLent,
    PortLost,
    PortOpened,
    PowerSwitched,
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


Rows = dict[Trigger, Row]
Table = dict[LinkState, Rows]


def to(handler: str, *states: LinkState) -> Row:
    """Return a row."""
    return Row(handler, frozenset(states))


def looking_for_port() -> Rows:
    """Return the rows of NO_PORT."""
    return {
        Timer.PORT: to("_look_for_port"),
        PortOpened: to("_prepare", INIT),
        PortFailed: to("_no_port"),
    }


def preparing(*after: LinkState) -> Rows:
    """Return the rows of INIT; `after`: where what the modem says may lead."""
    return {
        PortOpened: to("_prepare"),
        PortFailed: to("_no_port", NO_PORT),
        PortData: to("_hear", *after),
        Timer.PORT: to("_port_stuck", NO_PORT),
        Timer.STEP: to("_step_over", *after),
    }


def _with_pppd() -> Rows:
    """Return the rows of any state in which pppd has the port."""
    return {
        PppdStopped: to("_pppd_stopped", HANGING_UP),
        PppdEnded: to("_pppd_ended", HANGING_UP),
        PortLost: to("_port_lost_in_call", HANGING_UP),
        Counted: to("_counted"),
        Timer.LIFE: to("_no_life", HANGING_UP),
    }


def carrying() -> Rows:
    """Return the rows of UP."""
    return {
        PppdLogged: to("_logged", HANGING_UP),
        PppdStirred: to("_alive"),
        **_with_pppd(),
    }


def negotiating() -> Rows:
    """Return the rows of NEGOTIATING; there a pppd that lives says something."""
    return {
        PortLent: to("_start_pppd", HANGING_UP),
        PppdBegan: to("_pppd_began"),
        PppdFailed: to("_pppd_failed", HANGING_UP),
        PppdLogged: to("_logged", UP, HANGING_UP),
        Timer.PORT: to("_lend_stuck", HANGING_UP),
        Timer.NEGOTIATION: to("_negotiation_over", HANGING_UP),
        **_with_pppd(),
    }


def hanging_up(*settled: LinkState) -> Rows:
    """Return the rows of HANGING_UP; `settled`: where a machine goes that holds no call.

    What pppd tells while it ends does not change the reason for ending.
    """
    return {
        PppdBegan: to("_pppd_began_late"),
        PppdFailed: to("_pppd_gone"),
        PppdEnded: to("_pppd_gone"),
        PppdStopped: to("_kill_pppd"),
        PortOpened: to("_hang_up_modem"),
        PortFailed: to("_port_gone", *settled),
        PortLost: to("_port_lost_late", *settled),
        PortData: to("_hear", RESETTING, *settled),
        Timer.KILL: to("_kill_pppd"),
        Timer.PORT: to("_port_gone", *settled),
        Timer.STEP: to("_step_over", RESETTING, *settled),
        ShutdownCalled: to("_shut_down_later"),
    }


def resetting(*settled: LinkState) -> Rows:
    """Return the rows of RESETTING."""
    return {
        PortLost: to("_port_lost", *settled),
        PortData: to("_hear", *settled),
        Timer.STEP: to("_step_over", *settled),
        PowerSwitched: to("_power_switched", *settled),
        Timer.POWER: to("_power_unanswered", *settled),
        ShutdownCalled: to("_shut_down", OFF),
    }


def complete(table: Table) -> Table:
    """Return the table with what is heard in every state."""
    refused = {ConfigRefused: to("_config_refused")}
    return {state: rows | refused for state, rows in table.items()}


def trigger(event: Event) -> Trigger:
    """Return the column of the table that an event belongs to."""
    return event.timer if isinstance(event, TimerExpired) else type(event)


_SETTLED = (OFF, IDLE, WAITING, INIT)  # where a link goes that holds neither port nor call
_FALLEN = (OFF, IDLE, WAITING)  # where one goes that lost its port

_CALLS: Rows = {
    Began: to("_began", OFF, IDLE, INIT),
    ConnectCalled: to("_connect", OFF, IDLE, INIT),
    DisconnectCalled: to("_disconnect", OFF, IDLE),
    DialCalled: to("_dial_called", OFF, IDLE, INIT),
    RestCalled: to("_rest", OFF, IDLE),
    ConfigLoaded: to("_reload", *_SETTLED),
    ShutdownCalled: to("_shut_down", OFF),
}
_NO_CALL_YET: Rows = {
    DisconnectCalled: to("_disconnect", OFF, IDLE),
    RestCalled: to("_rest", OFF, IDLE),
    ConfigLoaded: to("_reload", *_SETTLED),
    ShutdownCalled: to("_shut_down", OFF),
}
_IN_CALL: Rows = {
    DisconnectCalled: to("_disconnect", HANGING_UP),
    RestCalled: to("_rest", HANGING_UP),
    ConfigLoaded: to("_reload", HANGING_UP),
    ShutdownCalled: to("_shut_down", HANGING_UP),
}
_LATER: Rows = {  # heard now, done when the link is settled
    ConnectCalled: to("_connect_later"),
    DisconnectCalled: to("_disconnect_later"),
    DialCalled: to("_dial_later"),
    RestCalled: to("_rest_later"),
    ConfigLoaded: to("_reload_later"),
}

TABLE: Table = complete({
    OFF: _CALLS,
    IDLE: _CALLS,
    WAITING: {
        Timer.REDIAL: to("_open", INIT),
        ConnectCalled: to("_connect", INIT),
        **_NO_CALL_YET,
    },
    NO_PORT: looking_for_port() | _NO_CALL_YET,
    INIT: {
        **preparing(DIALING, RESETTING, *_SETTLED),
        PortLost: to("_port_lost", *_FALLEN),
        **_NO_CALL_YET,
    },
    DIALING: {
        PortData: to("_hear", NEGOTIATING, HANGING_UP, RESETTING, *_SETTLED),
        PortLost: to("_port_lost", *_FALLEN),
        Timer.STEP: to("_step_over", HANGING_UP),
        **_IN_CALL,
    },
    NEGOTIATING: negotiating() | _IN_CALL,
    UP: {**carrying(), Timer.STEADY: to("_steady"), Looked: to("_looked"), **_IN_CALL},
    HANGING_UP: hanging_up(*_SETTLED) | _LATER,
    RESETTING: {
        **resetting(*_SETTLED),
        **_LATER,
        DisconnectCalled: to("_disconnect", OFF, IDLE),
        RestCalled: to("_rest", OFF, IDLE),
    },
})  # fmt: skip
