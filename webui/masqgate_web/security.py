"""What holds for every request: Host and Origin, the cookie, form tokens, headers."""

from __future__ import annotations

import contextlib
import functools
import hmac
import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, ParamSpec
from urllib.parse import urlencode, urlsplit

from flask import (
    Flask,
    Response,
    current_app,
    g,
    make_response,
    redirect,
    render_template,
    request,
    url_for,
)
from flask.typing import ResponseReturnValue
from masqgate.contract.errors import MasqgateError
from werkzeug.exceptions import BadRequest, Forbidden, LengthRequired

from .names import Names
from .sessions import Message, Session, new_token, well_formed
from .site import site

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

REFUSED_HOST = "masqgate.refused_host"
COOKIE = "masqgate"
# A browser keeps a secure cookie from being replaced by an insecure one: they need two names.
SECURE_COOKIE = "__Host-masqgate"
POLICY = (
    "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    # 'no-referrer' would make browsers send 'Origin: null' with our own forms
    "Referrer-Policy": "same-origin",
    "X-Frame-Options": "DENY",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}
VIEWS = {
    **dict.fromkeys(
        (
            "live",
            "connect",
            "disconnect",
            "apply_form",
            "move",
            "confirm",
            "begin",
            "upload",
            "back",
            "restart",
            "download",
            "restore",
        ),
        "show",
    ),
    "save_document": "document",
    "set_new": "change",
}
DRAFTS = ("configuration.show", "configuration.document")
# Of a form that was sent too late; the names of secrets are those of forms.py.
NOT_KEPT = re.compile(r"form_token|action|link\.(password|pin)|caller\.\d+\.password")
OUT_OF_DATE = (
    "This form is out of date: the page was restarted, or cookies are off. "
    "Go back, load the page again, and repeat what you did."
)
P = ParamSpec("P")


def register(app: Flask) -> None:
    """Put the checks before, and the headers after, every request."""
    app.wsgi_app = _HostGate(app)  # type: ignore[method-assign]
    app.before_request(_check_host)
    app.before_request(_check_length)
    app.before_request(_load_session)
    app.before_request(_check_form)
    app.after_request(_seal)
    app.context_processor(_for_templates)


def client_address() -> str:
    """The caller's address; an IPv4 one stays one on a socket that takes both."""
    return (request.remote_addr or "").removeprefix("::ffff:")


def session() -> Session | None:
    """The session of this request, if it has one."""
    found: Session | None = g.get("session")
    return found


def start_session() -> Session:
    """Log this browser in, under a new token."""
    site().sessions.close(g.token)
    with contextlib.suppress(MasqgateError):  # it is learned which password this session is of
        site().status()
    g.session = site().sessions.open()
    g.token = g.session.token
    return session() or g.session


def end_session() -> None:
    """Log this browser out."""
    site().sessions.close(g.token)
    g.session = None
    g.token = new_token()


def tell(text: str, hint: str = "", tone: str = "good") -> None:
    """Leave a sentence for the next page that this session sees."""
    if found := session():
        found.messages.append(Message(text, hint, tone))


def is_fragment() -> bool:
    """Whether htmx asks, and so wants a part of a page."""
    return request.headers.get("HX-Request") == "true"


def login_needed(view: Callable[P, ResponseReturnValue]) -> Callable[P, ResponseReturnValue]:
    """Send whoever is not logged in to the login page, and back here afterwards.

    What was typed into a form goes with them: the login may have run out under their hands.
    """

    @functools.wraps(view)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> ResponseReturnValue:
        if session() and _still_logged_in():
            return view(*args, **kwargs)
        page = _page_of(request.endpoint or "")
        if request.method == "POST" and page in DRAFTS:
            draft = _draft()
            g.session = None
            return render_template("login.html", next=page, error=None, draft=draft), 403
        return go(url_for("login.show", next=page))

    wrapper.__dict__["login_needed"] = True
    return wrapper


def reads_its_own_form(view: Callable[P, ResponseReturnValue]) -> Callable[P, ResponseReturnValue]:
    """Mark a view that reads a large form while it arrives, and calls `check_token` itself."""
    view.__dict__["reads_its_own_form"] = True
    return view


def check_token(token: str) -> None:
    """Forbidden unless this is the token of this session's forms."""
    wanted = site().sessions.form_token(g.token)
    if not (g.given and hmac.compare_digest(wanted, token.encode("ascii", "replace").decode())):
        raise Forbidden(OUT_OF_DATE)


