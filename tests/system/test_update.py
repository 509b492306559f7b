"""Updates on the booted image: a good one is tried and kept, a bad one takes itself back.

Nobody touches the router between the order to restart and the state that it comes to rest in.
The tests build on one another: what the first installed, the others try to replace.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.lab import first_use, web
from tests.lab.lab import Lab
from tests.lab.pi import Image

from . import update_bundles
from .update_steps import STEP_S, slot, update_status, wait_good, wait_said

GOOD, BROKEN = "0.1.1", "0.1.2"
# The emulated USB adapter carries 250 kB/s: a part of a bundle has to do, first piece included.
UPLOADED = 3 << 19
UPLOAD_S = 300.0

pytestmark = pytest.mark.timeout(5400)


@dataclass(frozen=True)
class Updates:
    """A lab of its own (these tests change which system runs), and the beginning of a bundle."""

    lab: Lab
    cut_off: Path


@pytest.fixture(scope="module")
def updates(
    image: Image, logs: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Updates]:
    """The booted router, with bundles on its data partition, and the call up."""
    folder = tmp_path_factory.mktemp("bundles")
    good = update_bundles.make(image.disk, folder, GOOD)
    broken = update_bundles.make(image.disk, folder, BROKEN, update_bundles.WITHOUT_PAGE)
    cut_off = folder / "cut-off.bundle"
    cut_off.write_bytes(broken.read_bytes()[:UPLOADED])
    card = Image(folder / "masqgate.img", image.boot)
    bundles = {"good.bundle": good, "broken.bundle": broken}
    update_bundles.card_with(image.disk, card.disk, bundles)
    own = logs / "update"
    own.mkdir()
    with Lab(card, logs=own, progress=lambda text: print(text, flush=True)) as lab:
        lab.wait_ready()
        lab.set_up()
        lab.wait_status(lambda s: bool(s["active"]), STEP_S, "the uplink is up")
        yield Updates(lab, cut_off)


def page(lab: Lab, folder: Path) -> tuple[str, ...]:
    """Log A-box in at the admin page; return curl's options."""
    jar = ("-b", str(folder / "cookies"), "-c", str(folder / "cookies"))
    form = lab.page("/login", *jar).body
    typed = f"password={first_use.PASSWORD}"
    answer = lab.page("/login", *jar, "--data-urlencode", typed, "--data", token_in(form))
    assert answer.status == 303, answer.body
    return jar


def token_in(body: str) -> str:
    """The form's token, as a field."""
    found = re.search(r'name="form_token" value="([^"]+)"', body)
    assert found, body
    return f"form_token={found.group(1)}"


def test_a_good_update_is_tried_and_kept(updates: Updates, tmp_path: Path) -> None:
    """From the command line, with the call up: slot B must bring it up as well."""
    lab = updates.lab
    before = wait_good(lab, "a")
    assert slot(before, "b")["state"] == "not_bootable"
    done = lab.cli("update", "install", "/data/good.bundle", timeout_s=STEP_S)
    assert done.code == 0, done.output
    lab.say("installed")
    assert json.loads(lab.console.run("cat /data/update/trial.json").output)["uplink_up"] is True
    start = lab.console.line.position
    lab.console.restarted()
    lab.console.line.send(" reboot\r")
    wait_said(lab, start, "Masqgate: slot b")
    lab.console.booted(STEP_S)
    status = wait_good(lab, "b", "updated")
    assert status["version"] == GOOD
    assert (slot(status, "a")["state"], slot(status, "b")["first"]) == ("good", True)
    assert "masqgate.trial" in lab.console.run("cat /proc/cmdline").output
    lab.wait_status(lambda s: bool(s["active"]), STEP_S, "the uplink is up in slot B")
    lab.wait_ready()
    shown = html.unescape(lab.page("/update", *page(lab, tmp_path)).body)
    assert f"<dd>{GOOD}</dd>" in shown
    assert f"{GOOD}: proved itself, runs, starts next" in shown
    assert status["last"]["text"] in shown


def test_an_upload_that_breaks_off_leaves_the_other_slot_unused(
    updates: Updates, tmp_path: Path
) -> None:
    """By the page: what was wrong is told, and what was half written is never started."""
    lab = updates.lab
    assert update_status(lab)["version"] == GOOD, "the test before did not get far enough"
    jar = page(lab, tmp_path)
    token = token_in(lab.page("/update", *jar).body)
    form = ("-H", "Expect:", "-F", token, "-F", f"bundle=@{updates.cut_off}")
    box = lab.boxes["A"]
    where = f"http://{box.router}/update/upload"
    answer = web.fetch(box, where, *jar, *form, timeout_s=UPLOAD_S)
    assert answer.status >= 400
    assert "The update is incomplete" in answer.body
    status = update_status(lab)
    assert (slot(status, "a")["state"], slot(status, "b")["state"]) == ("not_bootable", "good")
    assert status["last"]["code"] == "update_truncated"


def test_an_update_without_a_page_takes_itself_back(updates: Updates, tmp_path: Path) -> None:
    """Restarted by the page; slot A then has no page, and nobody is there to notice."""
    lab = updates.lab
    assert update_status(lab)["version"] == GOOD, "the first test did not get far enough"
    done = lab.cli("update", "install", "/data/broken.bundle", timeout_s=STEP_S)
    assert done.code == 0, done.output
    lab.say("installed")
    jar = page(lab, tmp_path)
    token = token_in(lab.page("/update", *jar).body)
    start = lab.console.line.position
    lab.console.restarted()
    answer = lab.page("/update/restart", *jar, "--data", token)
    assert answer.status == 200 and "restart" in answer.body, answer.body
    wait_said(lab, start, "Masqgate: slot a", "did not prove itself")
    start = lab.console.line.position
    lab.console.restarted()
    wait_said(lab, start, "Masqgate: slot b")
    lab.console.booted(STEP_S)
    status = wait_good(lab, "b", "taken_back")
    assert status["version"] == GOOD
    assert slot(status, "a")["state"] == "not_bootable"
    assert BROKEN in status["last"]["text"] and "page" in status["last"]["text"]
    lab.wait_ready()
    lab.wait_status(lambda s: bool(s["active"]), STEP_S, "the uplink is up again")
    shown = html.unescape(lab.page("/update", *page(lab, tmp_path)).body)
    assert f"Last update: {status['last']['text']}" in shown
