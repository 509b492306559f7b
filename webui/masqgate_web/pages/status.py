"""The front page: the state of the link, for everybody on the LAN; what changes it, for some."""

from __future__ import annotations

from flask import Blueprint, make_response, render_template, request, url_for
from flask.typing import ResponseReturnValue
from masqgate.contract.errors import MasqgateError
from masqgate.contract.status import CallRecord, Entry, LinkState, LinkStatus, Status

from ..errors import status_of
from ..rates import Trend
from ..security import go, is_fragment, login_needed, session, tell
from ..site import site

blueprint = Blueprint("status", __name__)
EVENTS = 8
CALLS = 6
ASLEEP = (LinkState.OFF, LinkState.IDLE, LinkState.NO_PORT)
DIALABLE = (LinkState.OFF, LinkState.IDLE, LinkState.WAITING)


@blueprint.get("/")
def show() -> ResponseReturnValue:
    """The whole page."""
    return render_template("status.html", **_view())


@blueprint.get("/status/live")
def live() -> ResponseReturnValue:
    """What the page polls. A page that thinks it is logged in, and is not, loads itself anew."""
    view = _view()
    if "in" in request.args and not session():
        return make_response("", 200, {"HX-Refresh": "true"})
    return render_template("status_live.html", **view)


@blueprint.post("/uplinks/connect")
@login_needed
def connect() -> ResponseReturnValue:
    """Dial, now."""
    return _command("connect")


@blueprint.post("/uplinks/disconnect")
@login_needed
def disconnect() -> ResponseReturnValue:
    """Hang up, and stay down."""
    return _command("disconnect")


def _command(verb: str) -> ResponseReturnValue:
    uplink = request.form.get("uplink", "")
    try:
        if verb == "connect":
            site().router.connect(uplink)
        else:
            site().router.disconnect(uplink)
    except MasqgateError as error:
        if is_fragment():
            page = render_template("status_live.html", notice=error, **_view())
            return make_response(page)
        if status_of(error) == 503:
            raise
        tell(error.text, error.hint, "bad")
    if is_fragment():
        return render_template("status_live.html", notice=None, **_view())
    return go(url_for("status.show"))


def _view() -> dict[str, object]:
    status = site().status()
    now = site().clock()
    trends: dict[str, Trend] = {link.name: site().rates.note(link, now) for link in status.uplinks}
    return {
        "status": status,
        "links": in_order(status),
        "trends": trends,
        "dialable": DIALABLE,
        "asleep": ASLEEP,
        "fragment": is_fragment(),
        "events": _events() if session() else (),
        "calls": _calls(status) if session() else (),
    }


def _events() -> tuple[Entry, ...]:
    return tuple(reversed(site().quick.log(0, EVENTS)))


def _calls(status: Status) -> tuple[CallRecord, ...]:
    """The newest calls that were answered, newest first; none are asked for without a line."""
    entries = site().quick.call_log(CALLS) if status.dialin else ()
    return tuple(entry.call for entry in reversed(entries) if entry.call is not None)


def in_order(status: Status) -> list[LinkStatus]:
    """The uplink that matters most first: the active one, or the first that is not asleep."""
    links = list(status.uplinks)
    awake = [link for link in links if link.state not in ASLEEP]
    active = [link for link in links if link.name == status.active]
    first = next(iter(active or awake or links), None)
    return sorted(links, key=lambda link: link is not first)
