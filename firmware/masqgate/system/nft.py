"""Loads rulesets: checked first, then in one transaction, and only if there is something new."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable

from ..contract.paths import Paths
from ..desired.demand import COUNTERS
from ..desired.nft import COUNTED, TABLE
from .run import ToolError, run

_COUNTED_SET = re.compile(rf"\tset {COUNTED} \{{.*?\n\t\}}\n", re.DOTALL)

log = logging.getLogger(__name__)

# What is in force if even the file of the closed ruleset is missing.
CLOSED = f"""\
table inet {TABLE}
delete table inet {TABLE}
table inet {TABLE} {{
	chain input {{
		type filter hook input priority filter; policy drop;
		iifname "lo" accept comment "the router to itself"
	}}
	chain forward {{
		type filter hook forward priority filter; policy drop;
	}}
	chain output {{
		type filter hook output priority filter; policy accept;
	}}
}}
"""


def used() -> dict[str, int]:
    """Packets that count, by kind of traffic; empty without a call that is dialed on demand.

    ToolError if nft cannot be run.
    """
    text = run(["nft", "--json", "list", "counters", "table", "inet", TABLE])
    found = {
        item["counter"]["name"]: int(item["counter"]["packets"])
        for item in json.loads(text).get("nftables", [])
        if "counter" in item
    }
    return {kind: found[name] for kind, name in COUNTERS.items() if name in found}


class Firewall:
    """Our nft table. It remembers what it loaded, and how the kernel listed it then."""

    def __init__(self, paths: Paths, alive: Callable[[], None] = lambda: None) -> None:
        """`alive` is called before each run of a tool, which has a time limit of its own."""
        self._paths = paths
        self._alive = alive
        self._text = ""
        self._listing = ""

    def load(self, text: str) -> bool:
        """Put a ruleset in force; whether anything was loaded. Then `remember` it, in good time.

        ToolError, and the old rules are still in force, if nft refuses it or cannot be run.
        """
        if text == self._text and self._listing and self._list() == self._listing:
            return False
        self._text = self._listing = ""
        for command in (["nft", "-c", "-f", "-"], ["nft", "-f", "-"]):
            self._alive()
            run(command, text)
        self._text = text
        return True

    def remember(self) -> None:
        """Have the kernel list what was loaded: what differs from that later, somebody changed."""
        if self._text and not self._listing:
            self._listing = self._list()

    def loaded(self) -> bool | None:
        """Whether a table of ours is in force, open or closed; None if that is not known."""
        try:
            return f"table inet {TABLE}" in run(["nft", "list", "tables"]).splitlines()
        except ToolError:
            return None

    def close(self) -> None:
        """Put the closed ruleset in force; ToolError if that fails."""
        try:
            text = (self._paths.share / "closed.nft").read_text()
            self.load(text)
        except (OSError, UnicodeError, ToolError) as error:
            log.error("The closed ruleset's file cannot be used (%s); the built-in one is.", error)
            self.load(CLOSED)
        self.remember()

    def _list(self) -> str:
        """The table as the kernel has it, without what it counts; empty if it is not there."""
        self._alive()
        try:
            text = run(["nft", "--stateless", "list", "table", "inet", TABLE])
        except ToolError:
            return ""
        return _COUNTED_SET.sub("", text)
