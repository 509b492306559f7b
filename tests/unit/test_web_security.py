"""Who may do what on the page, and what every answer carries."""

from __future__ import annotations

import hashlib
import io
import json
import re
from pathlib import Path

import msgspec
import pytest
from masqgate.contract.errors import MasqgateError, Problem
from masqgate.contract.status import Entry, Flow, Host, LanStatus, LinkState, Reason

from tests.browser.fake_router import NOW, link
from tests.unit.web_site import BASE, PASSWORD, Site, words

STATIC = Path(__file__).parents[2] / "webui" / "masqgate_web" / "static"
TEMPLATES = STATIC.parent / "templates"
POSTS = (
    "/uplinks/connect", "/uplinks/disconnect", "/configuration", "/configuration/document",
    "/configuration/move", "/configuration/confirm", "/help/self-test", "/password",
    "/login", "/logout", "/first-password",
)  # fmt: skip
GETS = (
    "/",
    "/status/live",
    "/login",
    "/help",
    "/help/probe",
    "/nothing",
    "/log",
    "/configuration",
)
CHANGING = {"connect", "disconnect", "config_apply", "config_confirm", "password_set", "self_test"}
HOSTILE = "\"><script>alert(1)</script><img src=x onerror='a'>{{ 7*7 }}\u2028\r\n&amp;"


@pytest.fixture
def site() -> Site:
    return Site()


# --- headers ---------------------------------------------------------------------------------


@pytest.mark.parametrize("path", GETS)
def test_headers_of_every_page(site: Site, path: str) -> None:
    for visitor in (site.visitor(), site.admin()):
        headers = visitor.get(path).headers
        policy = headers["Content-Security-Policy"]
        assert "default-src 'self'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert "*" not in policy
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "same-origin"
        assert headers["X-Frame-Options"] == "DENY"
        assert headers["Cache-Control"] == "no-store"


def test_the_cookie_is_for_this_site_and_no_script(site: Site) -> None:
    cookie = site.visitor().get("/").headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert "Domain" not in cookie


def test_static_files_may_be_kept_and_carry_their_hash(site: Site) -> None:
    page = site.visitor().get("/").text
    for address in re.findall(r'(?:src|href)="(/static/[^"]+)"', page):
        path = address.partition("#")[0]
        answer = site.visitor().get(path)
        assert answer.status_code == 200
        assert "immutable" in answer.headers["Cache-Control"]
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert path.endswith(hashlib.sha256(answer.data).hexdigest()[:12])
        assert "Set-Cookie" not in answer.headers


def test_templates_hold_no_inline_script_or_style() -> None:
    for template in TEMPLATES.glob("*.html"):
        text = template.read_text()
        assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son[a-z]+=|\|\s*safe", text)
        assert "javascript:" not in text


def test_nothing_is_fetched_from_elsewhere() -> None:
    for file in (*TEMPLATES.glob("*.html"), STATIC / "page.css", STATIC / "page.js"):
        assert not re.search(
            r"""(?:src|url\(|@import)\s*=?\s*["'(]?(?:https?:)?//""", file.read_text()
        )


def test_vendored_files_are_what_they_say() -> None:
    listed = json.loads((STATIC / "vendor" / "vendor.json").read_text())
    for entry in listed:
        content = (STATIC / "vendor" / entry["file"]).read_bytes()
        assert hashlib.sha256(content).hexdigest() == entry["sha256"]
        assert (STATIC / "vendor" / entry["licence_file"]).read_text().strip()
        assert entry["version"]
    scripts = {path.name for path in (STATIC / "vendor").glob("*.js")}
    assert scripts == {entry["file"] for entry in listed}


