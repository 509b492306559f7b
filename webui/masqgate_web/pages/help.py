"""Help, and the steps of the HOWTO's test ladder that a browser can take."""

from __future__ import annotations

import contextlib
import re

from flask import Blueprint, Response, make_response, render_template, request, url_for
from flask.typing import ResponseReturnValue
from masqgate.contract.calls import SelfTestRun
from masqgate.contract.document import parse
from masqgate.contract.errors import MasqgateError
from masqgate.contract.status import Status

from ..security import POLICY, go, login_needed, session
from ..services import Service, services
from ..site import site

blueprint = Blueprint("help", __name__)
LARGE = 64 * 1024  # bytes: some forty full packets on an Ethernet


@blueprint.get("/help")
def show() -> ResponseReturnValue:
    """The page. It works without the supervisor, of whose silence it may have to tell."""
    status: Status | None = None
    run: SelfTestRun | None = None
    listening: tuple[Service, ...] = ()
    with contextlib.suppress(MasqgateError):
        status = site().status()
        run = site().quick.self_test() if session() else None
        if session():
            listening = tuple(services(parse(site().quick.config_show())))
    full = site().names.full
    places = _places(status.lan.address.partition("/")[0] if status else "")
    up = [link for link in status.uplinks if link.name == status.active] if status else []
    page = make_response(
        render_template(
            "help.html", status=status, link=next(iter(up), None), run=run, places=places,
            full=full, large=LARGE,
            services=listening,
        )
    )  # fmt: skip
    page.headers["Content-Security-Policy"] = f"{POLICY}; connect-src 'self' " + " ".join(
        places.values()  # lets the script reach the router by all its names, and nothing else
    )
    return page


@blueprint.post("/help/self-test")
@login_needed
def begin() -> ResponseReturnValue:
    """Begin the router's own test; one that is running goes on."""
    site().quick.self_test(begin=True)
    return go(url_for("help.show", _anchor="self-test"))


@blueprint.get("/help/self-test")
@login_needed
def live() -> ResponseReturnValue:
    """How far the router's own test is."""
    return render_template("help_live.html", run=site().quick.self_test())


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


def _places(address: str) -> dict[str, str]:
    """Where the router can be reached, at the port that the page itself was asked at."""
    match = re.search(r":[0-9]{1,5}$", request.host)
    port = match.group() if match else ""
    names = {"address": address, "name": site().names.hostname, "full": site().names.full}
    return {
        key: f"{request.scheme}://{name}{port}" for key, name in names.items() if is_plain(name)
    }


def is_plain(name: str) -> bool:
    """Whether this can stand in an address without changing what it means."""
    return re.fullmatch(r"[A-Za-z0-9.-]+", name) is not None
