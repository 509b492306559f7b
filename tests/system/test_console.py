"""The serial console: what helps when nothing else does."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.lab.console_line import ConsoleLine
from tests.lab.lab import Lab
from tests.lab.processes import LabError
from tests.lab.runner import wait_until

from .helpers import LONG_S, wait_up


@pytest.fixture
def menu(lab: Lab) -> Iterator[ConsoleLine]:
    """The console at its menu, not in a shell."""
    wait_up(lab)
    lab.console.leave_shell()
    yield lab.console.line
    lab.console.lost()


def ask(line: ConsoleLine, text: str, answer: str) -> str:
    """Type a line, and wait for an answer."""
    start = line.position
    line.send(text + "\r")
    line.wait_for(answer, LONG_S, start, f"{answer!r} after {text!r}")
    return str(line.text(start))


def test_menu_tells_the_state_in_words(lab: Lab, menu: ConsoleLine) -> None:
    text = ask(menu, "", r"masqgate> ?$")
    shown = ask(menu, "h", r"masqgate> ?$")
    assert "shell" in shown
    assert all(len(line) <= 80 for line in (text + shown).splitlines())
    assert (text + shown).isascii()


def test_console_works_without_the_supervisor(lab: Lab, menu: ConsoleLine) -> None:
    lab.console.run("systemctl stop masqgate.service masqgate-web.socket masqgate-web.service")
    try:
        lab.console.leave_shell()
        text = ask(menu, "h", r"masqgate> ?$")
        assert "Traceback" not in text
        assert "supervisor" in ask(menu, "", r"masqgate> ?$").lower()
        assert "Raspberry Pi 3" in ask(menu, "k", r"masqgate> ?$")
        ask(menu, "a", r"leave it\): ?$")
        ask(menu, "192.168.77.1", r"Change the files instead.*\[y/N\] ?$")
        assert "Nothing was changed" in ask(menu, "n", r"masqgate> ?$")
    finally:
        lab.console.lost()
        lab.console.run("systemctl start masqgate-web.socket masqgate.service")
        wait_up(lab)


def test_console_works_while_the_page_is_broken(lab: Lab, menu: ConsoleLine) -> None:
    """The page's program cannot start: console, calls and LAN do not care; then it is back."""
    page = "/usr/lib/python3/dist-packages/masqgate_web"
    lab.console.run(f"chmod 700 {page}; systemctl restart --no-block masqgate-web.service")
    try:
        failing = "systemctl show -P NRestarts masqgate-web.service"
        wait_until(lambda: int(lab.console.run(failing).output) > 0, LONG_S, "the page fails", 2.0)
        lab.console.leave_shell()
        address = lab.isp.address
        assert address in ask(menu, "", r"masqgate> ?$")
        assert "told to dial" in ask(menu, "c", r"masqgate> ?$")
        assert lab.boxes["A"].fetch("http://web.example/").strip() == address
    finally:
        lab.console.lost()
        lab.console.run(f"chmod 755 {page}")
    wait_until(lambda: page_answers(lab), LONG_S, "the page is back", 2.0)


def page_answers(lab: Lab) -> bool:
    try:
        return lab.page("/").status == 200
    except LabError:
        return False
