"""The configuration: a form for what is changed most, and the whole document."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from urllib.parse import parse_qsl

from flask import Blueprint, g, render_template, request, url_for
from flask.typing import ResponseReturnValue
from masqgate.contract import document as toml
from masqgate.contract.config import Config
from masqgate.contract.errors import InvalidConfig, MasqgateError

from .. import forms
from ..errors import status_of
from ..fields import FORMS, TABLES
from ..security import go, login_needed, tell
from ..site import site

blueprint = Blueprint("configuration", __name__)
TRIAL_S = 120  # to see whether a configuration is good, from where one sits
MOVE_S = 300  # to follow the router to its new address and log in there
CHANGED = MasqgateError(
    "changed_meanwhile",
    "The configuration was changed since you opened this page.",
    "Apply again to put yours in its place, or load the page again to see the other.",
)


@blueprint.get("/configuration")
@login_needed
def show() -> ResponseReturnValue:
    """The form."""
    config = _in_force()
    draft = _draft("configuration.show")
    about = forms.subject(config, draft or request.args)
    values = forms.fields(config, about)
    if draft:
        values |= forms.unticked(about) | draft
    return _form(config, about, values)


@blueprint.post("/configuration")
@login_needed
def apply_form() -> ResponseReturnValue:
    """Apply what the form says; show it again with every problem otherwise."""
    typed = dict(request.form)
    config = _in_force()
    about = forms.subject(config, typed)
    wanted = forms.wanted(config, typed)
    try:
        text = toml.render(toml.from_plain(wanted.document), secrets=True)
        return apply(text, "configuration.show", link=wanted.name)
    except MasqgateError as error:
        values = forms.fields(config, about) | forms.unticked(about) | typed
        fields = {problem.path: wanted.field_of(problem) for problem in error.problems}
        return _form(config, about, values, error, fields), code_of(error)


@blueprint.get("/configuration/document")
@login_needed
def document() -> ResponseReturnValue:
    """The whole document."""
    text = site().router.config_show()
    draft = _draft("configuration.document")
    return _editor(draft.get("text", text), draft.get("base", _digest(text)))


@blueprint.post("/configuration/document")
@login_needed
def save_document() -> ResponseReturnValue:
    """Check or apply the document; what was typed stays in the editor in any case."""
    text = request.form.get("text", "").replace("\r\n", "\n")
    base = request.form.get("base", "")
    try:
        if request.form.get("action") == "check":
            site().router.config_check(text)
            return _editor(text, base, checked=True)
        present = _digest(site().router.config_show())
        if base != present:
            base = present
            raise CHANGED
        trial = TRIAL_S if request.form.get("action") == "try" else 0
        return apply(text, "configuration.document", trial)
    except MasqgateError as error:
        return _editor(text, base, error), code_of(error)


@blueprint.post("/configuration/move")
@login_needed
def move() -> ResponseReturnValue:
    """Apply a document that gives the router another address, after the warning."""
    text, g.session.pending = g.session.pending, None
    if text is None:
        tell("There is nothing to confirm any more.", "Apply the configuration again.", "warn")
        return go(url_for("configuration.show"))
    address = toml.parse(text).lan.interface.ip
    site().router.config_apply(text, MOVE_S)
    return render_template("moved.html", address=address, minutes=MOVE_S // 60)


@blueprint.post("/configuration/confirm")
@login_needed
def confirm() -> ResponseReturnValue:
    """Keep a configuration that would be taken back otherwise."""
    try:
        site().router.config_confirm()
        tell("The configuration is saved.", "The one before it is kept.")
    except MasqgateError as error:
        if status_of(error) == 503:
            raise
        tell(error.text, error.hint, "bad")
    return go(url_for("status.show"))


def apply(text: str, back: str, trial_s: int = 0, link: str = "") -> ResponseReturnValue:
    """Apply a document, or ask first if the router's address would change.

    Afterwards the page `back` is shown, about one link if it is told.
    """
    before, after = _in_force().lan, toml.parse(text).lan
    if before.address == after.address:
        site().router.config_apply(text, trial_s)
        if trial_s:
            return go(url_for("status.show"))
        tell("The configuration is in force.", "It is saved; the one before it is kept.")
        return go(url_for(back, link=link or None))
    site().router.config_check(text)
    g.session.pending = text
    lans = {"before": before.interface, "after": after.interface}
    return render_template("move.html", **lans, back=back, minutes=MOVE_S // 60)


def _in_force() -> Config:
    return toml.parse(site().router.config_show())


def _form(
    config: Config,
    about: forms.Subject,
    values: Mapping[str, str],
    error: MasqgateError | None = None,
    fields: Mapping[str, str] | None = None,
) -> str:
    fields = fields or {}
    problems = error.problems if error else ()
    wrong = {fields[problem.path]: problem for problem in reversed(problems)}
    return render_template(
        "configuration.html",
        about=about,
        subjects=forms.subjects(config),
        uplinks=len(config.uplink) + (not about.name),
        forms=FORMS,
        tables=TABLES,
        values=values,
        callers=forms.rows(values),
        error=error,
        wrong=wrong,
        fields={path: name for path, name in fields.items() if name in values},
        unfolded=forms.unfolded(values, wrong, about),
        suggested={"link.apn": _apns(about.name)},
    )


def _apns(name: str) -> tuple[str, ...]:
    """The access points that a modem's SIM might use, as far as the modem has told."""
    links = site().router.status().uplinks
    link = next((link for link in links if link.name == name and link.apn), None)
    return () if link is None else tuple(dict.fromkeys((link.apn, *link.apn_others)))


def _editor(
    text: str, base: str, error: MasqgateError | None = None, *, checked: bool = False
) -> str:
    return render_template(
        "document.html", text=text, base=base, error=error, checked=checked, fields={}
    )


def _draft(page: str) -> dict[str, str]:
    """What was typed into this page when the login had run out; told once."""
    if g.session.draft_page != page:
        return {}
    draft = dict(parse_qsl(g.session.draft, keep_blank_values=True))
    g.session.draft_page = g.session.draft = ""
    tell("Here is what you typed before you were logged out.", "Nothing has been applied.", "warn")
    return draft


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def code_of(error: MasqgateError) -> int:
    """The HTTP status of a document that was refused."""
    return 422 if isinstance(error, InvalidConfig) or error.problems else status_of(error)
