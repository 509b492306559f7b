"""Passwords in a browser."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser.conftest import Visit
from tests.browser.fake_router import FakeRouter


def test_the_first_password(visit: Visit, router: FakeRouter) -> None:
    router.password = None
    visit.expected = ("422",)
    page = visit.open()
    expect(page.get_by_text("This router has no password yet.")).to_be_visible()
    page.get_by_role("link", name="Set the password").click()
    page.get_by_label("New password").fill("1234567890987")
    page.get_by_label("The same once more").fill("1234567890987")
    page.get_by_role("button", name="Set the password").click()
    expect(page.get_by_role("alert").filter(has_text="easy to guess")).to_be_visible()
    page.get_by_label("New password").fill("seven green bottles")
    page.get_by_label("The same once more").fill("seven green bottles")
    page.get_by_role("button", name="Set the password").click()
    expect(page.get_by_text("The password is set.")).to_be_visible()
    expect(page.get_by_role("button", name="Log out")).to_be_visible()
    assert router.password == "seven green bottles"


def test_a_wrong_password_then_the_right_one_then_out(visit: Visit) -> None:
    visit.expected = ("403",)
    page = visit.open("/log")
    expect(page).to_have_url(visit.url + "/login?next=log.show")
    page.fill("#password", "wrong")
    page.click("main button")
    expect(page.get_by_text("The password is wrong.")).to_be_visible()
    page.fill("#password", "correct horse battery")
    page.click("main button")
    expect(page.get_by_role("heading", name="Log", exact=True)).to_be_visible()
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_role("link", name="Log in", exact=True)).to_be_visible()


def test_a_reset_at_the_console_logs_out_at_once(visit: Visit, router: FakeRouter) -> None:
    page = visit.log_in()
    expect(page.get_by_role("button", name="Log out")).to_be_visible()
    router.password = None
    expect(page.get_by_text("This router has no password yet.")).to_be_visible()
    expect(page.get_by_role("button", name="Log out")).to_have_count(0)
