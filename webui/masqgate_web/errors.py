"""Errors as pages: a sentence and a hint within the usual frame, never a traceback."""

from __future__ import annotations

import logging

from flask import Flask, render_template, request
from flask.typing import ResponseReturnValue
from masqgate.contract.errors import MasqgateError
from werkzeug.exceptions import HTTPException

from .security import is_fragment

log = logging.getLogger(__name__)
RETRY_S = 5
LATER = ("busy", "slow")  # what the supervisor says when it can't answer now
TEXTS: dict[int, tuple[str, str]] = {
    400: ("The request can't be understood.", "Load the page again."),
    403: ("This is not allowed.", "Load the page again."),
    404: ("There is no such page.", "The menu leads to all there are."),
    405: ("This page can't be used in this way.", "The menu leads to all there are."),
    411: ("The browser does not tell how much it sends.", "Use another one."),
    413: ("This is more than the router takes.", "A document has at most 64 KiB."),
    500: (
        "The page has a fault.",
        "The call stays up. Load the page again.",
    ),
}


def status_of(error: MasqgateError) -> int:
    """The HTTP status of a refusal: 503 where the supervisor can't be asked."""
    silent = error.code.startswith(("supervisor_", "updater_"))
    return 503 if silent or error.code in LATER else 409


def register(app: Flask) -> None:
    """Handle the supervisor's refusals, HTTP errors and our own faults."""
    app.register_error_handler(MasqgateError, _refused)
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(Exception, _fault)


def _refused(error: MasqgateError) -> ResponseReturnValue:
    return _page(status_of(error), error.text, error.hint)


def _http(error: HTTPException) -> ResponseReturnValue:
    code = error.code or 500
    if code < 400:
        return error.get_response()
    text, hint = TEXTS.get(code, ("The router can't do this.", "Load the page again."))
    if isinstance(error.description, str) and error.description != type(error).description:
        text, _, hint = error.description.partition(". ")
        text += "." if hint else ""
    return _page(code, text, hint)


def _fault(error: Exception) -> ResponseReturnValue:
    log.error("fault in %s %s", request.method, request.path, exc_info=error)
    return _page(500, *TEXTS[500])


def _page(code: int, text: str, hint: str) -> ResponseReturnValue:
    retry = RETRY_S if code == 503 and request.method == "GET" else None
    if is_fragment():
        return render_template("message.html", text=text, hint=hint, tone="bad"), code
    page = render_template("error.html", code=code, text=text, hint=hint, retry=retry)
    headers = {"Retry-After": str(RETRY_S)} if code == 503 else {}
    return page, code, headers