# --- Host and Origin -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host",
    [
        "192.168.77.1", "192.168.77.1:8080", "10.1.2.3", "127.0.0.1:80", "localhost", "masqgate",
        "MASQGATE.lan", "masqgate.local", "masqgate.", "[fe80::1]", "[::1]:8080",
    ],
)  # fmt: skip
def test_the_routers_own_names_are_taken(site: Site, host: str) -> None:
    assert site.app.test_client().get("/", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example", "192.168.77.1.evil.example", "8.8.8.8", "masqgate.evil.example", "",
        "a b", "[::1", "localhost@evil.example", "evil.example:80:80", "2001:db8::1", "\xe4.lan",
        "masqgate/../", "x" * 300,
    ],
)  # fmt: skip
def test_other_names_are_refused(site: Site, host: str) -> None:
    page = site.app.test_client().get("/", headers={"Host": host})
    assert page.status_code == 400
    assert "The router does not go by this name." in words(page)
    assert "198.51.100" not in page.text


def test_a_configured_name_is_learned(site: Site) -> None:
    config = site.router.config
    site.router.config = msgspec.structs.replace(
        config,
        system=msgspec.structs.replace(config.system, hostname="gate"),
        lan=msgspec.structs.replace(config.lan, domain="farm"),
    )
    for host in ("gate.farm", "gate", "gate.local"):
        assert site.app.test_client().get("/", headers={"Host": host}).status_code == 200
    assert site.app.test_client().get("/", headers={"Host": "gate.city"}).status_code == 400


@pytest.mark.parametrize(
    "origin",
    [
        "http://evil.example",
        "null",
        "",
        "http://[",
        "://",
        BASE + "0",
        BASE.replace("http", "https"),
    ],
)
def test_a_bad_origin_changes_nothing(site: Site, origin: str) -> None:
    admin = site.admin()
    for path in POSTS:
        answer = admin.post(path, {"uplink": "modem1"}, headers={"Origin": origin})
        assert answer.status_code == 403, path
    assert not CHANGING & {call[0] for call in site.router.asked}


def test_another_sites_request_is_refused_even_without_origin(site: Site) -> None:
    admin = site.admin()
    answer = admin.client.post(
        "/uplinks/connect",
        base_url=BASE,
        data={"form_token": admin.token()},
        headers={"Sec-Fetch-Site": "cross-site"},
    )
    assert answer.status_code == 403


# --- form tokens -----------------------------------------------------------------------------


@pytest.mark.parametrize("path", POSTS)
@pytest.mark.parametrize("token", [None, "", "0" * 64, "\xe4", "other"])
def test_a_post_needs_the_token_of_its_own_browser(
    site: Site, path: str, token: str | None
) -> None:
    admin = site.admin()
    data = {} if token is None else {"form_token": token}
    if token == "other":
        data["form_token"] = site.admin().token()
    before = list(site.router.asked)
    answer = admin.client.post(path, base_url=BASE, data=data)
    assert answer.status_code == 403
    assert site.router.asked == before


def test_without_a_cookie_no_form_is_taken(site: Site) -> None:
    token = site.visitor().token()
    answer = site.app.test_client().post(
        "/login", base_url=BASE, data={"form_token": token, "password": PASSWORD}
    )
    assert answer.status_code == 403


# --- sessions --------------------------------------------------------------------------------


def test_login_gives_a_new_id_and_logout_ends_it(site: Site) -> None:
    visitor = site.visitor()
    visitor.get("/login")
    before = visitor.cookie
    assert visitor.log_in().headers["Location"] == "/"
    inside = visitor.cookie
    assert inside != before
    assert visitor.get("/log").status_code == 200
    visitor.post("/logout")
    assert visitor.cookie != inside
    visitor.client.set_cookie("masqgate", inside, domain="192.168.77.1")
    assert visitor.get("/log").status_code == 303


def test_a_planted_id_does_not_become_a_session(site: Site) -> None:
    victim, planted = site.visitor(), "A" * 43
    victim.client.set_cookie("masqgate", planted, domain="192.168.77.1")
    victim.log_in()
    thief = site.visitor()
    thief.client.set_cookie("masqgate", planted, domain="192.168.77.1")
    assert thief.get("/log").status_code == 303


