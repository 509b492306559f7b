"""Draws the parts of docs/LINK.md that come from the code. `python -m tests.unit.link_docs`
writes them anew; a test keeps them true.
"""

from __future__ import annotations

import re
from pathlib import Path

from masqgate.contract.status import LinkState
from masqgate.link import reasons
from masqgate.link.backoff import Cause
from masqgate.link.events import Timer
from masqgate.link.table import TABLE, Trigger

from tests.unit import link_matrix

PATH = Path(__file__).resolve().parents[2] / "docs" / "LINK.md"
_PART = re.compile(r"(<!-- (\w+) begin -->\n).*?(<!-- \2 end -->)", re.DOTALL)
_SELDOM = ("ConfigLoaded", "ConfigRefused", "ShutdownCalled")


def name(trigger: Trigger) -> str:
    return f"timer {trigger.value}" if isinstance(trigger, Timer) else trigger.__name__


def states() -> str:
    lines = ["| State | Event | May lead to |", "|---|---|---|"]
    for state, rows in TABLE.items():
        for trigger, row in rows.items():
            where = ", ".join(sorted(s.value for s in row.leads_to - {state})) or "–"
            lines.append(f"| {state.value} | {name(trigger)} | {where} |")
    return "\n".join(lines)


def diagram() -> str:
    """Without what people may ask for in any state, which would hide the rest."""
    lines = ["```mermaid", "stateDiagram-v2", "    [*] --> off"]
    arrows: dict[tuple[LinkState, LinkState], list[str]] = {}
    for state, rows in TABLE.items():
        for trigger, row in rows.items():
            if name(trigger) not in _SELDOM:
                for target in sorted(row.leads_to - {state}):
                    arrows.setdefault((state, target), []).append(name(trigger))
    for (state, target), names in arrows.items():
        lines.append(f"    {state.value} --> {target.value}: {', '.join(names)}")
    return "\n".join([*lines, "```"])


def failures() -> str:
    lines = ["| Code | Told as | Hint | Dialed again |", "|---|---|---|---|"]
    when = {
        Cause.LINE: "after 5 s, doubling to 5 min",
        Cause.AUTH: "3 tries, 5 min, 3 tries, every 30 min",
        Cause.BLOCKED: "looks again every 30 min",
    }
    for code, entry in reasons.FAILURES.items():
        clause = entry.clause.replace("{detail}", " …")
        lines.append(f"| `{code}` | {clause} | {entry.hint or '–'} | {when[entry.cause]} |")
    return "\n".join(lines)


PARTS = {
    "states": states,
    "diagram": diagram,
    "failures": failures,
    "matrix": link_matrix.table,
}


def render(text: str) -> str:
    """Return the document with its drawn parts as they should be."""
    return _PART.sub(lambda m: f"{m[1]}{PARTS[m[2]]()}\n{m[3]}", text)


if __name__ == "__main__":
    PATH.write_text(render(PATH.read_text()))
