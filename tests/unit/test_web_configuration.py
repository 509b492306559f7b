"""The configuration's form and editor."""

from __future__ import annotations

import re
import tomllib
from html import unescape

import msgspec
import pytest
from masqgate.contract import document
from masqgate.contract.config import Config, Ethernet
from masqgate.contract.errors import MasqgateError

from tests.unit.web_site import PASSWORD, Site, Visitor, fields, words

SILENT = MasqgateError("supervisor_unreachable", "The supervisor does not answer.", "Wait.")


@pytest.fixture
def site() -> Site:
    return Site()


def editor(page: str) -> tuple[str, str]:
    """The editor's text and base."""
    text = re.search(r"<textarea[^>]*name=\"text\"[^>]*>\n(.*?)</textarea>", page, re.S)
    base = re.search(r'name="base" value="([^"]*)"', page)
    assert text
    assert base
    return unescape(text.group(1)), base.group(1)


def submit(admin: Visitor, **changes: str) -> object:
    data = fields(admin.get("/configuration").text)
    return admin.post("/configuration", data | changes)


def modem(site: Site) -> object:
    return site.router.config.modems[0]


# --- the form --------------------------------------------------------------------------------


def test_an_untouched_form_changes_nothing(site: Site) -> None:
    before = site.router.config
    answer = submit(site.admin())
    assert answer.status_code == 303  # type: ignore[attr-defined]
    assert site.router.config == before


def test_the_form_changes_what_it_shows_and_keeps_the_rest(site: Site) -> None:
    old = site.router.config
    wan = Ethernet(name="wan", port="eth1")
    site.router.config = msgspec.structs.replace(old, uplink=(wan, *old.uplink))
    admin = site.admin()
    changes = {
        "link.number": " *99# ", "link.apn": "internet.example", "link.user": "bob",
        "link.password": ' pass "word\\ ', "link.mode": "manual", "link.speed": "460800",
        "link.port": "/dev/ttyUSB2", "link.pin": "1234", "lan.dhcp_first": "192.168.77.50",
    }  # fmt: skip
    submit(admin, **changes)
    new = site.router.config
    assert new.uplink[0] == wan
    link = new.modems[0]
    assert (link.number, link.apn, link.user, link.mode, link.speed, link.port) == (
        "*99#", "internet.example", "bob", "manual", 460_800, "/dev/ttyUSB2",
    )  # fmt: skip
    assert link.password.reveal() == ' pass "word\\ '
    assert link.pin.reveal() == "1234"
    assert new.lan.dhcp_first == "192.168.77.50"
    assert link.init == old.modems[0].init
    assert "The configuration is in force." in words(admin.get("/configuration"))


def test_secrets_never_come_back(site: Site) -> None:
    admin = site.admin()
    for path in ("/configuration", "/configuration/document"):
        assert "open sesame" not in admin.get(path).text
    answer = submit(admin, **{"link.password": "typed-secret", "link.speed": "77"})
    assert answer.status_code == 422  # type: ignore[attr-defined]
    assert "typed-secret" not in answer.text  # type: ignore[attr-defined]


def test_a_stored_secret_is_kept_or_forgotten(site: Site) -> None:
    admin = site.admin()
    submit(admin, **{"link.user": "carol"})
    assert site.router.config.modems[0].password.reveal() == "open sesame"
    submit(admin, **{"forget.link.password": "on"})
    assert not site.router.config.modems[0].password


def test_every_problem_is_shown_beside_its_field(site: Site) -> None:
    before = site.router.config
    answer = submit(
        site.admin(),
        **{"link.number": "call me", "link.port": "COM1", "lan.address": "8.8.8.8/24"},
    )
    page = answer.text  # type: ignore[attr-defined]
    assert answer.status_code == 422  # type: ignore[attr-defined]
    for name in ("link.number", "link.port", "lan.address"):
        assert re.search(rf'id="{name}"[^>]*aria-invalid="true"', page), name
        assert f'class="hint wrong" id="{name}-hint"' in page
    assert "cannot be dialed" in page.replace("&#39;", "'")
    assert fields(page)["link.number"] == "call me"
    assert site.router.config == before


def test_an_unticked_box_stays_unticked_among_problems(site: Site) -> None:
    admin = site.admin()
    data = fields(admin.get("/configuration").text) | {"link.port": "COM1"}
    del data["lan.dhcp"]
    page = admin.post("/configuration", data).text
    assert "lan.dhcp" not in fields(page)


def test_a_first_modem_is_made_by_the_form(site: Site) -> None:
    site.router.config = Config()
    submit(site.admin(), **{"link.port": "/dev/ttyS0", "link.number": "5551000"})
    assert site.router.config.modems[0].name == "modem1"


