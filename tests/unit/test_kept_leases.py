"""The leases that outlive a restart: written seldom, given back before dnsmasq starts."""

from __future__ import annotations

from pathlib import Path

import pytest
from masqgate.system.kept_leases import OLD_S, SELDOM_S, KeptLeases

A = "1800000000 02:00:00:00:00:0a 192.168.77.100 a-box 01:02\n"
A_RENEWED = A.replace("1800000000", "1800021600")
B = "1800000000 02:00:00:00:00:0b 192.168.77.101 b-box *\n"


@pytest.fixture
def leases(tmp_path: Path) -> Path:
    return tmp_path / "dnsmasq.leases"


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return tmp_path / "log/leases"


def test_they_are_back_after_a_restart(leases: Path, copy: Path) -> None:
    leases.write_text(A)
    KeptLeases(leases, copy).keep(10.0)
    leases.unlink()
    KeptLeases(leases, copy).restore()
    assert leases.read_text() == A


def test_what_dnsmasq_has_counts(leases: Path, copy: Path) -> None:
    leases.write_text(A)
    KeptLeases(leases, copy).keep(10.0)
    leases.write_text(B)
    KeptLeases(leases, copy).restore()
    assert leases.read_text() == B


def test_a_renewal_is_not_worth_a_write_and_a_new_host_is(leases: Path, copy: Path) -> None:
    kept = KeptLeases(leases, copy)
    leases.write_text(A)
    kept.keep(10.0)
    leases.write_text(A_RENEWED)
    kept.keep(10.0 + SELDOM_S)
    assert copy.read_text() == A
    leases.write_text(A_RENEWED + B)
    kept.keep(20.0 + SELDOM_S)
    assert copy.read_text() == A_RENEWED + B


def test_it_is_written_seldom_and_once_more_at_the_end(leases: Path, copy: Path) -> None:
    kept = KeptLeases(leases, copy)
    leases.write_text(A)
    kept.keep(10.0)
    leases.write_text(A + B)
    kept.keep(9.0 + SELDOM_S)
    assert copy.read_text() == A
    kept.keep(9.5 + SELDOM_S, ending=True)
    assert copy.read_text() == A + B


def test_an_old_copy_is_renewed(leases: Path, copy: Path) -> None:
    kept = KeptLeases(leases, copy)
    leases.write_text(A)
    kept.keep(10.0)
    leases.write_text(A_RENEWED)
    kept.keep(10.0 + OLD_S)
    assert copy.read_text() == A_RENEWED


def test_nothing_to_keep_and_nowhere_to_keep_it_are_no_errors(leases: Path, copy: Path) -> None:
    kept = KeptLeases(leases, copy)
    kept.restore()
    kept.keep(10.0)
    assert not copy.exists()
    copy.parent.write_text("in the way")
    leases.write_text(A)
    kept.keep(1000.0)
    assert copy.parent.read_text() == "in the way"


def test_the_factorys_state_has_none(leases: Path, copy: Path) -> None:
    kept = KeptLeases(leases, copy)
    leases.write_text(A)
    kept.keep(10.0)
    kept.forget()
    assert not copy.exists()