def test_ten_idle_minutes_end_a_session(site: Site) -> None:
    admin = site.admin()
    site.clock.now += 599
    assert admin.get("/log").status_code == 200
    site.clock.now += 601
    assert admin.get("/log").status_code == 303


def test_half_a_day_ends_a_session_however_busy(site: Site) -> None:
    admin = site.admin()
    for _ in range(12 * 6 - 1):
        site.clock.now += 600
        assert admin.get("/log").status_code == 200
    site.clock.now += 601
    assert admin.get("/log").status_code == 303


def test_a_password_that_is_changed_elsewhere_ends_the_sessions(site: Site) -> None:
    admin, other = site.admin(), site.admin()
    site.router.password = "set on the console"
    for visitor in (admin, other):
        assert visitor.get("/log").status_code == 303
    assert admin.log_in("set on the console").status_code == 303
    assert admin.get("/log").status_code == 200


@pytest.mark.parametrize(
    "poll", ["/status/live?in=1", "/log/live", "/connections/live", "/?auto=1", "/help/probe"]
)
def test_polling_keeps_no_session_alive(site: Site, poll: str) -> None:
    admin = site.admin()
    for _ in range(11):
        site.clock.now += 60
        admin.get(poll, headers={"HX-Request": "true"})
    assert admin.get("/log").status_code == 303


def test_a_page_whose_session_ended_loads_itself_anew(site: Site) -> None:
    admin = site.admin()
    site.clock.now += 601
    answer = admin.get("/status/live?in=1", headers={"HX-Request": "true"})
    assert answer.headers["HX-Refresh"] == "true"
    answer = admin.get("/log/live", headers={"HX-Request": "true"})
    assert answer.headers["HX-Redirect"] == "/login?next=log.show"


def test_login_leads_back_but_never_elsewhere(site: Site) -> None:
    visitor = site.visitor()
    back = visitor.post("/login", {"password": PASSWORD, "next": "log.show"})
    assert back.headers["Location"] == "/log"
    for wanted in ("//evil.example", "https://evil.example", "login.leave", HOSTILE):
        answer = site.visitor().post("/login", {"password": PASSWORD, "next": wanted})
        assert answer.headers["Location"] == "/"


def test_a_wrong_password_is_told_in_the_supervisors_words(site: Site) -> None:
    answer = site.visitor().log_in("wrong")
    assert answer.status_code == 403
    assert "The password is wrong. After ten wrong ones" in words(answer)
    wait = MasqgateError("login_delayed", "Too many wrong passwords.", "Wait 60 seconds.")
    site.router.refusals["password_check"] = wait
    assert "Too many wrong passwords. Wait 60 seconds." in words(site.visitor().log_in())
    assert site.router.asked[-1] == ("password_check", "127.0.0.1")


def test_sessions_are_bounded(site: Site) -> None:
    first = site.admin()
    site.clock.now += 1
    for _ in range(32):
        site.admin()
    assert first.get("/log").status_code == 303


# --- the password ----------------------------------------------------------------------------


def test_before_the_first_password_everything_is_read_only(site: Site) -> None:
    site.router.password = None
    visitor = site.visitor()
    page = visitor.get("/")
    assert "This router has no password yet." in words(page)
    assert "formaction" not in page.text
    assert visitor.get("/login").headers["Location"] == "/first-password"
    for path in POSTS[:8]:
        answer = visitor.post(path, {"uplink": "modem1", "text": "", "password": "x" * 12})
        assert answer.status_code in (303, 403)
    assert site.router.asked == []


def test_the_first_password_is_set_and_logs_in(site: Site) -> None:
    site.router.password = None
    visitor = site.visitor()
    new = "seven green bottles"
    answer = visitor.post("/first-password", {"password": new, "again": new})
    assert answer.status_code == 303
    assert site.router.password == new
    assert visitor.get("/log").status_code == 200
    second = site.visitor().post("/first-password", {"password": "x" * 12, "again": "x" * 12})
    assert second.headers["Location"] == "/login"
    assert site.router.password == new


