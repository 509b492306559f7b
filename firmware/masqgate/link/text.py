"""Text from outside (modem, peer) made harmless for logs and pages, and spans of time in words."""

from __future__ import annotations

import math
import re

MAX_TEXT = 120
_UNSAFE = re.compile(r"[^\x20-\x7e]+")


def harmless(text: str, limit: int = MAX_TEXT) -> str:
    """Return printable ASCII of at most `limit` characters; anything else becomes a dot."""
    clean = _UNSAFE.sub(".", text[: 4 * limit]).strip()
    return clean if len(clean) <= limit else clean[: limit - 3] + "..."


def span(seconds: float) -> str:
    """'12 s', '5 min', '2 h 5 min'; rounded up, for 'in at most …'."""
    whole = math.ceil(seconds)
    if whole < 120:
        return f"{whole} s"
    minutes = math.ceil(whole / 60)
    if minutes < 120:
        return f"{minutes} min"
    hours, rest = divmod(minutes, 60)
    return f"{hours} h {rest} min" if rest else f"{hours} h"
