"""The configuration's form for every kind of uplink, and for lines that answer."""

from __future__ import annotations

import re
from typing import Any

import pytest
from masqgate.contract.config import Config, DialIn, Ethernet, Modem
from masqgate.contract.document import parse
from masqgate_web.fields import FORMS

from tests.unit.web_site import Site, Visitor, fields

DOCUMENT = """
[system]
hostname = "hut"
timezone = "Europe/Vienna"
reboot_after_minutes = 60
[lan]
domain = "example.lan"
lease_minutes = 30
[console]
password = true
[[uplink]]
kind = "ethernet"
name = "cable"
port = "eth1"
address = "203.0.113.5/24"
gateway = "203.0.113.1"
dns = ["203.0.113.2", "203.0.113.3"]
probe = {targets = ["192.0.2.1"], interval_s = 7, enabled = false}
[[uplink]]
kind = "modem"
name = "modem1"
port = "/dev/ttyAMA0"
number = "5551000"
user = "alice"
password = "open sesame"
auth = ["chap"]
windows = ["mon-fri 07:00-19:00", "sat,sun 09:00-12:00"]
budget = {day_minutes = 30, at_limit = "manual"}
idle_hold = {tcp = 30}
init = ["ATZ"]
[[dialin]]
name = "line1"
port = "/dev/ttyUSB0"
address = "192.168.77.60"
rings = 3
[[dialin.caller]]
name = "anybox"
password = "any port in a storm"
address = "192.168.77.61"
[[dialin.caller]]
name = "bob"
password = "another one of them"
"""


@pytest.fixture
def site() -> Site:
    made = Site()
    made.router.config = parse(DOCUMENT)
    return made


def form(admin: Visitor, query: str) -> dict[str, str]:
    return fields(admin.get(f"/configuration?{query}").text)


def apply(admin: Visitor, query: str, **changes: str) -> Any:
    return admin.post("/configuration", form(admin, query) | changes)


def names(site: Site) -> list[str]:
    return [link.name for link in site.router.config.uplink]


@pytest.mark.parametrize("name", ["cable", "modem1", "line1"])
def test_an_untouched_form_changes_nothing(site: Site, name: str) -> None:
    before = site.router.config
    answer = apply(site.admin(), f"link={name}")
    assert answer.headers["Location"] == f"/configuration?link={name}"
    assert site.router.config == before


def test_every_link_is_one_step_away(site: Site) -> None:
    page = site.admin().get("/configuration").text
    for query in ("link=cable", "link=modem1", "link=line1", "new=modem", "new=ethernet"):
        assert f'href="/configuration?{query}"' in page
    assert form(site.admin(), "")["link"] == "modem1"


def test_an_ethernet_uplink_is_made_and_preferred(site: Site) -> None:
    answer = apply(
        site.admin(), "new=ethernet",
        **{"link.name": "starlink", "link.port": "eth2", "order": "1", "link.dns": ""},
    )  # fmt: skip
    assert answer.headers["Location"] == "/configuration?link=starlink"
    assert names(site) == ["starlink", "cable", "modem1"]
    assert site.router.config.uplink[0] == Ethernet(name="starlink", port="eth2")


def test_a_new_one_gets_a_name_that_nobody_has(site: Site) -> None:
    admin = site.admin()
    found = {
        kind: form(admin, f"new={kind}")["link.name"] for kind in ("modem", "ethernet", "dialin")
    }
    assert found == {"modem": "modem2", "ethernet": "cable2", "dialin": "line2"}
    assert form(admin, "new=modem")["order"] == "3"


def test_a_new_one_without_a_port_is_refused(site: Site) -> None:
    before = site.router.config
    answer = apply(site.admin(), "new=ethernet")
    assert answer.status_code == 422
    assert re.search(r'id="link.port"[^>]*aria-invalid="true"', answer.text)
    assert site.router.config == before
    assert fields(answer.text)["new"] == "ethernet"


def test_the_order_is_that_of_the_preference(site: Site) -> None:
    apply(site.admin(), "link=modem1", order="1")
    assert names(site) == ["modem1", "cable"]


def test_one_is_removed(site: Site) -> None:
    apply(site.admin(), "link=cable", remove="on")
    assert names(site) == ["modem1"]
    apply(site.admin(), "link=line1", remove="on")
    assert site.router.config.dialin == ()


def test_lists_have_one_entry_in_a_line(site: Site) -> None:
    windows = "daily 22:00-06:00\r\n\r\n  sat 10:00-12:00\r\n"
    apply(site.admin(), "link=modem1", **{"link.windows": windows, "link.ignore": ""})
    modem = site.router.config.modems[0]
    assert modem.windows == ("daily 22:00-06:00", "sat 10:00-12:00")
    assert modem.ignore == ()
    assert modem.auth == ("chap",) and modem.idle_hold == {"tcp": 30}


