"""The slow layer: Debian's packages, downloaded and unpacked, no script of theirs run.

Maintainer scripts would have to run under emulation (about 1000 s). What they would have
made is made from the outside instead: see accounts.py and tree.py.
"""

import platform
from pathlib import Path

from .layer import run

SUITE = "trixie"
BOOT_PACKAGES = ("linux-image-arm64", "raspi-firmware", "u-boot-rpi")
# An interpreter of the image's version for the machine that builds, to compile bytecode.
PYTHON_PACKAGES = ("base-files", "libc6", "python3.13-minimal", "libpython3.13-stdlib")
# No .list files exist in an extracted tree: what was installed is told by the archives.
# packages.manifest: package, version, source, its version, SHA-256 of the archive;
# packages.files: package and path of each of its files.
_MANIFEST_HOOK = r"""
cd "$1/var/cache/apt/archives" || exit 1
for deb in *.deb; do
    dpkg-deb -W \
        --showformat='${Package} ${Version} ${source:Package} ${source:Version} ' "$deb"
    sha256sum "$deb" | cut -c -64
done | LC_ALL=C sort >"$1/packages.manifest"
for deb in *.deb; do
    name=$(dpkg-deb -f "$deb" Package)
    dpkg-deb --fsys-tarfile "$deb" | tar -t | sed -n "/[^/]$/s|^\./|$name |p"
done | LC_ALL=C sort >"$1/packages.files"
"""


def unpack_router(layer_dir: Path, packages: list[str]) -> None:
    """Unpack the router's packages, kernel, firmware and boot loader to `tree`."""
    _mmdebstrap(layer_dir, "arm64", [*packages, *BOOT_PACKAGES])
    for name in ("packages.manifest", "packages.files"):
        (layer_dir / "tree" / name).rename(layer_dir / name)


def unpack_python(layer_dir: Path) -> None:
    """Unpack the interpreter that compiles bytecode, for this machine, to `tree`."""
    machine = {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()]
    _mmdebstrap(layer_dir, machine, list(PYTHON_PACKAGES))


def _mmdebstrap(layer_dir: Path, architecture: str, packages: list[str]) -> None:
    archive = layer_dir / "tree.tar"
    run(
        [
            "mmdebstrap",
            "--variant=extract",
            "--mode=root",
            f"--architectures={architecture}",
            "--components=main,non-free-firmware",
            f"--include={','.join(packages)}",
            '--aptopt=APT::Install-Recommends "false"',
            "--skip=output/dev",
            f"--extract-hook={_MANIFEST_HOOK}",
            SUITE,
            archive,
        ]
    )
    tree = layer_dir / "tree"
    tree.mkdir()
    run(["tar", "--extract", "--numeric-owner", "--file", archive, "--directory", tree])
    archive.unlink()
