"""The ladder's step with the USB port's power: which port, whether its hub can, and the counts."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from masqgate import usbpower
from masqgate.contract.codec import from_json, to_json
from masqgate.contract.config import Modem
from masqgate.contract.dialer import DialerConfig
from masqgate.contract.paths import Paths
from masqgate.contract.status import LinkState, Reason
from masqgate.core import words
from masqgate.link import events as ev
from masqgate.system import usbport
from masqgate.system.dialer_files import DialerFiles

from tests.unit.link_world import World, config

EACH, GANGED, NONE = (bytes((9, 0x29, 4, mode, 0, 50, 50)) for mode in (0x09, 0x08, 0x0A))
CUT = ev.PowerSwitched(True, "The modem's USB port (1-1-port2) was without power for 5 s.")
UNABLE = ev.PowerSwitched(False, "The USB hub 1-1 does not switch its ports one by one.")


@pytest.fixture
def sys(tmp_path: Path) -> Path:
    """A modem 1-1.2 behind the hub 1-1, as in /sys, and a UART that is not on USB."""
    sys = tmp_path / "sys"
    hub = sys / "devices/platform/usb/usb1/1-1"
    port = hub / "1-1:1.0/1-1-port2"
    modem = hub / "1-1.2"
    tty = modem / "1-1.2:1.0/ttyUSB0"
    uart = sys / "devices/platform/serial"
    for folder in (port, tty, uart, sys / "class/tty/ttyUSB0", sys / "class/tty/ttyAMA0"):
        folder.mkdir(parents=True)
    (hub / "idVendor").write_text("05e3\n")
    (modem / "idVendor").write_text("12d1\n")
    (port / "disable").write_text("0\n")
    (port / "device").symlink_to(modem)
    (modem / "port").symlink_to(port)
    (sys / "class/tty/ttyUSB0/device").symlink_to(tty)
    (sys / "class/tty/ttyAMA0/device").symlink_to(uart)
    return sys


def test_the_port_is_the_modems_own(sys: Path) -> None:
    port = usbport.port_of("/dev/ttyUSB0", sys)
    assert [folder.name for folder in port.folders] == ["1-1-port2"]


def test_both_halves_of_a_usb_3_socket_are_switched_unless_the_other_is_in_use(
    sys: Path,
) -> None:
    other = sys / "devices/platform/usb/usb2/2-0:1.0/usb2-port2"
    other.mkdir(parents=True)
    (other / "disable").write_text("0\n")
    port = usbport.port_of("/dev/ttyUSB0", sys).folders[0]
    (port / "peer").symlink_to(other)
    assert usbport.port_of("/dev/ttyUSB0", sys).folders == (port, other)
    (other / "device").mkdir()
    assert usbport.port_of("/dev/ttyUSB0", sys).folders == (port,)


@pytest.mark.parametrize(
    ("device", "why"),
    [("/dev/ttyAMA0", "is not on USB"), ("/dev/ttyUSB7", "is not there")],
)
def test_a_port_without_usb_is_told(sys: Path, device: str, why: str) -> None:
    with pytest.raises(usbport.UnableError, match=why):
        usbport.port_of(device, sys)


def test_a_kernel_that_does_not_switch_is_told(sys: Path) -> None:
    (usbport.port_of("/dev/ttyUSB0", sys).folders[0] / "disable").unlink()
    with pytest.raises(usbport.UnableError, match="kernel"):
        usbport.port_of("/dev/ttyUSB0", sys)


def test_only_a_hub_that_switches_ports_one_by_one_is_used(sys: Path) -> None:
    port = usbport.port_of("/dev/ttyUSB0", sys)
    asked: list[str] = []

    def each(hub: Path) -> bytes:
        asked.append(hub.name)
        return EACH

    usbport.check_hub(port, each)
    assert asked == ["1-1"]
    for answer in (GANGED, NONE):
        with pytest.raises(usbport.UnableError, match="one by one"):
            usbport.check_hub(port, lambda _, told=answer: told)  # type: ignore[misc]
    for nothing in (b"", b"\t)"):
        with pytest.raises(usbport.UnableError, match="does not tell"):
            usbport.check_hub(port, lambda _, told=nothing: told)  # type: ignore[misc]
    with pytest.raises(usbport.UnableError, match="does not tell"):
        usbport.check_hub(port)


def test_the_power_comes_back_whatever_happens(sys: Path, tmp_path: Path) -> None:
    port, keep = usbport.port_of("/dev/ttyUSB0", sys), tmp_path / "keep"
    disable = port.folders[0] / "disable"
    seen: list[str] = []
    usbport.cycle(port, keep, lambda _: seen.append(disable.read_text()))
    assert (seen, disable.read_text(), keep.exists()) == (["1"], "0", False)

    def broken(_: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        usbport.cycle(port, keep, broken)
    assert (disable.read_text(), keep.exists()) == ("0", False)


def test_a_port_that_was_left_without_power_gets_it_back(
    sys: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a KILL: the unit runs this at its end, and at the next start."""
    folder = usbport.port_of("/dev/ttyUSB0", sys).folders[0]
    (folder / "disable").write_text("1")
    paths = Paths(tmp_path / "run", tmp_path / "data", tmp_path / "share")
    paths.usb_cut("modem1").parent.mkdir(parents=True)
    paths.usb_cut("modem1").write_text(f"{folder}\n{folder}-gone\n")
    monkeypatch.setenv("MASQGATE_RUN", str(paths.run))
    assert usbpower.main(["--restore", "modem1"]) == 0
    assert (folder / "disable").read_text() == "0"
    assert not paths.power_answer("modem1").exists()


