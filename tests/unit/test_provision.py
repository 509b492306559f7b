"""The card's `masqgate.toml`: taken in once, completely or not at all, and wiped."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from masqgate.contract import backup
from masqgate.contract.backup import Backup
from masqgate.contract.document import parse
from masqgate.contract.paths import Paths
from masqgate.contract.status import Reason
from masqgate.system import card as card_module
from masqgate.system.card import DONE, MARK, NAME, Card
from masqgate.system.history import History
from masqgate.system.password import hash_password, matches
from masqgate.system.provisioning import Provisioning

from tests.unit.router import DOCUMENT, Router

PASSWORD = "correct horse battery"
SECRETS = (PASSWORD, "dial-secret", "2468")
GOOD = DOCUMENT + f'pin = "2468"\n\n[provision]\npassword = "{PASSWORD}"\n'


class Boot:
    """A router's folders and its card; `start` is one start of the router."""

    def __init__(self, folder: Path) -> None:
        self.paths = Paths(folder / "run", folder / "data", folder / "share")
        self.card = folder / "card"
        for path in (self.paths.run, self.paths.data, self.paths.share, self.card):
            path.mkdir(parents=True)
        self.paths.factory_config.write_text("version = 1\n")
        self.remounts: list[bool] = []
        self.volatile = False

    def put(self, text: str | bytes) -> None:
        data = text if isinstance(text, bytes) else text.encode()
        (self.card / NAME).write_bytes(data)

    def start(self) -> tuple[Reason, ...]:
        made = Card(self.card, self.remounts.append)
        return Provisioning(self.paths, made, volatile=self.volatile).run()

    def names(self) -> list[str]:
        return sorted(path.name for path in self.card.iterdir())

    def codes(self) -> list[str]:
        return [entry.code for entry in History(self.paths.events).newest(0, 100)]

    def leaks(self) -> list[str]:
        """Secrets in what people see, or left on the card."""
        seen = b"".join(p.read_bytes() for p in self.card.iterdir() if p.is_file())
        for path in (self.paths.events, self.paths.provision_warnings):
            seen += path.read_bytes() if path.exists() else b""
        return [secret for secret in SECRETS if secret.encode() in seen]


@pytest.fixture
def boot(tmp_path: Path) -> Boot:
    return Boot(tmp_path)


def test_a_new_router_is_set_up_and_the_card_is_wiped(boot: Boot) -> None:
    boot.put(GOOD)
    inode = (boot.card / NAME).stat().st_ino
    assert boot.start() == ()
    config = parse(boot.paths.config.read_text())
    assert config.modems[0].password.reveal() == "dial-secret"
    assert matches(PASSWORD, boot.paths.password.read_text().strip())
    assert boot.paths.password.stat().st_mode & 0o777 == 0o600
    assert boot.names() == [DONE]
    done = boot.card / DONE
    # The very clusters that held the secrets: same file, same size, other content.
    assert done.stat().st_ino == inode
    assert done.stat().st_size == len(GOOD.encode())
    assert done.read_bytes().startswith(MARK)
    assert not done.read_bytes().removeprefix(MARK).strip()
    assert boot.codes() == ["provisioned"]
    assert boot.leaks() == []
    assert boot.remounts == [True, False]
    assert boot.start() == ()
    assert boot.codes() == ["provisioned"]
    assert not boot.paths.provisioned.exists()


def test_a_large_file_is_wiped_to_its_end(boot: Boot) -> None:
    boot.put(GOOD + "# note\n" * 8000 + f"# {PASSWORD}\n")
    assert boot.start() == ()
    assert boot.leaks() == []


def test_no_file_writes_nothing(boot: Boot) -> None:
    assert boot.start() == ()
    assert boot.remounts == []
    assert not boot.paths.config.exists()


