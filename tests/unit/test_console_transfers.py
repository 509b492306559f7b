"""The console's files by ZMODEM (real sz and rz on a pty), its password, the other slot."""

from __future__ import annotations

import contextlib
import os
import re
import select
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from masqgate.console import lock, menu, transfers
from masqgate.console.terminal import Terminal
from masqgate.contract import backup
from masqgate.contract.backup import Backup
from masqgate.contract.document import parse
from masqgate.contract.paths import Paths
from masqgate.system import uart
from masqgate.system.password import hash_password
from masqgate.system.staging import Staging
from pexpect import TIMEOUT

from tests.unit.router import DEADLINE_S, DOCUMENT, Router, until
from tests.unit.test_console import YES_NO, Screen, console, router, running

__all__ = ["console", "router"]  # fixtures

REFUSED_S = 3.0
PASSWORD = "correct horse battery"
NEW = DOCUMENT.replace("5551000", "5552000")
LINE = hash_password(PASSWORD)


@pytest.fixture(autouse=True)
def tools() -> None:
    for name in ("sz", "rz"):
        assert shutil.which(name), "lrzsz is missing: see tests/packages-host.txt"


@contextlib.contextmanager
def wire(screen: Screen) -> Iterator[socket.socket]:
    """The terminal's end of the line, for a program: one with a terminal of its own.

    Both ends of a pty share their settings, and sz and rz set theirs.
    """
    near, far = socket.socketpair()
    over = threading.Event()

    def relay() -> None:
        line = screen.child.child_fd
        with contextlib.suppress(OSError):
            while not over.is_set():
                for ready in select.select([line, near], [], [], 0.05)[0]:
                    if ready is near:
                        os.write(line, near.recv(1024))
                    else:
                        near.sendall(os.read(line, 1024))

    thread = threading.Thread(target=relay)
    thread.start()
    try:
        yield far
    finally:
        over.set()
        thread.join()
        near.close()
        far.close()


def peer(screen: Screen, folder: Path, *command: str) -> subprocess.CompletedProcess[bytes]:
    """Run sz or rz at the terminal's end of the line."""
    with wire(screen) as line:
        return subprocess.run(
            command, stdin=line, stdout=line, stderr=subprocess.PIPE, cwd=folder,
            timeout=DEADLINE_S, check=False,
        )  # fmt: skip


@pytest.fixture
def binary(console: Callable[[], Screen]) -> Iterator[Callable[[], Screen]]:
    """Starts consoles whose screens see more than text: what a transfer looks like."""
    screens: list[Screen] = []

    def start() -> Screen:
        screens.append(console())
        return screens[-1]

    yield start
    for screen in screens:
        screen.seen = ""


@contextlib.contextmanager
def refused(screen: Screen, folder: Path, *command: str) -> Iterator[None]:
    """Run a sender that the router turns down: by itself it would try for a minute."""
    with (
        wire(screen) as line,
        subprocess.Popen(
            command, stdin=line, stdout=line, stderr=subprocess.PIPE, cwd=folder
        ) as sender,
    ):
        try:
            time.sleep(REFUSED_S)
        finally:
            sender.kill()
    yield


def settled(screen: Screen) -> None:
    """Wait for a prompt that answers: what the transfer left on the line goes before it."""
    end = time.monotonic() + DEADLINE_S
    while time.monotonic() < end:
        screen.child.send("\rh\r")
        if "this help" in screen.expect():
            break
    # One more, so that nothing is left to come.
    screen.child.send("?\r")
    screen.expect("this help")
    screen.expect()


def test_a_backup_is_sent(router: Router, binary: Callable[[], Screen], tmp_path: Path) -> None:
    running(router)
    screen = binary()
    screen.key("b", "ZMODEM")
    there = tmp_path / "there"
    there.mkdir()
    done = peer(screen, there, "rz", "--binary", "--quiet")
    assert done.returncode == 0, done.stderr
    settled(screen)
    text = (there / transfers.NAME).read_text()
    assert backup.read(text).config == parse(DOCUMENT)
    assert not router.paths.transfer.exists()


def send(screen: Screen, folder: Path, data: bytes, name: str = "mine.toml") -> None:
    """Choose `i`, and send a file."""
    (folder / name).write_bytes(data)
    screen.key("i", "gives up")
    peer(screen, folder, "sz", "--binary", "--quiet", name)


