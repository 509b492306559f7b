"""docs/PAGE.md lists what there is."""

from __future__ import annotations

import re
from pathlib import Path

from masqgate_web.app import MAX_BODY
from masqgate_web.pages.configuration import MOVE_S, TRIAL_S
from masqgate_web.passwords import LONGEST, SHORTEST
from masqgate_web.server import PATIENCE_S
from masqgate_web.sessions import IDLE_S, MOST

from tests.unit.web_site import Site

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "PAGE.md").read_text()


def test_every_address_is_listed_and_every_listed_one_is_there() -> None:
    rules = {rule.rule for rule in Site().app.url_map.iter_rules()} - {"/static/<path:filename>"}
    table = PAGE.split("## Pages")[1].split("## ")[0]
    listed = set(re.findall(r"`(/[a-z/-]*)`", table))
    assert listed == rules


def test_numbers_in_the_text_are_those_of_the_code() -> None:
    for text in (
        f"{SHORTEST} to {LONGEST} characters",
        f"at most {MOST}.",
        f"after {IDLE_S // 60:.0f} minutes",
        f"at most {MAX_BODY // 1024} KiB",
        f"address within {MOVE_S // 60} minutes",
        f"dropped after {PATIENCE_S} seconds",
    ):
        assert text in PAGE, text
    assert TRIAL_S == 120, "the page and its text say 'two minutes'"


def test_the_page_imports_only_the_contract() -> None:
    for module in (ROOT / "webui" / "masqgate_web").rglob("*.py"):
        for name in re.findall(r"^\s*(?:from|import) (masqgate[\w.]*)", module.read_text(), re.M):
            assert name.startswith("masqgate.contract"), (module, name)
