"""Reads what board, card and data partition tell of themselves: sysfs and statvfs.

Nothing here waits for the card: sysfs answers from memory, statvfs from the mounted file system.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from masqgate.contract.hardware import Board, Card, Data, Hardware
from masqgate.contract.paths import Paths

SYS = Path("/sys")
MOST = 1 << 53
SECTOR = 512  # bytes, in /sys/block whatever the card's own are
# Of the firmware's `get_throttled`: now under voltage; now capped, throttled or too warm.
_LOW, _HELD = 0b0001, 0b1110
_SPARE: dict[int, Literal["normal", "warning", "urgent"]] = {
    1: "normal",
    2: "warning",
    3: "urgent",
}


class Sensors:
    """One for the supervisor; `sys` is where sysfs is."""

    def __init__(self, paths: Paths, sys: Path = SYS) -> None:
        self._paths = paths
        self._sys = sys

    def read(self) -> Hardware:
        """Look at all; what is not there is not told."""
        return Hardware(board=self._board(), card=self._card(), data=self._data())

    def _board(self) -> Board:
        flags = self._firmware()
        low, held = self._alarm(), self._cooling()
        if flags is not None:
            low = bool(flags & _LOW) if low is None else low
            held = bool(flags & _HELD)
        model = _text(self._sys / "firmware/devicetree/base/model")
        return Board(
            model=model,
            temperature_c=self._temperature(),
            under_voltage=low,
            held_back=held,
        )

    def _temperature(self) -> float | None:
        zones = self._numbers("class/thermal/thermal_zone*/temp")
        found = list(zones) or list(self._numbers("class/hwmon/hwmon*/temp1_input"))
        return max(found) / 1000 if found else None

    def _alarm(self) -> bool | None:
        """The driver `rpi_volt` of Raspberry Pi's own kernel: its firmware's alarm."""
        for folder in self._sys.glob("class/hwmon/hwmon*"):
            if _text(folder / "name") == "rpi_volt":
                alarm = _number(folder / "in0_lcrit_alarm")
                return None if alarm is None else bool(alarm)
        return None

    def _firmware(self) -> int | None:
        """The firmware's flags, which Raspberry Pi's own kernel shows."""
        for path in self._sys.glob("devices/platform/soc*/*firmware/get_throttled"):
            return _number(path, 16)
        return None

    def _cooling(self) -> bool | None:
        """Whether the kernel itself slows the processor down, where it is the one to do so."""
        states = [
            _number(folder / "cur_state")
            for folder in self._sys.glob("class/thermal/cooling_device*")
            if "cpufreq" in _text(folder / "type")
        ]
        known = [state for state in states if state is not None]
        return any(known) if known else None

    def _card(self) -> Card:
        name = _text(self._paths.boot / "disk").removeprefix("/dev/")
        folder = self._sys / "block" / name
        if not name or not folder.is_dir():
            return Card()
        device = folder / "device"
        sectors = _number(folder / "size")
        errors, last = self._errors(name)
        return Card(
            device=name,
            name=_text(device / "name"),
            serial=_text(device / "serial"),
            made=_text(device / "date"),
            size_bytes=None if sectors is None else sectors * SECTOR,
            worn_percent=_life(_text(device / "life_time")),
            spare=_SPARE.get(_number(device / "pre_eol_info", 16) or 0, ""),
            errors=errors,
            last_error_at=last,
            written_bytes=_written(_text(folder / "stat")),
            written_ever_bytes=self._written_ever(name),
        )

    def _errors(self, card: str) -> tuple[int | None, float | None]:
        """What ext4 has counted on all partitions of the card, and when the last was."""
        counts = list(self._numbers(f"fs/ext4/{card}p*/errors_count"))
        last = max(self._numbers(f"fs/ext4/{card}p*/last_error_time"), default=0)
        return (sum(counts) if counts else None), float(last) or None

    def _written_ever(self, card: str) -> int | None:
        """What ext4 keeps in its superblocks; the slots are mounted read-only, and have 0."""
        counts = list(self._numbers(f"fs/ext4/{card}p*/lifetime_write_kbytes"))
        return max(counts) * 1024 if counts else None

    def _data(self) -> Data:
        # Not /data itself: in the service's sandbox that always looks read-only.
        folder = self._paths.config.parent
        try:
            found = os.statvfs(folder if folder.exists() else self._paths.data)
        except OSError:
            return Data()
        used = found.f_blocks - found.f_bfree
        usable = used + found.f_bavail  # without what is kept for root, as df counts
        state: Literal["writable", "read_only", "volatile"] = "writable"
        if self._paths.volatile.exists():
            state = "volatile"
        elif found.f_flag & os.ST_RDONLY:
            state = "read_only"
        return Data(
            state=state,
            size_bytes=usable * found.f_frsize,
            free_bytes=found.f_bavail * found.f_frsize,
            used_percent=-(-100 * used // usable) if usable else None,
        )

    def _numbers(self, pattern: str) -> Iterator[int]:
        for path in self._sys.glob(pattern):
            if (number := _number(path)) is not None:
                yield number


def _text(path: Path) -> str:
    """A small file's text; empty if it is not there, or the driver gives an error."""
    try:
        return path.read_bytes()[:256].decode("ascii", "replace").strip("\0 \n")
    except OSError:
        return ""


def _number(path: Path, base: int = 10) -> int | None:
    """A small file's number; None for nonsense, and for what no sensor can mean."""
    try:
        number = int(_text(path), base)
    except ValueError:
        return None
    return number if abs(number) < MOST else None


def _life(text: str) -> int | None:
    """Two estimates in steps of 10 % (JESD84-B51, section 7.4.30); 0: not told."""
    try:
        steps = max((int(word, 16) for word in text.split()), default=0)
    except ValueError:
        return None
    return min(steps, 11) * 10 if steps else None


def _written(stat: str) -> int | None:
    """Sectors written, the seventh field of a disk's statistics, in bytes."""
    fields = stat.split()
    return int(fields[6]) * SECTOR if len(fields) > 6 and fields[6].isdigit() else None
