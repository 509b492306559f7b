"""The certificate of the page's HTTPS, made by the real openssl."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from masqgate import certificate, cli
from masqgate.contract.document import parse
from masqgate.contract.paths import Paths
from masqgate.system import offline
from masqgate.system.certificate import certificate_for, fingerprint

from tests.lab.world import ROOT

UNITS = ROOT / "rootfs-overlay" / "usr" / "lib" / "systemd" / "system"


@pytest.fixture
def paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Paths:
    found = Paths(tmp_path / "run", tmp_path / "data", ROOT / "rootfs-overlay/usr/share/masqgate")
    for name in ("run", "data", "share"):
        monkeypatch.setenv(f"MASQGATE_{name.upper()}", str(getattr(found, name)))
    return found


def said(data: bytes, *what: str) -> str:
    done = subprocess.run(
        ["openssl", "x509", "-noout", *what], input=data, capture_output=True, check=True
    )
    return done.stdout.decode()


def test_it_is_for_all_names_of_the_router(tmp_path: Path) -> None:
    config = parse('[system]\nhostname = "hut"\n[lan]\ndomain = "example.lan"\n')
    made = certificate_for(config, tmp_path / "kept.pem")
    text = said(made, "-ext", "subjectAltName,basicConstraints,extendedKeyUsage")
    for name in ("DNS:hut.example.lan", "DNS:hut,", "DNS:hut.local", "IP Address:192.168.77.1"):
        assert name in text
    assert "CA:FALSE" in text and "TLS Web Server Authentication" in text


def test_it_is_made_once_and_anew_for_another_name(tmp_path: Path) -> None:
    kept = tmp_path / "config" / "kept.pem"
    first = certificate_for(parse(""), kept)
    assert kept.stat().st_mode & 0o777 == 0o600
    assert certificate_for(parse(""), kept) == first
    other = certificate_for(parse('[system]\nhostname = "hut"\n'), kept)
    assert other != first and kept.read_bytes() == other
    kept.write_bytes(first[:100])
    assert said(certificate_for(parse(""), kept), "-subject")


def test_a_card_that_keeps_nothing_has_one_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "config").write_text("no folder")
    assert said(certificate_for(parse(""), tmp_path / "config" / "kept.pem"), "-subject")


def test_the_pages_are_given_a_copy_and_the_shell_tells_its_fingerprint(
    paths: Paths, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["certificate"]) != 0
    assert "The first visit by https makes one." in capsys.readouterr().err
    assert certificate.main() == 0
    assert paths.certificate.read_bytes() == paths.kept_certificate.read_bytes()
    assert cli.main(["certificate"]) == 0
    told = capsys.readouterr().out.split()[-1]
    assert told == fingerprint(paths.certificate)
    assert (
        f"sha256 Fingerprint={told}".lower()
        in said(paths.certificate.read_bytes(), "-fingerprint", "-sha256").lower()
    )


def test_a_factory_reset_forgets_the_key(paths: Paths) -> None:
    certificate.main()
    offline.factory_reset(paths)
    assert not paths.kept_certificate.exists()


def test_both_servers_of_the_pages_have_the_same_bounds() -> None:
    def service(name: str) -> list[str]:
        text = (UNITS / name).read_text().partition("[Service]")[2].partition("[Install]")[0]
        lines = [line for line in text.splitlines() if line and not line.startswith("#")]
        return [line for line in lines if "page.pem" not in line]

    assert service("masqgate-web.service") == service("masqgate-web-tls.service")
