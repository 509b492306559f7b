"""systemd's units from the outside: what is called, and that nothing brings the caller down."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from masqgate.system.services import Systemd


@pytest.fixture
def called(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A systemctl that writes down its arguments, and refuses units named 'bad'."""
    file = tmp_path / "called"
    script = tmp_path / "systemctl"
    script.write_text(
        f'#!/bin/sh\necho "$@" >>{file}\n'
        'case "$*" in *bad*) exit 1;; *slow*) exec sleep 60;; esac\n'
    )
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return file


@pytest.mark.parametrize(
    ("verb", "commands"),
    [
        ("start", ["start a.service"]),
        ("stop", ["stop a.service"]),
        ("restart", ["reset-failed a.service", "restart a.service"]),
        ("reload", ["reload-or-restart a.service"]),
        ("active", ["is-active --quiet a.service"]),
    ],
)
def test_each_verb_makes_its_calls(called: Path, verb: str, commands: list[str]) -> None:
    assert getattr(Systemd(), verb)("a.service") is True
    lines = called.read_text().splitlines()
    assert lines == [f"--no-ask-password {command}" for command in commands]


@pytest.mark.parametrize("verb", ["start", "stop", "restart", "reload", "active"])
def test_failure_is_told_not_raised(called: Path, verb: str) -> None:
    assert getattr(Systemd(), verb)("bad.service") is False


def test_a_call_that_does_not_end_is_given_up(called: Path) -> None:
    began = time.monotonic()
    assert Systemd(timeout_s=0.2).start("slow.service") is False
    assert time.monotonic() - began < 30


def test_no_systemctl_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    assert Systemd().start("a.service") is False
