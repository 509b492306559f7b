"""The administrator's password, by the calls that page and console make."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from masqgate.contract.calls import PASSWORD_CHECK, PASSWORD_SET, NewPassword, Nothing, Password
from masqgate.contract.errors import MasqgateError
from masqgate.core import passwords as rules
from masqgate.core.messages import CallMade, Peer
from masqgate.supervisor.passwords import Passwords
from masqgate.system.neighbours import hardware_address
from masqgate.system.password import (
    LockoutFile,
    PasswordFile,
    Worker,
    hash_password,
    matches,
)

from tests.unit.router import FakeClock, Router, until

GOOD = "correct horse battery"
PAGE = Peer(pid=1, uid=990, root=False)


@pytest.fixture
def router(tmp_path: Path) -> Iterator[Router]:
    made = Router(tmp_path)
    made.start()
    yield made
    made.close()


def refused(call: object, *arguments: object) -> MasqgateError:
    with pytest.raises(MasqgateError) as caught:
        call(*arguments)  # type: ignore[operator]
    return caught.value


def test_set_check_reset(router: Router) -> None:
    assert refused(router.client.password_check, GOOD).code == "no_password"
    router.client.password_set(GOOD)
    until(lambda: router.applied()[1].password_set, "the rules' knowing of the password")
    router.client.password_check(GOOD, "192.168.77.120")
    assert refused(router.client.password_check, GOOD + "!").code == "wrong_password"
    assert "login" in router.codes()
    router.client.password_check(GOOD, "192.168.77.121")
    told = [entry.text for entry in router.client.log()]
    assert "The administrator logged in from 192.168.77.120 (02:00:00:00:00:78)." in told
    assert "The administrator logged in from 192.168.77.121." in told
    router.client.password_reset()
    assert not router.client.status().password_set
    assert not router.paths.password.exists()


def test_a_hardware_address_is_what_the_kernel_has_learned(tmp_path: Path) -> None:
    table = tmp_path / "arp"
    table.write_text(
        "IP address       HW type     Flags       HW address            Mask     Device\n"
        "192.168.77.12    0x1         0x2         02:00:00:00:00:12     *        br0\n"
        "192.168.77.1     0x1         0x0         00:00:00:00:00:00     *        br0\n"
        "broken\n"
    )
    found = [hardware_address(f"192.168.77.{end}", table) for end in ("12", "1", "2", "12 ")]
    assert found == ["02:00:00:00:00:12", "", "", ""]
    assert hardware_address("192.168.77.12", tmp_path / "none") == ""


def test_only_a_hash_is_stored_and_only_for_root_to_read(router: Router) -> None:
    router.client.password_set(GOOD)
    text = router.paths.password.read_text()
    assert GOOD not in text
    assert text.startswith("scrypt$")
    assert stat.S_IMODE(router.paths.password.stat().st_mode) == 0o600
    everything = [path for path in router.paths.data.rglob("*") if path.is_file()]
    assert not any(GOOD in path.read_text() for path in everything)


def test_ten_wrong_ones_cost_a_minute_over_a_restart_but_not_on_the_console(
    router: Router,
) -> None:
    router.client.password_set(GOOD)
    for count in range(10):
        error = refused(router.client.password_check, f"wrong {count}", f"192.168.77.{count}")
        assert error.code == "wrong_password"
    error = refused(router.client.password_check, GOOD)
    assert error.code == "locked_out"
    router.stop()
    router.start()
    assert refused(router.client.password_check, GOOD).code == "locked_out"
    router.clock.added_s += 61
    router.client.password_check(GOOD)
    for _ in range(10):
        refused(router.client.password_check, "wrong")
    router.client.password_reset()
    router.client.password_set(GOOD)
    router.client.password_check(GOOD)


def test_a_hundred_at_once_do_not_get_past_the_count(router: Router) -> None:
    router.client.password_set(GOOD)
    with ThreadPoolExecutor(40) as pool:
        errors = [
            pool.submit(refused, router.client.password_check, f"wrong {n}") for n in range(100)
        ]
        codes = [error.result().code for error in errors]
    assert codes.count("wrong_password") <= 10
    assert set(codes) <= {"wrong_password", "locked_out", "busy"}
    assert router.client.status().password_set, "the loop goes on"


def test_a_restart_of_the_supervisor_keeps_the_password(router: Router) -> None:
    router.client.password_set(GOOD)
    router.stop()
    router.start()
    router.client.password_check(GOOD)


def test_what_the_page_says_of_its_client_cannot_break_the_history(router: Router) -> None:
    router.client.password_set(GOOD)
    router.client.password_check(GOOD, "1.2.3.4\n{}\x1b[2J" + "x" * 1000)
    text = next(entry.text for entry in router.client.log() if entry.code == "login")
    assert text.isprintable()
    assert len(text) < 120


class Desk:
    """Passwords as the page's process sees them, with a worker that is run by hand."""

    def __init__(self, folder: Path) -> None:
        self.clock = FakeClock()
        self.jobs: list[object] = []
        self.messages: list[object] = []
        self.file = PasswordFile(folder / "password")
        self.passwords = Passwords(
            self.file, LockoutFile(folder / "lockout"), self, self.clock, self.messages.append
        )

    def submit(self, job: object) -> None:
        self.jobs.append(job)

    def ask(self, call: object, arguments: object, peer: Peer = PAGE) -> object:
        answers: list[object] = []
        self.passwords.take(CallMade(call, arguments, peer, answers.append))  # type: ignore[arg-type]
        while not answers:
            self.jobs.pop(0)()  # type: ignore[operator]
            self.passwords.handle(self.messages.pop(0))  # type: ignore[arg-type]
        return answers[0]


