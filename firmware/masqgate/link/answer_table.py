"""The transitions of the answering machine: state × event → handler and where it may lead.

What is not in the table does not happen: the event is ignored. Tests hold the machine to the
last column. The states are those of `LinkState`, which here mean:

IDLE waits for a call · DIALING has answered and waits for CONNECT · NEGOTIATING asks for the
login · UP carries the caller's packets · WAITING does not answer (lock-out), or looks at a modem
that does not work again later.
"""

from __future__ import annotations

from ..contract.status import LinkState
from .events import (
    Began,
    ConfigRefused,
    ConnectCalled,
    Counted,
    DisconnectCalled,
    LineLoaded,
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
    ShutdownCalled,
    Timer,
)
from .table import Row, Trigger

OFF, IDLE, NO_PORT, WAITING = (
    LinkState.OFF, LinkState.IDLE, LinkState.NO_PORT, LinkState.WAITING,
)  # fmt: skip
INIT, ANSWERING, NEGOTIATING, UP = (
    LinkState.INIT, LinkState.DIALING, LinkState.NEGOTIATING, LinkState.UP,
)  # fmt: skip
HANGING_UP, RESETTING = LinkState.HANGING_UP, LinkState.RESETTING


def _row(handler: str, *states: LinkState) -> Row:
    return Row(handler, frozenset(states))


_SETTLED = (OFF, WAITING, INIT)  # where a line goes that holds neither port nor call
_NO_CALL: dict[Trigger, Row] = {
    LineLoaded: _row("_reload", INIT),
    ShutdownCalled: _row("_shut_down", OFF),
}
_IN_CALL: dict[Trigger, Row] = {
    DisconnectCalled: _row("_disconnect", HANGING_UP),
    LineLoaded: _row("_reload_in_call", HANGING_UP),
    ShutdownCalled: _row("_shut_down_in_call", HANGING_UP),
}

ANSWERS: dict[LinkState, dict[Trigger, Row]] = {
    OFF: {Began: _row("_open", INIT), ShutdownCalled: _row("_shut_down")},
    WAITING: {
        Timer.REDIAL: _row("_open", INIT),
        ConnectCalled: _row("_connect", INIT),
        LineLoaded: _row("_reload_waiting", INIT),
        ShutdownCalled: _row("_shut_down", OFF),
    },
    NO_PORT: {
        Timer.PORT: _row("_look_for_port"),
        PortOpened: _row("_prepare", INIT),
        PortFailed: _row("_still_no_port"),
        **_NO_CALL,
    },
    INIT: {
        PortOpened: _row("_prepare"),
        PortFailed: _row("_no_port", NO_PORT),
        PortLost: _row("_port_lost", WAITING),
        PortData: _row("_hear", IDLE, WAITING, RESETTING),
        Timer.PORT: _row("_port_stuck", NO_PORT),
        Timer.STEP: _row("_step_over", IDLE, WAITING, RESETTING),
        **_NO_CALL,
    },
    IDLE: {
        PortData: _row("_listen", ANSWERING, NEGOTIATING, RESETTING),
        PortLost: _row("_port_lost", WAITING),
        Timer.CHECK: _row("_check"),
        Timer.STEP: _row("_step_over", ANSWERING, RESETTING),
        Timer.RING: _row("_gave_up"),
        **_NO_CALL,
    },
    ANSWERING: {
        PortData: _row("_hear", NEGOTIATING, HANGING_UP),
        PortLost: _row("_port_lost_in_call", HANGING_UP),
        Timer.STEP: _row("_step_over", HANGING_UP),
        **_IN_CALL,
    },
    NEGOTIATING: {
        PortLent: _row("_start_pppd", HANGING_UP),
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
        PortLost: _row("_port_lost_late", *_SETTLED),
        PortData: _row("_hear", RESETTING, *_SETTLED),
        Timer.KILL: _row("_kill_pppd"),
        Timer.PORT: _row("_port_gone", *_SETTLED),
        Timer.STEP: _row("_step_over", RESETTING, *_SETTLED),
        LineLoaded: _row("_reload_later"),
        ShutdownCalled: _row("_shut_down_later"),
    },
    RESETTING: {
        PortLost: _row("_port_lost", WAITING),
        PortData: _row("_hear", *_SETTLED),
        Timer.STEP: _row("_step_over", *_SETTLED),
        LineLoaded: _row("_reload_later"),
        ShutdownCalled: _row("_shut_down", OFF),
    },
}

for _rows in ANSWERS.values():
    _rows[ConfigRefused] = _row("_config_refused")
