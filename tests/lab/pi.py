"""The emulated Raspberry Pi: the real image in QEMU, on a copy of it.

The card is a raw file: of a qcow2 file, QEMU keeps tables in memory until it is told to flush,
which an SD card never is, and a power cut would lose minutes of what was written.

The board's boot ROM and firmware are not emulated, so U-Boot is started directly. UART 0 is the
modem's, UART 1 the console's; the LAN is a USB Ethernet adapter on a tap of the lab.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import qmp
from .netns import Namespace
from .processes import LabError, Processes, stop
from .runner import wait_until
from .state import State

LAN_MAC = "02:4d:47:50:49:00"
WAN_MAC = "02:4d:47:50:49:01"
UBOOT = "u-boot.bin"
DEVICE_TREE = "bcm2837-rpi-3-b.dtb"
CARD, WRITES = "card.img", "writes.log"  # in the folder of a recording
START_S = 30.0
# The board has four cores, and U-Boot lets three of them run idle in a loop: with fewer on the
# host, one thread for all four boots sooner than four that wait for one another.
MANY_CORES = (os.cpu_count() or 1) > 4


@dataclass(frozen=True, slots=True)
class Image:
    """The files that are booted."""

    disk: Path
    boot: Path  # the folder with U-Boot and the device tree

    @classmethod
    def of(cls, disk: Path) -> Image:
        """The image, with the folder `boot` beside it; LabError if a file is missing."""
        image = cls(disk.resolve(), disk.resolve().parent / "boot")
        for path in (image.disk, image.uboot, image.device_tree):
            if not path.is_file():
                raise LabError(f"{path} is missing: build the image first (make image)")
        return image

    def copy(self, folder: Path) -> Image:
        """Copy the files, so that a new build does not disturb a running lab."""
        copied = Image(folder / "base.img", folder / "boot")
        copied.boot.mkdir(parents=True, exist_ok=True)
        for source, target in (
            (self.disk, copied.disk),
            (self.uboot, copied.uboot),
            (self.device_tree, copied.device_tree),
        ):
            copy_sparse(source, target)
        return copied

    @property
    def uboot(self) -> Path:
        """The boot loader."""
        return self.boot / UBOOT

    @property
    def device_tree(self) -> Path:
        """The board's device tree."""
        return self.boot / DEVICE_TREE


@dataclass(frozen=True, slots=True)
class Tap:
    """Where a USB Ethernet adapter is plugged in."""

    namespace: Namespace
    device: str
    mac: str


