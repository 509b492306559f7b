"""The other pages in a browser, and all of them on a phone."""

from __future__ import annotations

import msgspec
import pytest
from masqgate.contract.errors import MasqgateError
from masqgate.contract.status import Entry, LinkState
from playwright.sync_api import expect

from tests.browser.conftest import Visit
from tests.browser.fake_router import NOW, FakeRouter, link

PAGES = ("/", "/connections", "/configuration", "/configuration/document", "/log", "/help",
         "/password", "/nothing")  # fmt: skip


def test_problems_of_a_document_are_shown_and_corrected(visit: Visit, router: FakeRouter) -> None:
    visit.expected = ("422",)
    visit.log_in()
    page = visit.open("/configuration/document")
    good = page.input_value("#text")
    page.fill("#text", good.replace("hostname", "hostnam").replace("192.168.77.1/24", "8.8.8.8"))
    page.get_by_role("button", name="Check only").click()
    problems = page.locator(".problems li")
    expect(problems).to_have_count(1)
    expect(problems).to_contain_text("Did you mean 'hostname'?")
    assert "hostnam =" in page.input_value("#text")
    page.fill("#text", good.replace("alice", "carol"))
    page.get_by_role("button", name="Apply").click()
    expect(page.get_by_text("The configuration is in force.")).to_be_visible()
    assert router.config.modems[0].user == "carol"
    assert router.config.modems[0].password.reveal() == "open sesame"


def test_the_form_is_applied(visit: Visit, router: FakeRouter) -> None:
    visit.log_in()
    page = visit.open("/configuration")
    page.get_by_label("Number to dial").fill("*99#")
    page.get_by_label("When to connect").select_option("manual")
    page.get_by_role("button", name="Apply").click()
    expect(page.get_by_text("The configuration is in force.")).to_be_visible()
    assert (router.config.modems[0].number, router.config.modems[0].mode) == ("*99#", "manual")


@pytest.mark.parametrize("answers", [True, False])
def test_a_new_address_is_told_whether_or_not_the_answer_comes(
    visit: Visit, router: FakeRouter, answers: bool
) -> None:
    visit.log_in()
    page = visit.open("/configuration")
    page.get_by_label("The router’s address").fill("10.9.8.1/24")
    page.get_by_role("button", name="Apply").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("The router moves to 10.9.8.1")
    if not answers:
        visit.expected = ("ERR_FAILED", "503", "htmx:")
        page.route("**/configuration/move", lambda route: route.abort())
    page.get_by_role("button", name="Move it to 10.9.8.1").click()
    if answers:
        expect(page.get_by_role("heading", level=1)).to_have_text("The router is at 10.9.8.1 now")
        assert router.config.lan.address == "10.9.8.1/24"
        visit.open().get_by_role("button", name="Keep it").click()
        expect(page.get_by_text("The configuration is saved.")).to_be_visible()
        return
    expect(page.get_by_text("The router is moving.")).to_be_visible()
    expect(page.locator('main a[href="http://10.9.8.1/"]').first).to_be_visible()


def test_connections_are_live(visit: Visit, router: FakeRouter) -> None:
    visit.log_in()
    page = visit.open("/connections")
    expect(page.locator("tbody tr")).to_have_count(4)
    router.connections = router.connections[:1]
    expect(page.locator("tbody tr")).to_have_count(1)
    expect(page.locator("tbody tr")).to_contain_text("198.51.100.23:49152")


def test_the_log_is_live_and_goes_back(visit: Visit, router: FakeRouter) -> None:
    router.entries = tuple(
        Entry(number=n, at=NOW + n, source="modem1", code="x", text=f"Event {n}.")
        for n in range(1, 131)
    )
    visit.log_in()
    page = visit.open("/log")
    expect(page.locator(".log li")).to_have_count(100)
    expect(page.locator(".log li").first).to_contain_text("Event 130.")
    news = Entry(number=131, at=NOW + 131, source="lan", code="x", text="News.")
    router.entries = (*router.entries, news)
    expect(page.locator(".log li").first).to_contain_text("News.")
    page.get_by_role("link", name="Show older events").click()
    expect(page.locator(".log li")).to_have_count(131)
    page.get_by_label("Source").select_option("lan")
    page.get_by_role("button", name="Show").click()
    expect(page.locator(".log li")).to_have_count(1)


def test_the_ladder_climbs(visit: Visit, router: FakeRouter) -> None:
    lan = msgspec.structs.replace(router.config.lan, address="127.0.0.1/8")
    router.config = msgspec.structs.replace(router.config, lan=lan)
    router.uplinks = (link(LinkState.UP),)
    page = visit.open("/help")
    steps = page.locator("[data-probe] .result")
    for number in range(3):
        expect(steps.nth(number)).to_contain_text("yes")
    expect(page.locator("#ladder .bad")).to_have_count(0)