def test_without_a_modem_the_lan_can_be_set(site: Site) -> None:
    site.router.config = Config()
    submit(site.admin(), **{"lan.dhcp_last": "192.168.77.150"})
    assert site.router.config.lan.dhcp_last == "192.168.77.150"
    assert site.router.config.uplink == ()


def test_one_of_several_modems(site: Site) -> None:
    old = site.router.config
    second = msgspec.structs.replace(old.modems[0], name="modem2", port="/dev/ttyUSB0")
    site.router.config = msgspec.structs.replace(old, uplink=(*old.uplink, second))
    admin = site.admin()
    data = fields(admin.get("/configuration?link=modem2").text)
    assert data["link.port"] == "/dev/ttyUSB0"
    admin.post("/configuration", data | {"link.number": "77"})
    assert [m.number for m in site.router.config.modems] == ["0555123", "77"]


def test_forms_without_the_supervisor_lose_nothing(site: Site) -> None:
    admin = site.admin()
    data = fields(admin.get("/configuration").text)
    site.router.refusals["config_apply"] = SILENT
    answer = admin.post("/configuration", data | {"link.user": "typed"})
    assert answer.status_code == 503
    assert fields(answer.text)["link.user"] == "typed"


# --- another address -------------------------------------------------------------------------


def test_a_new_address_is_asked_about_and_told(site: Site) -> None:
    admin = site.admin()
    page = submit(admin, **{"lan.address": "10.9.8.1/24"})
    text = words(page)
    assert "The router moves to 10.9.8.1" in text
    assert 'href="http://10.9.8.1/"' in page.text  # type: ignore[attr-defined]
    assert site.router.config.lan.address == "192.168.77.1/24"
    done = admin.post("/configuration/move")
    assert "The router is at 10.9.8.1 now" in words(done)
    assert site.router.confirm_in_s == 300
    lan = site.router.config.lan
    assert (lan.address, lan.dhcp_first, lan.dhcp_last) == (
        "10.9.8.1/24", "10.9.8.100", "10.9.8.199",
    )  # fmt: skip
    again = admin.post("/configuration/move")
    assert again.headers["Location"] == "/configuration"
    assert "There is nothing to confirm any more." in words(admin.get("/configuration"))


def test_a_new_address_in_the_document_is_asked_about_too(site: Site) -> None:
    admin = site.admin()
    text, base = editor(admin.get("/configuration/document").text)
    text = text.replace("192.168.77.", "172.20.1.")
    answer = admin.post("/configuration/document", {"text": text, "base": base, "action": "apply"})
    assert "The router moves to 172.20.1.1" in words(answer)


def test_the_new_address_is_kept_by_whoever_logs_in_there(site: Site) -> None:
    admin = site.admin()
    submit(admin, **{"lan.address": "10.9.8.1/24"})
    admin.post("/configuration/move")
    stranger = site.visitor()
    assert "It is taken back in 5 min 0 s unless you keep it. Log in to keep it" in words(
        stranger.get("/")
    )
    assert stranger.post("/configuration/confirm").status_code in (303, 403)
    assert site.router.confirm_in_s == 300
    other = site.admin()
    assert "unless you keep it. Keep it" in words(other.get("/"))
    assert other.post("/configuration/confirm").headers["Location"] == "/"
    assert site.router.confirm_in_s is None
    assert "The configuration is saved." in words(other.get("/"))
    other.post("/configuration/confirm")
    assert "No configuration waits to be confirmed." in words(other.get("/"))


def test_a_document_on_trial(site: Site) -> None:
    admin = site.admin()
    text, base = editor(admin.get("/configuration/document").text)
    form = {"text": text.replace("alice", "dave"), "base": base, "action": "try"}
    answer = admin.post("/configuration/document", form)
    assert answer.headers["Location"] == "/"
    assert site.router.confirm_in_s == 120
    assert "A new configuration is on trial." in words(admin.get("/status/live"))


# --- the document ----------------------------------------------------------------------------


def test_apply_and_check_a_document(site: Site) -> None:
    admin = site.admin()
    text, base = editor(admin.get("/configuration/document").text)
    assert tomllib.loads(text)["uplink"][0]["password"] == "(secret)"
    text = text.replace('user = "alice"', 'user = "dave"').replace("\n", "\r\n")
    form = {"text": text, "base": base}
    checked = admin.post("/configuration/document", form | {"action": "check"})
    assert "The document is good. Nothing has been changed yet." in words(checked)
    assert site.router.config.modems[0].user == "alice"
    applied = admin.post("/configuration/document", form | {"action": "apply"})
    assert applied.status_code == 303
    assert site.router.config.modems[0].user == "dave"
    assert site.router.config.modems[0].password.reveal() == "open sesame"


