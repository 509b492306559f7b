"""Which of the kernel's Ethernet interfaces are ports of the LAN: a made-up /sys."""

from __future__ import annotations

from pathlib import Path

import pytest
from masqgate.system.netlink import belongs_to_modem


class Sys:
    """USB devices below a hub, as the kernel shows them."""

    def __init__(self, folder: Path) -> None:
        self.net = folder / "class/net"
        self.bus = folder / "devices/usb1/1-1"
        self.net.mkdir(parents=True)
        self._device(self.bus)

    def add(self, device: str, *files: str) -> Path:
        """A device on the hub, with files in it."""
        made = self._device(self.bus / device)
        for file in files:
            (made / file).mkdir(parents=True)
        return made

    def interface(self, name: str, device: Path) -> None:
        """A network interface of a device, or of one of its interfaces."""
        (device / "net" / name).mkdir(parents=True)
        (device / "net" / name / "device").symlink_to(device)
        (self.net / name).symlink_to(device / "net" / name)

    def _device(self, made: Path) -> Path:
        made.mkdir(parents=True)
        (made / "idVendor").write_text("12d1\n")
        return made


@pytest.fixture
def sys(tmp_path: Path) -> Sys:
    return Sys(tmp_path)


@pytest.mark.parametrize(
    "tty", ["1-1.2:1.0/ttyUSB0/tty/ttyUSB0", "1-1.2:1.0/tty/ttyACM0"], ids=["option", "cdc_acm"]
)
def test_a_network_device_of_a_stick_that_dials_is_no_port(sys: Sys, tty: str) -> None:
    stick = sys.add("1-1.2", tty, "1-1.2:1.3")
    sys.interface("usb0", stick / "1-1.2:1.3")
    assert belongs_to_modem("usb0", sys.net)


def test_an_adapter_beside_a_modem_is_a_port(sys: Sys) -> None:
    sys.add("1-1.2", "1-1.2:1.0/ttyUSB0/tty/ttyUSB0")
    adapter = sys.add("1-1.3", "1-1.3:1.0")
    sys.interface("eth1", adapter / "1-1.3:1.0")
    sys.interface("eth2", adapter)  # some drivers take the whole device
    assert not belongs_to_modem("eth1", sys.net)
    assert not belongs_to_modem("eth2", sys.net)


def test_a_driver_that_takes_the_whole_stick(sys: Sys) -> None:
    stick = sys.add("1-1.2", "1-1.2:1.0/tty/ttyACM0")
    sys.interface("usb0", stick)
    assert belongs_to_modem("usb0", sys.net)


def test_ports_that_are_not_on_usb(sys: Sys, tmp_path: Path) -> None:
    soc = tmp_path / "devices/soc"
    (soc / "fd580000.ethernet").mkdir(parents=True)
    (soc / "fe201000.serial:0/tty/ttyAMA0").mkdir(parents=True)
    sys.interface("eth0", soc / "fd580000.ethernet")
    (sys.net / "veth0").mkdir()
    assert not belongs_to_modem("eth0", sys.net)
    assert not belongs_to_modem("veth0", sys.net)
    assert not belongs_to_modem("gone", sys.net)
