"""Board, card and data partition: what sysfs says, what it means, and who is told."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from masqgate.contract.hardware import Board, Card, Data, Hardware, rows, short
from masqgate.contract.paths import Paths
from masqgate.core import words
from masqgate.core.hardware import reasons
from masqgate.system.sensors import Sensors
from msgspec.structs import replace

from tests.unit.router import Router, until
from tests.unit.web_site import Site
from tests.unit.web_site import words as words_of

WELL = Hardware(
    board=Board(model="Raspberry Pi 4 Model B", temperature_c=51.6, under_voltage=False),
    card=Card(device="mmcblk0", name="SC16G", serial="0x1234abcd", made="03/2024", errors=0),
    data=Data(state="writable", size_bytes=400_000_000, free_bytes=390_000_000, used_percent=3),
)
# A Pi 4 with the kernel of Raspberry Pi, and a compute module's eMMC.
TREE = {
    "firmware/devicetree/base/model": "Raspberry Pi 4 Model B Rev 1.4\0",
    "class/thermal/thermal_zone0/temp": "51608\n",
    "class/thermal/cooling_device0/type": "cpufreq-cpu0\n",
    "class/thermal/cooling_device0/cur_state": "0\n",
    "class/hwmon/hwmon0/name": "cpu_thermal\n",
    "class/hwmon/hwmon1/name": "rpi_volt\n",
    "class/hwmon/hwmon1/in0_lcrit_alarm": "0\n",
    "block/mmcblk0/size": "31116288\n",
    "block/mmcblk0/stat": " 9053 2151 640086 17110 2047 4391 103208 67101 0 24 84212 0\n",
    "block/mmcblk0/device/name": "BJTD4R\n",
    "block/mmcblk0/device/serial": "0x1c2a3b4d\n",
    "block/mmcblk0/device/date": "08/2020\n",
    "block/mmcblk0/device/life_time": "0x01 0x02\n",
    "block/mmcblk0/device/pre_eol_info": "0x01\n",
    "fs/ext4/mmcblk0p2/errors_count": "0\n",
    "fs/ext4/mmcblk0p2/lifetime_write_kbytes": "0\n",
    "fs/ext4/mmcblk0p4/errors_count": "0\n",
    "fs/ext4/mmcblk0p4/last_error_time": "0\n",
    "fs/ext4/mmcblk0p4/lifetime_write_kbytes": "204800\n",
    "fs/ext4/sda1/errors_count": "7\n",
}


class Place:
    """A sysfs and a data partition made up."""

    def __init__(self, folder: Path) -> None:
        self.sys = folder / "sys"
        self.paths = Paths(
            folder / "run", folder / "data", folder / "share", folder / "r" / "boot"
        )
        self.paths.boot.mkdir(parents=True)
        self.paths.data.mkdir()
        (self.paths.boot / "disk").write_text("/dev/mmcblk0\n")

    def put(self, tree: dict[str, str]) -> None:
        for name, text in tree.items():
            path = self.sys / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    def read(self) -> Hardware:
        return Sensors(self.paths, self.sys).read()


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@pytest.fixture
def filled(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Have statvfs tell of a partition of 1000 blocks of 4 KiB, ten of them kept for root."""

    def fill(free: int, flags: int = 0) -> None:
        told = os.statvfs_result((4096, 4096, 1000, free, max(0, free - 10), 0, 0, 0, flags, 255))
        monkeypatch.setattr(os, "statvfs", lambda _: told)

    return fill


def codes(hardware: Hardware, before: tuple[str, ...] = ()) -> list[str]:
    return [reason.code for reason in reasons(hardware, before)]


def test_all_that_a_board_may_tell_is_read(place: Place, filled: Callable[..., None]) -> None:
    place.put(TREE)
    filled(750)
    told = place.read()
    assert told.board == Board(
        model="Raspberry Pi 4 Model B Rev 1.4",
        temperature_c=51.608,
        under_voltage=False,
        held_back=False,
    )
    assert told.card == Card(
        device="mmcblk0",
        name="BJTD4R",
        serial="0x1c2a3b4d",
        made="08/2020",
        size_bytes=31_116_288 * 512,
        worn_percent=20,
        spare="normal",
        errors=0,
        written_bytes=103_208 * 512,
        written_ever_bytes=204_800 * 1024,
    )
    assert told.data == Data(
        state="writable", size_bytes=990 * 4096, free_bytes=740 * 4096, used_percent=26
    )
    assert codes(told) == []


def test_a_board_that_tells_nothing_is_said_to_do_so(place: Place) -> None:
    (place.paths.boot / "disk").unlink()
    told = place.read()
    assert (told.board, told.card) == (Board(), Card())
    said = dict(rows(told, serial=True))
    for label in ("Board", "Temperature", "Supply voltage", "Processor", "Card", "Card's errors"):
        assert said[label] == "not told by this board"
    assert codes(told) == [] or codes(told) == ["data_nearly_full"]  # this machine's own disk