@pytest.mark.parametrize("action", ["check", "apply"])
def test_all_problems_are_listed_and_what_was_typed_stays(site: Site, action: str) -> None:
    admin = site.admin()
    _, base = editor(admin.get("/configuration/document").text)
    typed = (
        '\n\nversion = 1\nnonsens = "</textarea><b>"\n[lan]\naddress = "1.2.3.4"\ndhpc = true\n'
    )
    form = {"text": typed, "base": base, "action": action}
    answer = admin.post("/configuration/document", form)
    assert answer.status_code == 422
    text = words(answer)
    for part in ("nonsens", "lan.dhpc", "Did you mean 'dhcp'?"):
        assert part in text
    assert editor(answer.text)[0] == typed
    assert document.render(site.router.config) == site.router.config_show()


def test_a_document_that_is_not_toml(site: Site) -> None:
    admin = site.admin()
    _, base = editor(admin.get("/configuration/document").text)
    form = {"text": "a = = 1", "base": base, "action": "apply"}
    assert "line 1" in words(admin.post("/configuration/document", form))


def test_a_change_by_somebody_else_is_not_overwritten_unseen(site: Site) -> None:
    admin = site.admin()
    text, base = editor(admin.get("/configuration/document").text)
    submit(site.admin(), **{"link.user": "elsewhere"})
    form = {"text": text.replace("alice", "mine"), "base": base, "action": "apply"}
    answer = admin.post("/configuration/document", form)
    assert answer.status_code == 409
    assert site.router.config.modems[0].user == "elsewhere"
    typed, new_base = editor(answer.text)
    admin.post("/configuration/document", {"text": typed, "base": new_base, "action": "apply"})
    assert site.router.config.modems[0].user == "mine"


def test_documents_without_the_supervisor_lose_nothing(site: Site) -> None:
    admin = site.admin()
    _, base = editor(admin.get("/configuration/document").text)
    site.router.failure = SILENT
    for action in ("check", "apply"):
        form = {"text": "typed = 1\n", "base": base, "action": action}
        answer = admin.post("/configuration/document", form)
        assert answer.status_code == 503
        assert editor(answer.text)[0] == "typed = 1\n"


# --- a login that ran out --------------------------------------------------------------------


def log_in_with_draft(visitor: Visitor, answer: object) -> str:
    page = answer.text  # type: ignore[attr-defined]
    assert "What you typed is kept" in page
    draft = re.search(r'<textarea name="draft"[^>]*>\n(.*?)</textarea>', page, re.S)
    wanted = re.search(r'name="next" value="([^"]*)"', page)
    assert draft
    assert wanted
    form = {"draft": unescape(draft.group(1)), "next": wanted.group(1), "password": PASSWORD}
    back = visitor.post("/login", form)
    return str(visitor.get(back.headers["Location"]).text)


def test_what_was_typed_survives_the_end_of_the_login(site: Site) -> None:
    admin = site.admin()
    text, base = editor(admin.get("/configuration/document").text)
    typed = text + "# one two & three <four>\n"
    data = {"text": typed, "base": base, "action": "apply", "form_token": admin.token()}
    site.clock.now += 601
    answer = admin.post("/configuration/document", data)
    assert answer.status_code == 403
    page = log_in_with_draft(admin, answer)
    assert editor(page) == (typed, base)
    assert "Nothing has been applied." in page
    assert editor(admin.get("/configuration/document").text)[0] == text


def test_what_was_typed_survives_a_restart_of_the_page(site: Site) -> None:
    admin = site.admin()
    data = fields(admin.get("/configuration").text)
    data |= {"link.user": "typed & kept", "link.password": "not kept"}
    other = Site()
    late = other.visitor()
    late.client.set_cookie("masqgate", admin.cookie, domain="192.168.77.1")
    answer = late.post("/configuration", data)
    assert answer.status_code == 403
    assert "not kept" not in answer.text
    page = log_in_with_draft(late, answer)
    assert fields(page)["link.user"] == "typed & kept"
    assert other.router.config.modems[0].user == "alice"


def test_the_access_points_of_the_sim_are_offered(site: Site) -> None:
    link = site.router.uplinks[0]
    told = msgspec.structs.replace(link, apn="a1.net", apn_others=("bob.at", "a1.net"))
    site.router.uplinks = (told,)
    page = site.admin().get("/configuration").text
    offered = re.search(r'<datalist id="link.apn-list">(.*?)</datalist>', page, re.S)
    assert offered
    assert re.findall(r'value="([^"]*)"', offered.group(1)) == ["auto", "a1.net", "bob.at"]
