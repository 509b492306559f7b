"""Updates on the booted image: a good one is tried and kept, a bad one takes itself back.

Nobody touches the router between the order to restart and the state that it comes to rest in.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.lab import first_use
from tests.lab.lab import Lab
from tests.lab.pi import Image
from tests.lab.processes import LabError

from . import update_bundles

GOOD, BROKEN = "0.1.1", "0.1.2"
REST_S = 1500.0  # a loaded host boots it slowly, and a bad update boots twice
UPLOAD_S = 600
ASK_S = 5.0

pytestmark = pytest.mark.timeout(3600)


@pytest.fixture(scope="module")
def updated(image: Image, logs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A lab of its own: these tests change which system runs."""
    folder = tmp_path_factory.mktemp("bundles")
    for version, without_page in ((GOOD, False), (BROKEN, True)):
        update_bundles.make(image.disk, folder, version, without_page=without_page)
    card = Image(folder / "masqgate.img", image.boot)
    update_bundles.put_on_data(image.disk, card.disk, folder / f"{GOOD}.bundle", "good.bundle")
    own = logs / "update"
    own.mkdir()
    with Lab(card, logs=own, progress=lambda text: print(text, flush=True)) as lab:
        lab.wait_ready()
        lab.set_up()
        lab.bundles = folder  # type: ignore[attr-defined]
        yield lab


def update_status(lab: Lab) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(lab.cli("update", "status", "--json").output)
    return found


def slot(status: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(one for one in status["slots"] if one["slot"] == name)
    return found


def wait_update(lab: Lab, fits: Callable[[dict[str, Any]], bool], what: str) -> dict[str, Any]:
    """Ask until the status fits, through restarts; return it."""
    end = time.monotonic() + REST_S
    last: object = None
    while time.monotonic() < end:
        try:
            last = status = update_status(lab)
            if fits(status):
                return status
        except (LabError, ValueError, LookupError) as error:
            lab.console.lost()
            last = error
        time.sleep(ASK_S)
    raise LabError(f"not in time: {what}. Last seen: {last}")


def log_in(lab: Lab, cookies: Path) -> None:
    """Log A-box in at the page."""
    jar = ("-b", str(cookies), "-c", str(cookies))
    form = lab.page("/login", *jar).body
    typed = f"password={first_use.PASSWORD}"
    answer = lab.page("/login", *jar, "--data-urlencode", typed, "--data", token_in(form))
    assert answer.status == 303, answer.body


def token_in(page: str) -> str:
    found = re.search(r'name="form_token" value="([^"]+)"', page)
    assert found, page
    return f"form_token={found.group(1)}"


def test_a_good_update_is_tried_and_kept(updated: Lab) -> None:
    """From the command line, with the call up: slot B must bring it up as well."""
    lab = updated
    lab.wait_status(lambda status: bool(status["active"]), REST_S, "the uplink is up")
    before = wait_update(lab, lambda s: slot(s, "a")["state"] == "good", "slot A is good")
    assert (slot(before, "a")["running"], slot(before, "b")["state"]) == (True, "not_bootable")
    done = lab.cli("update", "check", "/data/good.bundle", timeout_s=REST_S)
    assert done.code == 0 and GOOD in done.output, done.output
    began = time.monotonic()
    done = lab.cli("update", "install", "/data/good.bundle", timeout_s=REST_S)
    assert done.code == 0, done.output
    lab.say(f"installed in {time.monotonic() - began:.0f} s")
    notes = json.loads(lab.console.run("cat /data/update/trial.json").output)
    assert notes["uplink_up"] is True
    lab.console.run("rm /data/good.bundle; systemctl --no-block reboot")
    lab.console.restarted()
    status = wait_update(
        lab,
        lambda s: slot(s, "b")["running"] and slot(s, "b")["state"] == "good",
        "slot B runs and is good",
    )
    lab.say("slot B is good")
    assert status["version"] == GOOD
    assert (slot(status, "a")["state"], slot(status, "b")["first"]) == ("good", True)
    assert status["last"]["code"] == "updated"
    assert "masqgate.trial" in lab.console.run("cat /proc/cmdline").output
    lab.wait_status(lambda s: bool(s["active"]), REST_S, "the uplink is up in slot B")


def test_an_update_without_a_page_takes_itself_back(updated: Lab, tmp_path: Path) -> None:
    """Uploaded by the page; slot A then has no page, and nobody is there to notice."""
    lab = updated
    assert update_status(lab)["version"] == GOOD, "the test before did not get far enough"
    cookies = tmp_path / "cookies"
    lab.boxes["A"].wait_address()
    log_in(lab, cookies)
    jar = ("-b", str(cookies), "-c", str(cookies))
    token = token_in(lab.page("/update", *jar).body)
    bundle = lab.bundles / f"{BROKEN}.bundle"  # type: ignore[attr-defined]
    answer = lab.page(
        "/update/upload", *jar, "--max-time", str(UPLOAD_S), "-H", "Expect:",
        "-F", token, "-F", f"bundle=@{bundle}",
    )  # fmt: skip
    assert answer.status == 303, answer.body
    assert "restart" in lab.page("/update", *jar).body
    answer = lab.page("/update/restart", *jar, "--data", token)
    assert answer.status in (200, 303), answer.body
    lab.console.restarted()
    status = wait_update(
        lab,
        lambda s: slot(s, "b")["running"] and s["last"]["code"] == "taken_back",
        "slot B runs again",
    )
    assert status["version"] == GOOD
    assert slot(status, "a")["state"] == "not_bootable"
    assert BROKEN in status["last"]["text"] and "page" in status["last"]["text"]
    assert "did not prove itself" in lab.console.line.text()
    lab.wait_ready()
    assert lab.page("/").status == 200
