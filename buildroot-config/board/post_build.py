#!/usr/bin/env python3
"""Run by Buildroot when the target's files are in place; arguments: target folder, board.

Stops the build if Kconfig dropped or demoted something that a fragment asks for, and makes
the folders and links that image/builder makes in the other image.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

BOARD_DIR = Path(__file__).resolve().parent
REPOSITORY = BOARD_DIR.parents[1]
sys.path.insert(0, str(BOARD_DIR.parent))
sys.path.insert(0, str(REPOSITORY / "image"))
sys.dont_write_bytecode = True

import kconfig  # noqa: E402
from builder.root import lay_keyring  # noqa: E402
from keys import development_keys  # noqa: E402

FRAGMENTS = {
    "rpi64": ("linux.fragment", "linux-trim.fragment"),
    "rpi5": ("linux.fragment", "rpi5/linux.fragment"),
}
_FOLDERS = ("data", "lower", "slot", "mnt", "var/log", "var/tmp")


def check_kconfig(build: Path, board: str) -> str:
    """Return what kernel, boot loader and busybox lack of their fragments; empty if nothing."""
    wanted = {
        "linux-*/arch/arm64/boot/Image": FRAGMENTS[board],
        "uboot-*/u-boot.bin": ("uboot.fragment",),
        "busybox-*/busybox": ("busybox.fragment",),
    }
    text = ""
    for pattern, names in wanted.items():
        made = sorted(build.glob(pattern))
        if not made:
            text += f"{pattern} was not built\n"
            continue
        depth = len(Path(pattern).parts) - 2
        config = made[-1].parents[depth] / ".config"
        fragments = kconfig.merged((BOARD_DIR / name).read_text() for name in names)
        text += kconfig.report(fragments, kconfig.parse(config.read_text()), config.parent.name)
    return text


def prepare_target(target: Path) -> None:
    """Make what the overlay can't hold: empty folders, and the link to our resolv.conf."""
    for name in _FOLDERS:
        (target / name).mkdir(parents=True, exist_ok=True)
    resolver = target / "etc/resolv.conf"
    resolver.unlink(missing_ok=True)
    resolver.symlink_to("/run/masqgate/resolv.conf")
    (target / "usr/lib/clock-epoch").touch()
    for name in ("fstab", "issue"):
        (target / "etc" / name).unlink(missing_ok=True)


def main(arguments: list[str]) -> int:
    """Run the step; return the exit status."""
    target, board = Path(arguments[0]), arguments[1]
    if problems := check_kconfig(Path(os.environ["BUILD_DIR"]), board):
        print(problems, file=sys.stderr)
        return 1
    prepare_target(target)
    given = os.environ.get("MASQGATE_KEYRING")
    keyring = Path(given) if given else development_keys(REPOSITORY / "build/keys").keyring
    lay_keyring(target, keyring)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
