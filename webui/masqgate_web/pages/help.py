"""Help, and the steps of the HOWTO's test ladder that a browser can take."""

from __future__ import annotations

import re

from flask import Blueprint, Response, make_response, render_template, request
from flask.typing import ResponseReturnValue
from masqgate.contract.errors import MasqgateError
from masqgate.contract.status import Status

from ..security import POLICY
from ..site import site

blueprint = Blueprint("help", __name__)
LARGE = 64 * 1024  # bytes: some forty full packets on an Ethernet


@blueprint.get("/help")
def show() -> ResponseReturnValue:
    """The page. It works without the supervisor, of whose silence it may have to tell."""
    try:
        status: Status | None = site().status()
    except MasqgateError:
        status = None
    address = status.lan.address.partition("/")[0] if status else ""
    names = {"address": address, "name": site().names.hostname, "full": site().names.full}
    places = {key: f"http://{name}{_port()}" for key, name in names.items() if is_plain(name)}
    up = [link for link in status.uplinks if link.name == status.active] if status else []
    view = {
        "status": status,
        "link": next(iter(up), None),
        "places": places,
        "large": LARGE,
        "full": names["full"],
    }
    page = make_response(render_template("help.html", **view))
    page.headers["Content-Security-Policy"] = f"{POLICY}; connect-src 'self' " + " ".join(
        places.values()  # lets the script reach the router by all its names, and nothing else
    )
    return page


@blueprint.get("/help/probe")
def probe() -> Response:
    """Says that the router was reached, to the help page under whichever of its names."""
    return _bytes(b"reached\n")


@blueprint.get("/help/probe/large")
def large() -> Response:
    """Enough bytes for many packets of full size."""
    return _bytes(b"0123456789abcdef" * (LARGE // 16))


def _bytes(body: bytes) -> Response:
    answer = Response(body, mimetype="text/plain")
    answer.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    return answer


def _port() -> str:
    match = re.search(r":[0-9]{1,5}$", request.host)
    return match.group() if match else ""


def is_plain(name: str) -> bool:
    """Whether this can stand in an address without changing what it means."""
    return re.fullmatch(r"[A-Za-z0-9.-]+", name) is not None
