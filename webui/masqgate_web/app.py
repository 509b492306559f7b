"""Puts the application together. gunicorn calls `create_app()`; tests give it their own client."""

from __future__ import annotations

import time
from collections.abc import Callable

from flask import Flask
from masqgate.contract.client import Client
from masqgate.contract.paths import Paths
from masqgate.contract.update_client import UpdateClient

from . import assets, errors, security, show
from .pages import backup, configuration, connections, help, log, login, status, update
from .site import Site

MAX_BODY = 256 * 1024  # bytes; a document of 64 KiB, three times as long in a form, fits
QUICK_S = 4.0  # for what is polled: shorter than what the page's script waits


def create_app(
    router: Client | None = None,
    clock: Callable[[], float] = time.monotonic,
    updates: UpdateClient | None = None,
) -> Flask:
    """Make the application.

    `router` is the supervisor's client and `updates` the updater's (by default on the usual
    sockets), `clock` tells seconds that never jump: sessions and rates live by it.
    """
    app = Flask(__name__)
    app.config.update(
        MAX_CONTENT_LENGTH=MAX_BODY,
        MAX_FORM_MEMORY_SIZE=MAX_BODY,
        MAX_FORM_PARTS=200,
    )
    app.jinja_options = {"trim_blocks": True, "lstrip_blocks": True}
    paths = Paths.from_environment()
    socket = paths.socket
    quick = router or Client(socket, QUICK_S)
    app.extensions["masqgate"] = Site(
        router or Client(socket), quick, clock, updates or UpdateClient(paths.update_socket)
    )
    show.register(app)
    assets.register(app)
    security.register(app)
    errors.register(app)
    for page in (status, connections, configuration, backup, log, help, login, update):
        app.register_blueprint(page.blueprint)
    return app
