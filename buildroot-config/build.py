#!/usr/bin/env python3
"""Build the image with Buildroot: `make image BUILDER=buildroot`.

The release named in release.txt is fetched by its tag and must be the commit written there, or
a checkout of it is taken from BUILDROOT_DIR. `--check` only configures, and tells every symbol
that did not survive; that takes seconds.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parent
sys.path.insert(0, str(HERE))
sys.dont_write_bytecode = True

import kconfig  # noqa: E402

BOARDS = ("rpi64", "rpi5")


class BuildrootError(Exception):
    """The build can't go on; the text says why, and what to do."""


def release() -> dict[str, str]:
    """Return the release that this tree is for: version, repository, commit."""
    lines = (line.split() for line in (HERE / "release.txt").read_text().splitlines())
    return {words[0]: words[1] for words in lines if len(words) == 2 and words[0] != "#"}


def find_tree(environment: Mapping[str, str], cache: Path) -> Path:
    """Return Buildroot's tree: BUILDROOT_DIR, or the pinned release, fetched."""
    version = release()["version"]
    if given := environment.get("BUILDROOT_DIR"):
        tree = Path(given).resolve()
    else:
        tree = _cloned(cache / f"buildroot-{version}")
    found = _version(tree)
    series = ".".join(version.split(".")[:2])
    if found != series and not found.startswith(f"{series}."):
        raise BuildrootError(f"{tree} is Buildroot {found or '?'}; this tree is for {version}.")
    if found != version:
        print(f"buildroot: {found} instead of {version}, of the same series")
    return tree


def _version(tree: Path) -> str:
    makefile = tree / "Makefile"
    text = makefile.read_text() if makefile.is_file() else ""
    found = re.search(r"^export BR2_VERSION := (\S+)$", text, re.M)
    return found[1] if found else ""


def _cloned(tree: Path) -> Path:
    """Return the pinned release in `tree`, fetched if it is not there yet."""
    if not tree.is_dir():
        pinned = release()
        partial = tree.with_name(f"{tree.name}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        print(f"buildroot: fetching {pinned['version']} from {pinned['repository']}")
        fetch(pinned["repository"], pinned["version"], pinned["commit"], partial)
        partial.rename(tree)
    return tree


def fetch(repository: str, tag: str, commit: str, target: Path) -> None:
    """Check out a tag; BuildrootError, and nothing checked out, if it is another commit."""
    _git(target, "init", "--quiet")
    _git(target, "fetch", "--quiet", "--depth", "1", repository, f"refs/tags/{tag}")
    found = _git(target, "rev-parse", "FETCH_HEAD^{commit}")
    if found != commit:
        raise BuildrootError(f"Tag {tag} of {repository} is commit {found}, not {commit}.")
    _git(target, "checkout", "--quiet", "--detach", commit)


def _git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise BuildrootError(
            f"`{' '.join(command)}` failed; the lines above tell why. If the network is the\n"
            "  reason, give a checkout of the release: BUILDROOT_DIR=..."
        )
    return done.stdout.strip()


def make(tree: Path, output: Path, *targets: str) -> None:
    """Run Buildroot's make."""
    command = ["make", "-C", str(tree), f"O={output}", f"BR2_EXTERNAL={HERE}", *targets]
    environment = {**os.environ, "FORCE_UNSAFE_CONFIGURE": "1"}  # tar's configure, as root
    if subprocess.run(command, env=environment).returncode:
        raise BuildrootError(f"`{' '.join(command)}` failed; the lines above tell why.")


def configure(tree: Path, output: Path, board: str) -> None:
    """Configure for a board; BuildrootError if a symbol of the defconfig did not survive."""
    output.mkdir(parents=True, exist_ok=True)
    name = f"masqgate_{board}_defconfig"
    make(tree, output, name)
    wanted = kconfig.parse((HERE / "configs" / name).read_text())
    actual = kconfig.parse((output / ".config").read_text())
    if problems := kconfig.report(wanted, actual, f"Buildroot's configuration of {name}"):
        raise BuildrootError(problems)
    print(f"buildroot: all {len(wanted)} symbols of {name} hold")


def build(tree: Path, output: Path, board: str, target: Path) -> None:
    """Configure, build, and copy the card to `target`/masqgate.img."""
    configure(tree, output, board)
    if (output / "build/python-masqgate-tree").exists():
        make(tree, output, "python-masqgate-dirclean")
    make(tree, output)
    images = output / "images"
    shutil.copyfile(images / "masqgate.img", target / "masqgate.img")
    if (images / "lab").is_dir():
        shutil.copytree(images / "lab", target / "boot", dirs_exist_ok=True)
    print(f"buildroot: {target / 'masqgate.img'} is ready")


def main(arguments: list[str]) -> int:
    """Build or check; return the exit status."""
    parser = argparse.ArgumentParser(prog="buildroot", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--board", choices=BOARDS, default="rpi64")
    parser.add_argument("--output", type=Path, default=REPOSITORY / "build")
    parser.add_argument("--check", action="store_true", help="configure only")
    chosen = parser.parse_args(arguments)
    target = chosen.output.resolve()
    output = target / f"buildroot-{chosen.board}"
    try:
        tree = find_tree(os.environ, target / "buildroot")
        if chosen.check:
            configure(tree, output, chosen.board)
        else:
            build(tree, output, chosen.board, target)
    except BuildrootError as error:
        print(f"buildroot: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
