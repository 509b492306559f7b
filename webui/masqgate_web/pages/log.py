"""The history of events, newest first."""

from __future__ import annotations

from flask import Blueprint, make_response, render_template, request
from flask.typing import ResponseReturnValue

from ..security import login_needed
from ..site import site

blueprint = Blueprint("log", __name__)
STEP = 100
MOST = 1000  # events in one page, and in one answer of the supervisor


@blueprint.get("/log")
@login_needed
def show() -> ResponseReturnValue:
    """The whole page."""
    return render_template("log.html", **_view())


@blueprint.get("/log/live")
@login_needed
def live() -> ResponseReturnValue:
    """What the page polls."""
    return make_response(render_template("log_live.html", **_view()))


def _view() -> dict[str, object]:
    source = request.args.get("source", "")
    limit = max(STEP, min(request.args.get("limit", STEP, type=int), MOST))
    entries = site().quick.log(0, MOST if source else limit + 1)
    sources = sorted({*(entry.source for entry in entries), *([source] if source else [])})
    found = [entry for entry in reversed(entries) if source in ("", entry.source)]
    return {
        "entries": found[:limit],
        "sources": sources,
        "source": source,
        "limit": limit,
        "step": STEP,
        "older": len(found) > limit and limit < MOST,
        "next_limit": min(limit + STEP, MOST),
    }