def test_a_backup_is_received_and_put_in_force_after_a_yes(
    router: Router, binary: Callable[[], Screen], tmp_path: Path
) -> None:
    running(router)
    screen = binary()
    text = backup.write(Backup(parse(NEW), secrets=True, password=LINE, made_at="2026-11-30"))
    send(screen, tmp_path, text.encode())
    screen.expect(YES_NO)
    assert "made 2026-11-30 UTC" in screen.seen
    assert "5551000" in router.client.config_show()
    assert "is in force" in screen.key("y")
    assert "5552000" in router.client.config_show()
    router.client.password_check(PASSWORD)
    assert not router.paths.transfer.exists()
    settled(screen)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"\x1f\x8b\x08\x00archive", "is no backup"),
        (DOCUMENT.encode(), "is no backup"),
        (b"#" * 300_000, "transfer failed|too large"),
    ],
)
def test_what_is_no_backup_changes_nothing(
    router: Router, binary: Callable[[], Screen], tmp_path: Path, data: bytes, said: str
) -> None:
    running(router)
    screen = binary()
    send(screen, tmp_path, data)
    screen.expect(said)
    settled(screen)
    assert "5551000" in router.client.config_show()
    assert not router.paths.transfer.exists()


def test_a_name_that_leads_elsewhere_writes_nothing_there(
    router: Router, binary: Callable[[], Screen], tmp_path: Path
) -> None:
    running(router)
    screen = binary()
    folder = tmp_path / "a" / "b"
    folder.mkdir(parents=True)
    evil = router.paths.run / "evil"
    (folder / "evil").write_bytes(b"x")
    screen.key("i", "gives up")
    # -f sends the whole path: '../evil' from the folder 'c', and an absolute one.
    (folder / "c").mkdir()
    with refused(screen, folder / "c", "sz", "--full-path", "--binary", "--quiet", "../evil"):
        screen.expect("Try again|Send it again|is no backup")
    settled(screen)
    assert not evil.exists()
    assert not router.paths.transfer.exists()


def test_nobody_sends(router: Router, binary: Callable[[], Screen]) -> None:
    running(router)
    screen = binary()
    screen.key("i", "gives up")
    end = time.monotonic() + DEADLINE_S
    while time.monotonic() < end:
        screen.child.send("\x18" * 8)
        if screen.child.expect(["transfer failed", TIMEOUT], timeout=6) == 0:
            break
    settled(screen)


def test_without_a_supervisor_both_work_on_the_files(
    router: Router, binary: Callable[[], Screen], tmp_path: Path
) -> None:
    screen = binary()
    screen.key("b", YES_NO)
    screen.key("y", "ZMODEM")
    there = tmp_path / "there"
    there.mkdir()
    assert peer(screen, there, "rz", "--binary", "--quiet").returncode == 0
    settled(screen)
    assert "dial-secret" in (there / transfers.NAME).read_text()
    text = backup.write(Backup(parse(NEW), secrets=True, password=LINE))
    send(screen, tmp_path, text.encode())
    screen.expect(YES_NO)
    screen.key("y", YES_NO)
    assert "is in force" in screen.key("y")
    assert "5552000" in router.paths.config.read_text()
    assert router.paths.password.read_text().strip() == LINE


# --- the log ---------------------------------------------------------------------------------


def test_the_log_is_followed_until_ctrl_c(router: Router, console: Callable[[], Screen]) -> None:
    running(router)
    screen = console()
    screen.key("w", "Ctrl-C ends it")
    router.client.connect()
    screen.expect("was asked to connect")
    screen.child.send("\x03")
    screen.expect("Ended")
    screen.expect()


# --- the password ----------------------------------------------------------------------------


@pytest.fixture
def locked(router: Router) -> Iterator[Router]:
    router.paths.config.write_text(DOCUMENT + "\n[console]\npassword = true\n")
    router.paths.password.write_text(LINE + "\n")
    yield router


def test_the_menu_asks_for_the_password_if_it_is_to(
    locked: Router, console: Callable[[], Screen], tmp_path: Path
) -> None:
    running(locked)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Screen, "expect", lambda self, what=lock.PROMPT: _expect(self, what))
        screen = console()
        assert "up with" not in screen.seen
        screen.child.send("s\rh\r\x03\x04\r")
        screen.key("wrong password!", "not the password")
        screen.expect()
    assert "wrong password!" not in screen.seen
    screen.key(PASSWORD)
    assert "root shell" in screen.seen and "up with" in screen.seen
    assert PASSWORD not in screen.seen


def _expect(screen: Screen, what: str) -> str:
    screen.child.expect(what)
    screen.seen += screen.child.before + screen.child.after
    return str(screen.child.before)


def test_it_asks_without_a_supervisor_too(locked: Router, console: Callable[[], Screen]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Screen, "expect", lambda self, what=lock.PROMPT: _expect(self, what))
        screen = console()
    screen.key(PASSWORD)
    assert "does not answer" in screen.seen


def test_it_does_not_ask_where_none_is_set(locked: Router, console: Callable[[], Screen]) -> None:
    locked.paths.password.unlink()
    running(locked)
    assert "up with" in console().seen