def _still_logged_in() -> bool:
    """Whether the password is still that of the login; a silent supervisor is the view's."""
    with contextlib.suppress(MasqgateError):
        site().status()  # ends the sessions if it is not
    return site().sessions.find(g.token, touch=False) is not None


def _page_of(name: str) -> str:
    """The page that a request belongs to, as an endpoint that can be shown."""
    blueprint, _, view = name.partition(".")
    return f"{blueprint}.{VIEWS.get(view, view)}"


def _draft() -> str:
    """What was typed, without passwords, as a query."""
    kept = {k: v for k, v in request.form.items() if not NOT_KEPT.fullmatch(k)}
    return urlencode(kept)


def go(address: str) -> Response:
    """Redirect a browser, or htmx in it."""
    if is_fragment():
        return make_response("", 200, {"HX-Redirect": address})
    answer = redirect(address, 303)
    return make_response(answer)


class _HostGate:
    """Looks at the Host header before Flask does, which can't even route with some of them."""

    def __init__(self, app: Flask) -> None:
        self._inner = app.wsgi_app
        self._names: Names = app.extensions["masqgate"].names

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if not self._names.allow(environ.get("HTTP_HOST", "")):
            environ["HTTP_HOST"] = "localhost"
            environ[REFUSED_HOST] = True
        return self._inner(environ, start_response)


def _check_host() -> None:
    if REFUSED_HOST in request.environ:
        raise BadRequest(
            "The router does not go by this name. Use its LAN address, or its own name."
        )


def _check_length() -> None:
    if "HTTP_TRANSFER_ENCODING" in request.environ:
        raise LengthRequired  # server.py has left the body unread


def _load_session() -> None:
    cookie = request.cookies.get(_cookie(), "")
    g.given = cookie if well_formed(cookie) else ""
    g.token = g.given or new_token()
    g.session = site().sessions.find(g.given, touch=not _by_itself()) if g.given else None


def _by_itself() -> bool:
    """Whether the page, and not a person, makes this request: it keeps no session alive."""
    endpoint = request.endpoint or ""
    return "auto" in request.args or endpoint.endswith((".live", "static", ".probe"))


def _check_form() -> None:
    if request.method in ("GET", "HEAD", "OPTIONS"):
        return
    origin = request.headers.get("Origin")
    if origin is not None and not _is_ours(origin):
        raise Forbidden("The request came from another site. Use the router's own page.")
    if request.headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
        raise Forbidden("The request came from another site. Use the router's own page.")
    if _is_marked("reads_its_own_form"):
        return
    wanted = site().sessions.form_token(g.token)
    if g.given and hmac.compare_digest(wanted, _form_token()):
        return
    # After a restart of this process no form is known any more, and nobody is logged in: the
    # view will only ask for the password, and keep what was typed.
    harmless = origin is not None and session() is None and _is_marked("login_needed")
    if not harmless:
        raise Forbidden(OUT_OF_DATE)


def _is_marked(name: str) -> bool:
    view = current_app.view_functions.get(request.endpoint or "")
    return bool(getattr(view, name, False))


def _form_token() -> str:
    return request.form.get("form_token", "").encode("ascii", "replace").decode()


def _is_ours(origin: str) -> bool:
    """Whether a page of ours sent this: one without HTTPS may be anybody's on the LAN."""
    try:
        scheme, netloc, *_ = urlsplit(origin)
    except ValueError:
        return False
    return (scheme, netloc) == (request.scheme, str(request.environ.get("HTTP_HOST", "")))


def _seal(response: Response) -> Response:
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    response.headers.setdefault("Content-Security-Policy", POLICY)
    response.headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
    if request.endpoint != "static" or response.status_code >= 400:
        response.headers["Cache-Control"] = "no-store"
        if g.get("token") and g.token != g.given:
            response.set_cookie(
                _cookie(), g.token, httponly=True, samesite="Strict", secure=request.is_secure
            )
    return response


def _cookie() -> str:
    return SECURE_COOKIE if request.is_secure else COOKIE


def _for_templates() -> dict[str, object]:
    token = g.get("token", "")
    return {
        "session": session(),
        "messages": _messages,
        "form_token": site().sessions.form_token(token) if token else "",
        "hostname": site().names.hostname,
    }


def _messages() -> list[Message]:
    found = session()
    if not found:
        return []
    waiting, found.messages = found.messages, []
    return waiting
