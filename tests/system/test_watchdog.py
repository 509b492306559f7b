"""The board's watchdog, as far as the emulator has one: it resets the board when it is started."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from masqgate.core import bootstate

from tests.lab.pi import Image, card_size, copy_sparse

PATIENCE_S = 900.0


def test_the_boot_script_starts_it_before_a_kernel_on_trial(image: Image, tmp_path: Path) -> None:
    """With the device tree of a real board, which does not say that this one is emulated."""
    card, tree = tmp_path / "card.img", tmp_path / "board.dtb"
    copy_sparse(image.disk, card)
    with card.open("r+b") as disk:  # slot A on trial, beside a slot B that has proved itself
        disk.seek(bootstate.COPY_SECTORS[0] * bootstate.SECTOR)
        disk.write(bootstate.encode(bootstate.BootState(seq=9, good=(False, True))))
    os.truncate(card, card_size(card.stat().st_size))
    shutil.copy(image.device_tree, tree)
    subprocess.run(["fdtput", "-d", tree, "/chosen", "masqgate,watchdog"], check=True)
    command = [
        "nice", "-n", "5", "qemu-system-aarch64", "-M", "raspi3b", "-display", "none",
        "-nodefaults", "-accel", "tcg,thread=single", "-no-reboot",
        "-kernel", image.uboot, "-dtb", tree, "-drive", f"if=sd,format=raw,file={card}",
        "-serial", "null", "-serial", "stdio",
    ]  # fmt: skip
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE_S, check=True
    )  # it ends when the board is reset
    shown = done.stdout.decode(errors="replace")
    assert "Masqgate: slot a" in shown
    assert "Uncompressed size" in shown and "Starting kernel" not in shown, shown[-500:]
