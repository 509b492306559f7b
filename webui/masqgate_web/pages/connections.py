"""Masqueraded connections: what the LAN's host sees, and what the Internet sees."""

from __future__ import annotations

from flask import Blueprint, make_response, render_template
from flask.typing import ResponseReturnValue

from ..security import login_needed
from ..site import site

blueprint = Blueprint("connections", __name__)
MOST = 500  # rows; a phone has enough of them


@blueprint.get("/connections")
@login_needed
def show() -> ResponseReturnValue:
    """The whole page."""
    return render_template("connections.html", **_view())


@blueprint.get("/connections/live")
@login_needed
def live() -> ResponseReturnValue:
    """What the page polls."""
    return make_response(render_template("connections_live.html", **_view()))


def _view() -> dict[str, object]:
    status = site().status()
    found = site().quick.all_flows()
    return {
        "status": status,
        "flows": found.flows[:MOST],
        "total": found.total,
        "names": {host.address: host.name for host in status.lan.hosts if host.name},
    }
