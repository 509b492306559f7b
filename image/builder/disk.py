"""Boot partition, slot, data and the whole card, composed by genimage."""

import json
import re
import shutil
from collections.abc import Sequence
from importlib import util
from pathlib import Path
from types import ModuleType

from .epoch import settle_times
from .kernel import BOARDS, CONSOLE_EDITION, make_device_trees
from .layer import IMAGE_DIR, REPOSITORY, run
from .layout import IMAGE_BYTES, PARTITIONS

_FIRMWARE = ("bootcode.bin", "start.elf", "fixup.dat", "start4.elf", "fixup4.dat")
_ENVIRONMENT_BYTES = 0x4000
UBOOT = "usr/lib/u-boot/rpi_arm64/u-boot.bin"


def boot_state() -> ModuleType:
    """Load the router's own module for the boot state: there is one implementation of it."""
    path = REPOSITORY / "firmware/masqgate/core/bootstate.py"
    spec = util.spec_from_file_location("bootstate", path)
    assert spec is not None and spec.loader is not None
    module = util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def make_boot_files(base: Path, target: Path, boards: Sequence[str] = BOARDS) -> None:
    """Collect what the firmware and U-Boot read from the boot partition."""
    board = IMAGE_DIR / "board"
    make_device_trees(base, target, boards)
    for name in _FIRMWARE:
        shutil.copy(base / "tree/usr/lib/raspi-firmware" / name, target)
    for folder in (target, target / CONSOLE_EDITION):
        shutil.copy(base / "tree" / UBOOT, folder)
    shutil.copy(board / "config.txt", target)
    script = target / "boot.scr"
    run(["mkimage", "-A", "arm64", "-T", "script", "-C", "none", "-d", board / "boot.cmd", script])
    environment = target / "uboot.env"
    size = str(_ENVIRONMENT_BYTES)
    run(["mkenvimage", "-s", size, "-o", environment, board / "uboot.env.txt"])


def write_release(slot: Path, board: str) -> None:
    """Write what the slot says of itself: its version, and the family of boards it is for."""
    text = (REPOSITORY / "firmware/masqgate/__init__.py").read_text()
    version = re.findall(r'^__version__ = "(.*)"', text, re.MULTILINE)[0]
    release = {"version": version, "compatible": f"masqgate-{board}"}
    (slot / "release.json").write_text(json.dumps(release) + "\n")


def make_disk(boot: Path, slot: Path, work: Path, image: Path) -> None:
    """Compose the card; it is a sparse file whose size is a power of two."""
    root, inputs, output = work / "genimage-root", work / "genimage-in", work / "genimage-out"
    for folder in (root / "data", inputs, output):
        folder.mkdir(parents=True)
    shutil.copytree(slot, root / "slot")
    state = boot_state()
    (inputs / "state.bin").write_bytes(state.encode(state.BootState()))
    for path in boot.iterdir():
        (inputs / path.name).symlink_to(path)
    files = sorted(path.relative_to(boot) for path in boot.rglob("*") if path.is_file())
    names = "".join(f'\t\tfile {path} {{ image = "{path}" }}\n' for path in files)
    config = (IMAGE_DIR / "genimage.cfg").read_text().replace("@BOOT_FILES@", names)
    (work / "genimage.cfg").write_text(config)
    run(
        [
            "genimage",
            f"--config={work / 'genimage.cfg'}",
            f"--rootpath={root}",
            f"--inputpath={inputs}",
            f"--outputpath={output}",
            f"--tmppath={work / 'genimage-tmp'}",
        ]
    )
    made = output / "masqgate.img"
    settle_times(made, PARTITIONS["slot-a"][0], (path.name for path in slot.iterdir()))
    run(["truncate", "--size", str(IMAGE_BYTES), made])
    run(["fallocate", "--dig-holes", made])
    made.replace(image)
