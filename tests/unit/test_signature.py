"""Who may sign an update: the real openssl against signatures that somebody would like to pass."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from masqgate.contract.errors import MasqgateError
from masqgate.system.signature import verify

CURVE = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc"]
LEAF = "basicConstraints=critical,CA:FALSE\n"
AUTHORITY = "basicConstraints=critical,CA:TRUE\n"
MANIFEST, OTHER = b'{"version":"1"}', b'{"version":"2"}'


class Forge:
    """A folder with certificates and what they have signed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "manifest").write_bytes(MANIFEST)
        (folder / "other").write_bytes(OTHER)
        for name in ("ours", "theirs"):  # both call themselves the same
            self.openssl(
                "req", "-x509", *CURVE, "-days", "9000", "-subj", "/CN=Authority",
                "-keyout", f"{name}.key", "-out", f"{name}.pem",
            )  # fmt: skip
        self.issue("signer", "ours", LEAF)
        self.issue("stranger", "theirs", LEAF)
        self.issue("by-signer", "signer", LEAF)
        self.issue("authority-by-signer", "signer", AUTHORITY)
        self.issue("by-that", "authority-by-signer", LEAF)

    def openssl(self, *arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=self.folder, check=True, capture_output=True)

    def issue(self, name: str, by: str, extensions: str) -> None:
        (self.folder / "extensions").write_text(extensions)
        self.openssl(
            "req", *CURVE, "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", "request"
        )
        self.openssl(
            "x509", "-req", "-in", "request", "-CA", f"{by}.pem", "-CAkey", f"{by}.key",
            "-CAcreateserial", "-days", "9000", "-extfile", "extensions", "-out", f"{name}.pem",
        )  # fmt: skip

    def sign(self, *signers: str, data: str = "manifest", more: tuple[str, ...] = ()) -> bytes:
        by = [
            word for one in signers for word in ("-signer", f"{one}.pem", "-inkey", f"{one}.key")
        ]
        self.openssl(
            "cms", "-sign", "-binary", "-outform", "DER", "-in", data, "-out", "made", *by, *more
        )
        return self.made()

    def made(self) -> bytes:
        return (self.folder / "made").read_bytes()

    def chain(self, *names: str) -> tuple[str, ...]:
        """Certificates that go along, as a chain would."""
        texts = [(self.folder / f"{name}.pem").read_text() for name in names]
        (self.folder / "chain.pem").write_text("".join(texts))
        return ("-certfile", "chain.pem")

    def check(self, signature: bytes) -> None:
        verify(MANIFEST, signature, self.folder / "ours.pem", self.folder / "work")


@pytest.fixture(scope="module")
def forge(tmp_path_factory: pytest.TempPathFactory) -> Forge:
    return Forge(tmp_path_factory.mktemp("forge"))


def refused(forge: Forge, signature: bytes) -> None:
    with pytest.raises(MasqgateError) as caught:
        forge.check(signature)
    assert caught.value.code in ("update_foreign", "update_damaged")


def test_a_signer_of_the_keyring_is_known(forge: Forge) -> None:
    forge.check(forge.sign("signer"))
    forge.check(forge.sign("signer", more=("-noattr",)))


def test_a_stranger_is_not_although_its_authority_has_the_same_name(
    forge: Forge, monkeypatch: pytest.MonkeyPatch
) -> None:
    signature = forge.sign("stranger", more=forge.chain("theirs"))
    refused(forge, signature)
    monkeypatch.setenv("SSL_CERT_FILE", str(forge.folder / "theirs.pem"))
    refused(forge, signature)


def test_who_may_sign_may_not_appoint_others(forge: Forge) -> None:
    refused(forge, forge.sign("by-signer", more=forge.chain("signer")))
    refused(forge, forge.sign("authority-by-signer", more=forge.chain("signer")))
    refused(forge, forge.sign("by-that", more=forge.chain("authority-by-signer", "signer")))


def test_every_signer_must_be_known(forge: Forge) -> None:
    refused(forge, forge.sign("signer", "stranger"))
    refused(forge, forge.sign("stranger", "signer", more=forge.chain("theirs")))


def test_it_is_the_manifest_that_must_be_signed(forge: Forge) -> None:
    refused(forge, forge.sign("signer", data="other"))
    refused(forge, forge.sign("signer", data="other", more=("-nodetach",)))


def test_what_is_signed_by_nobody(forge: Forge) -> None:
    forge.openssl(
        "crl2pkcs7", "-nocrl", "-certfile", "signer.pem", "-outform", "DER", "-out", "made"
    )
    refused(forge, forge.made())  # certificates and no signature
    for kind in ("-data_create", "-digest_create"):
        forge.openssl("cms", kind, "-in", "manifest", "-outform", "DER", "-out", "made")
        refused(forge, forge.made())
    for nonsense in (b"", b"0", b"\x30\x80" * 1000):
        refused(forge, nonsense)
