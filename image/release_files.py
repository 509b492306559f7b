"""The smaller files of a release: licences, the flash program, Raspberry Pi Imager's manifest."""

from __future__ import annotations

import io
import json
import tarfile
import zipfile
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from lock import Package
from release_sbom import licence_names

# Raspberry Pi Imager's names for the boards: Pi 4 and 400 and CM4; Pi 3, CM3 and Zero 2 W.
DEVICES = ("pi4-64bit", "pi3-64bit")
_LONG_AGO = (1980, 1, 1, 0, 0, 0)  # the earliest time that a zip file can hold
_FLASH_MAIN = (
    "import sys\n\nfrom flash import main, this_machine\n\n"
    "sys.exit(main(sys.argv[1:], this_machine()))\n"
)
_INTRODUCTION = """\
Masqgate's own code is free software under the GNU General Public License, version 2 or
later (file 'masqgate' in licences.tar.xz).

The image also holds the Debian packages below. The full copyright text of each is in
licences.tar.xz under the package's name, and in the image under /usr/share/doc. '-' stands
for a text that only people can read.

Source code: the source package named in the last column, in exactly that version, from
Debian's archive and its history at snapshot.debian.org.

"""


def licence_list(packages: Iterable[Package], copyrights: Mapping[str, str]) -> str:
    """Return a table of the packages with their licences and their sources."""
    rows = [("package", "version", "licences", "source")]
    for each in packages:
        names = ", ".join(licence_names(copyrights.get(each.name, ""))) or "-"
        rows.append((each.name, each.version, names, f"{each.source} {each.source_version}"))
    return _INTRODUCTION + "".join("\t".join(row) + "\n" for row in rows)


def licence_archive(folder: Path, further: Mapping[str, Path], epoch: int, target: Path) -> None:
    """Pack the licence texts, named after their packages, into a tar.xz."""
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*")}
    files.update(further)
    with tarfile.open(target, "w:xz", format=tarfile.USTAR_FORMAT) as archive:
        for name, path in sorted(files.items()):
            if path.is_file():
                data = path.read_bytes()
                entry = tarfile.TarInfo(f"licences/{name}")
                entry.size, entry.mtime, entry.mode = len(data), epoch, 0o644
                archive.addfile(entry, io.BytesIO(data))


def flash_program(folder: Path, target: Path) -> None:
    """Pack the flash program into one file that any Python 3.9 runs: a zipapp (PEP 441)."""
    sources = {path.name: path.read_text() for path in sorted(folder.glob("flash*.py"))}
    sources["__main__.py"] = _FLASH_MAIN
    with target.open("wb") as file:
        file.write(b"#!/usr/bin/env python3\n")
        with zipfile.ZipFile(file, "a", zipfile.ZIP_DEFLATED) as archive:
            for name, text in sources.items():
                entry = zipfile.ZipInfo(name, _LONG_AGO)
                entry.compress_type = zipfile.ZIP_DEFLATED
                archive.writestr(entry, text)
    target.chmod(0o755)


def imager_manifest(
    url: str, version: str, epoch: int, unpacked: tuple[int, str], packed: tuple[int, str]
) -> str:
    """Return the os_list that Raspberry Pi Imager takes by `--repo`; pairs of size and SHA-256."""
    day = datetime.fromtimestamp(epoch, UTC)
    entry = {
        "name": f"Masqgate {version}",
        "description": "A router whose uplink is a serial modem",
        "url": url,
        "release_date": day.strftime("%Y-%m-%d"),
        "extract_size": unpacked[0],
        "extract_sha256": unpacked[1],
        "image_download_size": packed[0],
        "image_download_sha256": packed[1],
        "devices": list(DEVICES),
        # The router has its own set-up page; Imager's customisation does not apply.
        "init_format": "none",
    }
    return json.dumps({"os_list": [entry]}, indent=1) + "\n"
