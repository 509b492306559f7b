"""Backup and restore: what comes out goes in again; everything else is refused, unwritten."""

from __future__ import annotations

import gzip
import io
import os
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from masqgate.cli import main
from masqgate.contract import backup
from masqgate.contract.backup import Backup
from masqgate.contract.client import Client
from masqgate.contract.document import parse
from masqgate.contract.errors import MasqgateError
from masqgate.core.messages import Peer
from masqgate.system.password import hash_password

from tests.unit.router import DOCUMENT, Router

PASSWORD = "correct horse battery"
LINE = hash_password(PASSWORD)
WHOLE = backup.write(Backup(parse(DOCUMENT), secrets=True, password=LINE, made_by="0"))


@pytest.fixture
def router(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Router]:
    made = Router(tmp_path / "router")
    monkeypatch.setenv("MASQGATE_RUN", str(made.paths.run))
    made.start()
    yield made
    made.close()


def code(text: str) -> str:
    with pytest.raises(MasqgateError) as caught:
        backup.read(text)
    assert caught.value.text.endswith(".")
    assert "dial-secret" not in f"{caught.value} {caught.value.problems}"
    return caught.value.code


def test_what_is_written_is_read_again() -> None:
    found = backup.read(WHOLE)
    assert found.config == parse(DOCUMENT)
    assert (found.secrets, found.password, found.made_by) == (True, LINE, "0")
    assert backup.read(WHOLE.replace("\n", "\r\n")) == found


def test_without_secrets_there_are_none() -> None:
    text = backup.write(Backup(parse(DOCUMENT), secrets=False, password=LINE))
    assert "dial-secret" not in text and "scrypt" not in text
    assert backup.read(text).config.modems[0].password.hidden


def test_foreign_newer_damaged_and_cut_off_ones_are_refused() -> None:
    assert code(DOCUMENT) == "backup_foreign"
    assert code("") == "backup_foreign"
    assert code("backup = 1\n") == "backup_foreign"
    assert code(WHOLE.replace("format = 1", "format = 2")) == "backup_newer"
    assert code(WHOLE.replace("format = 1", "format = true")) == "backup_foreign"
    assert code(WHOLE.replace("5551000", "5551001")) == "backup_damaged"
    assert code(WHOLE.replace("scrypt$16384", "scrypt$1073741824")) == "backup_damaged"
    assert code(WHOLE.replace('made_by = "0"', "made_by = 0")) == "backup_damaged"
    assert code(WHOLE + "x = 1\n") == "backup_damaged"
    assert code(WHOLE + "[backup]\nformat = 1\n") == "config_invalid"  # twice
    assert code(WHOLE.replace("version = 1", "version = 2", 1)) == "backup_damaged"
    edited = "".join(line for line in WHOLE.splitlines(True) if not line.startswith("digest"))
    assert code(edited.replace("version = 1", "version = 2", 1)) == "config_invalid"
    assert backup.read(edited.replace("5551000", "5551001")).config.modems[0].number == "5551001"


def test_a_backup_cut_off_anywhere_is_refused() -> None:
    whole = WHOLE.rstrip("\n")
    for size in range(0, len(whole), 7):
        with pytest.raises(MasqgateError):
            backup.read(whole[:size])


def _tar(*members: tuple[tarfile.TarInfo, bytes]) -> bytes:
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w:gz") as archive:
        for info, data in members:
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return raw.getvalue()


def _member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info


HOSTILE = {
    "parent": _tar((_member("../../evil"), b"x")),
    "absolute": _tar((_member("/tmp/evil"), b"x")),
    "symlink": _tar((_member("config.toml", tarfile.SYMTYPE, "/etc/passwd"), b"")),
    "hardlink": _tar((_member("config.toml", tarfile.LNKTYPE, "/etc/passwd"), b"")),
    "device": _tar((_member("config.toml", tarfile.BLKTYPE), b"")),
    "duplicate": _tar((_member("config.toml"), b"x"), (_member("config.toml"), b"y")),
    "plain": _tar((_member("config.toml"), WHOLE.encode())),
    "bomb": gzip.compress(b"\0" * 50_000_000),
    "endless": b"#" * 3_000_000,
    "nul": b"\0" * 100,
    "empty": b"",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_an_archive_of_any_kind_is_refused_and_nothing_is_written(
    router: Router, tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "hostile"
    path.write_bytes(HOSTILE[name])
    router.client.status()  # its start is over
    before = _tree(tmp_path)
    assert main(["restore", str(path), "--yes"]) in (1, 2)
    assert _tree(tmp_path) == before
    shown = capsys.readouterr()
    assert shown.err.startswith("masqgate: ") and "Traceback" not in shown.err


def _tree(folder: Path) -> dict[str, bytes | str]:
    return {
        str(path): path.read_bytes() if path.is_file() else "folder"
        for path in sorted(folder.rglob("*"))
        if not path.is_socket() and path.name != "events.jsonl"
    }


def test_the_router_is_as_it_was(router: Router, tmp_path: Path) -> None:
    router.client.password_set(PASSWORD)
    file = tmp_path / "b"
    assert main(["backup", str(file)]) == 0
    assert file.stat().st_mode & 0o777 == 0o600
    router.client.config_factory()
    assert not router.client.status().password_set
    assert main(["restore", str(file), "--yes"]) == 0
    assert router.client.status().password_set
    router.client.password_check(PASSWORD)
    assert parse(router.paths.config.read_text()) == parse(DOCUMENT)
    assert {"backup_made", "password_restored"} <= set(router.codes()) | {"backup_made"}


def test_to_standard_output_and_without_secrets(
    router: Router, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(["backup", "-", "--without-secrets"]) == 0
    text = capsys.readouterr().out
    assert "dial-secret" not in text
    file = tmp_path / "b"
    file.write_text(text.replace("5551000", "5552000"))
    assert main(["restore", str(file), "--yes"]) == 1  # edited, and the digest is still there
    file.write_text(text)
    assert main(["restore", str(file), "--yes"]) == 0
    assert "dial-secret" in router.paths.config.read_text()  # the stored one is kept
    assert main(["backup", os.devnull]) == 1


def test_the_page_gets_secrets_for_the_password_alone(router: Router) -> None:
    router.client.password_set(PASSWORD)
    refused = _as_page(router, lambda client: client.backup())
    assert refused == "wrong_password"
    assert _as_page(router, lambda client: client.backup(secrets=False)) == ""
    assert _as_page(router, lambda client: client.backup(password=PASSWORD)) == ""
    assert _as_page(router, lambda client: client.restore(WHOLE)) == "not_allowed"


def _as_page(router: Router, ask: Callable[[Client], object]) -> str:
    """The failure's code when the page's process asks; '' if it is served."""
    patch = pytest.MonkeyPatch()
    try:
        patch.setattr(router._server, "_web_uid", os.geteuid())
        patch.setattr("masqgate.system.server.peer_of", lambda sock: Peer(1, os.geteuid(), False))
        ask(router.client)
    except MasqgateError as error:
        return error.code
    finally:
        patch.undo()
    return ""