@pytest.mark.parametrize(
    ("password", "again", "sentence"),
    [
        ("s8-r.T", "s8-r.T", "shorter than 10 characters"),
        ("x" * 200, "x" * 200, "longer than 128"),
        ("seven green bottles", "seven green bottle", "not the same"),
        ("aaaaaaaaaaaa", "aaaaaaaaaaaa", "easy to guess"),
        ("918273645546", "918273645546", "digits alone"),
        ("Masqgate2026", "Masqgate2026", "tries first"),
        ("qwertzuiop12", "qwertzuiop12", "tries first"),
        ("asdfghjklasd", "asdfghjklasd", "row of the keyboard"),
    ],
)
def test_bad_passwords(site: Site, password: str, again: str, sentence: str) -> None:
    site.router.password = None
    answer = site.visitor().post("/first-password", {"password": password, "again": again})
    assert answer.status_code == 422
    assert sentence in words(answer)
    assert password not in answer.text
    assert site.router.password is None


def test_a_weak_password_is_taken_on_demand(site: Site) -> None:
    site.router.password = None
    form = {"password": "918273645546", "again": "918273645546", "anyway": "on"}
    assert site.visitor().post("/first-password", form).status_code == 303


def test_changing_the_password_needs_the_old_one_and_ends_other_sessions(site: Site) -> None:
    admin, other = site.admin(), site.admin()
    new = "seven green bottles"
    wrong = admin.post("/password", {"old": "nonsense", "password": new, "again": new})
    assert wrong.status_code == 409
    assert "The old password is wrong." in words(wrong)
    before = admin.cookie
    right = admin.post("/password", {"old": PASSWORD, "password": new, "again": new})
    assert right.status_code == 303
    assert admin.cookie != before
    assert "The password is set." in words(admin.get("/"))
    assert other.get("/log").status_code == 303


def test_the_last_logins_are_told_to_who_is_logged_in(site: Site) -> None:
    texts = {
        "login": "The administrator logged in from 192.168.77.12 (02:00:00:00:00:12).",
        "login_failed": f"A wrong password was given from {HOSTILE}.",
        "dialed": "The modem dials.",
    }
    site.router.entries = tuple(
        Entry(number=number, at=NOW, source="system", code=code, text=text)
        for number, (code, text) in enumerate(texts.items(), 1)
    )
    page = site.admin().get("/password")
    told = words(page)
    assert texts["login"] in told and "A wrong password was given" in told
    assert texts["dialed"] not in told
    check_escaped(page.text)
    site.router.refusals["log"] = MasqgateError("slow", "Too slow.", "")
    assert site.admin().get("/password").status_code == 200
    site.router.password = None
    assert "Last logins" not in words(site.visitor().get("/first-password"))


def test_a_reset_on_the_console_ends_every_session(site: Site) -> None:
    admin = site.admin()
    site.router.password = None
    answer = admin.post("/uplinks/connect", {"uplink": "modem1"})
    assert answer.status_code == 303
    assert not CHANGING & {call[0] for call in site.router.asked}


def test_a_session_from_before_a_reset_does_not_come_back(site: Site) -> None:
    admin = site.admin()
    site.router.password = None
    site.visitor().get("/")
    site.router.password = "another password"
    assert admin.get("/log").status_code == 303


# --- hostile input ---------------------------------------------------------------------------


