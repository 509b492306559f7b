"""Backups: download one, with secrets for the password alone; put one in force."""

from __future__ import annotations

import time

from flask import Blueprint, Response, render_template, request
from flask.typing import ResponseReturnValue
from masqgate.contract import backup
from masqgate.contract import document as toml
from masqgate.contract.errors import MasqgateError

from ..errors import status_of
from ..security import client_address, login_needed
from ..site import site
from .configuration import apply, code_of

blueprint = Blueprint("backup", __name__)


@blueprint.get("/configuration/backup")
@login_needed
def show() -> ResponseReturnValue:
    """The two forms."""
    return _page()


@blueprint.post("/configuration/backup/download")
@login_needed
def download() -> ResponseReturnValue:
    """Send a backup as a file."""
    secrets = bool(request.form.get("secrets"))
    try:
        text = site().router.backup(
            secrets=secrets, password=request.form.get("password", ""), client=client_address()
        )
    except MasqgateError as error:
        return _page(error), status_of(error)
    answer = Response(text, mimetype="application/octet-stream")
    answer.headers["Content-Disposition"] = f'attachment; filename="{_name()}"'
    return answer


@blueprint.post("/configuration/backup/restore")
@login_needed
def restore() -> ResponseReturnValue:
    """Put a backup's configuration in force, in the way of any other document."""
    try:
        found = backup.read(_uploaded())
        return apply(toml.render(found.config, secrets=True), "backup.show")
    except MasqgateError as error:
        return _page(error), code_of(error)


def _page(error: MasqgateError | None = None) -> str:
    return render_template("backup.html", error=error, fields={})


def _name() -> str:
    """A file's name, with the date of a clock that may not be set."""
    return time.strftime(f"{site().names.hostname}-%Y-%m-%d{backup.SUFFIX}", time.gmtime())


def _uploaded() -> str:
    file = request.files.get("backup")
    data = file.stream.read(backup.LARGEST + 1) if file else b""
    if not data:
        text = "There is no file, or nothing in it."
        raise MasqgateError("backup_foreign", text, "Choose a backup first.")
    try:
        return data.decode()
    except UnicodeDecodeError:
        text = "This is no backup of a Masqgate router."
        raise MasqgateError("backup_foreign", text, "A backup is one text, no archive.") from None
