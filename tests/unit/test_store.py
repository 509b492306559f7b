"""The configuration's files: broken, torn, full, read-only."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from masqgate.contract.config import Config, Lan, System
from masqgate.contract.document import render
from masqgate.contract.errors import MasqgateError
from masqgate.contract.paths import Paths
from masqgate.system import atomic, offline
from masqgate.system import store as store_module
from masqgate.system.password import PasswordFile
from masqgate.system.store import Store
from msgspec.structs import replace

from tests.unit.router import DOCUMENT, Router, config, until

BROKEN = [
    b"",  # not broken at all: an empty document is the default one; see below
    b"version = 2\n",
    b"[lan\n",
    b"\xff\xfe\x00",
    b"lan = 3\n",
    b"\0" * 4096,  # what a power cut leaves of a file on some file systems
    DOCUMENT.encode()[:100],
    b"x = " + b"[" * 50_000,
    b"#" * 70_000,
    b"x = " + b"9" * 5000,
    b"version = true\n",
    b"version = 1.0\n",
]


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    made = Paths(tmp_path / "run", tmp_path / "data", tmp_path / "share")
    for folder in (made.share, made.config.parent):
        folder.mkdir(parents=True)
    made.factory_config.write_text('[system]\nhostname = "factory"\n')
    return made


def named(name: str) -> Config:
    return Config(system=System(hostname=name))


@pytest.mark.parametrize("data", BROKEN[1:])
def test_a_broken_configuration_gives_way_to_the_previous_one_and_says_why(
    paths: Paths, data: bytes
) -> None:
    paths.config.write_bytes(data)
    paths.previous_config.write_text(render(named("before")))
    loaded = Store(paths).load()
    assert (loaded.origin, loaded.config.system.hostname) == ("previous", "before")
    (warning,) = loaded.warnings
    assert warning.code == "config_saved_unusable"
    assert warning.text.startswith("The saved configuration cannot be used: ")
    assert warning.text.isprintable()


@pytest.mark.parametrize("data", BROKEN[1:])
def test_with_both_broken_the_factorys_is_taken(paths: Paths, data: bytes) -> None:
    paths.config.write_bytes(data)
    paths.previous_config.write_bytes(data)
    loaded = Store(paths).load()
    assert (loaded.origin, loaded.config.system.hostname) == ("factory", "factory")
    assert [warning.code for warning in loaded.warnings] == [
        "config_saved_unusable", "config_previous_unusable",
    ]  # fmt: skip


def test_with_nothing_at_all_there_is_still_a_configuration(tmp_path: Path) -> None:
    loaded = Store(Paths(tmp_path / "a", tmp_path / "b", tmp_path / "c")).load()
    assert loaded.origin == "built-in"
    assert loaded.config == Config()
    assert [warning.code for warning in loaded.warnings] == ["config_factory_unusable"]


def test_a_new_router_is_not_warned_of(paths: Paths) -> None:
    loaded = Store(paths).load()
    assert (loaded.origin, loaded.warnings) == ("factory", ())


def test_an_unreadable_file_does_not_stop_the_start(paths: Paths) -> None:
    paths.config.mkdir()
    assert Store(paths).load().origin == "factory"


def test_a_broken_file_does_not_stop_the_supervisor(tmp_path: Path) -> None:
    router = Router(tmp_path, "this is = not toml [")
    router.start()
    until(lambda: bool(router.applier.applied))
    status = router.client.status()
    assert status.hostname == "factory"
    assert status.warnings[0].code == "config_saved_unusable"
    assert "config_saved_unusable" in router.codes()
    router.client.config_apply(DOCUMENT)
    assert router.client.status().warnings == ()
    router.close()


def test_what_is_saved_is_read_again_and_the_one_before_is_kept(paths: Paths) -> None:
    store = Store(paths)
    old, new = config(), named("new")
    store.stage(old, named("oldest")).commit()
    store.stage(new, old).commit()
    assert store.load().config == new
    assert store.previous() == old
    for path in (paths.config, paths.previous_config):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_document_that_could_not_be_read_again_is_refused(paths: Paths) -> None:
    """Written out, a short document may grow: each quotation mark takes two bytes, or six."""
    store = Store(paths)
    store.stage(config(), named("old")).commit()
    modem = config().modems[0]
    large = replace(modem, init=("AT" + '"' * 126,) * 300)
    with pytest.raises(MasqgateError) as caught:
        store.stage(Config(uplink=(large,)), config())
    assert caught.value.code == "too_large"
    assert not list(paths.config.parent.glob(".*"))
    assert store.load().config == config()


def test_whatever_goes_wrong_with_a_file_the_router_starts(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths.config.write_text(render(named("saved")))
    paths.previous_config.write_text(render(named("before")))
    parse = store_module.parse

    def fails(text: str) -> Config:
        if "saved" in text:
            raise ValueError("nobody has thought of this")
        return parse(text)

    monkeypatch.setattr(store_module, "parse", fails)
    loaded = Store(paths).load()
    assert (loaded.origin, loaded.config) == ("previous", named("before"))
    assert "nobody has thought of this" in loaded.warnings[0].text


def test_staged_and_discarded_leaves_no_trace(paths: Paths) -> None:
    store = Store(paths)
    store.stage(named("new"), named("old")).discard()
    assert list(paths.config.parent.iterdir()) == []


@pytest.mark.parametrize("steps", range(12))
def test_a_power_cut_at_any_step_leaves_the_old_or_the_new_one(
    paths: Paths, steps: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Let the process die after so many steps on the file system, then start again."""
    store = Store(paths)
    old, new = config(), named("new")
    store.stage(old, named("oldest")).commit()
    left = steps

    class PowerCut(BaseException):
        pass

    def counted(function):  # type: ignore[no-untyped-def]
        def step(*arguments, **more):  # type: ignore[no-untyped-def]
            nonlocal left
            if left == 0:
                raise PowerCut
            left -= 1
            return function(*arguments, **more)

        return step

    with monkeypatch.context() as patch:
        for name in ("open", "fsync", "fchmod"):
            patch.setattr(os, name, counted(getattr(os, name)))
        patch.setattr(Path, "replace", counted(Path.replace))
        with contextlib.suppress(PowerCut):
            store.stage(new, old).commit()
    loaded = store.load()
    assert loaded.origin == "saved"
    assert loaded.config in (old, new)
    assert loaded.warnings == ()
    store.stage(new, loaded.config).commit()
    assert store.load().config == new


