"""Log in and out, set the first password, change it. The supervisor keeps and checks it."""

from __future__ import annotations

import contextlib

from flask import Blueprint, g, render_template, request, url_for
from flask.typing import ResponseReturnValue
from masqgate.contract.errors import MasqgateError
from masqgate.contract.status import Entry

from ..errors import status_of
from ..passwords import SHORTEST, refusal, weakness
from ..security import client_address, end_session, go, login_needed, session, start_session, tell
from ..site import site

blueprint = Blueprint("login", __name__)
AFTERWARDS = ("status.show", "connections.show", "configuration.show", "configuration.document",
              "backup.show", "log.show", "help.show", "update.show", "login.change")  # fmt: skip
LOGINS = ("login", "login_failed", "password_set", "password_reset", "password_restored")
MOST_LOGINS = 12  # of these events, shown
LOOKED_AT = 1000  # events, all that the supervisor tells
MAX_DRAFT = 256 * 1024  # characters; no more than a request can hold


@blueprint.get("/login")
def show() -> ResponseReturnValue:
    """The form; or the first password's, where none is set."""
    if not site().status().password_set:
        return go(url_for("login.first"))
    if session():
        return go(_afterwards(request.args.get("next", "")))
    return render_template("login.html", next=request.args.get("next", ""), error=None)


@blueprint.post("/login")
def enter() -> ResponseReturnValue:
    """Let in whoever knows the password; the supervisor counts and delays the others."""
    wanted = request.form.get("next", "")
    draft = request.form.get("draft", "")[:MAX_DRAFT]
    try:
        site().router.password_check(request.form.get("password", ""), client_address())
    except MasqgateError as error:
        code = 403 if status_of(error) != 503 else 503
        return render_template("login.html", next=wanted, error=error, draft=draft), code
    found = start_session()
    if draft:
        found.draft, found.draft_page = draft, wanted
    return go(_afterwards(wanted))


@blueprint.post("/logout")
def leave() -> ResponseReturnValue:
    """End this session."""
    end_session()
    return go(url_for("status.show"))


@blueprint.get("/first-password")
def first() -> ResponseReturnValue:
    """Ask for the first password."""
    if site().status().password_set:
        return go(url_for("login.show"))
    return _password_form(None)


@blueprint.post("/first-password")
def set_first() -> ResponseReturnValue:
    """Set the first password, and let in who set it."""
    if site().status().password_set:
        return go(url_for("login.show"))
    return _set("")


@blueprint.get("/password")
@login_needed
def change() -> ResponseReturnValue:
    """Ask for the old and a new password."""
    return _password_form(None)


@blueprint.post("/password")
@login_needed
def set_new() -> ResponseReturnValue:
    """Change the password; every other session ends."""
    return _set(request.form.get("old", ""))


def _set(old: str) -> ResponseReturnValue:
    password = request.form.get("password", "")
    text = refusal(password, request.form.get("again", ""))
    if text:
        return _password_form(MasqgateError("refused", text, "Type it again.")), 422
    weak = weakness(password, site().names.hostname)
    if weak and "anyway" not in request.form:
        hint = "Choose another, or type it again and say that you want it all the same."
        error = MasqgateError("weak", f"This password is easy to guess. {weak}", hint)
        return _password_form(error), 422
    try:
        site().router.password_set(password, old, client_address())
    except MasqgateError as error:
        return _password_form(error), status_of(error)
    site().sessions.clear()
    start_session()
    tell("The password is set.", "Whoever was logged in elsewhere is logged out.")
    return go(url_for("status.show"))


def _password_form(error: MasqgateError | None) -> str:
    return render_template(
        "password.html",
        error=error,
        shortest=SHORTEST,
        first=not g.get("session"),
        logins=_logins() if session() else (),
    )


def _logins() -> list[Entry]:
    """Who logged in last, or tried to, newest first; none if the supervisor does not tell."""
    with contextlib.suppress(MasqgateError):
        entries = site().quick.log(0, LOOKED_AT)
        return [entry for entry in reversed(entries) if entry.code in LOGINS][:MOST_LOGINS]
    return []


def _afterwards(wanted: str) -> str:
    return url_for(wanted if wanted in AFTERWARDS else "status.show")
