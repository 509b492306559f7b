"""Static files: their addresses carry their content's hash, so that browsers may keep them."""

from __future__ import annotations

import functools
import hashlib
from pathlib import Path

from flask import Flask, Response, request, url_for

KEEP = "public, max-age=31536000, immutable"


def register(app: Flask) -> None:
    """Give templates `asset('page.css')`."""
    folder = Path(app.static_folder or "")

    @functools.cache
    def digest(name: str) -> str:
        return hashlib.sha256((folder / name).read_bytes()).hexdigest()[:12]

    def asset(name: str) -> str:
        return url_for("static", filename=name, v=digest(name))

    def keep(response: Response) -> Response:
        if request.endpoint == "static" and response.status_code == 200 and "v" in request.args:
            response.headers["Cache-Control"] = KEEP
        return response

    app.jinja_env.globals["asset"] = asset
    app.after_request(keep)
