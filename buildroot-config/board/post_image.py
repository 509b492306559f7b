#!/usr/bin/env python3
"""Run by Buildroot when its images are made; arguments: images folder, board.

Composes the card with the other image's own code (image/builder), so that both have one
layout, one boot script and one initramfs script.
"""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

BOARD_DIR = Path(__file__).resolve().parent
REPOSITORY = BOARD_DIR.parent.parent
sys.path.insert(0, str(REPOSITORY / "image"))
sys.dont_write_bytecode = True

from builder import disk, elf, epoch, kernel  # noqa: E402
from builder.layer import BuildError, run  # noqa: E402
from builder.layout import SQUASHFS_LIMIT  # noqa: E402

_INTERPRETER = "ld-linux-aarch64.so.1"


@dataclass(frozen=True)
class Board:
    """How a family of boards differs: device trees, console, own files."""

    name: str
    device_trees: tuple[str, ...]
    console: str
    config: Path
    lab: bool  # the emulator knows it


BOARDS = {
    "rpi64": Board(
        "rpi64",
        kernel.BOARDS,
        "ttyS1,115200",
        REPOSITORY / "image/board/config.txt",
        True,
    ),
    "rpi5": Board(
        "rpi5",
        ("bcm2712-rpi-5-b", "bcm2712d0-rpi-5-b"),
        "ttyAMA10,115200",
        BOARD_DIR / "rpi5/config.txt",
        False,
    ),
}


def as_unpacked_packages(images: Path, base: Path) -> None:
    """Lay Buildroot's images out as image/builder finds them among Debian's packages."""
    tree = base / "tree"
    trees = tree / "usr/lib/linux-image-buildroot/broadcom"
    for folder in (tree / "boot", trees, (tree / disk.UBOOT).parent):
        folder.mkdir(parents=True)
    for blob in images.glob("*.dtb"):
        (trees / blob.name).symlink_to(blob)
    (tree / "usr/lib/raspi-firmware").symlink_to(images / "rpi-firmware")
    (tree / disk.UBOOT).symlink_to(images / "u-boot.bin")
    (tree / "boot/vmlinuz-buildroot").symlink_to(images / "Image")


def make_initramfs(target: Path, work: Path, archive: Path) -> None:
    """Pack busybox with the libraries that it needs, and our init; the kernel needs no module."""
    root = work / "initramfs"
    for name in ("bin", "dev", "lib", "lower", "modules", "proc", "root", "run", "slot", "sys"):
        (root / name).mkdir(parents=True)
    (root / "lib64").symlink_to("lib")
    shutil.copy(target / "usr/bin/busybox", root / "bin/busybox")
    (root / "bin/sh").symlink_to("busybox")
    queue = [root / "bin/busybox"]
    while queue:
        for name in [*elf.needed(queue.pop()), *([_INTERPRETER] if not queue else [])]:
            library = root / "lib" / name
            if not library.exists():
                shutil.copy(target / "usr/lib" / name, library)
                queue.append(library)
    shutil.copy(REPOSITORY / "image/initramfs/init", root / "init")
    (root / "init").chmod(0o755)
    (root / "modules/order").touch()
    kernel.pack_initramfs(root, archive)


def adapt_boot_files(board: Board, files: Path, work: Path) -> None:
    """Replace what the board needs otherwise: config.txt, and the console in the boot script."""
    shutil.copy(board.config, files / "config.txt")
    text = (REPOSITORY / "image/board/boot.cmd").read_text()
    usual = f"console={BOARDS['rpi64'].console}"
    if text.count(usual) != 1:
        raise BuildError(f"image/board/boot.cmd does not name {usual} exactly once")
    source = work / "boot.cmd"
    source.write_text(text.replace(usual, f"console={board.console}"))
    script = files / "boot.scr"
    run(["mkimage", "-A", "arm64", "-T", "script", "-C", "none", "-d", source, script])


def compose(images: Path, target: Path, board: Board) -> None:
    """Write masqgate.img, and for the emulator lab/, to the images folder."""
    work = images / "card"
    shutil.rmtree(work, ignore_errors=True)
    base, slot, files = work / "base", work / "slot", work / "files"
    slot.mkdir(parents=True)
    as_unpacked_packages(images, base)
    kernel.make_kernel(base, slot / "Image.gz")
    make_initramfs(target, work, slot / "initrd")
    squashfs = images / "rootfs.squashfs"
    if squashfs.stat().st_size > SQUASHFS_LIMIT:
        raise BuildError(f"rootfs.squashfs is larger than {SQUASHFS_LIMIT} bytes")
    shutil.copy(squashfs, slot / "root.squashfs")
    disk.write_release(slot, board.name)
    disk.make_boot_files(base, files, board.device_trees)
    adapt_boot_files(board, files, work)
    disk.make_disk(files, slot, work, images / "masqgate.img")
    if board.lab:
        lab = images / "lab"
        lab.mkdir(exist_ok=True)
        shutil.copy(files / "u-boot.bin", lab)
        name = f"{kernel.LAB_BOARD}.dtb"
        kernel.make_lab_device_tree(files / name, lab / name)
    shutil.rmtree(work)


def main(arguments: list[str]) -> int:
    """Run the step; return the exit status."""
    epoch.set_epoch(epoch.image_epoch())
    try:
        compose(Path(arguments[0]), Path(os.environ["TARGET_DIR"]), BOARDS[arguments[1]])
    except BuildError as error:
        print(f"post_image: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
