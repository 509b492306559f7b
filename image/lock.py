"""The lock of the image's packages: which version of what, with the archive's SHA-256.

`python3 image/lock.py` (make lock) writes image/packages.lock from the last build. Every
build compares itself with the lock and tells what differs: Debian's mirrors move, and a
difference is either a security update to be locked or something to look into.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

IMAGE_DIR = Path(__file__).resolve().parent
LOCK = IMAGE_DIR / "packages.lock"
_HEADER = (
    "# Packages of the image: name, version, SHA-256 of the archive. Written by `make lock`.\n"
)


@dataclass(frozen=True, order=True)
class Package:
    """A Debian package as it was unpacked, and the source package that it was built from."""

    name: str
    version: str
    source: str
    source_version: str
    sha256: str


def parse_manifest(text: str) -> list[Package]:
    """Parse packages.manifest, which the build writes from the archives."""
    return sorted(Package(*line.split()) for line in text.splitlines() if line)


def parse_lock(text: str) -> dict[str, tuple[str, str]]:
    """Parse a lock: name to version and SHA-256."""
    rows = (line.split() for line in text.splitlines() if line and not line.startswith("#"))
    return {name: (version, sha256) for name, version, sha256 in rows}


def format_lock(packages: Iterable[Package]) -> str:
    """Return the text of a lock."""
    rows = (f"{each.name} {each.version} {each.sha256}\n" for each in sorted(packages))
    return _HEADER + "".join(rows)


def differences(locked: dict[str, tuple[str, str]], packages: Iterable[Package]) -> list[str]:
    """Return one sentence for each package that is not as it is locked."""
    actual = {each.name: (each.version, each.sha256) for each in packages}
    found = []
    for name in sorted(locked.keys() | actual.keys()):
        if name not in actual:
            found.append(f"{name}: locked, but not in the image")
        elif name not in locked:
            found.append(f"{name} {actual[name][0]}: in the image, but not locked")
        elif locked[name][0] != actual[name][0]:
            found.append(f"{name}: locked {locked[name][0]}, got {actual[name][0]}")
        elif locked[name] != actual[name]:
            found.append(f"{name} {actual[name][0]}: another archive than the locked one")
    return found


def report(packages: Iterable[Package], lock: Path = LOCK) -> str:
    """Return what a build says about its lock; one line if all is as it is locked."""
    if not lock.is_file():
        return f"packages: there is no {lock.name}; `make lock` writes it"
    found = differences(parse_lock(lock.read_text()), packages)
    if not found:
        return f"packages: as in {lock.name}"
    lines = "".join(f"\n    {line}" for line in found)
    return f"packages: {len(found)} differ from {lock.name} (`make lock` accepts them):{lines}"


def main(arguments: list[str]) -> int:
    """Write the lock from the last build, or only compare (`--check`); return the exit status."""
    parser = argparse.ArgumentParser(prog="lock", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--build", type=Path, default=IMAGE_DIR.parent / "build")
    parser.add_argument("--lock", type=Path, default=LOCK)
    parser.add_argument("--check", action="store_true", help="compare only; 1 if they differ")
    chosen = parser.parse_args(arguments)
    manifest = chosen.build / "packages.manifest"
    if not manifest.is_file():
        print(f"lock: there is no {manifest}: build the image first (make image)")
        return 2
    packages = parse_manifest(manifest.read_text())
    print(report(packages, chosen.lock))
    if chosen.check:
        same = chosen.lock.is_file() and chosen.lock.read_text() == format_lock(packages)
        return 0 if same else 1
    chosen.lock.write_text(format_lock(packages))
    print(f"lock: {chosen.lock} holds {len(packages)} packages")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
