"""The page's part for callers."""

from __future__ import annotations

import pytest
from masqgate.contract.status import CallRecord, Counters, Entry, LinkState, LinkStatus, Reason

from tests.browser.fake_router import NOW
from tests.unit.web_site import Site, words

CALL = CallRecord(
    line="modem2", began_at=NOW - 900, duration_s=300.0, caller="anybox", caller_id="5554000",
    address="192.168.77.60", counters=Counters(7_000, 90_000), why="caller_hung_up",
    text="The call of anybox (number 5554000) is over: the caller hung up.",
)  # fmt: skip


def line(state: LinkState = LinkState.IDLE, **more: object) -> LinkStatus:
    reason = Reason("listening", "Waiting for a call.")
    fields = {"name": "modem2", "kind": "dialin", "reason": reason, "since_at": NOW - 60, **more}
    return LinkStatus(state=state, **fields)  # type: ignore[arg-type]


@pytest.fixture
def site() -> Site:
    made = Site()
    made.router.dialin = (line(),)
    made.router.calls = (
        Entry(number=1, at=NOW, source="modem2", code="call", text=CALL.text, call=CALL),
    )
    return made


def test_without_a_line_there_is_no_section(site: Site) -> None:
    site.router.dialin = ()
    assert "Dial-in" not in words(site.visitor().get("/"))


@pytest.mark.parametrize("state", list(LinkState))
def test_every_state_is_shown(site: Site, state: LinkState) -> None:
    site.router.dialin = (line(state, retry_in_s=30.0),)
    visitor = site.visitor()
    assert "modem2:" in words(visitor.get("/"))
    visitor.log_in()
    assert visitor.get("/").status_code == 200


def test_who_calls_is_for_the_administrator(site: Site) -> None:
    site.router.dialin = (
        line(
            LinkState.UP, caller="anybox", caller_id="5554000", peer="192.168.77.60",
            reason=Reason("up", "Connected: anybox (number 5554000) as 192.168.77.60."),
        ),
    )  # fmt: skip
    visitor = site.visitor()
    text = words(visitor.get("/"))
    assert "A caller is connected" in text
    assert "anybox" not in text and "5554000" not in text
    visitor.log_in()
    text = words(visitor.get("/"))
    assert "5554000" in text and "192.168.77.60" in text
    assert "the caller hung up" in text and "5 min 0 s" in text


@pytest.mark.parametrize("state", list(LinkState))
@pytest.mark.parametrize("number", ["", "5554000"])
def test_nor_while_the_call_comes_and_goes(site: Site, state: LinkState, number: str) -> None:
    coming = state in (LinkState.DIALING, LinkState.NEGOTIATING, LinkState.UP)
    told = "anybox has logged in." if coming else "Hanging up: a login was refused (anybox)."
    if not coming and state is not LinkState.HANGING_UP:
        told = "The port /dev/ttyUSB1 is not there."
    site.router.dialin = (line(state, caller_id=number, reason=Reason("x", told)),)
    visitor = site.visitor()
    text = words(visitor.get("/"))
    assert "anybox" not in text and "5554000" not in text
    assert ("/dev/ttyUSB1" in text) is ("/dev/ttyUSB1" in told), "what is wrong is for everybody"
    visitor.log_in()
    assert told in words(visitor.get("/"))


def test_a_call_is_hung_up_by_the_page(site: Site) -> None:
    site.router.dialin = (line(LinkState.UP, caller="anybox"),)
    visitor = site.visitor()
    visitor.log_in()
    assert "Hang up" in words(visitor.get("/"))
    visitor.post("/uplinks/disconnect", {"uplink": "modem2"})
    assert ("disconnect", "modem2") in site.router.asked


def test_a_callers_name_is_shown_not_obeyed(site: Site) -> None:
    site.router.dialin = (line(LinkState.UP, caller="<script>", caller_id="<b>"),)
    visitor = site.visitor()
    visitor.log_in()
    text = visitor.get("/").text
    assert "&lt;script&gt;" in text and "&lt;b&gt;" in text
