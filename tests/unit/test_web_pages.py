"""What each page shows, over a router that a test sets."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest
from masqgate.contract.config import Config
from masqgate.contract.document import parse
from masqgate.contract.errors import MasqgateError
from masqgate.contract.status import (
    Counters,
    Entry,
    LinkHealth,
    LinkState,
    LinkStatus,
    Reason,
    Trigger,
)
from masqgate_web.services import services

from tests.browser.fake_router import NOW, link
from tests.unit.web_site import Site, words

ROOT = Path(__file__).resolve().parents[2]
PAGES = ("/connections", "/configuration", "/configuration/document", "/log", "/password")


@pytest.fixture
def site() -> Site:
    return Site()


@pytest.mark.parametrize("state", list(LinkState))
def test_every_state_has_words_reason_and_hint(site: Site, state: LinkState) -> None:
    site.router.uplinks = (link(state, reason=Reason("x", "The reason.", "The hint.")),)
    text = words(site.visitor().get("/"))
    assert "The reason. The hint." in text
    assert state is LinkState.UP or "Connected" not in text


def test_front_page_tells_the_call(site: Site) -> None:
    site.router.uplinks = (link(LinkState.UP),)
    text = words(site.visitor().get("/"))
    for part in (
        "Connected", "for 12 min 34 s", "198.51.100.23", "33.6 kbit/s", "1.28 MB in this call",
        "198.51.100.53", "carries the traffic",
    ):  # fmt: skip
        assert part in text


def test_front_page_tells_signal_and_operator_with_their_age(site: Site) -> None:
    trouble = Reason("x", "The second port <b>is</b> silent.", "Try another.")
    site.router.uplinks = (
        link(
            LinkState.UP, operator="Lab Mobile", registration="roaming", signal_dbm=-81,
            network_at=NOW - 7, network_trouble=trouble,
        ),
    )  # fmt: skip
    text = words(site.visitor().get("/"))
    assert "Lab Mobile, roaming" in text and "-81 dBm, good, 7 s ago" in text
    assert "silent" not in text  # where the modem is plugged in is no business of visitors
    assert (
        "The second port &lt;b&gt;is&lt;/b&gt; silent. Try another." in site.admin().get("/").text
    )


def test_front_page_tells_why_an_uplink_is_not_used(site: Site) -> None:
    health = LinkHealth(
        verdict="bad",
        text="9.9.9.9: no answer, <b>3</b> in a row.",
        probed_at=NOW - 3,
        unused="Its link is up, but its probes are not answered.",
    )
    cable = link(LinkState.UP, name="cable", kind="ethernet", health=health)
    site.router.uplinks = (cable, link(LinkState.UP))
    answer = site.visitor().get("/")
    assert "<b>3</b>" not in answer.get_data(as_text=True)
    text = words(answer)
    assert "Health Dead beyond the link. 9.9.9.9: no answer" in text
    assert "Not used Its link is up, but its probes are not answered." in text
    assert "Last probe" in text


def test_front_page_counts_down_to_the_next_dial(site: Site) -> None:
    site.router.uplinks = (link(LinkState.WAITING),)
    text = words(site.visitor().get("/"))
    assert "Next dial in 12 s , 2 tried" in text
    assert "Check the telephone cable." in text


def test_what_was_measured_before_the_clock_was_set_has_no_length(site: Site) -> None:
    site.router.uplinks = (link(LinkState.UP, since_at=40.0),)
    text = words(site.visitor().get("/"))
    assert "since the clock was set" in text
    assert " y" not in text.split("Connected")[1].split("The call is up")[0]


def test_live_rate_comes_from_two_looks(site: Site) -> None:
    visitor = site.visitor()
    site.router.uplinks = (link(LinkState.UP, counters=Counters(10_000, 0)),)
    assert "–" in words(visitor.get("/status/live"))
    site.clock.now += 2
    site.router.uplinks = (link(LinkState.UP, counters=Counters(16_000, 500)),)
    page = visitor.get("/status/live")
    assert "3 kB/s" in words(page)
    assert "250 B/s" in words(page)


def test_a_new_call_begins_a_new_plot(site: Site) -> None:
    visitor = site.visitor()
    for count in (1000, 9000):
        site.router.uplinks = (link(LinkState.UP, counters=Counters(count, count)),)
        visitor.get("/status/live")
        site.clock.now += 2
    site.router.uplinks = (link(LinkState.UP, calls=4, counters=Counters(9500, 9500)),)
    assert 'class="rx" d=""' in visitor.get("/status/live").text


def test_the_uplink_that_works_comes_first(site: Site) -> None:
    spare = LinkStatus(
        name="wan", kind="ethernet", state=LinkState.NO_PORT, reason=Reason("x", "No eth1."),
        since_at=NOW,
    )  # fmt: skip
    site.router.uplinks = (spare, link(LinkState.UP))
    text = site.visitor().get("/").text
    assert text.index('id="uplink-modem1"') < text.index('id="uplink-wan"')


def test_hosts_and_events_are_for_those_who_are_logged_in(site: Site) -> None:
    stranger, admin = words(site.visitor().get("/")), words(site.admin().get("/"))
    for secret in ("a-box", "02:00:00:00:00:0a", "Dials 0555123", "CONNECT 33600"):
        assert secret not in stranger
    assert "a-box" in admin
    assert "02:00:00:00:00:0a" in admin
    assert "Dials 0555123" in admin


def test_the_routers_warnings_are_told(site: Site) -> None:
    site.router.warnings = (Reason("disk_full", "The card is full.", "Delete something."),)
    site.router.firewall = "failed"
    text = words(site.visitor().get("/"))
    assert "The card is full. Delete something." in text
    assert "The firewall could not be loaded." in text


def test_the_firewall_is_told_as_it_is(site: Site) -> None:
    for firewall, password, told in (
        ("open", "x", "Firewall On, masquerading"),
        ("open", None, "Firewall On, closed until there is a password"),
        ("closed", "x", "The firewall is closed."),
        ("failed", "x", "Firewall Failed, nothing passes"),
    ):
        site.router.firewall, site.router.password = firewall, password
        assert told in words(site.visitor().get("/"))


def test_a_router_without_uplinks_says_so(site: Site) -> None:
    site.router.uplinks = ()
    assert "No modem and no Ethernet uplink is set up." in words(site.visitor().get("/"))


def test_connect_and_disconnect(site: Site) -> None:
    admin = site.admin()
    answer = admin.post("/uplinks/connect", {"uplink": "modem1"})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/")
    assert "Dialing" in words(admin.get("/"))
    part = admin.post("/uplinks/disconnect", {"uplink": "modem1"}, headers={"HX-Request": "true"})
    assert part.status_code == 200
    assert "Not connected" in words(part)
    assert site.router.asked[-2:] == [("connect", "modem1"), ("disconnect", "modem1")]


def test_what_fails_is_not_tried_twice(site: Site) -> None:
    admin = site.admin()
    site.router.refusals["connect"] = MasqgateError("busy", "Not now.", "Later.")
    assert admin.post("/uplinks/connect", {"uplink": "modem1"}).status_code == 503
    assert site.router.asked.count(("connect", "modem1")) == 1


@pytest.mark.parametrize("htmx", [True, False])
def test_a_refused_connect_is_told(site: Site, htmx: bool) -> None:
    admin = site.admin()
    refusal = MasqgateError("no_uplink", "There is no such uplink.", "Look at the list.")
    site.router.refusals["connect"] = refusal
    headers = {"HX-Request": "true"} if htmx else {}
    answer = admin.post("/uplinks/connect", {"uplink": "x"}, headers=headers)
    page = answer if htmx else admin.get("/")
    assert "There is no such uplink. Look at the list." in words(page)
    assert "There is no such uplink." not in words(admin.get("/"))


def test_connections_show_both_tuples(site: Site) -> None:
    text = words(site.admin().get("/connections"))
    assert "b-box 192.168.77.101:49152 203.0.113.80:443 198.51.100.23:1024" in text
    assert "ICMP" in text


def test_not_all_connections_are_listed(site: Site) -> None:
    site.router.total = 7000
    text = words(site.admin().get("/connections"))
    assert "7000 connections, the first 4 are listed" in text


def test_the_number_that_is_dialed_is_not_for_everybody(site: Site) -> None:
    site.router.uplinks = (link(LinkState.DIALING),)
    assert "0555" not in words(site.visitor().get("/"))
    assert "0555" in words(site.admin().get("/"))


@pytest.mark.parametrize("code", ["busy", "slow", "supervisor_unreachable"])
def test_what_passes_by_itself_is_tried_again(site: Site, code: str) -> None:
    site.router.failure = MasqgateError(code, "Not now.", "Later.")
    page = site.visitor().get("/")
    assert page.status_code == 503
    assert page.headers["Retry-After"] == "5"


def test_no_connections(site: Site) -> None:
    site.router.connections = ()
    assert "No host of the LAN has a connection" in words(site.admin().get("/connections/live"))


def test_log_is_newest_first_and_filtered(site: Site) -> None:
    admin = site.admin()
    text = words(admin.get("/log"))
    assert text.index("c-box has") < text.index("The router started.")
    one = words(admin.get("/log?source=system"))
    assert "The router started." in one
    assert "c-box has" not in one


def test_older_events_on_demand(site: Site) -> None:
    site.router.entries = tuple(
        Entry(number=n, at=NOW, source="modem1", code="x", text=f"Event {n}.")
        for n in range(1, 251)
    )
    admin = site.admin()
    first = admin.get("/log").text
    assert ("Event 151." in first, "Event 150." in first) == (True, False)
    assert "limit=200#event-151" in first
    assert "Event 51." in admin.get("/log?limit=200").text
    last = admin.get("/log?limit=300").text
    assert "Event 1." in last
    assert "older" not in last


def test_help_tells_what_listens(site: Site) -> None:
    assert "What listens" not in words(site.visitor().get("/help"))
    told = words(site.admin().get("/help"))
    assert "Admin page, TCP 80 and TCP 443 For the LAN." in told
    assert "Addresses (DHCP), UDP 67 For the LAN." in told
    config = site.router.config
    closed = msgspec.structs.replace(config.lan, dhcp=False)
    site.router.config = msgspec.structs.replace(config, lan=closed)
    assert "UDP 67 Off; the port is closed." in words(site.admin().get("/help"))


BUSY = """
[[uplink]]
kind = "ethernet"
name = "wan"
port = "eth1"
[[dialin]]
name = "m2"
port = "/dev/ttyUSB0"
address = "192.168.77.60"
admin = {}
[[dialin.caller]]
name = "any"
password = "eight letters"
"""


def test_what_is_told_to_listen_is_what_is_documented() -> None:
    text = (ROOT / "docs" / "SERVICES.md").read_text()
    rows = re.findall(r"^\| (TCP|UDP) \| (\d+) \|", text, re.M)
    known = {f"{protocol} {port}" for protocol, port in rows}
    for admin in ("true", "false"):
        found = tuple(services(parse(BUSY.format(admin))))
        assert {port for service in found for port in service.ports} <= known
        assert ("callers on m2" in found[0].reached) is (admin == "true")
        assert "callers on m2" in found[1].reached
        assert "eth1" in found[3].reached
        assert "wan" in found[4].reached
    assert [service.reached for service in services(Config())][3:] == ["", ""]


def test_help_works_for_everybody_and_without_the_supervisor(site: Site) -> None:
    page = site.visitor().get("/help")
    assert 'data-probe="http://192.168.77.1/help/probe"' in page.text
    assert "http://masqgate.lan" in page.headers["Content-Security-Policy"]
    site.router.failure = MasqgateError("supervisor_unreachable", "Silence.")
    page = site.visitor().get("/help")
    assert page.status_code == 200
    assert "supervisor answers no" in words(page)


def test_the_routers_own_test(site: Site) -> None:
    assert "Log in to run it" in words(site.visitor().get("/help"))
    assert site.visitor().post("/help/self-test").status_code == 303
    assert site.router.asked == []
    admin = site.admin()
    assert "Run it" in words(admin.get("/help"))
    assert site.router.asked[-1][0] == "password_check"
    answer = admin.post("/help/self-test")
    assert answer.headers["Location"] == "/help#self-test"
    assert "The test is running." in words(admin.get("/help/self-test"))
    for _ in range(3):
        text = words(admin.get("/help/self-test"))
    assert "A web page failed No answer from deb.example. Names work" in text
    assert "The test has ended. Run it again" in text


def test_probes(site: Site) -> None:
    visitor = site.visitor()
    assert visitor.get("/help/probe").data == b"reached\n"
    assert len(visitor.get("/help/probe/large").data) == 65536


@pytest.mark.parametrize("path", PAGES)
def test_what_is_not_for_everybody_asks_for_the_password(site: Site, path: str) -> None:
    answer = site.visitor().get(path)
    assert answer.status_code == 303
    assert answer.headers["Location"].startswith("/login?next=")
    assert site.admin().get(path).status_code == 200


def test_silence_of_the_supervisor_keeps_the_frame_and_tries_again(site: Site) -> None:
    admin = site.admin()
    site.router.failure = MasqgateError(
        "supervisor_unreachable", "The supervisor does not answer.", "It restarts by itself."
    )
    for path in ("/", *PAGES[:4], "/login"):
        page = admin.get(path)
        assert page.status_code == 503, path
        assert "The supervisor does not answer. It restarts by itself." in words(page)
        assert 'http-equiv="refresh"' in page.text
        assert 'aria-label="Pages"' in page.text
    part = admin.get("/status/live", headers={"HX-Request": "true"})
    assert part.status_code == 503
    assert "<html" not in part.text


def test_no_such_page(site: Site) -> None:
    page = site.visitor().get("/nothing")
    assert page.status_code == 404
    assert "There is no such page." in words(page)
    assert site.visitor().get("/uplinks/connect").status_code == 405


def test_a_fault_of_ours_is_a_page_without_a_traceback(site: Site) -> None:
    site.router.uplinks = (msgspec.structs.replace(link(), since_at="then"),)
    page = site.visitor().get("/")
    assert page.status_code == 500
    assert "Traceback" not in page.text
    assert "The page has a fault." in words(page)


def test_the_title_follows_the_state(site: Site) -> None:
    visitor = site.visitor()
    assert "<title>Not connected · masqgate" in visitor.get("/").text
    site.router.uplinks = (link(LinkState.UP),)
    part = visitor.get("/status/live", headers={"HX-Request": "true"}).text
    assert "<title>Connected · masqgate" in part
    assert visitor.get("/").text.count("<title>") == 1


def test_only_what_helps_can_be_pressed(site: Site) -> None:
    admin = site.admin()
    for state, buttons in (
        (LinkState.OFF, ["Connect"]),
        (LinkState.IDLE, ["Connect"]),
        (LinkState.NO_PORT, []),
        (LinkState.WAITING, ["Dial now", "Stop"]),
        (LinkState.DIALING, ["Stop"]),
        (LinkState.UP, ["Disconnect"]),
        (LinkState.HANGING_UP, []),
    ):
        site.router.uplinks = (link(state),)
        page = admin.get("/status/live").text
        assert re.findall(r"<button[^>]*>([^<]+)</button>", page) == buttons, state


def test_why_it_dialed_is_told_to_those_who_logged_in_alone(site: Site) -> None:
    trigger = Trigger(
        at=NOW,
        source="192.168.77.100",
        host="A-box",
        protocol="tcp",
        destination="9.9.9.9",
        port=80,
    )
    site.router.uplinks = (link(LinkState.UP, trigger=trigger),)
    told = "A-box (192.168.77.100) sent TCP to 9.9.9.9, port 80"
    assert told in words(site.admin().get("/"))
    assert "9.9.9.9" not in words(site.visitor().get("/"))