def test_the_ladder_names_what_fails(visit: Visit, router: FakeRouter) -> None:
    visit.expected = ("ERR_FAILED", "ERR_NAME_NOT_RESOLVED")
    visit.page.route("**/help/probe/large", lambda route: route.abort())
    page = visit.open("/help")
    expect(page.locator("[data-size] .result")).to_have_text("no answer")
    expect(page.get_by_text("no uplink")).to_be_visible()
    # the router's own address leads nowhere here
    visit.foreign = [url for url in visit.foreign if "192.168.77.1" not in url]


def test_the_routers_own_test_is_run_and_watched(visit: Visit) -> None:
    visit.log_in()
    visit.expected = ("ERR_",)
    page = visit.open("/help")
    page.get_by_role("button", name="Run it").click()
    expect(page.get_by_text("Names work, the web does not")).to_be_visible()
    expect(page.get_by_role("button", name="Run it again")).to_be_visible()
    visit.foreign = [url for url in visit.foreign if "192.168.77.1" not in url]


def test_a_phone_never_scrolls_sideways(phone: Visit, router: FakeRouter) -> None:
    phone.expected = ("404", "422", "ERR_")
    long = "W" * 300
    router.uplinks = (
        link(LinkState.UP, connect_text=long, modem=long, operator=long),
        link(LinkState.WAITING, name="modem2"),
    )
    router.entries = (Entry(number=1, at=NOW, source=long, code="x", text=long),)
    router.hosts = (msgspec.structs.replace(router.hosts[0], name=long, mac=long),)
    phone.log_in()
    for path in PAGES:
        page = phone.open(path)
        for width in (360, 320):
            page.set_viewport_size({"width": width, "height": 740})
            assert page.evaluate("document.documentElement.scrollWidth") <= width, path
    phone.foreign = [url for url in phone.foreign if "192.168.77.1" not in url]


def test_errors_fit_a_phone(phone: Visit, router: FakeRouter) -> None:
    phone.expected = ("409", "503")
    router.refusals["flows"] = MasqgateError("x" * 99, "W" * 300, "M" * 300)
    phone.log_in()
    page = phone.open("/connections")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_every_control_has_a_name_and_every_page_a_heading(visit: Visit) -> None:
    visit.expected = ("404", "ERR_")
    visit.log_in()
    for path in PAGES:
        page = visit.open(path)
        assert page.locator("h1").count() == 1, path
        assert page.locator("main").count() == 1
        nameless = page.evaluate(
            """[...document.querySelectorAll('input, select, textarea, button, a, [role=img]')]
            .filter(e => e.type !== 'hidden' && !e.hidden && !e.closest('[aria-hidden=true]'))
            .filter(e => !(e.labels && e.labels.length) && !e.ariaLabel && !e.innerText.trim())
            .map(e => e.outerHTML)"""
        )
        assert nameless == [], path
    visit.foreign = [url for url in visit.foreign if "192.168.77.1" not in url]


def test_a_line_that_answers_is_made_and_removed_by_the_form(
    visit: Visit, router: FakeRouter
) -> None:
    visit.expected = ("422",)
    visit.log_in()
    page = visit.open("/configuration?new=dialin")
    page.fill("[id='link.name']", "phone")
    page.fill("[id='link.port']", "/dev/ttyUSB3")
    page.fill("[id='link.address']", "10.0.0.1")
    page.fill("[id='caller.0.name']", "anybox")
    page.fill("[id='caller.0.password']", "short")
    page.get_by_role("button", name="Apply").click()
    expect(page.locator("[id='link.address-hint']")).to_contain_text("is not a host's in")
    expect(page.locator("[id='caller.0.password-hint']")).to_contain_text("8 to 128")
    page.fill("[id='link.address']", "192.168.77.60")
    page.fill("[id='caller.0.password']", "any port in a storm")
    page.get_by_role("button", name="Apply").click()
    expect(page.get_by_text("The configuration is in force.")).to_be_visible()
    line = next(line for line in router.config.dialin if line.name == "phone")
    assert (line.address, line.port) == ("192.168.77.60", "/dev/ttyUSB3")
    assert [caller.name for caller in line.caller] == ["anybox"]
    assert "any port in a storm" not in page.content()
    page.get_by_text("Remove phone").click()
    page.get_by_label("Remove it when I apply").check()
    page.get_by_role("button", name="Apply").click()
    expect(page.get_by_text("The configuration is in force.")).to_be_visible()
    assert "phone" not in [line.name for line in router.config.dialin]
