"""What a build leaves for a release: which packages are in the image, and their licences."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from lock import parse_manifest, report

_BOOT = ("raspi-firmware", "u-boot-rpi")  # on the boot partition, not in the root
_DOCUMENTATION = "usr/share/doc/"
_COMMON = "usr/share/common-licenses"


def record(base: Path, root: Path, output: Path) -> str:
    """Write packages.manifest, packages.present and licences/ to `output`.

    `base` is the layer of unpacked packages, `root` the image's root file system. Returns
    what is to be said about the lock.
    """
    manifest = (base / "packages.manifest").read_text()
    files = (base / "packages.files").read_text()
    (output / "packages.manifest").write_text(manifest)
    present = sorted({*_present(root, files.splitlines()), *_BOOT})
    (output / "packages.present").write_text("".join(f"{name}\n" for name in present))
    _copy_licences(base / "tree", present, output / "licences")
    return report(parse_manifest(manifest))


def _present(root: Path, lines: Iterable[str]) -> set[str]:
    """Return the packages of which more than documentation is left in the root."""
    found: set[str] = set()
    for line in lines:
        name, _, path = line.partition(" ")
        if name in found or path.startswith(_DOCUMENTATION):
            continue
        file = root / path
        # busybox's links stand where other packages' commands were.
        if os.path.lexists(file) and not _is_busybox_link(file):
            found.add(name)
    return found


def _is_busybox_link(file: Path) -> bool:
    return file.is_symlink() and file.readlink().name == "busybox"


def _copy_licences(tree: Path, names: Iterable[str], target: Path) -> None:
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir()
    for name in names:
        shutil.copyfile(tree / _DOCUMENTATION / name / "copyright", target / name)
    common = target / "common"
    common.mkdir()
    for path in (tree / _COMMON).iterdir():
        if path.is_file():  # a link (GPL to GPL-3) becomes the text that it points to
            shutil.copyfile(path, common / path.name)
