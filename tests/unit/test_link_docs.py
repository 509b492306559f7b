"""docs/LINK.md is what the code says, and the code is what the table says."""

from __future__ import annotations

import ast
from pathlib import Path

from masqgate.contract.status import LinkState
from masqgate.link import events, reasons
from masqgate.link.machine import LinkMachine
from masqgate.link.table import TABLE

from tests.unit import link_docs


def test_the_document_is_up_to_date() -> None:
    text = link_docs.PATH.read_text()
    again = "run `python -m tests.unit.link_docs`"
    assert link_docs.render(text) == text, again


def test_every_state_and_handler_exists() -> None:
    assert set(TABLE) == set(LinkState)
    for rows in TABLE.values():
        for row in rows.values():
            assert callable(getattr(LinkMachine, row.handler))


def test_every_state_can_be_told_to_end_and_to_change() -> None:
    for rows in TABLE.values():
        assert {events.ShutdownCalled, events.ConfigLoaded, events.DisconnectCalled} <= set(rows)


def test_every_failure_has_a_clause_and_most_a_hint() -> None:
    for code, entry in reasons.FAILURES.items():
        assert not entry.clause.endswith("."), code
        assert not entry.hint or entry.hint.endswith((".", "?")), code


def test_the_link_does_no_input_or_output() -> None:
    forbidden = {"os", "time", "random", "socket", "serial", "pexpect", "subprocess", "threading"}
    for path in Path(events.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                assert not {alias.name.split(".")[0] for alias in node.names} & forbidden, path
            if isinstance(node, ast.ImportFrom):
                assert (node.module or "").split(".")[0] not in forbidden, path
                assert "system" not in (node.module or ""), path
