"""A browser without a browser: Flask's test client with the page's form tokens."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

from jinja2.bccache import Bucket, BytecodeCache
from masqgate_web import create_app

from tests.browser.fake_router import FakeRouter
from tests.browser.fake_updates import FakeUpdates

PASSWORD = "correct horse battery"
BASE = "http://192.168.77.1"


class Compiled(BytecodeCache):
    """Templates are compiled once for all tests; a test's application is otherwise its own."""

    def __init__(self) -> None:
        self._known: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        if known := self._known.get(bucket.key + bucket.checksum):
            bucket.bytecode_from_string(known)

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._known[bucket.key + bucket.checksum] = bucket.bytecode_to_string()


COMPILED = Compiled()


class Clock:
    """Seconds that pass only when told."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Visitor:
    """One browser on the router's page."""

    def __init__(self, site: Site) -> None:
        self.client = site.app.test_client()

    def get(self, path: str, **more: Any) -> Any:
        return self.client.get(path, base_url=BASE, **more)

    def post(self, path: str, data: dict[str, str] | None = None, **more: Any) -> Any:
        """Post a form as the page itself would."""
        data = {"form_token": self.token(), **(data or {})}
        headers = {"Origin": BASE, **more.pop("headers", {})}
        return self.client.post(path, base_url=BASE, data=data, headers=headers, **more)

    def token(self) -> str:
        """The form token of this browser's pages."""
        for path in ("/login", "/first-password", "/password"):
            found = re.search(r'name="form_token" value="([^"]+)"', self.get(path).text)
            if found:
                return found.group(1)
        raise AssertionError("no page has a form")

    def log_in(self, password: str = PASSWORD) -> Any:
        return self.post("/login", {"password": password})

    @property
    def cookie(self) -> str:
        found = self.client.get_cookie("masqgate", domain="192.168.77.1")
        return found.value if found else ""


class Site:
    """The application over a fake router, and its clock."""

    def __init__(self) -> None:
        self.router = FakeRouter()
        self.updates = FakeUpdates()
        self.clock = Clock()
        self.app = create_app(self.router, self.clock, self.updates)
        self.app.testing = True
        self.app.jinja_env.bytecode_cache = COMPILED
        # errors are pages, in tests too
        self.app.config["PROPAGATE_EXCEPTIONS"] = False

    def visitor(self) -> Visitor:
        return Visitor(self)

    def admin(self) -> Visitor:
        """A browser that is logged in."""
        visitor = self.visitor()
        assert visitor.log_in().status_code == 303
        return visitor


def words(answer: Any) -> str:
    """What a page says, without markup, in single spaces."""
    text = re.sub(r"<(script|style|title)\b.*?</\1>", " ", answer.text, flags=re.S)
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", text)).split())


def fields(page: str) -> dict[str, str]:
    """The fields of a page's form, as a browser would send them."""
    found = {}
    main = page.partition("<main")[2]
    for tag in re.findall(r"<input[^>]*>", main):
        given = {k: unescape(v) for k, v in re.findall(r'([a-z-]+)="([^"]*)"', tag)}
        if given.get("type") != "checkbox" or " checked" in tag:
            found[given["name"]] = given.get("value", "on")
    for name, body in re.findall(r'<select id="\S*" name="(\S+)".*?>(.*?)</select>', main, re.S):
        chosen = re.search(r'<option value="([^"]*)" selected', body)
        assert chosen, name
        found[name] = chosen.group(1)
    areas = r'<textarea id="\S*" name="(\S+)"[^>]*>\n(.*?)</textarea>'
    for name, text in re.findall(areas, main, re.S):
        found[name] = unescape(text).replace("\n", "\r\n")
    return found