def test_the_page_needs_the_old_password_and_root_does_not(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    assert desk.ask(PASSWORD_SET, NewPassword(GOOD)) == Nothing()
    for old in ("", "something else"):
        answer = desk.ask(PASSWORD_SET, NewPassword("another good one", old))
        assert isinstance(answer, MasqgateError)
        assert answer.code == "wrong_password"
    assert desk.ask(PASSWORD_SET, NewPassword("another good one", GOOD)) == Nothing()
    root = Peer(pid=1, uid=0, root=True)
    assert desk.ask(PASSWORD_SET, NewPassword("a third good one"), root) == Nothing()
    assert desk.ask(PASSWORD_CHECK, Password("a third good one")) == Nothing()


def test_each_wrong_one_after_the_tenth_doubles_the_wait(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.ask(PASSWORD_SET, NewPassword(GOOD))
    for _ in range(9):
        desk.ask(PASSWORD_CHECK, Password("wrong"))
    waits = []
    for _ in range(8):
        answer = desk.ask(PASSWORD_CHECK, Password("wrong"))
        assert isinstance(answer, MasqgateError)
        locked = desk.ask(PASSWORD_CHECK, Password(GOOD))
        assert isinstance(locked, MasqgateError)
        waits.append(int(locked.text.split(" for ")[1].split()[0]))
        desk.clock.added_s += waits[-1] + 1
    for wait, wanted in zip(waits, (60, 120, 240, 300, 300, 300, 300, 300), strict=True):
        assert wanted - 5 <= wait <= wanted
    assert desk.ask(PASSWORD_CHECK, Password(GOOD)) == Nothing()


def test_the_generation_is_another_one_with_each_password_and_the_same_after_a_restart(
    tmp_path: Path,
) -> None:
    desk = Desk(tmp_path)
    seen = [desk.passwords.generation]
    for password in (GOOD, "another good one", GOOD):
        desk.ask(PASSWORD_SET, NewPassword(password), Peer(pid=1, uid=0, root=True))
        seen.append(desk.passwords.generation)
    assert len(set(seen)) == 4
    assert Desk(tmp_path).passwords.generation == seen[-1]
    desk.passwords.reset()
    assert desk.passwords.generation == seen[0] == 0


def test_a_full_disk_keeps_the_old_password(tmp_path: Path, monkeypatch: object) -> None:
    desk = Desk(tmp_path)
    desk.ask(PASSWORD_SET, NewPassword(GOOD))
    (tmp_path / ".password.new").mkdir()  # the temporary file cannot be made
    (tmp_path / ".password.new" / "x").touch()
    answer = desk.ask(PASSWORD_SET, NewPassword("another good one", GOOD))
    assert isinstance(answer, MasqgateError)
    assert answer.code == "not_saved"
    assert desk.ask(PASSWORD_CHECK, Password(GOOD)) == Nothing()


def test_a_password_that_cannot_be_read_is_not_no_password(tmp_path: Path) -> None:
    (tmp_path / "password").mkdir()
    desk = Desk(tmp_path)
    assert desk.passwords.is_set
    answer = desk.ask(PASSWORD_SET, NewPassword(GOOD))
    assert isinstance(answer, MasqgateError)
    assert answer.code == "password_unreadable"


@pytest.mark.parametrize(
    ("password", "code"),
    [
        ("", "password_short"),
        ("ninechars", "password_short"),
        ("a" * 129, "password_long"),
        ("with a\nnewline", "password_unprintable"),
        ("aaaaaaaaaaaa", "password_weak"),
        ("ababababab", "password_weak"),
        ("Masqgate2026", "password_weak"),
        ("password123", "password_weak"),
        ("1234567890", "password_weak"),
    ],
)
def test_bad_passwords_are_refused_with_a_sentence(password: str, code: str) -> None:
    error = refused(rules.check, password)
    assert error.code == code
    assert error.text.endswith(".")


@pytest.mark.parametrize(
    "password", [GOOD, "tr0ub4dor&3", "Öl auf dem Ärmel", "'\"\\;$(x)#\u00a3"]
)
def test_good_passwords_are_taken_and_match_only_themselves(password: str) -> None:
    rules.check(password)
    line = hash_password(password)
    assert matches(password, line)
    assert not matches(password + " ", line)


@pytest.mark.parametrize(
    "line", ["", "scrypt", "scrypt$1$1$1$x$y", "scrypt$-4$8$1$AAAA$AAAA", "md5$1$1$1$AAAA$AAAA",
             "scrypt$99999999999999999999$8$1$AAAA$AAAA", "scrypt$16384$8$1$AAAA$AAAA$more"],
)  # fmt: skip
def test_a_broken_line_matches_nothing(line: str) -> None:
    assert not matches(GOOD, line)


def test_the_worker_survives_a_job_that_fails() -> None:
    worker = Worker()
    done: list[int] = []
    worker.submit(lambda: done.append(1 // 0))
    worker.submit(lambda: done.append(2))
    worker.close()
    assert done == [2]