@pytest.mark.parametrize(
    ("query", "field", "typed"),
    [
        ("link=modem1", "link.windows", "never"),
        ("link=modem1", "link.budget.day_minutes", "many"),
        ("link=cable", "link.probe.targets", "example.org"),
        ("link=cable", "link.dns", "nobody"),
        ("link=line1", "link.address", "10.0.0.1"),
        ("link=line1", "caller.1.password", "short"),
        ("link=line1", "caller.1.name", "anybox"),
        ("new=modem", "link.name", "cable"),
        ("", "system.timezone", "Europe/Atlantis"),
        ("", "console.window_s", "99"),
    ],
)
def test_a_problem_is_told_beside_its_field(
    site: Site, query: str, field: str, typed: str
) -> None:
    before = site.router.config
    more = {"link.port": "/dev/ttyUSB7", "link.number": "1"} if "new" in query else {}
    answer = apply(site.admin(), query, **more, **{field: typed})
    assert answer.status_code == 422
    assert re.search(rf'id="{re.escape(field)}"[^>]*aria-invalid="true"', answer.text)
    assert site.router.config == before
    if not field.endswith("password"):
        assert fields(answer.text)[field] == typed


def test_a_folded_group_with_a_problem_is_open(site: Site) -> None:
    page = apply(site.admin(), "new=modem", **{"link.windows": "never"}).text
    assert re.search(r"<details[^>]* open><summary>Hours and budget", page)
    page = site.admin().get("/configuration?new=modem").text
    assert not re.search(r"<details[^>]* open><summary>(Hours|Is it alive|On demand)", page)


def test_callers_come_change_and_go(site: Site) -> None:
    admin = site.admin()
    page = form(admin, "link=line1")
    assert page["caller.2.name"] == "" and "caller.3.name" not in page
    apply(
        admin, "link=line1",
        **{"caller.0.name": "", "caller.1.address": "192.168.77.62",
           "caller.2.name": "carol", "caller.2.password": "the third of them"},
    )  # fmt: skip
    bob, carol = site.router.config.dialin[0].caller
    assert (bob.name, bob.password.reveal(), bob.address) == (
        "bob", "another one of them", "192.168.77.62",
    )  # fmt: skip
    assert (carol.name, carol.password.reveal()) == ("carol", "the third of them")


def test_a_line_is_made_with_its_first_caller(site: Site) -> None:
    site.router.config = Config()
    apply(
        site.admin(), "new=dialin",
        **{"link.port": "/dev/ttyUSB0", "link.address": "192.168.77.60",
           "caller.0.name": "anybox", "caller.0.password": "any port in a storm"},
    )  # fmt: skip
    (line,) = site.router.config.dialin
    assert line.name == "line1" and [caller.name for caller in line.caller] == ["anybox"]


def test_callers_passwords_never_come_back(site: Site) -> None:
    admin = site.admin()
    assert "any port in a storm" not in admin.get("/configuration?link=line1").text
    answer = apply(
        admin, "link=line1", **{"caller.2.password": "typed-secret", "link.rings": "99"}
    )
    assert answer.status_code == 422 and "typed-secret" not in answer.text


def test_a_box_that_was_not_ticked_survives_the_end_of_the_login(site: Site) -> None:
    admin = site.admin()
    typed = form(admin, "link=line1") | {"link.rings": "7", "caller.0.password": "not kept"}
    del typed["link.enabled"]
    site.clock.now += 601
    answer = admin.post("/configuration", typed | {"form_token": admin.token()})
    assert "not kept" not in answer.text
    draft = re.search(r'<textarea name="draft"[^>]*>\n(.*?)</textarea>', answer.text, re.S)
    assert draft
    text = draft.group(1).replace("&amp;", "&")
    admin.post(
        "/login",
        {"draft": text, "next": "configuration.show", "password": "correct horse battery"},
    )
    page = fields(admin.get("/configuration").text)
    assert (page["link"], page["link.rings"]) == ("line1", "7")
    assert "link.enabled" not in page and page["console.password"] == "on"


def test_every_setting_is_in_the_form_or_known_to_be_left_out() -> None:
    """A new setting is not forgotten by accident."""
    left_out = {
        Modem: {"name", "auth", "idle_hold"},
        Ethernet: {"name"},
        DialIn: {"name", "auth", "caller"},
    }
    for each in FORMS.values():
        kind = type(each.new)
        shown = {field.path.split(".")[0] for group in each.groups for field in group.fields}
        assert shown | left_out[kind] == set(kind.__struct_fields__)
