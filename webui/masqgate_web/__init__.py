"""Masqgate's administration page: a Flask application that talks only to the supervisor."""

from __future__ import annotations

from .app import create_app

__all__ = ["create_app"]