@pytest.mark.parametrize(
    ("number", "says"),
    [
        (errno.ENOSPC, "the data partition is full"),
        (errno.EROFS, "the data partition is read-only"),
        (errno.EIO, "the card has a read or write error"),
    ],
)
@pytest.mark.parametrize("call", ["open", "fsync", "replace"])
def test_a_failing_disk_refuses_a_save_and_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, number: int, says: str
) -> None:
    router = Router(tmp_path)
    router.start()
    until(lambda: bool(router.applier.applied))
    before = router.paths.config.read_bytes()

    def fails(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        target = Path if call == "replace" else atomic.os
        patch.setattr(target, call, fails)
        with pytest.raises(MasqgateError) as caught:
            router.client.config_apply(DOCUMENT.replace("5551000", "5552000"))
    assert caught.value.code == "not_saved"
    assert says in caught.value.text
    assert router.paths.config.read_bytes() == before
    assert not router.paths.previous_config.exists()
    assert not list(router.paths.config.parent.glob(".*"))
    assert "5551000" in router.client.config_show()
    assert router.applied()[0].modems[0].number == "5551000"
    router.client.config_apply(DOCUMENT.replace("5551000", "5552000"))
    router.close()


@pytest.fixture
def tiny(tmp_path: Path) -> Iterator[Path]:
    """A real file system of 64 KiB."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small file system needs root")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def fill(folder: Path) -> None:
    with (folder / "ballast").open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"x" * 1024)
        except OSError:
            pass


def test_on_a_full_disk_the_router_goes_on_and_saves_again_when_there_is_room(
    tiny: Path,
) -> None:
    router = Router(tiny.parent)
    router.paths = Paths(router.paths.run, tiny, router.paths.share)
    router.paths.config.parent.mkdir(parents=True)
    router.paths.config.write_text(DOCUMENT)
    router.start()
    until(lambda: bool(router.applier.applied))
    fill(tiny)
    with pytest.raises(MasqgateError) as caught:
        router.client.config_apply(DOCUMENT.replace("5551000", "5552000"))
    assert "full" in caught.value.text
    with pytest.raises(MasqgateError):
        router.client.password_set("correct horse battery")

    def warned_of_both() -> bool:
        """A few more events, until the history's last page is full, too."""
        with contextlib.suppress(MasqgateError):
            router.client.config_apply(DOCUMENT.replace("5551000", "5552000"))
        codes = {warning.code for warning in router.client.status().warnings}
        return codes >= {"data_full", "history_not_saved"}

    until(warned_of_both)
    assert router.codes()[-1] == "config_refused", "the history goes on in memory"
    router.stop()
    router.start()
    assert "5551000" in router.client.config_show()
    (tiny / "ballast").unlink()
    router.client.config_apply(DOCUMENT.replace("5551000", "5552000"))
    router.client.password_set("correct horse battery")
    assert "history_not_saved" not in {w.code for w in router.client.status().warnings}
    router.close()


def test_on_a_read_only_disk_the_router_starts_and_says_so(tiny: Path) -> None:
    router = Router(tiny.parent)
    router.paths = Paths(router.paths.run, tiny, router.paths.share)
    router.paths.config.parent.mkdir(parents=True)
    router.paths.config.write_text(DOCUMENT)
    subprocess.run(["mount", "-o", "remount,ro", str(tiny)], check=True)
    router.start()
    until(lambda: bool(router.applier.applied))
    codes = {warning.code for warning in router.client.status().warnings}
    assert codes >= {"data_read_only", "history_not_saved"}
    with pytest.raises(MasqgateError) as caught:
        router.client.config_apply(DOCUMENT.replace("5551000", "5552000"))
    assert "read-only" in caught.value.text
    assert router.codes()
    router.close()


def test_a_file_is_never_written_through_a_link(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("untouched")
    (tmp_path / ".target.new").symlink_to(victim)
    atomic.write(tmp_path / "target", b"new")
    assert victim.read_text() == "untouched"
    assert (tmp_path / "target").read_bytes() == b"new"
    assert not (tmp_path / "target").is_symlink()


def test_the_mode_does_not_depend_on_the_umask(tmp_path: Path) -> None:
    for mask in (0, 0o777):
        before = os.umask(mask)
        try:
            atomic.write(tmp_path / "secret", b"x", 0o600)
        finally:
            os.umask(before)
        assert stat.S_IMODE((tmp_path / "secret").stat().st_mode) == 0o600


def test_lan_default_is_what_the_factory_documents() -> None:
    assert Config().lan == Lan()


def test_a_power_cut_in_the_first_save_leaves_the_factorys_configuration_or_the_new_one(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a word of a configuration that is missing: there was none."""
    store = Store(paths)
    staged = store.stage(named("new"), store.load().config)
    seen: list[tuple[str, str, int]] = []
    commit = atomic.Staged.commit

    def look(file: atomic.Staged) -> None:
        commit(file)
        loaded = Store(paths).load()
        seen.append((loaded.origin, loaded.config.system.hostname, len(loaded.warnings)))

    monkeypatch.setattr(atomic.Staged, "commit", look)
    staged.commit()
    assert seen == [("saved", "new", 0)] * 2
    assert store.previous().system.hostname == "factory"


def test_a_factory_reset_that_a_power_cut_interrupts_is_finished_at_the_next_start(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cut after each change of a file."""

    class PowerCut(BaseException):
        pass

    def count_down(left: list[int], function: Callable[..., None]) -> Callable[..., None]:
        def changed(*arguments: object) -> None:
            if left[0] == 0:
                raise PowerCut
            left[0] -= 1
            function(*arguments)

        return changed

    commit, remove = atomic.Staged.commit, atomic.remove
    for steps in range(1, 20):
        offline.save(paths, named("before"))
        offline.save(paths, named("secret"))
        PasswordFile(paths.password).write("scrypt$secret")
        for path in (
            paths.events, paths.call_log, paths.usage, paths.kept_leases, paths.pin_mark("modem1"),
            paths.kept_prefixes,
        ):  # fmt: skip
            atomic.write(path, b"secret\n")
        left = [steps]
        finished = False
        with monkeypatch.context() as patched, contextlib.suppress(PowerCut):
            patched.setattr(atomic.Staged, "commit", count_down(left, commit))
            patched.setattr(atomic, "remove", count_down(left, remove))
            offline.factory_reset(paths)
            finished = True
        assert offline.finish_reset(paths) is not finished
        assert Store(paths).load().config.system.hostname == "factory"
        kept = [path.read_text() for path in paths.data.rglob("*") if path.is_file()]
        assert not any("secret" in text or "before" in text for text in kept)
        assert not offline.finish_reset(paths)
        if finished:
            break
    else:
        pytest.fail("a factory reset has no end")


# --- the copy of a slot -------------------------------------------------------------------


@pytest.fixture
def rolled_back(paths: Paths) -> Paths:
    """Slot A runs again, and a newer version has saved what it can't read."""
    paths = Paths(paths.run, paths.data, paths.share, paths.data.parent / "boot")
    paths.boot.mkdir()
    (paths.boot / "slot").write_text("a\n")
    for path in (paths.config, paths.previous_config):
        path.write_text("version = 2\n")
    paths.slot_config("a").parent.mkdir(parents=True)
    paths.slot_config("a").write_text(render(named("before-update")))
    paths.slot_config("b").parent.mkdir(parents=True)
    paths.slot_config("b").write_text(render(named("others")))
    return paths


def test_a_slot_that_cannot_read_the_newer_document_takes_its_own(rolled_back: Paths) -> None:
    loaded = Store(rolled_back).load()
    assert (loaded.origin, loaded.config.system.hostname) == ("kept", "before-update")
    assert [warning.code for warning in loaded.warnings] == [
        "config_saved_unusable", "config_previous_unusable", "config_kept_by_slot",
    ]  # fmt: skip


def test_what_can_be_read_is_newer_than_the_copy(rolled_back: Paths) -> None:
    rolled_back.config.write_text(render(named("now")))
    assert Store(rolled_back).load().config.system.hostname == "now"
    rolled_back.slot_config("a").write_text("version = 2\n")
    rolled_back.config.write_text("version = 2\n")
    assert Store(rolled_back).load().origin == "factory"


def test_a_factory_reset_erases_the_copies(rolled_back: Paths) -> None:
    offline.factory_reset(rolled_back)
    assert not rolled_back.slot_config("a").exists()
    assert not rolled_back.slot_config("b").exists()
