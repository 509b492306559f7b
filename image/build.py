"""Build the SD-card image: `python3 image/build.py --output build`.

Layers, each cached by the hash of what it is made from: `base` (Debian's packages,
unpacked), `python` (an interpreter that compiles bytecode), `system` (the packages cut down
to a router), `boot` (firmware, U-Boot, device trees, kernel, initramfs). What is made every
time is small: our overlay and our code, the squashfs, the card.
"""

import argparse
import fcntl
import os
import shutil
import sys
from pathlib import Path

sys.dont_write_bytecode = True

from builder.base import unpack_python, unpack_router  # noqa: E402
from builder.disk import make_boot_files, make_disk, write_release  # noqa: E402
from builder.epoch import LAYERS_EPOCH, image_epoch, set_epoch  # noqa: E402
from builder.kernel import (  # noqa: E402
    CONSOLE_EDITION,
    LAB_BOARD,
    make_initramfs,
    make_kernel,
    make_lab_device_tree,
)
from builder.layer import (  # noqa: E402
    IMAGE_DIR,
    REPOSITORY,
    BuildError,
    digest,
    fail,
    layer,
    read_list,
    say,
)
from builder.root import make_root  # noqa: E402
from builder.system import make_system_layer  # noqa: E402
from keys import KeysError, development_keys  # noqa: E402
from release_inputs import record  # noqa: E402

_BUILDER = IMAGE_DIR / "builder"
_SYSTEM_INPUTS = ("prune.txt", "commands.txt", "units.txt", "modules.txt", "applets-unwanted.txt")
_SYSTEM_CODE = ("system.py", "tree.py", "accounts.py", "elf.py", "modules.py", "bytecode.py")


def main() -> int:
    """Build everything; return the exit status."""
    parser = argparse.ArgumentParser(description="Build the SD-card image.")
    parser.add_argument("--output", type=Path, default=REPOSITORY / "build")
    parser.add_argument("--keyring", type=Path, help="whose updates the router takes (PEM)")
    chosen = parser.parse_args()
    output = chosen.output.resolve()
    if os.geteuid() != 0:
        return fail(BuildError("the files in the image belong to root: run the build as root"))
    output.mkdir(parents=True, exist_ok=True)
    try:
        with (output / ".lock").open("w") as lock:
            # Two builds at once would take each other's layers away.
            fcntl.flock(lock, fcntl.LOCK_EX)
            build(output, _keyring(output, chosen.keyring))
    except (BuildError, KeysError) as error:
        return fail(error)
    return 0


def _keyring(output: Path, given: Path | None) -> Path:
    """Return the certificates to trust: the given ones, or those for development."""
    if given is None:
        return development_keys(output / "keys").keyring
    if not given.is_file():
        raise KeysError(f"There is no {given}.")
    return given


def build(output: Path, keyring: Path) -> None:
    """Build the layers, then the image, in `output`."""
    epoch = image_epoch()
    set_epoch(LAYERS_EPOCH)
    cache = output / "cache"
    cache.mkdir(parents=True, exist_ok=True)
    base, python = _unpacked(cache)
    system = _system(cache, base, python)
    boot = _boot(cache, base, system)
    set_epoch(epoch)
    work = output / "work"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    slot = work / "slot"
    slot.mkdir()
    for name in ("Image.gz", "initrd"):
        shutil.copy(boot / name, slot)
    write_release(slot, "rpi64")
    make_root(system / "tree", python, work / "root", slot / "root.squashfs", keyring)
    say("card")
    make_disk(boot / "files", slot, work, output / "masqgate.img")
    _lab_files(boot / "files", output / "boot")
    say(record(base, work / "root", output))
    shutil.rmtree(work)
    say(f"{output / 'masqgate.img'} is ready")


def _unpacked(cache: Path) -> tuple[Path, Path]:
    packages = IMAGE_DIR / "packages.txt"
    code = [_BUILDER / "base.py"]
    base = layer(
        cache,
        "base",
        digest([packages, *code]),
        lambda folder: unpack_router(folder, read_list(packages)),
    )
    return base, layer(cache, "python", digest(code), unpack_python)


def _system(cache: Path, base: Path, python: Path) -> Path:
    inputs = [IMAGE_DIR / name for name in _SYSTEM_INPUTS]
    code = [_BUILDER / name for name in _SYSTEM_CODE]
    accounts = REPOSITORY / "rootfs-overlay/usr/lib/sysusers.d"
    key = digest([*inputs, *code, *([accounts] if accounts.exists() else [])], base.name)
    return layer(
        cache, "system", key, lambda folder: make_system_layer(base, python, accounts, folder)
    )


def _boot(cache: Path, base: Path, system: Path) -> Path:
    inputs = [IMAGE_DIR / "board", IMAGE_DIR / "initramfs", IMAGE_DIR / "modules-early.txt"]
    code = [_BUILDER / name for name in ("kernel.py", "modules.py", "disk.py")]

    def make(folder: Path) -> None:
        make_kernel(base, folder / "Image.gz")
        make_initramfs(base, system / "tree", folder / "initrd", folder)
        shutil.rmtree(folder / "initramfs")
        make_boot_files(base, folder / "files")

    return layer(cache, "boot", digest([*inputs, *code], base.name, system.name), make)


def _lab_files(files: Path, target: Path) -> None:
    """Copy what the emulator needs outside of the card: it has no firmware to load them.

    The device tree is the one with the mini UART on the header: U-Boot takes that UART for its
    console only there, and would talk to the modem otherwise, whose echo stops the boot.
    """
    target.mkdir(exist_ok=True)
    shutil.copy(files / "u-boot.bin", target)
    name = f"{LAB_BOARD}.dtb"
    make_lab_device_tree(files / CONSOLE_EDITION / name, target / name)


if __name__ == "__main__":
    sys.exit(main())
