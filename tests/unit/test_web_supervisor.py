"""The page over the real supervisor: calls, refusals and secrets fit together."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path

import pytest
from masqgate.contract.status import Flow, Host, LinkState
from masqgate_web import create_app

from tests.unit.router import Router, link, until
from tests.unit.web_site import COMPILED, Clock, Site, Visitor, fields, words

PASSWORD = "seven green bottles"


class RealSite(Site):
    """The page's application over a supervisor."""

    def __init__(self, router: Router) -> None:
        self.clock = Clock()
        self.app = create_app(router.client, self.clock)
        self.app.jinja_env.bytecode_cache = COMPILED


@pytest.fixture
def router(tmp_path: Path) -> Iterator[Router]:
    router = Router(tmp_path)
    router.dialer("modem1", link(state=LinkState.UP))
    router.start()
    until(lambda: router.client.status().uplinks[0].state is LinkState.UP)
    yield router
    router.close()


@pytest.fixture
def admin(router: Router) -> Visitor:
    """A browser that has set the first password."""
    visitor = RealSite(router).visitor()
    answer = visitor.post("/first-password", {"password": PASSWORD, "again": PASSWORD})
    assert answer.status_code == 303
    return visitor


def test_every_page_is_served(router: Router, admin: Visitor) -> None:
    router.applier.known_hosts = (
        Host(name="a-box", mac="02:00:00:00:00:0a", address="192.168.77.100", expires_at=2e9),
    )
    router.applier.known_flows = (
        Flow(
            protocol="tcp", source="192.168.77.100", source_port=1234, destination="192.0.2.80",
            destination_port=80, masqueraded="198.51.100.7", masqueraded_port=5678,
        ),
    )  # fmt: skip
    front = words(admin.get("/"))
    assert "Connected" in front
    assert "198.51.100.7" in front
    assert "a-box" in front
    assert "a-box 192.168.77.100:1234 192.0.2.80:80 198.51.100.7:5678" in words(
        admin.get("/connections")
    )
    for path in ("/configuration", "/configuration/document", "/log", "/help", "/password"):
        page = admin.get(path)
        assert page.status_code == 200, path
        assert "dial-secret" not in page.text


def test_buttons_reach_the_dialer(router: Router, admin: Visitor) -> None:
    admin.post("/uplinks/disconnect", {"uplink": "modem1"})
    admin.post("/uplinks/connect", {"uplink": "modem1"})
    dialer = router.dialers["modem1"]
    until(lambda: dialer.commands[-2:] == ["disconnect", "connect"])
    admin.post("/uplinks/connect", {"uplink": "nonsense"})
    assert 'class="message bad"' in admin.get("/").text


def test_a_document_goes_round_and_keeps_its_secrets(router: Router, admin: Visitor) -> None:
    page = admin.get("/configuration/document").text
    found = re.search(r'<textarea[^>]*name="text"[^>]*>\n(.*?)</textarea>', page, re.S)
    base = re.search(r'name="base" value="([^"]*)"', page)
    assert found
    assert base
    text = unescape(found.group(1)).replace('user = "alice"', 'user = "bob"')
    form = {"text": text, "base": base.group(1), "action": "apply"}
    assert admin.post("/configuration/document", form).status_code == 303
    stored = router.paths.config.read_text()
    assert 'user = "bob"' in stored
    assert "dial-secret" in stored
    bad = form | {"text": text.replace("speed", "sped"), "action": "check"}
    assert "Did you mean 'speed'?" in words(admin.post("/configuration/document", bad))


def test_a_new_address_is_on_trial_until_it_is_kept(router: Router, admin: Visitor) -> None:
    data = fields(admin.get("/configuration").text) | {"lan.address": "10.9.8.1/24"}
    assert "The router moves to 10.9.8.1" in words(admin.post("/configuration", data))
    assert "The router is at 10.9.8.1 now" in words(admin.post("/configuration/move"))
    assert "10.9.8.1" not in router.paths.config.read_text()
    assert "A new configuration is on trial." in words(admin.get("/"))
    assert admin.post("/configuration/confirm").status_code == 303
    assert "10.9.8.1/24" in router.paths.config.read_text()
    assert "dial-secret" in router.paths.config.read_text()


def test_wrong_passwords_are_delayed_over_all_clients(router: Router, admin: Visitor) -> None:
    for _ in range(10):
        page = RealSite(router).visitor().log_in("wrong password")
        assert page.status_code == 403
    page = RealSite(router).visitor().log_in(PASSWORD)
    assert page.status_code == 403
    assert "Too many wrong passwords" in words(page)
    router.clock.added_s += 61
    assert RealSite(router).visitor().log_in(PASSWORD).status_code == 303


def test_a_weak_password_is_refused_by_the_supervisor_too(router: Router) -> None:
    visitor = RealSite(router).visitor()
    form = {"password": "aaaaaaaaaaaa", "again": "aaaaaaaaaaaa", "anyway": "on"}
    page = visitor.post("/first-password", form)
    assert page.status_code == 409
    assert "The password repeats few characters." in words(page)


def test_a_reset_at_the_console_ends_the_session(router: Router, admin: Visitor) -> None:
    router.client.password_reset()
    assert admin.get("/log").status_code == 303
    assert "This router has no password yet." in words(admin.get("/"))


def test_the_supervisor_goes_and_comes_back(router: Router, admin: Visitor) -> None:
    router.stop()
    page = admin.get("/")
    assert page.status_code == 503
    assert "The supervisor does not answer" in words(page)
    router.start()
    until(lambda: admin.get("/log").status_code == 200)
