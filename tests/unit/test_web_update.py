"""The update page: who may, how a bundle passes through, what is told."""

from __future__ import annotations

import io
from typing import Any

import msgspec
import pytest
from masqgate.contract.errors import MasqgateError
from masqgate_web.uploads import CHUNK, EXTEND, MAX_UPLOAD, UPLOAD_S

from tests.unit.web_site import BASE, Site, Visitor, words

BIG = 3_000_000  # bytes: more than any other form may have


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Site:
    # The client of the tests makes boundaries of a random length: now and then longer than RFC
    # 2046, section 5.1.1, allows.
    monkeypatch.setattr("werkzeug.test.random", lambda: 0.5)
    return Site()


def upload(visitor: Visitor, data: bytes, token: str | None = None, **fields: str) -> Any:
    form: dict[str, Any] = {"form_token": visitor.token() if token is None else token, **fields}
    form["bundle"] = (io.BytesIO(data), "x.bundle")
    headers = {"Origin": BASE}
    return visitor.client.post("/update/upload", base_url=BASE, data=form, headers=headers)


def test_a_bundle_passes_through_in_pieces(site: Site) -> None:
    admin = site.admin()
    answer = upload(admin, bytes(BIG))
    assert answer.status_code == 303
    size, largest, downgrade = site.updates.took[0]
    assert size == BIG
    assert largest <= 2 * CHUNK
    assert not downgrade
    assert "0.2.0 is in slot B" in words(admin.get("/update"))


def test_what_looks_like_a_boundary_is_content(site: Site) -> None:
    data = b"\r\n--" * 50_000 + bytes(range(256)) * 1000 + b"\r\n-"
    upload(site.admin(), data)
    assert site.updates.took[0][0] == len(data)


def test_consent_to_an_older_version_is_handed_on(site: Site) -> None:
    upload(site.admin(), b"x", allow_downgrade="1")
    assert site.updates.took == [(1, 1, True)]


def test_a_refusal_is_told_with_its_hint(site: Site) -> None:
    site.updates.refusal = MasqgateError("update_foreign", "Somebody unknown.", "Take another.")
    answer = upload(site.admin(), bytes(BIG))
    assert answer.status_code == 409
    assert "Somebody unknown. Take another." in words(answer)


def test_nobody_uploads_without_login(site: Site) -> None:
    answer = upload(site.visitor(), bytes(BIG))
    assert answer.status_code == 303
    assert "/login" in answer.headers["Location"]
    assert site.updates.took == []
    for path in ("/update", "/update/live"):
        assert "/login" in site.visitor().get(path).headers["Location"]


@pytest.mark.parametrize("token", ["", "x", "é"])
def test_nor_without_the_forms_token(site: Site, token: str) -> None:
    answer = upload(site.admin(), b"x", token)
    assert answer.status_code == 403
    assert site.updates.took == []


def test_nor_from_another_site(site: Site) -> None:
    admin = site.admin()
    form = {"form_token": admin.token(), "bundle": (io.BytesIO(b"x"), "x")}
    answer = admin.client.post(
        "/update/upload", base_url=BASE, data=form, headers={"Origin": "http://evil.example"}
    )
    assert answer.status_code == 403
    assert site.updates.took == []


def test_more_than_an_update_can_have_is_not_read(site: Site) -> None:
    answer = site.admin().client.post(
        "/update/upload", base_url=BASE, headers={"Origin": BASE}, data=b"--x",
        content_type="multipart/form-data; boundary=x",
        environ_overrides={"CONTENT_LENGTH": str(MAX_UPLOAD + 1)},
    )  # fmt: skip
    assert answer.status_code == 413
    assert "256 MiB" in words(answer)


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/octet-stream", b"x"),
        ("multipart/form-data", b"x"),
        ("multipart/form-data; boundary=x", b"--x\r\n\r\n\r\n--x--"),
    ],
)
def test_what_is_no_upload(site: Site, kind: str, body: bytes) -> None:
    answer = site.admin().client.post(
        "/update/upload", base_url=BASE, headers={"Origin": BASE}, data=body, content_type=kind
    )
    assert answer.status_code in (400, 403)
    assert site.updates.took == []


@pytest.mark.parametrize(
    "body",
    [b"x" * BIG, b"--x\r\n" + b"y" * BIG, b"--x\r\n" + b"a: b\r\n" * (BIG // 6)],
    ids=["no boundary", "no end of the head", "many heads"],
)
def test_a_form_that_never_comes_to_its_file_is_not_collected(site: Site, body: bytes) -> None:
    answer = site.admin().client.post(
        "/update/upload", base_url=BASE, headers={"Origin": BASE}, data=body,
        content_type="multipart/form-data; boundary=x",
    )  # fmt: skip
    assert answer.status_code == 413


def test_other_pages_take_no_more_than_before(site: Site) -> None:
    answer = site.admin().post("/configuration/document", {"text": "x" * 300_000})
    assert answer.status_code == 413


def test_only_an_accepted_upload_gets_more_time(site: Site) -> None:
    given: list[float] = []
    admin = site.admin()
    form = {"form_token": admin.token(), "bundle": (io.BytesIO(b"x"), "x")}
    for visitor in (admin, site.visitor()):
        visitor.client.post(
            "/update/upload", base_url=BASE, data=dict(form), headers={"Origin": BASE},
            environ_overrides={EXTEND: given.append},
        )  # fmt: skip
        form["bundle"] = (io.BytesIO(b"x"), "x")
    assert given == [UPLOAD_S]


def test_restart_and_back(site: Site) -> None:
    admin = site.admin()
    assert "restarts" in words(admin.post("/update/restart"))
    assert site.updates.restarts == 1
    assert admin.post("/update/back").status_code == 303
    assert "goes back to 0.0.9" in words(admin.get("/update"))


def test_progress_is_told_in_words(site: Site) -> None:
    text = "Writing to slot B: 12 of 50 MB."
    site.updates.status = msgspec.structs.replace(site.updates.status, phase="writing", text=text)
    shown = words(site.admin().get("/update/live"))
    assert text in shown
    assert "Restart now" not in shown