def test_a_router_that_is_set_up_takes_a_new_file_in_and_says_so(boot: Boot) -> None:
    boot.put(GOOD)
    boot.start()
    boot.put('version = 1\n[system]\nhostname = "other"\n')
    assert boot.start() == ()
    assert parse(boot.paths.config.read_text()).system.hostname == "other"
    assert matches(PASSWORD, boot.paths.password.read_text().strip())  # none was given
    last = History(boot.paths.events).newest(0, 1)[0]
    assert (last.code, last.level) == ("provisioned", "warning")
    assert "replaced" in last.text
    assert parse(boot.paths.previous_config.read_text()).modems


def test_everything_wrong_is_told_and_nothing_is_changed(boot: Boot) -> None:
    boot.put(GOOD)
    boot.start()
    before = {p.name: p.read_bytes() for p in boot.paths.config.parent.iterdir()}
    bad = GOOD.replace("192.168.77.1/24", "8.8.8.8/24").replace("number =", "nummer =")
    bad = bad.replace(PASSWORD, "short").replace("[provision]", "[provision]\nuser = 1")
    boot.put(bad)
    told = boot.start()
    assert {reason.code for reason in told} == {"provision_refused"}
    texts = " ".join(f"{reason.text} {reason.hint}" for reason in told)
    for part in (
        "provision.password", "provision.user", "uplink[0].nummer", "Did you mean 'number'?",
    ):  # fmt: skip
        assert part in texts
    assert {p.name: p.read_bytes() for p in boot.paths.config.parent.iterdir()} == before
    assert (boot.card / NAME).read_text() == bad  # to be corrected
    told_again = [entry.text for entry in History(boot.paths.events).newest(0, 100)]
    assert all(any(reason.text in text for text in told_again) for reason in told)
    assert "dial-secret" not in texts and "short" not in texts


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (b"", "empty"),
        (b" \r\n", "empty"),
        (b"\xff\xfe\x00", "UTF-8"),
        (b"version = 1\n" + b"#" * 80_000, "too large"),
        (b"version = ", "not TOML"),
        (b"version = 2\n", "not known"),
        (b"version = 0x" + b"f" * 9000, "not TOML"),
        (b'provision = "x"\n', "table"),
        (b"[provision]\npassword = 12345678901\n", "text in quotes"),
        (b"[backup]\nformat = 9\n", "format 9"),
        (DOCUMENT.replace('"dial-secret"', '"(secret)"').encode(), "none is stored"),
    ],
)
def test_what_is_not_good_is_refused(boot: Boot, content: bytes, part: str) -> None:
    boot.put(content)
    told = boot.start()
    assert part in " ".join(reason.text for reason in told)
    assert not boot.paths.config.exists()
    assert (boot.card / NAME).read_bytes() == content


def test_a_folder_and_a_link_are_no_file(boot: Boot, tmp_path: Path) -> None:
    (boot.card / NAME).mkdir()
    assert boot.start()[0].code == "provision_unreadable"
    (boot.card / NAME).rmdir()
    (tmp_path / "elsewhere").write_text(GOOD)
    (boot.card / NAME).symlink_to(tmp_path / "elsewhere")
    assert boot.start()[0].code == "provision_unreadable"
    assert (tmp_path / "elsewhere").read_text() == GOOD


def test_windows_line_ends_and_byte_order_mark(boot: Boot) -> None:
    boot.put(b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode())
    assert boot.start() == ()
    assert parse(boot.paths.config.read_text()).modems


def test_a_backup_can_be_put_there_under_that_name(boot: Boot) -> None:
    line = hash_password(PASSWORD)
    boot.put(backup.write(Backup(parse(DOCUMENT), secrets=True, password=line)))
    assert boot.start() == ()
    assert boot.paths.password.read_text().strip() == line
    assert "dial-secret" in boot.paths.config.read_text()