def test_everything_from_outside_is_escaped(site: Site) -> None:
    site.router.uplinks = tuple(
        msgspec.structs.replace(
            link(state),
            name=HOSTILE + state, interface=HOSTILE, address=HOSTILE, peer=HOSTILE,
            dns=(HOSTILE,), modem=HOSTILE, operator=HOSTILE, connect_text=HOSTILE,
            reason=Reason("x", HOSTILE, HOSTILE), resets={HOSTILE: 3}, signal_dbm=-70,
        )
        for state in LinkState
    )  # fmt: skip
    site.router.hosts = (Host(name=HOSTILE, mac=HOSTILE, address="10.0.0.1", expires_at=NOW),)
    site.router.entries = (
        Entry(number=1, at=1e300, source=HOSTILE, code="x", text=HOSTILE, level="error"),
    )
    site.router.connections = (
        Flow(protocol=HOSTILE, source="10.0.0.1", destination=HOSTILE, masqueraded=HOSTILE,
             state=HOSTILE),
    )  # fmt: skip
    site.router.warnings = (Reason("x", HOSTILE, HOSTILE),)
    admin = site.admin()
    for path in ("/", "/status/live", "/connections", "/log", f"/log?source={HOSTILE}", "/help"):
        check_escaped(admin.get(path).text)
    site.router.password = None
    check_escaped(site.visitor().get("/").text)


def test_errors_are_escaped(site: Site) -> None:
    admin = site.admin()
    problem = Problem(HOSTILE, "x", HOSTILE, HOSTILE)
    error = MasqgateError("config_invalid", HOSTILE, HOSTILE, (problem,))
    site.router.refusals = {"config_check": error, "password_check": error, "log": error}
    text = {"text": HOSTILE + "</textarea>", "base": HOSTILE, "action": "check"}
    check_escaped(admin.post("/configuration/document", text).text)
    form = {
        "lan.address": HOSTILE,
        "link": HOSTILE,
        "new": HOSTILE,
        "link.port": HOSTILE,
        "lan.dhcp": HOSTILE,
    }
    check_escaped(admin.post("/configuration", form).text)
    check_escaped(admin.get("/log").text)
    check_escaped(site.visitor().post("/login", {"password": "x", "next": HOSTILE}).text)


def check_escaped(page: str) -> None:
    """No markup of ours comes from outside, in text or in attributes; nothing is evaluated."""
    assert "<script>alert" not in page
    assert "<img src=x" not in page
    assert "</textarea>&" not in page.replace("&lt;/textarea&gt;", "")
    assert "onerror='a'" not in page
    assert "49" not in re.findall(r"alert\(1\)[^}]{0,80}", page)
    for tag in re.findall(r"<[a-z][^<>]*>", page):
        assert "onerror" not in re.sub(r'"[^"]*"', '""', tag)


# --- sizes -----------------------------------------------------------------------------------


def test_a_large_body_is_refused_before_anything_else(site: Site) -> None:
    admin = site.admin()
    answer = admin.post("/configuration/document", {"text": "x" * (256 * 1024 + 1)})
    assert answer.status_code == 413
    assert "This is more than the router takes." in words(answer)
    multipart = admin.client.post(
        "/login",
        base_url=BASE,
        data={"form_token": (io.BytesIO(b"x"), "x"), "y": "x" * (300 * 1024)},
    )
    assert multipart.status_code == 413


def test_strange_bodies_are_no_fault(site: Site) -> None:
    admin = site.admin()
    for body, kind in (
        (b"\xff\xfe%", "application/x-www-form-urlencoded"),
        (b"--x", "multipart/form-data; boundary=x"),
        (b"{}", "application/json"),
        (b"", ""),
    ):
        answer = admin.client.post("/login", base_url=BASE, data=body, content_type=kind)
        assert answer.status_code in (400, 403)


def test_lan_status_of_an_odd_router(site: Site) -> None:
    whole = site.router.status()
    site.router.status = lambda: msgspec.structs.replace(  # type: ignore[method-assign]
        whole, hostname="a\r\nSet-Cookie: x", lan=LanStatus(address="x y\r\n; z")
    )
    page = site.visitor().get("/help")
    assert page.status_code == 200
    assert "\n" not in page.headers["Content-Security-Policy"]
