"""The power of the USB port that a serial port's device is plugged into.

Linux switches it by the port's `disable` in sysfs, since 6.0 (ABI/testing/sysfs-bus-usb). Few
hubs can switch one port alone; which can, stands in the hub's descriptor (USB 2.0, 11.23.2.1,
wHubCharacteristics), for which the hub is asked over usbfs: sysfs does not have it.
"""

from __future__ import annotations

import array
import fcntl
import os
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

SYS = Path("/sys")
DEV = Path("/dev")
OFF_S = 5.0  # capacitors in the modem keep it up for a while
REQUEST_MS = 2000
_CONTROL = 0xC0185500 if struct.calcsize("P") == 8 else 0xC0105500  # USBDEVFS_CONTROL
_GET_DESCRIPTOR, _CLASS_IN = 6, 0xA0  # of a hub (USB 2.0, table 11-15)
_HUB, _SUPER_SPEED_HUB = 0x29, 0x2A
_CHARACTERISTICS = 3  # where in the descriptor
_MODE, _EACH = 0x03, 0x01  # power switching: of each port alone


class UnableError(Exception):
    """The port's power cannot be switched; the text says why."""


@dataclass(frozen=True, slots=True)
class UsbPort:
    """A port of a hub, as a folder in sysfs; with the other half of a USB 3 socket, if any."""

    folders: tuple[Path, ...]

    def switch(self, *, on: bool) -> None:
        """Give the port power, or take it; OSError if the kernel refuses."""
        for folder in self.folders:
            (folder / "disable").write_text("0" if on else "1")


def port_of(device: str, sys: Path = SYS) -> UsbPort:
    """Return the port that a serial port's USB device hangs on; UnableError if there is none."""
    tty = sys / "class/tty" / Path(os.path.realpath(device)).name / "device"
    if not tty.exists():
        raise UnableError(f"{device} is not there, so nobody knows its USB port")
    here = tty.resolve()
    while not (here / "idVendor").exists():
        if here.parent == here or here == sys.resolve():
            raise UnableError(f"{device} is not on USB")
        here = here.parent
    port = here / "port"
    if not (port.resolve() / "disable").exists():
        raise UnableError("the kernel does not switch that USB port")
    folders = [port.resolve()]
    twin = folders[0] / "peer"
    if (twin.resolve() / "disable").exists() and not (twin.resolve() / "device").exists():
        folders.append(twin.resolve())
    return UsbPort(tuple(folders))


def check_hub(port: UsbPort, ask: Callable[[Path], bytes] | None = None) -> None:
    """UnableError unless the hub says that it switches each port alone."""
    hub = port.folders[0].parent.parent
    try:
        descriptor = (ask or hub_descriptor)(hub)
    except (OSError, ValueError) as error:
        raise UnableError(f"the USB hub {hub.name} does not tell what it can") from error
    if len(descriptor) <= _CHARACTERISTICS:
        raise UnableError(f"the USB hub {hub.name} does not tell what it can")
    if descriptor[_CHARACTERISTICS] & _MODE != _EACH:
        raise UnableError(f"the USB hub {hub.name} does not switch its ports one by one")


def hub_descriptor(hub: Path, dev: Path = DEV) -> bytes:
    """Ask a hub for its descriptor; OSError or ValueError if that fails."""
    bus, number = (int((hub / name).read_text()) for name in ("busnum", "devnum"))
    kind = _SUPER_SPEED_HUB if float((hub / "version").read_text()) >= 3 else _HUB
    answer = array.array("B", bytes(15))
    address, size = answer.buffer_info()
    request = struct.pack(
        "BBHHHIP", _CLASS_IN, _GET_DESCRIPTOR, kind << 8, 0, size, REQUEST_MS, address
    )
    descriptor = os.open(dev / f"bus/usb/{bus:03d}/{number:03d}", os.O_RDWR | os.O_CLOEXEC)
    try:
        length = fcntl.ioctl(descriptor, _CONTROL, request)
    finally:
        os.close(descriptor)
    return answer.tobytes()[: length if isinstance(length, int) else size]


def cycle(port: UsbPort, keep: Path, sleep: Callable[[float], None] = time.sleep) -> None:
    """Take a port's power for a while; OSError if the kernel refuses.

    The file `keep` says meanwhile which port it is, so that `restore` finds it in any case.
    """
    keep.write_text("".join(f"{folder}\n" for folder in port.folders))
    try:
        port.switch(on=False)
        sleep(OFF_S)
    finally:
        restore(keep)


def restore(keep: Path) -> None:
    """Give power to a port that was left without; OSError if the kernel refuses."""
    try:
        folders = tuple(Path(line) for line in keep.read_text().splitlines())
    except FileNotFoundError:
        return
    UsbPort(tuple(folder for folder in folders if folder.exists())).switch(on=True)
    keep.unlink()
