"""Make the folder of a release from a build: `make release`.

Everything in it is a function of the build and of SOURCE_DATE_EPOCH (the last commit's
time if it is not set): two runs give the same bytes.
"""

from __future__ import annotations

import argparse
import hashlib
import lzma
import shutil
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

from builder.epoch import image_epoch
from bundle import add_arguments, make_bundle
from flash_source import CHUNK, file_sha256
from keys import Keys, KeysError, chosen_keys
from lock import LOCK, Package, format_lock, parse_manifest
from release_bmap import make_bmap
from release_files import flash_program, imager_manifest, licence_archive, licence_list
from release_sbom import Image, make_bill, vendored_components

REPOSITORY = Path(__file__).resolve().parent.parent
VENDOR = REPOSITORY / "webui/masqgate_web/static/vendor"


class ReleaseError(Exception):
    """A release can't be made; the text says why, and what to do."""


@dataclass(frozen=True)
class Build:
    """What a build left: the card's image, its packages and their licences."""

    image: Path
    packages: list[Package]  # of which something is in the image
    lock: str  # of all that were unpacked
    licences: Path

    @property
    def copyrights(self) -> dict[str, str]:
        """Return the copyright file of each package."""
        return {
            each.name: (self.licences / each.name).read_text(errors="replace")
            for each in self.packages
        }


def read_build(folder: Path) -> Build:
    """Read what a build left in `folder`; ReleaseError if something is missing."""
    names = ("masqgate.img", "packages.manifest", "packages.present", "licences")
    for name in names:
        if not (folder / name).exists():
            raise ReleaseError(f"There is no {folder / name}. Build the image first: make image.")
    present = set((folder / "packages.present").read_text().split())
    packages = parse_manifest((folder / "packages.manifest").read_text())
    kept = [each for each in packages if each.name in present]
    return Build(folder / "masqgate.img", kept, format_lock(packages), folder / "licences")


def make_release(
    build: Build, version: str, epoch: int, url: str, target: Path, keys: Keys
) -> None:
    """Write the release's files to the empty folder `target`."""
    name = f"masqgate-{version}"
    packed = target / f"{name}.img.xz"
    unpacked_sha256 = pack(build.image, packed)
    (target / f"{name}.img.bmap").write_bytes(make_bmap(build.image))
    make_bundle(build.image, keys, target / f"{name}.bundle")
    if file_sha256(build.image) != unpacked_sha256:
        raise ReleaseError("The image was built anew meanwhile. Start again.")
    flash_program(Path(__file__).parent, target / "masqgate-flash.pyz")
    image = Image(version, unpacked_sha256, epoch)
    bill = make_bill(image, build.packages, build.copyrights, vendored_components(VENDOR))
    (target / f"{name}.cdx.json").write_text(bill)
    (target / "packages.lock").write_text(build.lock)
    (target / "LICENCES.txt").write_text(licence_list(build.packages, build.copyrights))
    ours = {"masqgate": REPOSITORY / "LICENSE", **{path.name: path for path in _vendored()}}
    licence_archive(build.licences, ours, epoch, target / "licences.tar.xz")
    shutil.copyfile(REPOSITORY / "CHANGELOG.md", target / "CHANGELOG.md")
    base = url or target.as_uri()
    manifest = imager_manifest(
        f"{base.rstrip('/')}/{packed.name}",
        version,
        epoch,
        (build.image.stat().st_size, unpacked_sha256),
        (packed.stat().st_size, file_sha256(packed)),
    )
    (target / "os_list.json").write_text(manifest)
    write_sums(target)


def _vendored() -> list[Path]:
    return sorted(VENDOR.glob("LICENSE*"))


def pack(image: Path, target: Path) -> str:
    """Compress the image; return the SHA-256 of what was compressed."""
    digest = hashlib.sha256()
    with image.open("rb") as source, lzma.open(target, "wb", preset=6) as packed:
        while data := source.read(CHUNK):
            digest.update(data)
            packed.write(data)
    return digest.hexdigest()


def write_sums(folder: Path) -> None:
    """Write SHA256SUMS over every other file of the folder, as sha256sum -c reads it."""
    rows = (
        f"{file_sha256(path)}  {path.name}\n"
        for path in sorted(folder.iterdir())
        if path.name != "SHA256SUMS"
    )
    (folder / "SHA256SUMS").write_text("".join(rows))


def project_version() -> str:
    """Return the version in pyproject.toml."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    return str(project["version"])


def uncommitted() -> list[str]:
    """Return the files of the working tree that no commit holds as they are."""
    command = ["git", "-c", f"safe.directory={REPOSITORY}", "-C", str(REPOSITORY)]
    done = subprocess.run([*command, "status", "--porcelain"], capture_output=True, text=True)
    if done.returncode:
        raise ReleaseError("The history can't be read. Make releases from a clone, with git.")
    return done.stdout.splitlines()


def check_state(build: Build) -> None:
    """Raise ReleaseError if the build is not what commit and lock say."""
    if changes := uncommitted():
        raise ReleaseError(
            f"{len(changes)} files differ from the last commit ({changes[0].strip()}, ...).\n"
            "  Commit them, or make a draft: --draft."
        )
    if not LOCK.is_file() or LOCK.read_text() != build.lock:
        raise ReleaseError(
            "The build's packages are not those of image/packages.lock.\n"
            "  Look at the differences (python3 image/lock.py --check), then make lock."
        )


def main(arguments: list[str]) -> int:
    """Make a release; return the exit status."""
    parser = argparse.ArgumentParser(prog="release", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--build", type=Path, default=REPOSITORY / "build")
    parser.add_argument("--url", default="", help="where the files will be published")
    parser.add_argument("--draft", action="store_true", help="from any state of the tree")
    add_arguments(parser)
    chosen = parser.parse_args(arguments)
    version = project_version() + ("-draft" if chosen.draft else "")
    target = (chosen.build / "release" / f"masqgate-{version}").resolve()
    try:
        build = read_build(chosen.build)
        keys = chosen_keys(chosen.build / "keys", chosen.key, chosen.cert, chosen.keyring)
        if not chosen.draft:
            check_state(build)
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True)
        make_release(build, version, image_epoch(), chosen.url, target, keys)
    except (ReleaseError, KeysError) as error:
        print(f"release: {error}", file=sys.stderr)
        return 1
    for path in sorted(target.iterdir()):
        print(f"  {path.stat().st_size:>11}  {path.name}")
    print(f"release: {target}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
