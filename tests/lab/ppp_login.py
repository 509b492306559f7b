"""The authentication phase, both roles: PAP (RFC 1334), CHAP (RFC 1994), MS-CHAPv2 (RFC 2759)."""

from __future__ import annotations

import hmac
from collections.abc import Callable

from .ppp_auth import (
    Auth,
    Credentials,
    chap_md5,
    mschapv2_value,
    verify_mschapv2,
)
from .ppp_fsm import packet
from .ppp_options import PeerFaults, PeerSettings

PAP = 0xC023
CHAP = 0xC223
RETRY_S = 3.0
MAX_TRIES = 10
PAP_REQUEST, PAP_ACK, PAP_NAK = 1, 2, 3
CHALLENGE, RESPONSE, SUCCESS, FAILURE = 1, 2, 3, 4

Send = Callable[[int, bytes], None]
Done = Callable[[bool, str], None]


class Authenticator:
    """The side that asks. `done(ok, text)` is called once; `random(n)` gives challenge bytes."""

    def __init__(
        self,
        settings: PeerSettings,
        faults: PeerFaults,
        send: Send,
        done: Done,
        random: Callable[[int], bytes],
    ) -> None:
        self.deadline: float | None = None
        self.user = ""
        self._settings = settings
        self._faults = faults
        self._send = send
        self._done = done
        self._challenge = random(16)
        self._identifier = 0
        self._tries = MAX_TRIES
        self._verdict: tuple[int, bytes] | None = None

    def start(self, now: float) -> None:
        """Send the challenge, or wait for the PAP request."""
        self.tick(now, force=True)

    def tick(self, now: float, *, force: bool = False) -> None:
        """Repeat the challenge; give up after ten tries."""
        if self._verdict is not None or (not force and (self.deadline or now + 1) > now):
            return
        self._tries -= 1
        if self._tries < 0:
            self.deadline = None
            self._done(False, "the peer did not authenticate in time")
            return
        self.deadline = now + RETRY_S
        if self._settings.require is Auth.PAP or self._faults.auth_silent:
            return
        self._identifier += 1
        value = bytes([len(self._challenge)]) + self._challenge + self._settings.name.encode()
        self._send(CHAP, packet(CHALLENGE, self._identifier, value))

    def receive(self, protocol: int, code: int, identifier: int, data: bytes) -> None:
        """Judge the peer's answer; a repeated answer gets the same verdict."""
        if self._faults.auth_silent:
            return
        answer = {PAP: PAP_REQUEST, CHAP: RESPONSE}.get(protocol)
        if code != answer or (protocol == PAP) != (self._settings.require is Auth.PAP):
            return
        if self._verdict is not None:
            self._send(protocol, packet(self._verdict[0], identifier, self._verdict[1]))
            return
        ok, text = self._judge(protocol, identifier, data)
        body = (bytes([len(text)]) if protocol == PAP else b"") + text.encode()
        self._verdict = (2 if ok else 3) + (protocol == CHAP), body
        self.deadline = None
        self._send(protocol, packet(self._verdict[0], identifier, body))
        self._done(ok, text)

    def _judge(self, protocol: int, identifier: int, data: bytes) -> tuple[bool, str]:
        size = data[0] if data else 0
        value, rest = data[1 : 1 + size], data[1 + size :]
        if protocol == PAP:
            self.user = value.decode("utf-8", "replace")
            proof = rest[1 : 1 + rest[0]] if rest else b""
        else:
            self.user = rest.decode("utf-8", "replace")
            proof = value
        success = self._check(identifier, proof)
        if success is None or self._faults.refuse_auth is not None:
            return False, self._refusal()
        return True, success

    def _check(self, identifier: int, proof: bytes) -> str | None:
        """Return the text for Success, None if the proof is wrong."""
        names = [account for account in self._settings.accounts if account.user == self.user]
        if not names:
            return None
        password, message = names[0].password, self._settings.message
        if self._settings.require is Auth.PAP:
            return message if hmac.compare_digest(proof, password.encode()) else None
        if self._settings.require is Auth.CHAP:
            wanted = chap_md5(identifier, password, self._challenge)
            return message if hmac.compare_digest(proof, wanted) else None
        text = verify_mschapv2(proof, self._challenge, self.user, password)
        return None if text is None else f"{text} M={message}"

    def _refusal(self) -> str:
        message = self._faults.refuse_auth or "Login incorrect"
        if self._settings.require is Auth.MSCHAPV2:  # RFC 2759, section 6; 691 is 'wrong password'
            return f"E=691 R=0 C={self._challenge.hex().upper()} V=3 M={message}"
        return message


class Supplicant:
    """The side that is asked; used by the lab's PPP clients."""

    def __init__(
        self,
        method: bytes,
        login: Credentials,
        send: Send,
        done: Done,
        random: Callable[[int], bytes],
    ) -> None:
        self.deadline: float | None = None
        self._method = method
        self._login = login
        self._send = send
        self._done = done
        self._random = random
        self._tries = MAX_TRIES

    def start(self, now: float) -> None:
        """Send the PAP request, or wait for the challenge."""
        self.deadline = now
        self.tick(now)

    def tick(self, now: float) -> None:
        """Repeat the PAP request; give up after ten tries."""
        if self.deadline is None or now < self.deadline:
            return
        self._tries -= 1
        if self._tries < 0:
            self.deadline = None
            self._done(False, "no answer to our authentication")
            return
        self.deadline = now + RETRY_S
        if self._method == Auth.PAP.value:
            user, password = self._login.user.encode(), self._login.password.encode()
            body = bytes([len(user)]) + user + bytes([len(password)]) + password
            self._send(PAP, packet(PAP_REQUEST, MAX_TRIES - self._tries, body))

    def receive(self, protocol: int, code: int, identifier: int, data: bytes) -> None:
        """Answer a challenge, or take the verdict."""
        if protocol == CHAP and code == CHALLENGE and data:
            self._respond(identifier, data[1 : 1 + data[0]])
        elif code in ((PAP_ACK, PAP_NAK) if protocol == PAP else (SUCCESS, FAILURE)):
            if self.deadline is None:
                return
            self.deadline = None
            text = data[1:] if protocol == PAP else data
            good = PAP_ACK if protocol == PAP else SUCCESS
            self._done(code == good, text.decode("latin-1"))

    def _respond(self, identifier: int, challenge: bytes) -> None:
        user, password = self._login.user, self._login.password
        if self._method == Auth.MSCHAPV2.value:
            value = mschapv2_value(self._random(16), challenge, user, password)
        else:
            value = chap_md5(identifier, password, challenge)
        body = bytes([len(value)]) + value + user.encode()
        self._send(CHAP, packet(RESPONSE, identifier, body))
