"""What a block device is, and why it must not be written: read from sysfs, never guessed."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

SECTOR = 512  # sysfs counts in sectors of 512 bytes, whatever the device's own are
_SYSTEM_MOUNTS = ("/", "/boot", "/home", "/usr", "/var", "/etc", "/opt", "/srv", "/nix")


class FlashError(Exception):
    """Something that the person at the keyboard must know: what happened, and what to do."""

    def __init__(self, what: str, do: str) -> None:
        super().__init__(f"{what}\n  {do}")
        self.what = what
        self.do = do


def block_number(path: Path) -> tuple[int, int]:
    """Return the (major, minor) number of a block device; FlashError if it is not one."""
    try:
        status = path.stat()
    except FileNotFoundError:
        raise FlashError(
            f"There is no {path}.",
            "Is the card in the reader? Run it without a device for a list.",
        ) from None
    except OSError as error:
        raise FlashError(f"{path}: {error.strerror}.", "Run it as root: sudo.") from error
    if not stat.S_ISBLK(status.st_mode):
        raise FlashError(
            f"{path} is not a block device.", "Name the whole card, as /dev/sdb or /dev/mmcblk0."
        )
    return os.major(status.st_rdev), os.minor(status.st_rdev)


@dataclass(frozen=True)
class System:
    """Where this machine's devices are described; tests point it elsewhere."""

    sys: Path = Path("/sys")
    proc: Path = Path("/proc")
    dev: Path = Path("/dev")
    number: Callable[[Path], tuple[int, int]] = block_number


@dataclass(frozen=True)
class Device:
    """A block device as sysfs describes it; `size` is in bytes."""

    path: Path
    name: str
    size: int
    model: str
    removable: bool
    read_only: bool
    whole_disk: str  # the disk of which this is a partition, or its own name
    used: dict[str, str] = field(default_factory=dict)  # what uses it, by mount point or kind

    def describe(self) -> str:
        """Return one line for a person: path, model and size."""
        return f"{self.path}: {self.model or 'unknown model'}, {human(self.size)}"


def human(size: float) -> str:
    """Return a size in decimal units, as printed on cards."""
    for unit in ("bytes", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} bytes" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"


def inspect(path: Path, system: System) -> Device:
    """Describe the block device at `path`; FlashError if there is none."""
    major, minor = system.number(path)
    folder = (system.sys / "dev/block" / f"{major}:{minor}").resolve()
    if not folder.is_dir():
        raise FlashError(
            f"{path} is not described in {system.sys}.",
            "This works on Linux only; elsewhere write the image with Raspberry Pi Imager.",
        )
    disk = folder.parent if (folder / "partition").exists() else folder
    return Device(
        path=path,
        name=folder.name,
        size=int(_text(folder / "size") or 0) * SECTOR,
        model=_model(disk),
        removable=_is_removable(disk),
        read_only=_text(folder / "ro") == "1" or _text(disk / "ro") == "1",
        whole_disk=disk.name,
        used=_users(folder, system),
    )


def cards(system: System) -> list[Device]:
    """Return the removable disks with a medium, for a person to choose from."""
    found = []
    for entry in sorted((system.sys / "class/block").glob("*")):
        folder = entry.resolve()
        number = _text(folder / "dev").partition(":")
        if (folder / "partition").exists() or not number[2] or not _is_removable(folder):
            continue
        fixed = System(
            system.sys,
            system.proc,
            system.dev,
            lambda _, n=number: (int(n[0]), int(n[2])),  # type: ignore[misc]
        )
        device = inspect(system.dev / folder.name, fixed)
        if device.size:
            found.append(device)
    return found


def refuse(device: Device, image_size: int) -> None:
    """Raise FlashError if `device` must not, or cannot, take an image of `image_size` bytes."""
    if device.whole_disk != device.name:
        raise FlashError(
            f"{device.path} is a partition of {device.whole_disk}.",
            f"Name the whole card: {device.path.with_name(device.whole_disk)}.",
        )
    _refuse_used(device)
    if not device.removable:
        raise FlashError(
            f"{device.describe()} is not a removable device.",
            "Only cards and USB sticks are written, so that no disk of this machine is lost.",
        )
    if not device.size:
        raise FlashError(f"{device.path} holds no card.", "Put the card into the reader.")
    if device.read_only:
        raise FlashError(
            f"{device.path} is write-protected.", "Move the slide on the card or its adapter."
        )
    if device.size < image_size:
        raise FlashError(
            f"{device.describe()} is too small: the image needs {human(image_size)}.",
            "Take a larger card.",
        )


def _refuse_used(device: Device) -> None:
    system = sorted(where for where in device.used if where in _SYSTEM_MOUNTS)
    if system:
        raise FlashError(
            f"This machine runs from {device.path}: {', '.join(system)} lies on it.",
            "Name another device. Run it without a device for a list.",
        )
    if device.used:
        users = ", ".join(f"{part} ({where})" for where, part in sorted(device.used.items()))
        raise FlashError(
            f"{device.path} is in use: {users}.",
            "Close what uses it and unmount it (umount, swapoff), then try again.",
        )


def _users(folder: Path, system: System) -> dict[str, str]:
    """Return what uses a disk, its partitions and what is built upon them."""
    parts = _built_upon(folder)
    numbers = {_text(part / "dev"): part.name for part in parts}
    names = {part.name for part in parts}
    used = {
        f"holds {holder.name}": part.name
        for part in parts
        for holder in (part / "holders").glob("*")
    }
    for line in _text(system.proc / "self/mountinfo").splitlines():
        words = line.split()
        source = Path(words[words.index("-") + 2]).name
        part = numbers.get(words[2]) or (source if source in names else "")
        if part:
            used[words[4].replace("\\040", " ")] = part
    for line in _text(system.proc / "swaps").splitlines()[1:]:
        name = Path(line.split()[0]).name
        if name in names:
            used["swap"] = name
    return used


def _built_upon(folder: Path) -> set[Path]:
    """Return a disk, its partitions, and every device mapping and array that holds them."""
    found: set[Path] = set()
    queue = [folder]
    while queue:
        part = queue.pop()
        if part not in found:
            found.add(part)
            queue += [path.parent for path in part.glob("*/partition")]
            queue += [path.resolve() for path in (part / "holders").glob("*")]
    return found


def _is_removable(disk: Path) -> bool:
    """Cards in a slot of the board's own (mmc) do not set the removable flag; eMMC is fixed."""
    return _text(disk / "removable") == "1" or _text(disk / "device/type") == "SD"


def _model(disk: Path) -> str:
    words = [_text(disk / "device" / name) for name in ("vendor", "model", "name")]
    # A reader's strings come from outside: only what can be printed in one line.
    return " ".join("".join(c for c in " ".join(words) if c.isprintable()).split())


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