def copy_sparse(source: Path, target: Path) -> None:
    """Copy a file, leaving its zeros out; LabError tells why it could not be done."""
    command = ["cp", "--sparse=always", "--reflink=auto", str(source), str(target)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise LabError(f"{source} cannot be copied: {done.stderr.strip()}")


def card_size(image_size: int) -> int:
    """Return the size of the SD card in bytes: QEMU takes powers of two only."""
    return 1 << max(20, (image_size - 1).bit_length())


class Pi:
    """One board. `start`, `power_cut` and `start` again keep the card; `new_card` does not."""

    def __init__(
        self,
        image: Image,
        state: State,
        processes: Processes,
        taps: Sequence[Tap],
        *,
        work: Path,
        modem2: bool = False,
    ) -> None:
        state.path(work)
        self.image = image.copy(work)
        self.modem_path = state.folder / "uart0"
        self.modem2_path = state.folder / "usb-serial" if modem2 else None
        self.console_path = state.folder / "uart1"
        self.card = work / "card.img"
        self.record: Path | None = None  # folder for card and log; see `start`
        self.starts = 0
        self._monitor = state.folder / "qmp"
        self._processes = processes
        self._taps = list(taps)
        self._qemu: subprocess.Popen[bytes] | None = None

    @property
    def running(self) -> bool:
        """Whether the power is on."""
        return self._qemu is not None and self._qemu.poll() is None

    def new_card(self) -> None:
        """Put in a card as it comes from the factory; only while the power is off."""
        if self.running:
            raise LabError("the card can only be changed while the power is off")
        copy_sparse(self.image.disk, self.card)
        os.truncate(self.card, card_size(self.card.stat().st_size))

    def keep_card(self, path: Path) -> None:
        """Copy the card to `path`, e.g. to look at it after a power cut."""
        copy_sparse(self.card, path)

    def start(self) -> None:
        """Switch the power on; LabError if QEMU does not start.

        With a folder `record`, the card as it is now is kept there (`card.img`), and what is
        written to it is logged (`writes.log`, in the format of dm-log-writes).
        """
        if self.running:
            return
        if not self.card.exists():
            self.new_card()
        if self.record is not None:
            self.record.mkdir(parents=True, exist_ok=True)
            self.keep_card(self.record / CARD)
            (self.record / WRITES).write_bytes(b"")
        fds = [tap.namespace.open_tap(tap.device) for tap in self._taps]
        try:
            qemu = self._processes.start("qemu", self._command(fds), fds=fds)
        finally:
            for fd in fds:
                os.close(fd)
        self._qemu = qemu
        self.starts += 1

        def ready() -> bool:
            self._processes.check("qemu", qemu)
            return self._monitor.exists()

        wait_until(ready, START_S, "QEMU's monitor is there")

    def power_cut(self) -> None:
        """Take the power away at once. What the board wrote to the card is there, no more."""
        if self._qemu is not None:
            stop(self._qemu, kill=True)
            self._qemu = None
        for path in (self._monitor, self.modem_path, self.modem2_path, self.console_path):
            if path is not None:
                path.unlink(missing_ok=True)

    def reset(self) -> None:
        """Push the reset button."""
        self.monitor("system_reset")

    def pause(self, paused: bool) -> None:
        """Stop the board's clock, or let it go on: a router that hangs."""
        self.monitor("stop" if paused else "cont")

    def monitor(self, command: str, **arguments: Any) -> Any:
        """Run any command of QEMU's monitor."""
        return qmp.execute(self._monitor, command, **arguments)

    def _drive(self) -> str:
        if self.record is None:
            return f"if=sd,format=raw,file={self.card}"
        log = f"log.driver=file,log.filename={self.record / WRITES}"
        return f"if=sd,driver=blklogwrites,file.driver=file,file.filename={self.card},{log}"

    def _command(self, fds: Sequence[int]) -> list[str]:
        command = [
            "qemu-system-aarch64", "-M", "raspi3b", "-display", "none", "-nodefaults",
            "-accel", f"tcg,thread={'multi' if MANY_CORES else 'single'}",
            "-kernel", str(self.image.uboot), "-dtb", str(self.image.device_tree),
            "-drive", self._drive(),
            "-chardev", f"socket,id=uart0,path={self.modem_path},server=on,wait=off",
            "-chardev", f"socket,id=uart1,path={self.console_path},server=on,wait=off",
            "-serial", "chardev:uart0", "-serial", "chardev:uart1",
            # The hubs that QEMU puts in switch their ports' power one by one.
            "-global", "usb-hub.port-power=on",
            "-qmp", f"unix:{self._monitor},server=on,wait=off",
        ]  # fmt: skip
        nics: list[list[str]] = []
        for number, (fd, tap) in enumerate(zip(fds, self._taps, strict=True)):
            device = f"usb-net,id=nic{number},netdev=net{number},mac={tap.mac}"
            nics.append(["-netdev", f"tap,id=net{number},fd={fd}", "-device", device])
        serial: list[str] = []
        if self.modem2_path is not None:
            socket = f"socket,id=usb0,path={self.modem2_path},server=on,wait=off"
            serial = ["-chardev", socket, "-device", "usb-serial,chardev=usb0,always-plugged=on"]
        # The hub's sockets are taken in this order, and `dialin.toml` names the second one.
        devices = [*nics[:1], serial, *nics[1:]]
        return ["nice", "-n", "5", *command, *(word for device in devices for word in device)]
