"""One pin of the header, read once by the kernel's character device (GPIO uAPI, version 2)."""

from __future__ import annotations

import fcntl
import os
import struct
from pathlib import Path

_INPUT, _PULL_DOWN = 1 << 2, 1 << 9
_INFO = struct.Struct("32s32sI")
_VALUES = struct.Struct("QQ")
_REQUEST_BYTES = 592  # struct gpio_v2_line_request
_CONSUMER_AT, _FLAGS_AT, _LINES_AT, _FD_AT = 256, 288, 560, 588


def _ioctl_number(direction: int, number: int, size: int) -> int:
    return direction << 30 | size << 16 | 0xB4 << 8 | number


_GET_INFO = _ioctl_number(2, 0x01, _INFO.size)
_GET_LINE = _ioctl_number(3, 0x07, _REQUEST_BYTES)
_GET_VALUES = _ioctl_number(3, 0x0E, _VALUES.size)


def is_high(line: int, label: str = "pinctrl-bcm", devices: Path = Path("/dev")) -> bool:
    """Whether a pin, pulled down, is held high; False if there is no such chip. OSError else.

    `label` is the beginning of the chip's label.
    """
    for path in sorted(devices.glob("gpiochip*")):
        handle = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        try:
            info = bytearray(_INFO.size)
            fcntl.ioctl(handle, _GET_INFO, info)
            if _INFO.unpack(info)[1].decode("ascii", "replace").startswith(label):
                return _read(handle, line)
        finally:
            os.close(handle)
    return False


def request(line: int) -> bytearray:
    """Return the kernel's structure that asks for one pin as an input, pulled down."""
    wanted = bytearray(_REQUEST_BYTES)
    struct.pack_into("I", wanted, 0, line)
    struct.pack_into("32s", wanted, _CONSUMER_AT, b"masqgate")
    struct.pack_into("Q", wanted, _FLAGS_AT, _INPUT | _PULL_DOWN)
    struct.pack_into("I", wanted, _LINES_AT, 1)
    return wanted


def _read(chip: int, line: int) -> bool:
    wanted = request(line)
    fcntl.ioctl(chip, _GET_LINE, wanted)
    (handle,) = struct.unpack_from("i", wanted, _FD_AT)
    try:
        values = bytearray(_VALUES.pack(0, 1))
        fcntl.ioctl(handle, _GET_VALUES, values)
        return bool(_VALUES.unpack(values)[0] & 1)
    finally:
        os.close(handle)
