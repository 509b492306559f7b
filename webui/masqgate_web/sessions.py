"""Who is logged in: kept in the memory of the one worker, never in the cookie."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

IDLE_S = 600.0  # without a request that a person made
LONGEST_S = 12 * 3600.0  # however busy
MOST = 32  # sessions; the one unused for longest goes first
_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")


@dataclass(frozen=True)
class Message:
    """One sentence for the next page that the session sees."""

    text: str
    hint: str = ""
    tone: str = "good"


@dataclass
class Session:
    """One logged-in browser.

    `draft` is what was typed into `draft_page` after the login before had run out (fields as in
    a query); `pending` is a document that waits for a confirmation.
    """

    token: str
    begun: float
    used: float
    messages: list[Message] = field(default_factory=list)
    draft: str = ""
    draft_page: str = ""
    pending: str | None = None


class Sessions:
    """The sessions, by the secret token in the browser's cookie."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._sessions: dict[str, Session] = {}
        self._generation = 0  # of the password that the sessions began with
        self._key = secrets.token_bytes(32)

    def open(self) -> Session:
        """Begin a session under a new token."""
        now = self._clock()
        session = Session(new_token(), now, now)
        with self._lock:
            self._expire()
            while len(self._sessions) >= MOST:
                del self._sessions[min(self._sessions.values(), key=lambda s: s.used).token]
            self._sessions[session.token] = session
        return session

    def find(self, token: str, *, touch: bool) -> Session | None:
        """The session of a token, unless it ran out; `touch` says that a person used it."""
        with self._lock:
            self._expire()
            session = self._sessions.get(token)
            if session and touch:
                session.used = self._clock()
            return session

    def close(self, token: str) -> None:
        """End one session."""
        with self._lock:
            self._sessions.pop(token, None)

    def clear(self) -> None:
        """End all of them."""
        with self._lock:
            self._sessions.clear()

    def belong_to(self, generation: int) -> None:
        """Say which password is in force; a session that began under another one ends."""
        with self._lock:
            if generation != self._generation:
                self._generation = generation
                self._sessions.clear()

    def form_token(self, token: str) -> str:
        """What a form must carry to come from a page that we gave to this cookie's browser."""
        return hmac.new(self._key, token.encode(), hashlib.sha256).hexdigest()

    def _expire(self) -> None:
        now = self._clock()
        for session in list(self._sessions.values()):
            if now - session.used > IDLE_S or now - session.begun > LONGEST_S:
                del self._sessions[session.token]


def new_token() -> str:
    """A fresh secret for a cookie."""
    return secrets.token_urlsafe(32)


def well_formed(token: str) -> bool:
    """Whether a cookie's value can be one of ours."""
    return _TOKEN.fullmatch(token) is not None
