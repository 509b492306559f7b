"""A real browser on the real page, served by gunicorn over a fake supervisor's real socket."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests.browser.fake_router import FakeRouter
from tests.browser.fake_supervisor import FakeSupervisor
from tests.browser.serving import serving

PATIENCE_MS = 45_000  # a loaded machine is slow, not wrong
ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-proxy-server",
    # the router's name leads here, and every other name nowhere
    "--host-resolver-rules=MAP masqgate.lan 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]
expect.set_options(timeout=PATIENCE_MS)


class Visit:
    """One browser window on the router, and all that went wrong in it."""

    def __init__(self, context: BrowserContext, url: str) -> None:
        self.context = context
        self.url = url
        self.page: Page = context.new_page()
        self.page.set_default_timeout(PATIENCE_MS)
        self.wrong: list[str] = []
        self.expected: tuple[str, ...] = ()  # what a test means to go wrong
        self.foreign: list[str] = []
        page = self.page
        page.on("console", lambda m: self.wrong.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda error: self.wrong.append(str(error)))
        page.on("dialog", lambda dialog: self.wrong.append(f"dialog: {dialog.message}"))
        page.on("request", lambda request: self._note(request.url))

    def open(self, path: str = "/") -> Page:
        """Go to a page of the router."""
        self.page.goto(self.url + path)
        return self.page

    def log_in(self, password: str = "correct horse battery") -> Page:
        """Log in; the status page comes next."""
        self.open("/login")
        self.page.fill("#password", password)
        self.page.click("main button")
        self.page.wait_for_url(self.url + "/")
        return self.page

    def check(self) -> None:
        """Nothing went wrong but what the test meant to, and nothing was asked elsewhere."""
        assert self.foreign == []
        unexpected = [w for w in self.wrong if not any(e in w for e in self.expected)]
        assert unexpected == []

    def _note(self, url: str) -> None:
        ours = urlsplit(self.url).port
        place = urlsplit(url)
        if place.hostname not in ("127.0.0.1", "masqgate.lan") or place.port != ours:
            self.foreign.append(url)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    path = shutil.which("chromium")
    assert path, "the browser's tests need Debian's package 'chromium'"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, FakeSupervisor]]:
    run: Path = tmp_path_factory.mktemp("run")
    supervisor = FakeSupervisor(run / "supervisor.sock", FakeRouter())
    supervisor.start()
    with serving(run, log=run / "gunicorn.log") as url:
        yield url, supervisor
    supervisor.stop()


@pytest.fixture
def supervisor(served: tuple[str, FakeSupervisor]) -> Iterator[FakeSupervisor]:
    _, supervisor = served
    yield supervisor
    if not supervisor.running:
        supervisor.start()


@pytest.fixture
def router(supervisor: FakeSupervisor) -> FakeRouter:
    """A fresh router behind the page."""
    router = FakeRouter()
    supervisor.use(router)
    return router


@pytest.fixture
def visit(
    chromium: Browser, served: tuple[str, FakeSupervisor], router: FakeRouter
) -> Iterator[Visit]:
    """A desktop browser."""
    context = chromium.new_context(viewport={"width": 1280, "height": 860})
    visit = Visit(context, served[0])
    yield visit
    context.close()
    visit.check()


@pytest.fixture
def phone(
    chromium: Browser, served: tuple[str, FakeSupervisor], router: FakeRouter
) -> Iterator[Visit]:
    """A small phone."""
    context = chromium.new_context(
        viewport={"width": 360, "height": 740}, is_mobile=True, has_touch=True
    )
    visit = Visit(context, served[0])
    yield visit
    context.close()
    visit.check()