@pytest.mark.parametrize("nonsense", ["", "\xff\xfe", "no number\n", "9" * 300])
def test_nonsense_in_sysfs_is_not_told(place: Place, nonsense: str) -> None:
    place.put(dict.fromkeys(TREE, nonsense))
    rows(place.read(), serial=True)


@pytest.mark.parametrize(
    ("name", "text", "code"),
    [
        ("class/thermal/thermal_zone0/temp", "80001", "too_hot"),
        ("class/hwmon/hwmon1/in0_lcrit_alarm", "1", "under_voltage"),
        ("fs/ext4/mmcblk0p4/errors_count", "3", "card_errors"),
        ("fs/ext4/mmcblk0p2/errors_count", "1", "card_errors"),
        ("block/mmcblk0/device/life_time", "0x09 0x02", "card_worn"),
        ("block/mmcblk0/device/pre_eol_info", "0x02", "card_worn"),
    ],
)
def test_each_bad_sign_is_warned_of(
    place: Place, filled: Callable[..., None], name: str, text: str, code: str
) -> None:
    place.put(TREE | {name: text})
    filled(750)
    assert codes(place.read()) == [code]


@pytest.mark.parametrize(
    ("flags", "low", "held"), [("50000", False, False), ("1", True, False), ("6", False, True)]
)
def test_the_firmware_tells_where_the_driver_does_not(
    place: Place, flags: str, low: bool, held: bool
) -> None:
    place.put({"devices/platform/soc/soc:firmware/get_throttled": f"{flags}\n"})
    board = place.read().board
    assert (board.under_voltage, board.held_back) == (low, held)


def test_data_partition(place: Place, filled: Callable[..., None]) -> None:
    filled(120)
    assert codes(place.read()) == []
    filled(109)
    assert codes(place.read()) == ["data_nearly_full"]
    filled(109, os.ST_RDONLY)
    assert place.read().data.state == "read_only"
    assert codes(place.read()) == []  # the store warns of that
    filled(900)
    place.paths.volatile.touch()
    assert codes(place.read()) == ["data_volatile"]


def test_a_warning_does_not_come_and_go_all_the_time() -> None:
    def at(temperature: float) -> Hardware:
        return replace(WELL, board=Board(temperature_c=temperature))

    assert codes(at(79)) == []
    assert codes(at(79), ("too_hot",)) == ["too_hot"]
    assert codes(at(75), ("too_hot",)) == []
    nearly = replace(WELL, data=replace(WELL.data, used_percent=87))
    assert codes(nearly) == []
    assert codes(nearly, ("data_nearly_full",)) == ["data_nearly_full"]


def test_words_fit_a_terminal_and_tell_what_to_do() -> None:
    card = replace(WELL.card, errors=2, last_error_at=1.79e9)
    broken = replace(WELL, card=card, board=Board(temperature_c=91.2))
    lines = words.hardware_lines(broken, reasons(broken))
    assert all(len(line) < 80 and line.isascii() for line in lines)
    text = " ".join(" ".join(lines).split())
    for part in (
        "Temperature 91 C",
        "Card's errors 2, the last 2026-09-21 14:13:20 UTC",
        "serial number 0x1234abcd",
        "Supply voltage not told by this board",
        "Data partition 3 % full (390 MB of 400 MB free)",
        "WARNING The board is hotter than 80 C.",
        "Save a backup and replace the card.",
    ):
        assert part in text
    assert len(lines) < 22
    assert short(WELL) == (
        "52 °C, card without errors, data partition 3 % full (390 MB of 400 MB free)"
    )


def test_what_comes_and_goes_is_warned_of_and_noted_once(tmp_path: Path) -> None:
    router = Router(tmp_path)
    try:
        router.start()
        _comes_and_goes(router)
    finally:
        router.close()


def test_page_tells_it_and_the_serial_number_only_to_whoever_is_logged_in() -> None:
    site = Site()
    seen, known = words_of(site.visitor().get("/")), words_of(site.admin().get("/"))
    for text in (seen, known):
        assert "Temperature 48 °C" in text
        assert "Supply voltage not told by this board" in text
        assert "Card's errors none" in text
    assert "0x1234abcd" in known
    assert "0x1234abcd" not in seen


def _comes_and_goes(router: Router) -> None:
    hot = replace(WELL, board=Board(temperature_c=85))
    router.sensors.hardware = hot
    until(lambda: _asked(router, 10.0) == ["too_hot"])
    assert router.client.status().hardware == hot
    _asked(router, 10.0)
    router.sensors.hardware = WELL
    until(lambda: _asked(router, 10.0) == [])
    assert [code for code in router.codes() if "hot" in code] == ["too_hot", "too_hot_over"]


def _asked(router: Router, later_s: float) -> list[str]:
    """The codes of the warnings, so much later."""
    router.clock.added_s += later_s
    return [warning.code for warning in router.client.status().warnings]
