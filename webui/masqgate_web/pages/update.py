"""Another version of the system: what is in both slots, and how another one gets there."""

from __future__ import annotations

from flask import Blueprint, make_response, render_template, request, url_for
from flask.typing import ResponseReturnValue
from masqgate.contract.errors import MasqgateError

from ..errors import status_of
from ..security import check_token, go, login_needed, reads_its_own_form, tell
from ..site import site
from ..uploads import Upload

blueprint = Blueprint("update", __name__)


@blueprint.get("/update")
@login_needed
def show() -> ResponseReturnValue:
    """The whole page."""
    return render_template("update.html", update=site().updates.update_status(), error=None)


@blueprint.get("/update/live")
@login_needed
def live() -> ResponseReturnValue:
    """How far an update is."""
    return render_template("update_live.html", update=site().updates.update_status())


@blueprint.post("/update/upload")
@login_needed
@reads_its_own_form
def upload() -> ResponseReturnValue:
    """Take a bundle while it arrives; the updater writes it to the slot that does not run."""
    form = Upload.of_this_request()
    check_token(form.fields.get("form_token", ""))
    try:
        info = site().updates.install_stream(form.file(), "allow_downgrade" in form.fields)
    except MasqgateError as error:
        form.drain()
        return _refused(error)
    form.drain()
    tell(
        f"Version {info.version} is in slot {info.slot.upper()}, read back and compared.",
        "Restart the router to try it.",
    )
    return go(url_for("update.show"))


@blueprint.post("/update/back")
@login_needed
def back() -> ResponseReturnValue:
    """Have the other slot started next."""
    try:
        tell(site().updates.update_back().text)
    except MasqgateError as error:
        return _refused(error)
    return go(url_for("update.show"))


@blueprint.post("/update/restart")
@login_needed
def restart() -> ResponseReturnValue:
    """Restart the router; the page that tells so is the last one that it sends."""
    try:
        site().updates.update_restart()
    except MasqgateError as error:
        return _refused(error)
    return render_template("restarting.html", host=request.host)


def _refused(error: MasqgateError) -> ResponseReturnValue:
    if status_of(error) == 503:
        raise error
    page = render_template("update.html", update=site().updates.update_status(), error=error)
    return make_response(page, status_of(error))
