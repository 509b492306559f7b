"""What the application keeps between requests: clients, sessions, names and rates."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from flask import current_app
from masqgate.contract.client import Client
from masqgate.contract.status import Status
from masqgate.contract.update_client import UpdateClient

from .names import Names
from .rates import RateBook
from .sessions import Sessions


class Site:
    """One per application. Everything in it is safe to share by threads."""

    def __init__(
        self, router: Client, quick: Client, clock: Callable[[], float], updates: UpdateClient
    ) -> None:
        self.router = router
        self.quick = quick
        self.updates = updates
        self.clock = clock
        self.sessions = Sessions(clock)
        self.rates = RateBook()
        self.names = Names(quick, clock)

    def status(self) -> Status:
        """The router's status now; MasqgateError if the supervisor does not tell it.

        Where no password is set (any more), or another one, nobody stays logged in: setting or
        resetting it on the console, or on the command line, ends every session.
        """
        status = self.quick.status()
        self.names.learn(status)
        self.sessions.belong_to(status.password_generation)
        if not status.password_set:
            self.sessions.clear()
        return status


def site() -> Site:
    """The running application's Site."""
    return cast(Site, current_app.extensions["masqgate"])
