"""The page by HTTPS: a process of its own, with the router's own certificate."""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from masqgate.contract.config import Config
from masqgate.system.certificate import certificate_for
from playwright.sync_api import Browser, expect

from tests.browser.conftest import Visit
from tests.browser.fake_supervisor import FakeSupervisor
from tests.browser.serving import ANYBODY, serving
from tests.browser.test_serving import THREADS, connect


@pytest.fixture(scope="module")
def secured(
    served: tuple[str, FakeSupervisor], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The address of a second server beside the first, of the same router."""
    _, supervisor = served
    kept = tmp_path_factory.mktemp("tls") / "page.pem"
    certificate_for(Config(), kept)
    with serving(supervisor.path.parent, log=kept.with_suffix(".log"), certificate=kept) as url:
        yield url


@pytest.fixture
def secure(chromium: Browser, secured: str, visit: Visit) -> Iterator[Visit]:
    """A browser that trusts the certificate, beside one that came by HTTP."""
    context = chromium.new_context(ignore_https_errors=True)
    found = Visit(context, secured)
    yield found
    context.close()
    found.check()


def test_who_logs_in_is_logged_in_there(secure: Visit) -> None:
    page = secure.log_in()
    expect(page.get_by_role("button", name="Log out")).to_be_visible()
    (cookie,) = secure.context.cookies()
    assert cookie.get("name") == "__Host-masqgate" and cookie.get("secure") is True
    page = secure.open("/configuration")
    page.get_by_role("button", name="Apply").click()
    expect(page.get_by_text("The configuration is in force.")).to_be_visible()


def test_help_stays_within_https(secure: Visit) -> None:
    page = secure.open("/help")
    places = page.locator("[data-probe]").evaluate_all("all => all.map(one => one.dataset.probe)")
    assert not [place for place in places if place.startswith("http://")]
    secure.expected = ("Failed to load resource", "ERR_")  # addresses that lead nowhere here
    secure.foreign.clear()


@pytest.mark.parametrize("shaken", [False, True])
def test_clients_that_stop_hold_nobody_up(secure: Visit, shaken: bool) -> None:
    """Silent before the handshake's end, or in the middle of a request."""
    with contextlib.ExitStack() as stack:
        for _ in range(THREADS):
            client = stack.enter_context(connect(secure.url))
            if shaken:
                talk = stack.enter_context(ANYBODY.wrap_socket(client))
                talk.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n")
            else:
                client.sendall(b"\x16\x03\x01")
        expect(secure.open("/").get_by_role("link", name="Log in", exact=True)).to_be_visible()


def test_http_on_the_port_of_https_is_no_answer(secured: str) -> None:
    place = urlsplit(secured)
    with socket.create_connection((str(place.hostname), place.port or 443), 60) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        with contextlib.suppress(ConnectionResetError):
            assert not client.recv(4096).startswith(b"HTTP/1.1 200")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_old_tls_is_refused(secured: str) -> None:
    place = urlsplit(secured)
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
    old.set_ciphers("DEFAULT:@SECLEVEL=0")
    old.maximum_version = ssl.TLSVersion.TLSv1_1
    with (
        socket.create_connection((str(place.hostname), place.port or 443), 60) as client,
        pytest.raises((ssl.SSLError, ConnectionError)),
    ):
        old.wrap_socket(client)
