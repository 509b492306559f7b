"""Starts after a broken card, with files of a person's on it, and after a power cut (`make long`).

The four tests are a chain: each begins with how the one before it left router and card, so that
together they cost three starts and no more.
"""

from __future__ import annotations

import re
import time

import pytest
from masqgate.console import lock

from tests.lab import card, first_use, swap
from tests.lab.console_line import ConsoleLine
from tests.lab.lab import BOOT_S, Lab

from .data_partition import assert_goes_on, break_card, save, warnings
from .helpers import LONG_S, link, wait_up

pytestmark = pytest.mark.long
FILE, WANTED = "masqgate.toml", "console.txt"
SECRETS = (first_use.PASSWORD.encode(), b"lab-secret")
DOCUMENT = first_use.CONFIG.read_bytes()
BAD = DOCUMENT.replace(b"speed = 115200", b"speed = 1234").replace(b"lease_", b"leese_")
ANNOUNCED = "Press # three times within {} s for the console."
WINDOW_S = 60  # the longest; the key ends it
KEY_EVERY_S = 3.0
MENU = r"^masqgate> ?$"
PASSWORD = re.escape(lock.PROMPT)


def put(lab: Lab, document: bytes) -> None:
    """Put a configuration in force, and on the card."""
    lab.console.put("/tmp/lab.toml", document)
    first_use.insist(lab.console, "masqgate config apply /tmp/lab.toml && sync")


def press_key(terminal: ConsoleLine) -> None:
    """Press the key three times, again and again, until the console asks for the password."""
    start = terminal.position
    end = time.monotonic() + LONG_S
    while not terminal.text(start).strip():
        assert time.monotonic() < end, "nobody answers on the modem's UART"
        terminal.send("###")
        time.sleep(KEY_EVERY_S)
    terminal.wait_for(PASSWORD, LONG_S, start, "the password is asked for")
    start = terminal.position
    terminal.send("\r")  # what was pressed too often is a wrong one
    terminal.wait_for(PASSWORD, LONG_S, start, "and once more")
    start = terminal.position
    terminal.send(f"{first_use.PASSWORD}\r")
    terminal.wait_for(MENU, LONG_S, start, "the menu on the modem's UART")


def ask(terminal: ConsoleLine, key: str) -> str:
    """Press a key of the menu, and return what is said."""
    start = terminal.position
    terminal.send(f"{key}\r")
    terminal.wait_for(MENU, LONG_S, start, f"the menu after {key!r}")
    return " ".join(terminal.text(start).split())


@pytest.fixture(scope="module")
def window(booted: Lab) -> str:
    """The configuration before the chain, with a long window: an emulated board may be slow."""
    wait_up(booted)
    put(booted, DOCUMENT + f"\n[console]\nwindow_s = {WINDOW_S}\n".encode())
    return booted.cli("config", "show").output


def test_read_and_write_errors_stop_nothing(lab: Lab, window: str) -> None:
    """The card gives errors: no save, but calls, LAN, page and console, which tells it."""
    wait_up(lab)
    break_card(lab)
    code, words = save(lab, 557)
    assert code != 0, words
    assert re.search("read or write error|read-only", words), words
    assert "Traceback" not in words
    assert lab.cli("config", "show").output == window
    assert_goes_on(lab)
    assert warnings(lab) & {"card_errors", "data_read_only"}
    lab.console.leave_shell()
    told = ask(lab.console.line, "k")
    assert "WARNING" in told
    assert "replace the card" in told


def test_a_bad_file_on_the_card_is_told_and_a_key_brings_the_console(
    lab: Lab, window: str
) -> None:
    """With the card well again all is there; the file changes nothing; the key lends the UART."""
    assert lab.pi is not None
    lab.pi.power_cut()
    with swap.terminal_for_modem(lab) as terminal:
        card.put(lab.pi.card, FILE, BAD)
        lab.restart(power_cut=True)
        terminal.wait_for(re.escape(ANNOUNCED.format(WINDOW_S)), BOOT_S, 0, "the window")
        assert "Linux" not in terminal.text()
        time.sleep(1.0)  # silence before the first key
        press_key(terminal)
        lab.wait_ready()
        lab.wait_status(
            lambda s: link(s)["reason"]["code"] == "port_lent_window", LONG_S, "the UART is lent"
        )
        assert lab.console.run("test -e /run/data-volatile").code != 0
        assert lab.cli("config", "show").output == window
        _assert_bad_file_is_told(lab, ask(terminal, ""))
        lab.pi.power_cut()


def _assert_bad_file_is_told(lab: Lab, console: str) -> None:
    """On page, console and command line, each problem by its name, and no secret."""
    listed = " ".join(lab.cli("status").output.split())
    page = lab.page("/").body
    for told in (listed, page, console):
        assert "lan.leese_minutes" in told
        assert FILE in told
        for secret in SECRETS:
            assert secret.decode() not in told
    assert "provision_refused" in warnings(lab)


def test_a_file_on_the_card_brings_the_console(lab: Lab, window: str) -> None:
    """`console.txt` makes the modem's UART the console, which asks for no password."""
    assert lab.pi is not None
    with swap.terminal_for_modem(lab) as terminal:
        card.put(lab.pi.card, WANTED, b"")
        lab.restart(power_cut=True)
        terminal.wait_for(MENU, BOOT_S, 0, "the menu on the modem's UART")
        assert "Press #" not in terminal.text()
        lab.wait_ready()
        lab.wait_status(
            lambda s: link(s)["reason"]["code"] == "port_lent_file", LONG_S, "the UART is lent"
        )
        # For the next test: saved, and the plug is pulled at once.
        lab.console.put("/tmp/new.toml", DOCUMENT.replace(b"= 720", b"= 333"))
        assert lab.cli("config", "apply", "/tmp/new.toml").code == 0
        lab.pi.power_cut()
    card.remove(lab.pi.card, WANTED)


def test_a_change_survives_a_power_cut_and_the_modem_gets_its_line(lab: Lab) -> None:
    """What was saved before the cut is in force; nobody presses a key; the router dials again."""
    lab.restart(power_cut=True)
    lab.wait_ready()
    assert "lease_minutes = 333" in lab.cli("config", "show").output
    address = wait_up(lab)["address"]
    assert lab.boxes["A"].fetch("http://web.example/").strip() == address
    _assert_modem_heard_nothing_to_obey(lab.modem.heard)
    put(lab, DOCUMENT)


def _assert_modem_heard_nothing_to_obey(heard: bytes) -> None:
    """Before the dialer's first command: the boot loader's banner and one line, no command."""
    text = heard.decode("ascii", "replace").replace("\r", "\n")
    banner, line, dialer = text.partition(ANNOUNCED.format(5))
    assert line, text
    assert dialer.lstrip("\n").startswith("AT\n"), text
    assert not re.search(r"at|a/|\+\+\+", line, re.IGNORECASE)
    assert not re.search(r"^\s*a[t/]|\+\+\+", banner, re.IGNORECASE | re.MULTILINE)
    for foreign in ("Linux", "systemd", "[    ", "asqgate", "login"):
        assert foreign not in banner