def test_a_full_disk_changes_nothing_and_keeps_the_file(
    boot: Boot, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, data: bytes, mode: int = 0o600) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("masqgate.system.atomic.Staged", full)
    boot.put(GOOD)
    assert "full" in boot.start()[0].text
    assert (boot.card / NAME).read_text() == GOOD


def test_without_a_data_partition_the_file_stays_on_the_card(boot: Boot) -> None:
    boot.volatile = True
    boot.put(GOOD)
    assert [reason.code for reason in boot.start()] == ["provision_kept"]
    assert parse(boot.paths.config.read_text()).modems
    assert (boot.card / NAME).read_text() == GOOD


def test_a_card_that_takes_no_writes_is_told_of_and_not_taken_in_twice(boot: Boot) -> None:
    def refuse(writable: bool) -> None:
        raise OSError(30, "Read-only file system")

    boot.put(GOOD)
    made = Card(boot.card, refuse)
    told = Provisioning(boot.paths, made).run()
    assert [reason.code for reason in told] == ["provision_not_wiped"]
    boot.paths.config.write_text('[system]\nhostname = "later"\n')
    Provisioning(boot.paths, made).run()
    assert "later" in boot.paths.config.read_text()
    assert boot.codes()[-2:] == ["provision_known", "provision_not_wiped"]
    assert boot.start() == ()  # writable again
    assert boot.names() == [DONE]
    boot.put(GOOD)  # the same file, put there on purpose
    boot.start()
    assert "dial-secret" in boot.paths.config.read_text()


class PowerCut(BaseException):
    """Nothing after it happens."""


def writes(folder: Path) -> list[Callable[[], None]]:
    """The writes of a wipe, counted by doing one on a copy."""
    copy = folder.parent / "copy"
    shutil.copytree(folder, copy)
    seen: list[Callable[[], None]] = []
    real = card_module._overwrite
    try:
        card_module._overwrite = lambda *a: (seen.append(lambda: None), real(*a))[1]
        Card(copy, lambda writable: None).wipe()
    finally:
        card_module._overwrite = real
        shutil.rmtree(copy)
    return seen


@pytest.mark.parametrize("size", [20, 300, 512, 513, 40_000, 69_000])
def test_a_power_cut_at_any_write_of_the_wipe_is_mended_at_the_next_start(
    boot: Boot, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (GOOD if size > 300 else "version = 1\n").ljust(size - 1, "\n") + "\n"
    boot.put(text)
    count = len(writes(boot.card))
    assert count >= 1
    real = card_module._overwrite
    for cut in range(count + 1):
        boot.put(text)
        done = 0

        def once(handle: int, start: int, data: bytes, cut: int = cut) -> None:
            nonlocal done
            if done == cut:
                raise PowerCut
            done += 1
            real(handle, start, data)

        def no_rename(self: Path, target: Path) -> None:
            raise PowerCut

        with monkeypatch.context() as patch:
            patch.setattr(card_module, "_overwrite", once)
            patch.setattr(Path, "replace", no_rename) if cut == count else None
            with pytest.raises(PowerCut):
                Card(boot.card, lambda writable: None).wipe()
        if cut == 0:
            assert (boot.card / NAME).read_text() == text
            continue
        assert boot.start() == ()
        assert boot.names() == [DONE]
        assert not boot.paths.config.exists()  # half a file is never taken in
        assert boot.leaks() == []
        (boot.card / DONE).unlink()


def test_the_supervisor_tells_what_was_wrong(tmp_path: Path) -> None:
    router = Router(tmp_path)
    boot = Boot.__new__(Boot)
    boot.paths, boot.card, boot.volatile, boot.remounts = router.paths, tmp_path / "c", False, []
    boot.card.mkdir()
    router.paths.run.mkdir(parents=True, exist_ok=True)
    boot.put("version = 1\n[lan]\naddress = 1\n")
    told = boot.start()
    router.start()
    try:
        assert set(told) <= set(router.client.status().warnings)
        assert "provision_refused" in router.codes()
    finally:
        router.close()
