"""Which ports a modem may have."""

from __future__ import annotations

import pytest
from masqgate.contract.config import Config, Modem
from masqgate.contract.rules import check


def codes(port: str) -> list[str]:
    modem = Modem(name="m", port=port, number="1")
    return [problem.code for problem in check(Config(uplink=(modem,)))]


@pytest.mark.parametrize(
    "port",
    [
        "/dev/ttyAMA0",
        "/dev/ttyUSB12",
        "/dev/ttyACM0",
        "/dev/ttyS0",
        "/dev/serial/by-path/platform-3f980000.usb-usb-0:1.3:1.0-port0",
        "/dev/serial/by-id/usb-FTDI_FT232R_USB_UART_A50285BI-if00-port0",
    ],
)
def test_serial_ports_are_taken(port: str) -> None:
    assert codes(port) == []


@pytest.mark.parametrize(
    "port",
    [
        "/dev/pts/0",
        "/dev/tty1",
        "/dev/console",
        "/dev/mmcblk0",
        "/dev/serial/by-path/../../pts/0",
        "/dev/serial/by-id/..",
        "/dev/serial/by-id/",
        "/dev/ttyUSB0\n",
        "ttyUSB0",
    ],
)
def test_other_devices_are_refused(port: str) -> None:
    assert codes(port) == ["bad_port"]
