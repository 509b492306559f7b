"""The front page in a browser: live, honest about silence, usable by hand."""

from __future__ import annotations

import msgspec
from masqgate.contract.errors import MasqgateError
from masqgate.contract.status import Counters, Host, LinkState, Reason
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import Visit
from tests.browser.fake_router import NOW, FakeRouter, link
from tests.browser.fake_supervisor import FakeSupervisor

HOSTILE = "\"'><script>alert(1)</script><img src=/x onerror=alert(2)>"


def await_polls(page: Page, count: int) -> None:
    for _ in range(count):
        with page.expect_response(lambda answer: "/status/live" in answer.url):
            pass


def test_state_changes_without_reload(visit: Visit, router: FakeRouter) -> None:
    page = visit.open()
    page.evaluate("window.marked = true")
    state = page.locator(".hero .state")
    expect(state).to_have_text("Not connected")
    for step, words in (
        (LinkState.DIALING, "Dialing"),
        (LinkState.NEGOTIATING, "Logging in"),
        (LinkState.UP, "Connected"),
    ):
        router.uplinks = (link(step),)
        expect(state).to_have_text(words)
    expect(page.get_by_text("33.6 kbit/s")).to_be_visible()
    assert page.evaluate("window.marked")


def test_rates_appear(visit: Visit, router: FakeRouter) -> None:
    router.uplinks = (link(LinkState.UP, counters=Counters(1000, 1000)),)
    page = visit.open()
    count = 1000
    rate = page.locator(".flow .rx strong")
    for _ in range(3):
        count += 50_000
        router.uplinks = (link(LinkState.UP, counters=Counters(count, 1000)),)
        await_polls(page, 1)
    expect(rate).to_contain_text("/s")
    assert page.locator(".plot .rx").get_attribute("d")


def test_connect_and_disconnect_by_hand(visit: Visit, router: FakeRouter) -> None:
    page = visit.log_in()
    page.get_by_role("button", name="Connect", exact=True).click()
    expect(page.locator(".hero .state")).to_have_text("Dialing")
    router.uplinks = (link(LinkState.UP),)
    page.get_by_role("button", name="Disconnect").click()
    expect(page.locator(".hero .state")).to_have_text("Not connected")
    assert [c for c in router.asked if "connect" in c[0]] == [
        ("connect", "modem1"),
        ("disconnect", "modem1"),
    ]


def test_a_refusal_is_told_and_stays(visit: Visit, router: FakeRouter) -> None:
    router.refusals["connect"] = MasqgateError("busy", "The line is in use.", "Wait.")
    page = visit.log_in()
    page.get_by_role("button", name="Connect", exact=True).click()
    told = page.get_by_text("The line is in use.")
    expect(told).to_be_visible()
    await_polls(page, 2)
    expect(told).to_be_visible()


def test_the_button_keeps_the_focus_while_the_page_lives(visit: Visit, router: FakeRouter) -> None:
    page = visit.log_in()
    button = page.get_by_role("button", name="Connect", exact=True)
    button.focus()
    router.now += 60
    await_polls(page, 2)
    expect(page.locator(".hero .since")).to_contain_text("13 min 34 s")
    expect(button).to_be_focused()


def test_a_silent_supervisor_is_told_and_forgotten(
    visit: Visit, supervisor: FakeSupervisor
) -> None:
    visit.expected = ("503", "htmx:")
    page = visit.open()
    bar = page.locator("#silence")
    expect(bar).to_be_hidden()
    supervisor.stop()
    expect(bar).to_be_visible()
    expect(bar).to_contain_text("The supervisor does not answer")
    expect(bar).to_contain_text("What you see is from")
    expect(page.locator("body")).to_have_class("stale")
    supervisor.start()
    expect(bar).to_be_hidden()
    expect(page.locator("body")).not_to_have_class("stale")


def test_a_router_out_of_reach_is_told_and_forgotten(visit: Visit) -> None:
    visit.expected = ("ERR_INTERNET_DISCONNECTED", "htmx:")
    page = visit.open()
    visit.context.set_offline(True)
    expect(page.locator("#silence")).to_contain_text("No answer from the router.")
    visit.context.set_offline(False)
    expect(page.locator("#silence")).to_be_hidden()


def test_an_error_page_comes_back_by_itself(visit: Visit, supervisor: FakeSupervisor) -> None:
    visit.expected = ("503", "htmx:")
    supervisor.stop()
    page = visit.open()
    expect(page.get_by_role("heading", level=1)).to_contain_text("does not answer")
    supervisor.start()
    expect(page.locator(".hero .state")).to_have_text("Not connected")


def test_hostile_names_stay_text(visit: Visit, router: FakeRouter) -> None:
    router.hosts = (Host(name=HOSTILE, mac=HOSTILE, address="10.0.0.9", expires_at=NOW + 60),)
    router.warnings = (Reason("x", HOSTILE, HOSTILE),)
    router.uplinks = (
        msgspec.structs.replace(
            link(LinkState.UP),
            name=HOSTILE, modem=HOSTILE, operator=HOSTILE, reason=Reason("x", HOSTILE, HOSTILE),
        ),
    )  # fmt: skip
    page = visit.log_in()
    await_polls(page, 2)
    expect(page.locator(".hosts strong")).to_have_text(HOSTILE)
    assert page.locator("img[onerror], script:not([src])").count() == 0


def test_without_javascript_the_page_reads_and_works(
    chromium: Browser, visit: Visit, router: FakeRouter
) -> None:
    context = chromium.new_context(java_script_enabled=False)
    plain = Visit(context, visit.url)
    page = plain.log_in()
    page.get_by_role("button", name="Connect", exact=True).click()
    expect(page.locator(".hero .state")).to_have_text("Dialing")
    assert page.locator("noscript meta[http-equiv=refresh]").count() == 1
    assert ("connect", "modem1") in router.asked
    context.close()
    plain.check()
