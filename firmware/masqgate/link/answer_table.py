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
    ConnectCalled,
    DisconnectCalled,
    LineLoaded,
    PortData,
    PortLost,
    ShutdownCalled,
    Timer,
)
from .table import (
    HANGING_UP,
    IDLE,
    INIT,
    NEGOTIATING,
    NO_PORT,
    OFF,
    RESETTING,
    UP,
    WAITING,
    Rows,
    Table,
    carrying,
    complete,
    hanging_up,
    looking_for_port,
    negotiating,
    preparing,
    resetting,
    to,
)

ANSWERING = LinkState.DIALING

_SETTLED = (OFF, WAITING, INIT)  # where a line goes that holds neither port nor call
_NO_CALL: Rows = {
    LineLoaded: to("_reload", INIT),
    ShutdownCalled: to("_shut_down", OFF),
}
_IN_CALL: Rows = {
    DisconnectCalled: to("_leave", HANGING_UP),
    LineLoaded: to("_reload_in_call", HANGING_UP),
    ShutdownCalled: to("_shut_down", HANGING_UP),
}
_LATER: Rows = {LineLoaded: to("_reload_later")}

ANSWERS: Table = complete({
    OFF: {Began: to("_began", INIT, WAITING), ShutdownCalled: to("_shut_down")},
    WAITING: {
        Timer.REDIAL: to("_open", INIT),
        ConnectCalled: to("_connect", INIT),
        LineLoaded: to("_reload_waiting", INIT),
        ShutdownCalled: to("_shut_down", OFF),
    },
    NO_PORT: looking_for_port() | _NO_CALL,
    INIT: {
        **preparing(IDLE, WAITING, RESETTING),
        PortLost: to("_port_lost", WAITING),
        **_NO_CALL,
    },
    IDLE: {
        PortData: to("_listen", ANSWERING, NEGOTIATING, RESETTING),
        PortLost: to("_port_lost", WAITING),
        Timer.CHECK: to("_check"),
        Timer.STEP: to("_step_over", ANSWERING, RESETTING),
        Timer.RING: to("_gave_up"),
        **_NO_CALL,
    },
    ANSWERING: {
        PortData: to("_hear", NEGOTIATING, HANGING_UP),
        PortLost: to("_port_lost_in_call", HANGING_UP),
        Timer.STEP: to("_step_over", HANGING_UP),
        **_IN_CALL,
    },
    NEGOTIATING: negotiating() | _IN_CALL,
    UP: carrying() | _IN_CALL,
    HANGING_UP: hanging_up(*_SETTLED) | _LATER,
    RESETTING: resetting(*_SETTLED) | _LATER,
})  # fmt: skip