@pytest.mark.parametrize(
    ("descriptor", "code"), [(EACH, "usb_power"), (GANGED, "usb_power_unable")]
)
def test_a_request_is_answered(
    sys: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, descriptor: bytes, code: str
) -> None:
    paths = Paths(tmp_path / "run", tmp_path / "data", tmp_path / "share")
    modem = Modem(name="modem1", port="/dev/ttyUSB0", number="1")
    paths.dialer_config("modem1").parent.mkdir(parents=True)
    told = DialerConfig(modem=modem, interface="ppp-modem1")
    paths.dialer_config("modem1").write_bytes(to_json(told, secrets=True))
    monkeypatch.setenv("MASQGATE_RUN", str(paths.run))
    found = usbport.port_of("/dev/ttyUSB0", sys)
    monkeypatch.setattr(usbport, "port_of", lambda _: found)
    monkeypatch.setattr(usbport, "hub_descriptor", lambda _: descriptor)
    monkeypatch.setattr(usbport.time, "sleep", lambda _: None)
    monkeypatch.setattr(usbport, "OFF_S", 0.0)
    files = DialerFiles(paths, "modem1")
    files.ask_for_power()
    assert paths.power_request("modem1").exists()
    assert usbpower.main(["modem1"]) == 0
    assert not paths.power_request("modem1").exists()
    assert from_json(paths.power_answer("modem1").read_bytes(), Reason).code == code
    answer = files.power_answer()
    assert answer is not None and answer.done is (code == "usb_power")
    assert files.power_answer() is None


def silent(power: ev.PowerSwitched | None) -> World:
    world = World(config())
    world.power = power
    world.faults.modem = "silent"
    return world


def test_the_step_comes_after_the_restart_and_is_counted_by_cause() -> None:
    world = silent(CUT)
    world.run_until(lambda: bool(world.machine.status(world.now, 0.0).power_cuts), 600.0)
    told = [note.text for note in world.notes if note.code == "reset"]
    assert told[2:] == [
        "Bringing the modem back (restarting it).",
        "Bringing the modem back (switching its USB port off and on).",
    ]
    status = world.machine.status(world.now, 0.0)
    assert status.power_cuts == {"modem_silent": 1}
    assert status.resets == {"modem_silent": 4}
    assert "usb_power" in [note.code for note in world.notes]
    assert any("USB power" in line for line in words.link_lines(status, 0.0, active=False))
    world.faults.modem = ""
    world.reach(LinkState.UP)


def test_it_is_taken_seldom() -> None:
    world = silent(CUT)
    world.run_for(24 * 3600.0)
    gaps = [later - sooner for sooner, later in pairwise(world.power_asked)]
    assert 20 < len(world.power_asked) < 50
    assert min(gaps[1:]) > 1800.0


@pytest.mark.parametrize("power", [UNABLE, None])
def test_where_it_cannot_be_done_the_ladder_goes_on_with_one_word(
    power: ev.PowerSwitched | None,
) -> None:
    world = silent(power)
    world.run_for(6 * 3600.0)
    assert len(world.power_asked) > 3
    assert [note.code for note in world.notes].count("usb_power_unable") == 1
    assert world.machine.status(world.now, 0.0).power_cuts == {}
    world.faults.modem = ""
    world.reach(LinkState.UP)


def test_a_person_does_not_wait_for_it() -> None:
    world = silent(None)
    world.run_until(lambda: bool(world.power_asked), 600.0)
    world.call(ev.DisconnectCalled())
    assert world.state is LinkState.IDLE
    world.call(CUT)
    assert world.state is LinkState.IDLE


UNITS = Path(__file__).resolve().parents[2] / "rootfs-overlay/usr/lib/systemd/system"


def test_the_dialer_has_no_right_to_switch_power() -> None:
    dialer = (UNITS / "masqgate-dialer@.service").read_text()
    assert "Wants=masqgate-usbpower@%i.path" in dialer
    assert "ProtectKernelTunables=yes" in dialer and "usb_device" not in dialer
    power = (UNITS / "masqgate-usbpower@.service").read_text()
    assert "ReadWritePaths=/run/masqgate/dialer /sys/devices\n" in power
    assert "--restore" in power
