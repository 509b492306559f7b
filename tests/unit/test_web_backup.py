"""The page's backup: downloaded with the password, restored like any other document."""

from __future__ import annotations

import gzip
import io
from typing import Any

import pytest
from masqgate.contract import backup
from masqgate.contract.backup import Backup
from masqgate.contract.document import parse

from tests.browser.fake_router import CONFIG
from tests.unit.web_site import PASSWORD, Site, Visitor, words

DOWNLOAD, RESTORE = "/configuration/backup/download", "/configuration/backup/restore"


@pytest.fixture
def site() -> Site:
    return Site()


def upload(admin: Visitor, data: bytes, name: str = "b.toml") -> Any:
    return admin.post(RESTORE, {"backup": (io.BytesIO(data), name)})  # type: ignore[dict-item]


def test_a_download_with_secrets_takes_the_password(site: Site) -> None:
    admin = site.admin()
    refused = admin.post(DOWNLOAD, {"secrets": "on", "password": "wrong"})
    assert refused.status_code == 409
    assert "not the password" in words(refused)
    answer = admin.post(DOWNLOAD, {"secrets": "on", "password": PASSWORD})
    assert answer.status_code == 200
    assert answer.headers["Content-Disposition"].startswith('attachment; filename="masqgate-')
    assert answer.headers["Cache-Control"] == "no-store"
    assert "open sesame" in answer.text
    assert backup.read(answer.text).config == site.router.config


def test_a_download_without_secrets_takes_none(site: Site) -> None:
    answer = site.admin().post(DOWNLOAD)
    assert answer.status_code == 200
    assert "open sesame" not in answer.text


@pytest.mark.parametrize("path", [DOWNLOAD, RESTORE, "/configuration/backup"])
def test_only_the_administrator_may(site: Site, path: str) -> None:
    visitor = site.visitor()
    answer = visitor.get(path) if path.endswith("backup") else visitor.post(path)
    assert answer.status_code == 303
    assert "/login" in answer.headers["Location"]
    assert not [asked for asked in site.router.asked if asked[0] == "backup"]


def test_a_restored_backup_is_in_force_with_the_stored_secrets(site: Site) -> None:
    other = parse(CONFIG.replace("0555123", "0555999"))
    text = backup.write(Backup(other, secrets=False))
    answer = upload(site.admin(), text.encode())
    assert answer.status_code == 303
    modem = site.router.config.modems[0]
    assert (modem.number, modem.password.reveal()) == ("0555999", "open sesame")


def test_a_backup_with_another_lan_address_is_asked_about_first(site: Site) -> None:
    other = parse(CONFIG.replace("192.168.77.1/24", "192.168.77.2/24"))
    before = site.router.config
    admin = site.admin()
    answer = upload(admin, backup.write(Backup(other, secrets=True)).encode())
    assert answer.status_code == 200
    assert "192.168.77.2" in words(answer)
    assert site.router.config == before
    admin.post("/configuration/move")
    assert site.router.config.lan.address == "192.168.77.2/24"


@pytest.mark.parametrize(
    "data",
    [
        b"", CONFIG.encode(), b"\x1f\x8b\x08", gzip.compress(b"\0" * 9_000_000),
        b"../../evil", b"[backup]\nformat = 7\n",
        backup.write(Backup(parse(CONFIG))).replace("0555123", "0").encode(),
    ],
)  # fmt: skip
def test_what_is_no_good_backup_changes_nothing(site: Site, data: bytes) -> None:
    before = site.router.config
    answer = upload(site.admin(), data, "../../../etc/passwd")
    assert answer.status_code in (409, 422)
    assert 'role="alert"' in answer.text
    assert site.router.config == before
    assert not [asked for asked in site.router.asked if asked[0] == "config_apply"]


def test_a_file_that_is_too_large_is_refused(site: Site) -> None:
    assert upload(site.admin(), b"#" * 300_000).status_code == 413
