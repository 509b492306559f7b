"""The key and certificate of the page's HTTPS: made on the router, for this router alone.

It is signed by itself, as there is nobody to vouch for a name on a LAN: a browser asks once, and
`masqgate certificate` tells the fingerprint to compare. Key and certificate are one file, so that
a power cut leaves both or none.
"""

from __future__ import annotations

import logging
import tempfile
from ipaddress import IPv4Address
from pathlib import Path

from masqgate.contract.config import Config

from . import atomic
from .run import run

DAYS = 36_500  # a router without a clock cannot know when it is time for another one
_MOST = 16_384  # bytes

log = logging.getLogger(__name__)


def certificate_for(config: Config, kept: Path) -> bytes:
    """Return key and certificate (PEM) for the router's names; `kept` holds them for next time.

    Another name or address of the router makes another certificate. ToolError or OSError if it
    cannot be made; one that cannot be kept is used all the same.
    """
    title = f"# {' '.join(_names(config))}\n".encode()
    try:
        with kept.open("rb") as file:
            found = file.read(_MOST)
        if found.startswith(title) and b"END CERTIFICATE" in found:
            return found
    except OSError:
        pass  # not made yet, or the card does not give it
    made = title + _make(config)
    try:
        atomic.write(kept, made)
    except OSError as error:
        log.warning("the certificate can't be kept, the next start makes one: %s", error.strerror)
    return made


def fingerprint(file: Path) -> str:
    """Return the SHA-256 of a certificate, as browsers show it; ToolError if there is none."""
    said = run(["openssl", "x509", "-in", str(file), "-noout", "-fingerprint", "-sha256"])
    return said.strip().partition("=")[2]


def _names(config: Config) -> list[str]:
    """By what browsers call the router; checked by the configuration's rules."""
    name = config.system.hostname
    return [f"{name}.{config.lan.domain}", name, f"{name}.local", str(config.lan.interface.ip)]


def _make(config: Config) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        request, key, made = (Path(folder) / name for name in ("request", "key", "certificate"))
        request.write_text(_request(_names(config)))
        run([
            "openssl", "req", "-x509", "-config", str(request), "-days", str(DAYS),
            "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-keyout", str(key), "-out", str(made),
        ])  # fmt: skip
        return key.read_bytes() + made.read_bytes()


def _request(names: list[str]) -> str:
    alternatives = ",".join(f"{_kind(name)}:{name}" for name in names)
    return (
        "[req]\nprompt = no\ndistinguished_name = name\nx509_extensions = extensions\n"
        f"[name]\nCN = {names[0][:64]}\n"
        f"[extensions]\nsubjectAltName = {alternatives}\n"
        "basicConstraints = critical, CA:FALSE\n"
        "keyUsage = critical, digitalSignature\nextendedKeyUsage = serverAuth\n"
    )


def _kind(name: str) -> str:
    try:
        IPv4Address(name)
    except ValueError:
        return "DNS"
    return "IP"