def test_the_rescue_shell_is_not_given_where_a_password_is_asked_for(tmp_path: Path) -> None:
    script = Path("rootfs-overlay/usr/lib/masqgate/console-or-shell").read_text()
    config = tmp_path / "config.toml"
    script = script.replace("/data/config/config.toml", str(config))
    script = script.replace("python3 -m masqgate.console", "false").replace("sleep 5", "")
    script = script.replace("/run/console.log", "/dev/null").replace("exec sh -i", "echo SHELL")
    from masqgate.contract.document import render

    for wanted in (False, True):
        text = DOCUMENT + f"\n[console]\npassword = {str(wanted).lower()}\n"
        config.write_text(render(parse(text), secrets=True))
        done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=False)
        assert ("SHELL" in done.stdout) is not wanted
    config.unlink()
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=False)
    assert "SHELL" in done.stdout


@pytest.mark.parametrize(
    ("why", "password"), [("window", True), ("window", False), ("file", True)]
)
def test_nor_where_the_key_may_have_come_from_the_other_end_of_a_call(
    tmp_path: Path, why: str, password: bool
) -> None:
    paths = Paths(tmp_path / "run", tmp_path / "data")
    uart.lend(paths, "ttyAMA0", why)
    paths.config.parent.mkdir(parents=True)
    if password:
        paths.password.write_text(LINE + "\n")
    port = tmp_path / "ttyAMA0"
    port.write_text("")
    script = Path("rootfs-overlay/usr/lib/masqgate/console-or-shell").read_text()
    for old, new in (
        ("/data/", f"{paths.data}/"), ("/run/masqgate/", f"{paths.run}/"), ("sleep 5", ""),
        ("python3 -m masqgate.console", "false"), ("/run/console.log", "/dev/null"),
        ("exec sh -i", "echo SHELL"),
    ):  # fmt: skip
        script = script.replace(old, new)
    with port.open() as stdin:
        done = subprocess.run(
            ["sh", "-c", script], stdin=stdin, capture_output=True, text=True, check=False
        )
    wanted = why == "window" and password
    assert ("SHELL" in done.stdout) is not wanted
    seat: Any = SimpleNamespace(name="ttyAMA0")
    assert lock.Lock(seat, paths).wanted is wanted
    seat.name = "ttyS1"  # the console's own port
    assert not lock.Lock(seat, paths).wanted


def test_a_terminal_knows_its_port() -> None:
    ours, theirs = os.openpty()
    try:
        assert Terminal(theirs, theirs).name == Path(os.ttyname(theirs)).name
    finally:
        os.close(ours)
        os.close(theirs)


def test_the_menu_and_its_help_fit_the_screen() -> None:
    assert all(len(line) <= 79 for line in menu.HELP)
    assert len(menu.HELP) <= 8


# --- staging ---------------------------------------------------------------------------------


def test_a_staging_folder_is_empty_before_and_gone_after(tmp_path: Path) -> None:
    folder = tmp_path / "s"
    folder.mkdir()
    outside = tmp_path / "outside"
    outside.write_text("kept")
    (folder / "link").symlink_to(outside)
    with Staging(folder, 10) as staging:
        assert list(folder.iterdir()) == []
        assert folder.stat().st_mode & 0o777 == 0o700
        with pytest.raises(Exception, match="No file came"):
            staging.received()
        (folder / "link").symlink_to(outside)
        with pytest.raises(Exception, match="is no file"):
            staging.received()
        (folder / "two").write_text("x")
        with pytest.raises(Exception, match="2 files"):
            staging.received()
        (folder / "link").unlink()
        assert staging.received() == folder / "two"
        os.truncate(folder / "two", 11)
        with pytest.raises(Exception, match="11 bytes"):
            staging.received()
    assert not folder.exists()
    assert outside.read_text() == "kept"


def test_the_other_slot_is_asked_for(router: Router, console: Callable[[], Screen]) -> None:
    running(router)
    screen = console()
    screen.key("o", YES_NO)
    assert "Nothing was changed" in screen.key("n")
    screen.key("o", YES_NO)
    # There is no card here.
    assert re.search("not started from a slot|record of the slots|no system", screen.key("y"))


def test_an_update_needs_room_and_a_good_bundle(
    router: Router, binary: Callable[[], Screen], tmp_path: Path
) -> None:
    running(router)
    screen = binary()
    installer = screen.tools / "masqgate"
    installer.write_text(f'#!/bin/sh\necho "$@" >> {screen.tools}/log\nsha256sum "$3"\nexit 1\n')
    installer.chmod(0o755)
    screen.key("n", "gives up")
    (tmp_path / "bundle").write_bytes(os.urandom(200_000))
    peer(screen, tmp_path, "sz", "--binary", "--quiet", "bundle")
    screen.expect("was not installed")
    settled(screen)
    until(lambda: bool(screen.commands()))
    assert not router.paths.update_staging.exists()
