"""Kernel, initramfs and device trees: what a slot and the boot partition hold besides the root."""

import gzip
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from .layer import IMAGE_DIR, read_list, run
from .modules import load_order, only, parse_dependencies

BOARDS = (
    "bcm2837-rpi-3-a-plus",
    "bcm2837-rpi-3-b",
    "bcm2837-rpi-3-b-plus",
    "bcm2837-rpi-cm3-io3",
    "bcm2837-rpi-zero-2-w",
    "bcm2711-rpi-4-b",
    "bcm2711-rpi-400",
    "bcm2711-rpi-cm4-io",
)
LAB_BOARD = "bcm2837-rpi-3-b"
# A folder of the boot partition, chosen by `os_prefix` in config.txt.
CONSOLE_EDITION = "console"
_PL011 = "/soc/serial@7e201000"
_MINI = "/soc/serial@7e215040"
_GPIO = "/soc/gpio@7e200000"


def make_kernel(base: Path, target: Path) -> None:
    """Write Image.gz: a compressed kernel halves the time that U-Boot spends on the card."""
    image = only((base / "tree/boot").glob("vmlinuz-*"))
    with image.open("rb") as source, gzip.GzipFile(target, "wb", 9, mtime=0) as packed:
        shutil.copyfileobj(source, packed, 1 << 20)


def make_device_trees(base: Path, target: Path, boards: Sequence[str] = BOARDS) -> None:
    """Write the boards' device trees, in two editions.

    Both are freed of the Bluetooth chip: with its node in place the kernel gives the PL011
    to the Bluetooth driver, and no ttyAMA0 appears. In `target` the PL011, the modem's
    UART, is on the header; in its folder `console` the mini UART is there, as by default.
    """
    source = only((base / "tree").glob("usr/lib/linux-image-*/broadcom"))
    (target / CONSOLE_EDITION).mkdir(parents=True)
    for board in boards:
        blob = target / CONSOLE_EDITION / f"{board}.dtb"
        shutil.copy(source / blob.name, blob)
        if _has(blob, f"{_PL011}/bluetooth"):
            run(["fdtput", "-r", blob, f"{_PL011}/bluetooth"])
        modem_blob = target / blob.name
        shutil.copy(blob, modem_blob)
        if _has(blob, _PL011) and _has(blob, _MINI):
            _put_modem_on_header(modem_blob)


def _put_modem_on_header(blob: Path) -> None:
    """Exchange the UARTs' pins: the PL011 on GPIO 14 and 15, the mini UART on 32 and 33.

    Debian's device trees have no symbols, so an overlay could not name these nodes.
    """
    for uart, pins, spare in ((_PL011, "uart0-gpio14", "1001"), (_MINI, "uart1-gpio32", "1002")):
        node = f"{_GPIO}/{pins}"
        if not _has(blob, node, "phandle"):
            run(["fdtput", "-t", "x", blob, node, "phandle", spare])
        handle = run(["fdtget", "-t", "x", blob, node, "phandle"]).strip()
        run(["fdtput", "-t", "s", blob, uart, "pinctrl-names", "default"])
        run(["fdtput", "-t", "x", blob, uart, "pinctrl-0", handle])
        run(["fdtput", "-t", "s", blob, uart, "status", "okay"])
    if _has(blob, _PL011, "uart-has-rtscts"):
        run(["fdtput", "-d", blob, _PL011, "uart-has-rtscts"])
    # Where U-Boot's console goes: never to the modem.
    run(["fdtput", "-t", "s", blob, "/chosen", "stdout-path", "serial1:115200n8"])


def make_lab_device_tree(source: Path, target: Path) -> None:
    """Mark a device tree for the emulator, whose watchdog resets the board when it is opened."""
    shutil.copy(source, target)
    run(["fdtput", "-t", "s", target, "/chosen", "masqgate,watchdog", "off"])


def _has(blob: Path, node: str, name: str | None = None) -> bool:
    """Tell whether a device tree has this node or, with a name, this property of it."""
    question = ["-p", str(blob), node] if name is None else [str(blob), node, name]
    return subprocess.run(["fdtget", *question], capture_output=True).returncode == 0


def make_initramfs(base: Path, tree: Path, target: Path, work: Path) -> None:
    """Pack the initramfs: busybox, the early modules in their order of loading, and our init."""
    root = work / "initramfs"
    for name in ("bin", "dev", "proc", "sys", "run", "slot", "root", "lower", "modules"):
        (root / name).mkdir(parents=True)
    shutil.copy(base / "tree/usr/bin/busybox", root / "bin/busybox")
    (root / "bin/sh").symlink_to("busybox")
    shutil.copy(IMAGE_DIR / "initramfs/init", root / "init")
    (root / "init").chmod(0o755)
    version_dir = only((tree / "usr/lib/modules").iterdir())
    dependencies = parse_dependencies((version_dir / "modules.dep").read_text())
    order = load_order(dependencies, read_list(IMAGE_DIR / "modules-early.txt"))
    for path in order:
        shutil.copy(version_dir / path, root / "modules")
    names = "".join(f"{Path(path).name}\n" for path in order)
    (root / "modules/order").write_text(names)
    pack_initramfs(root, target)


def pack_initramfs(root: Path, target: Path) -> None:
    """Pack a tree as a compressed cpio archive; the same tree gives the same bytes."""
    names = sorted(path.relative_to(root).as_posix() for path in root.rglob("*"))
    for name in names:
        os.utime(root / name, (0, 0), follow_symlinks=False)
    archive = subprocess.run(
        ["cpio", "--quiet", "-o", "-H", "newc", "-R", "0:0", "--reproducible"],
        cwd=root,
        input="".join(f"{name}\n" for name in names).encode(),
        stdout=subprocess.PIPE,
        check=True,
    ).stdout
    target.write_bytes(gzip.compress(archive, 9, mtime=0))
