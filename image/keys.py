"""The certificates that updates are signed with: real ones, or ones for development.

A build without given certificates makes its own, once, in `build/keys`: they differ from
machine to machine and never enter the repository, so no two people trust the same one.
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

_CA = "/O=Masqgate/CN=Masqgate development CA of this build folder"
_SIGNER = "/O=Masqgate/CN=Masqgate development signer"
_DAYS = "18250"  # the router does not look at the time
_EXTENSIONS = """\
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = codeSigning
"""


class KeysError(Exception):
    """Keys are missing or don't fit; the text says which, and what to do."""


@dataclass(frozen=True)
class Keys:
    """What a bundle is signed with, and what the image trusts."""

    key: Path
    certificate: Path
    keyring: Path

    @property
    def for_development(self) -> bool:
        """Whether these were made by the build itself."""
        return self.keyring.name == "development-ca.pem"


def development_keys(folder: Path) -> Keys:
    """Return the development keys in `folder`; made when they are missing."""
    keys = Keys(
        folder / "development-signer.key",
        folder / "development-signer.pem",
        folder / "development-ca.pem",
    )
    if not all(path.is_file() for path in (keys.key, keys.certificate, keys.keyring)):
        _make(folder, keys)
    return keys


def chosen_keys(folder: Path, key: str, certificate: str, keyring: str) -> Keys:
    """Return the given keys, or those for development where none are given.

    KeysError if only some of them are given, or a file is missing.
    """
    if not (key or certificate or keyring):
        return development_keys(folder)
    if not (key and certificate and keyring):
        raise KeysError("Give all of KEY=, CERT= and KEYRING=, or none of them.")
    for path in (key, certificate, keyring):
        if not Path(path).is_file():
            raise KeysError(f"There is no {path}.")
    return Keys(Path(key), Path(certificate), Path(keyring))


def _make(folder: Path, keys: Keys) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    ca_key, request, extensions = (
        folder / name for name in ("development-ca.key", "request", "extensions")
    )
    extensions.write_text(_EXTENSIONS)
    _openssl(
        "req", "-x509", "-newkey", "rsa:3072", "-noenc", "-days", _DAYS, "-subj", _CA,
        "-keyout", ca_key, "-out", keys.keyring,
    )  # fmt: skip
    _openssl(
        "req", "-newkey", "rsa:3072", "-noenc", "-subj", _SIGNER, "-keyout", keys.key,
        "-out", request,
    )  # fmt: skip
    _openssl(
        "x509", "-req", "-in", request, "-CA", keys.keyring, "-CAkey", ca_key, "-days", _DAYS,
        "-extfile", extensions, "-out", keys.certificate,
    )  # fmt: skip
    for path in (request, extensions):
        path.unlink()
    for path in (ca_key, keys.key):
        path.chmod(0o600)


def sign(data: Path, keys: Keys, signature: Path) -> None:
    """Write a detached CMS signature (DER), the same bytes each time; KeysError on failure."""
    _openssl(
        "cms", "-sign", "-binary", "-noattr", "-outform", "DER", "-in", data, "-signer",
        keys.certificate, "-inkey", keys.key, "-out", signature,
    )  # fmt: skip


def verify(data: Path, keys: Keys, signature: Path) -> None:
    """KeysError unless the image's keyring takes this signature: it would brick no router, but
    be refused by every one."""
    _openssl(
        "cms", "-verify", "-binary", "-inform", "DER", "-in", signature, "-content", data,
        "-CAfile", keys.keyring, "-no-CApath", "-no-CAstore", "-purpose", "any",
        "-no_check_time", "-out", "/dev/null",
    )  # fmt: skip


def _openssl(*arguments: str | Path) -> None:
    command = ["openssl", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        said = done.stderr.strip().splitlines() or ["no reason given"]
        raise KeysError(f"openssl {arguments[0]} failed: {said[-1]}")
