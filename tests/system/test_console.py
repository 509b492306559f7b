"""The serial console: what helps when nothing else does."""

from __future__ import annotations

import pytest

from tests.lab.lab import Lab

from .helpers import LONG_S, wait_up


@pytest.fixture
def menu(lab: Lab):  # type: ignore[no-untyped-def]
    """The console at its menu, not in a shell."""
    wait_up(lab)
    lab.console.leave_shell()
    yield lab.console.line
    lab.console.lost()


def ask(line, text: str, answer: str) -> str:  # type: ignore[no-untyped-def]
    """Type a line, and wait for an answer."""
    start = line.position
    line.send(text + "\r")
    line.wait_for(answer, LONG_S, start, f"{answer!r} after {text!r}")
    return str(line.text(start))


def test_menu_tells_the_state_in_words(lab: Lab, menu) -> None:  # type: ignore[no-untyped-def]
    text = ask(menu, "", r"masqgate> ?$")
    shown = ask(menu, "h", r"masqgate> ?$")
    assert "shell" in shown
    assert all(len(line) <= 80 for line in (text + shown).splitlines())
    assert (text + shown).isascii()


def test_console_works_without_the_supervisor(lab: Lab, menu) -> None:  # type: ignore[no-untyped-def]
    lab.console.run("systemctl stop masqgate.service masqgate-web.socket masqgate-web.service")
    try:
        lab.console.leave_shell()
        text = ask(menu, "h", r"masqgate> ?$")
        assert "Traceback" not in text
        assert "supervisor" in ask(menu, "", r"masqgate> ?$").lower()
    finally:
        lab.console.lost()
        lab.console.run("systemctl start masqgate-web.socket masqgate.service")
        wait_up(lab)
