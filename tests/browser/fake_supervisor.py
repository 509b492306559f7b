"""Serves a FakeRouter on a Unix socket, as the supervisor does: framing and calls are real."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
from masqgate.contract import calls, framing
from masqgate.contract.codec import from_json, to_json
from masqgate.contract.errors import MasqgateError

from tests.browser.fake_router import FakeRouter


class _Handler(socketserver.BaseRequestHandler):
    server: _Server

    def handle(self) -> None:
        try:
            payload = framing.receive(self.request)
            if payload is not None:
                framing.send(self.request, to_json(self.server.answer(payload)))
        except (OSError, framing.FramingError):
            return  # the page went away


class _Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, path: Path, router: FakeRouter) -> None:
        super().__init__(str(path), _Handler)
        self.router = router

    def answer(self, payload: bytes) -> calls.Reply:
        """Do one call."""
        request = from_json(payload, calls.Request)
        call = calls.CALLS[request.call]
        assert call.web, f"the page may not call {call.name}"
        arguments = from_json(bytes(request.arguments), call.arguments)
        try:
            result = verbs(self.router)[call.name](arguments)
        except MasqgateError as error:
            failure = calls.Failure(error.code, error.text, error.hint, error.problems)
            return calls.Reply(failure=failure)
        return calls.Reply(result=msgspec.Raw(to_json(result or calls.Nothing())))


def verbs(router: FakeRouter) -> dict[str, Callable[[Any], Any]]:
    """What each call does to the router."""
    return {
        "status": lambda a: router.status(),
        "connect": lambda a: router.connect(a.uplink),
        "disconnect": lambda a: router.disconnect(a.uplink),
        "config_show": lambda a: calls.Document(router.config_show()),
        "config_check": lambda a: router.config_check(a.text),
        "config_apply": lambda a: router.config_apply(a.text, a.confirm_within_s),
        "config_confirm": lambda a: router.config_confirm(),
        "log": lambda a: calls.Log(router.log(a.after, a.limit)),
        "call_log": lambda a: calls.Log(router.call_log(a.limit)),
        "flows": lambda a: router.all_flows(),
        "self_test": lambda a: router.self_test(begin=a.begin),
        "password_check": lambda a: router.password_check(a.password, a.client),
        "password_set": lambda a: router.password_set(a.password, a.old, a.client),
    }


class FakeSupervisor:
    """A supervisor for the page's process: `start` and `stop` it as often as wanted."""

    def __init__(self, path: Path, router: FakeRouter) -> None:
        self.path = path
        self._router = router
        self._server: _Server | None = None

    def use(self, router: FakeRouter) -> None:
        """Serve another router from now on."""
        self._router = router
        if self._server:
            self._server.router = router

    @property
    def running(self) -> bool:
        """Whether it listens."""
        return self._server is not None

    def start(self) -> None:
        """Listen on the socket."""
        self.path.unlink(missing_ok=True)
        self._server = _Server(self.path, self._router)
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        """Be gone, socket and all."""
        if self._server:
            self._server.shutdown()
            self._server.server_close()
            self.path.unlink(missing_ok=True)
            self._server = None
