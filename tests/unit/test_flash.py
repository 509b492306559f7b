"""Writing an image to a card: what is refused, what is written, what is told."""

from __future__ import annotations

import ast
import hashlib
import io
import lzma
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

IMAGE_DIR = Path(__file__).resolve().parents[2] / "image"
sys.path.insert(0, str(IMAGE_DIR))

import flash  # noqa: E402
import flash_source  # noqa: E402
from flash_device import FlashError, System, block_number, human, inspect  # noqa: E402
from flash_source import parse_bmap  # noqa: E402

BLOCK = 4096
CHUNK = 16 * BLOCK  # small, so that small images have several
ROOT_MOUNT = "22 1 259:2 / / rw,relatime - ext4 /dev/nvme0n1p2 rw\n"


@dataclass
class Machine:
    """A machine with one card, made of files."""

    top: Path
    numbers: dict[str, tuple[int, int]]
    opened: int = 0

    def disk(self, name: str, number: tuple[int, int], size: int, /, **words: str) -> Path:
        folder = self.top / "sys/devices" / name
        (folder / "device").mkdir(parents=True)
        (folder / "holders").mkdir()
        self._entry(folder, name, number, size)
        (folder / "removable").write_text(words.pop("removable", "1"))
        (folder / "ro").write_text(words.pop("ro", "0"))
        for key, value in words.items():
            (folder / "device" / key).write_text(value + "\n")
        return folder

    def partition(self, disk: Path, name: str, number: tuple[int, int]) -> Path:
        folder = disk / name
        (folder / "holders").mkdir(parents=True)
        (folder / "partition").write_text("1\n")
        self._entry(folder, name, number, 1 << 20)
        return folder

    def _entry(self, folder: Path, name: str, number: tuple[int, int], size: int) -> None:
        text = f"{number[0]}:{number[1]}"
        (folder / "dev").write_text(f"{text}\n")
        (folder / "size").write_text(f"{size // 512}\n")
        for link in (self.top / "sys/dev/block" / text, self.top / "sys/class/block" / name):
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(folder)
        self.numbers[name] = number
        device = self.top / "dev" / name
        device.write_bytes(b"\xff" * size)

    def mount(self, line: str) -> None:
        with (self.top / "proc/self/mountinfo").open("a") as file:
            file.write(line)

    @property
    def system(self) -> System:
        return System(
            self.top / "sys",
            self.top / "proc",
            self.top / "dev",
            lambda path: self.numbers[path.resolve().name],
        )

    def open(self, path: Path) -> int:
        self.opened += 1
        return os.open(path, os.O_RDWR)

    def content(self, name: str = "sdb") -> bytes:
        return (self.top / "dev" / name).read_bytes()


@dataclass
class Run:
    status: int
    text: str


def run(
    machine: Machine,
    *arguments: str | Path,
    answer: str | None = "sdb",
    opener: Callable[[Path], int] | None = None,
) -> Run:
    out = io.StringIO()
    ask = None if answer is None else lambda _: answer
    world = flash.World(machine.system, opener or machine.open, lambda: 0.0, out, ask)
    return Run(flash.main([str(word) for word in arguments], world), out.getvalue())


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    monkeypatch.setattr(flash_source, "CHUNK", CHUNK)
    (tmp_path / "dev").mkdir()
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/mountinfo").write_text(ROOT_MOUNT)
    (tmp_path / "proc/swaps").write_text("Filename\tType\tSize\tUsed\tPriority\n")
    made = Machine(tmp_path, {})
    made.disk("sdb", (8, 16), 10 * CHUNK, vendor="Generic ", model="SD/MMC\x1b[2J")
    return made


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "masqgate.img"
    path.write_bytes(pattern())
    return path


def pattern() -> bytes:
    """An image of a bit more than two chunks, with a hole, and an odd end."""
    head = b"".join(number.to_bytes(4, "big") * 256 for number in range(40))
    return head + bytes(CHUNK) + os.urandom(CHUNK) + b"end"


def make_bmap(data: bytes, ranges: list[tuple[int, int]], size: int | None = None) -> bytes:
    rows = ""
    for first, last in ranges:
        digest = hashlib.sha256(data[first * BLOCK : (last + 1) * BLOCK]).hexdigest()
        text = str(first) if first == last else f"{first}-{last}"
        rows += f'<Range chksum="{digest}"> {text} </Range>\n'
    text = f"""<?xml version="1.0" ?>
<bmap version="2.0">
<ImageSize> {len(data) if size is None else size} </ImageSize>
<BlockSize> {BLOCK} </BlockSize>
<BlocksCount> {-(-len(data) // BLOCK)} </BlocksCount>
<MappedBlocksCount> {sum(b - a + 1 for a, b in ranges)} </MappedBlocksCount>
<ChecksumType> sha256 </ChecksumType>
<BmapFileChecksum> {"0" * 64} </BmapFileChecksum>
<BlockMap>
{rows}</BlockMap>
</bmap>
"""
    return text.replace("0" * 64, hashlib.sha256(text.encode()).hexdigest()).encode()


def test_writes_and_verifies(machine: Machine, image: Path) -> None:
    done = run(machine, "--image", image, "--device", machine.top / "dev/sdb")
    assert done.status == 0, done.text
    written = machine.content()
    assert written[: image.stat().st_size] == image.read_bytes()
    assert set(written[image.stat().st_size :]) == {0xFF}
    assert "Generic SD/MMC[2J, 655.4 kB" in done.text
    assert "\x1b[2J" not in done.text, "a reader's name must not drive the terminal"
    assert "verifying: 100 %" in done.text


def test_reads_xz_and_writes_only_what_the_block_map_names(machine: Machine, image: Path) -> None:
    data = image.read_bytes()
    packed = image.with_name("masqgate.img.xz")
    packed.write_bytes(lzma.compress(data[:CHUNK], preset=0) + lzma.compress(data[CHUNK:]))
    hole = (40960 // BLOCK, (40960 + CHUNK) // BLOCK)
    last = (len(data) - 1) // BLOCK
    ranges = [(0, hole[0] - 1), (hole[1], last - 1), (last, last)]
    image.with_name("masqgate.img.bmap").write_bytes(make_bmap(data, ranges))
    done = run(machine, "--image", packed, "--device", machine.top / "dev/sdb", "--yes")
    assert done.status == 0, done.text
    written = machine.content()
    assert written[:40960] == data[:40960]
    assert written[hole[1] * BLOCK : len(data)] == data[hole[1] * BLOCK :]
    assert set(written[40960 : hole[1] * BLOCK]) == {0xFF}, "the hole must stay as it was"


@pytest.mark.parametrize("answer", ["", "y", "sda", "/dev/sdb", None])
def test_without_confirmation_nothing_is_written(
    machine: Machine, image: Path, answer: str | None
) -> None:
    done = run(machine, "--image", image, "--device", machine.top / "dev/sdb", answer=answer)
    assert done.status == 1
    assert_untouched(machine)


def assert_untouched(machine: Machine) -> None:
    assert machine.opened == 0
    assert set(machine.content()) == {0xFF}


def refusal(machine: Machine, image: Path, name: str = "sdb") -> str:
    """Return what is said; whatever it is, `--yes` must not get around it."""
    done = run(machine, "--image", image, "--device", machine.top / "dev" / name, "--yes")
    assert done.status == 1, done.text
    assert_untouched(machine)
    assert "\n  " in done.text, "no advice what to do"
    return done.text


def test_refuses_a_fixed_disk(machine: Machine, image: Path) -> None:
    machine.disk("sdc", (8, 32), 10 * CHUNK, removable="0")
    assert "not a removable device" in refusal(machine, image, "sdc")


@pytest.mark.parametrize(("kind", "status"), [("SD", 0), ("MMC", 1)])
def test_a_card_slot_is_removable_and_emmc_is_not(
    machine: Machine, image: Path, kind: str, status: int
) -> None:
    machine.disk("mmcblk0", (179, 0), 10 * CHUNK, removable="0", type=kind, name="SC32G")
    done = run(machine, "--image", image, "--device", machine.top / "dev/mmcblk0", "--yes")
    assert done.status == status, done.text


def test_refuses_a_partition_and_names_its_disk(machine: Machine, image: Path) -> None:
    machine.partition(machine.top / "sys/devices/sdb", "sdb1", (8, 17))
    assert f"Name the whole card: {machine.top}/dev/sdb" in refusal(machine, image, "sdb1")


@pytest.mark.parametrize(
    "line",
    [
        "30 1 8:17 / /media/my\\040card rw shared:1 - vfat /dev/sdb1 rw\n",
        "30 1 0:40 / /media/my\\040card rw - btrfs /dev/sdb1 rw\n",
        "30 1 8:16 / /media/my\\040card rw - iso9660 /dev/sdb ro\n",
    ],
)
def test_refuses_a_mounted_card(machine: Machine, image: Path, line: str) -> None:
    machine.partition(machine.top / "sys/devices/sdb", "sdb1", (8, 17))
    machine.mount(line)
    text = refusal(machine, image)
    assert "in use" in text
    assert "/media/my card" in text


def test_refuses_the_disk_that_this_machine_runs_from(machine: Machine, image: Path) -> None:
    part = machine.partition(machine.top / "sys/devices/sdb", "sdb1", (8, 17))
    mapping = machine.disk("dm-0", (254, 0), 1 << 20)
    (part / "holders/dm-0").symlink_to(mapping)
    machine.mount("31 1 254:0 / / rw - ext4 /dev/mapper/vg-root rw\n")
    assert "This machine runs from" in refusal(machine, image)


def test_refuses_swap_and_what_a_mapping_holds(machine: Machine, image: Path) -> None:
    part = machine.partition(machine.top / "sys/devices/sdb", "sdb2", (8, 18))
    with (machine.top / "proc/swaps").open("a") as file:
        file.write("/dev/sdb2 partition 1000 0 -2\n")
    assert "sdb2 (swap)" in refusal(machine, image)
    (machine.top / "proc/swaps").write_text("Filename\n")
    (part / "holders/dm-3").symlink_to(machine.disk("dm-3", (254, 3), 1 << 20))
    assert "sdb2 (holds dm-3)" in refusal(machine, image)


def test_refuses_too_small_empty_and_protected(machine: Machine, image: Path) -> None:
    folder = machine.top / "sys/devices/sdb"
    (folder / "size").write_text(f"{CHUNK // 512}\n")
    assert "too small: the image needs 172.0 kB" in refusal(machine, image)
    (folder / "size").write_text("0\n")
    assert "holds no card" in refusal(machine, image)
    (folder / "size").write_text(f"{9 * CHUNK // 512}\n")
    (folder / "ro").write_text("1\n")
    assert "write-protected" in refusal(machine, image)


def test_refuses_what_is_no_block_device(tmp_path: Path) -> None:
    for path, words in (
        (Path("/dev/null"), "not a block device"),
        (tmp_path, "not a block device"),
        (tmp_path / "nothing", "There is no"),
    ):
        with pytest.raises(FlashError, match=words):
            block_number(path)
    with pytest.raises(FlashError, match="Linux"):
        inspect(tmp_path, System(sys=tmp_path, number=lambda _: (8, 0)))


def test_a_card_changed_while_the_question_stood_is_refused(machine: Machine, image: Path) -> None:
    out = io.StringIO()

    def ask(_: str) -> str:
        machine.mount("30 1 8:16 / /media/x rw - vfat /dev/sdb rw\n")
        return "sdb"

    world = flash.World(machine.system, machine.open, lambda: 0.0, out, ask)
    arguments = ["--image", str(image), "--device", str(machine.top / "dev/sdb")]
    assert flash.main(arguments, world) == 1
    assert "changed meanwhile" in out.getvalue()
    assert_untouched(machine)


def test_a_damaged_image_is_found_before_anything_is_written(
    machine: Machine, image: Path
) -> None:
    data = image.read_bytes()
    packed = image.with_name("m.img.xz")
    whole = lzma.compress(data, preset=0)
    for damaged in (
        whole[:-20],
        whole[: len(whole) // 2],
        whole[:2000] + b"\0" + whole[2001:],
        b"",
    ):
        packed.write_bytes(damaged)
        text = refusal(machine, packed)
        assert "damaged" in text or "empty" in text
    assert "There is no" in refusal(machine, image.with_name("none.img"))


def test_an_image_that_differs_from_its_block_map_is_refused(
    machine: Machine, image: Path
) -> None:
    data = image.read_bytes()
    beside = image.with_name("masqgate.img.bmap")
    beside.write_bytes(make_bmap(data, [(0, 9), (26, 42)]))
    changed = bytearray(data)
    changed[-10] ^= 1
    image.write_bytes(changed)
    assert "not what its block map tells, at byte 106496" in refusal(machine, image)
    image.write_bytes(data + b"more")
    assert "its block map says" in refusal(machine, image)


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text.replace(b"<Range", b"<Rnge", 1),
        lambda text: text.replace(b'version="2.0"', b'version="1.4"'),
        lambda text: b"<!DOCTYPE bmap [<!ENTITY a 'b'>]>" + text,
        lambda text: text[:100],
        lambda text: text.replace(b" 0-9 ", b" 0-8 "),
        lambda _: make_bmap(pattern(), [(0, 9), (8, 12)]),
        lambda _: make_bmap(pattern(), [(90000, 90001)]),
        lambda _: b"x" * (17 << 20),
    ],
)
def test_a_damaged_block_map_is_refused(
    machine: Machine, image: Path, damage: Callable[[bytes], bytes]
) -> None:
    whole = make_bmap(image.read_bytes(), [(0, 9)])
    assert parse_bmap(whole).ranges[0].end == 10 * BLOCK
    image.with_name("masqgate.bmap").write_bytes(damage(whole))
    assert "lock map" in refusal(machine, image)


def test_sums_beside_the_image_are_checked(machine: Machine, image: Path) -> None:
    sums = image.with_name("SHA256SUMS")
    sums.write_text(f"{'0' * 64}  masqgate.img\n")
    assert "not what SHA256SUMS tells" in refusal(machine, image)
    packed = image.with_name("masqgate.img.xz")
    packed.write_bytes(lzma.compress(image.read_bytes(), preset=0))
    sums.write_text(f"{'1' * 64} *masqgate.img.xz\n")
    assert "masqgate.img.xz is not what" in refusal(machine, packed)


def test_a_card_that_forgets_is_found_by_reading_back(
    machine: Machine, image: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.pread

    def forgetful(handle: int, size: int, at: int) -> bytes:
        return real(handle, size, 0 if at >= CHUNK else at)

    monkeypatch.setattr(os, "pread", forgetful)
    done = run(machine, "--image", image, "--device", machine.top / "dev/sdb", "--yes")
    assert done.status == 1
    assert f"does not hold what was written to it, at byte {CHUNK}" in done.text
    assert "Done" not in done.text


def test_a_card_that_fails_half_way_has_no_partition_table(
    machine: Machine, image: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.pwrite

    def failing(handle: int, data: bytes, at: int) -> int:
        if at >= 2 * CHUNK:
            raise OSError(5, "Input/output error")
        return real(handle, data[: CHUNK // 2], at)

    monkeypatch.setattr(os, "pwrite", failing)
    done = run(machine, "--image", image, "--device", machine.top / "dev/sdb", "--yes")
    assert done.status == 1
    assert "Input/output error" in done.text
    assert "incomplete" in done.text
    assert machine.content()[:CHUNK] == bytes(CHUNK)


def test_an_interrupt_says_what_is_left(machine: Machine, image: Path) -> None:
    def interrupted(_: Path) -> int:
        raise KeyboardInterrupt

    device = machine.top / "dev/sdb"
    done = run(machine, "--image", image, "--device", device, "--yes", opener=interrupted)
    assert done.status == 130
    assert "write the card again" in done.text


def test_without_a_device_it_lists_the_cards(machine: Machine) -> None:
    machine.disk("sda", (8, 0), 1 << 20, removable="0", model="Disk")
    machine.disk("mmcblk0", (179, 0), 8 << 20, removable="0", type="SD", name="SC32G")
    machine.disk("sr0", (11, 0), 0, model="Empty reader")
    machine.partition(machine.top / "sys/devices/sdb", "sdb1", (8, 17))
    machine.mount("30 1 8:17 / /media/a rw - vfat /dev/sdb1 rw\n")
    done = run(machine)
    assert done.status == 2
    assert "mmcblk0: SC32G, 8.4 MB" in done.text
    assert "[in use: /media/a]" in done.text
    assert "Disk" not in done.text
    assert "Empty" not in done.text


def test_sizes_are_told_as_on_the_card() -> None:
    assert human(999) == "999 bytes"
    assert human(31_914_983_424) == "31.9 GB"
    assert human(1_500) == "1.5 kB"


def test_it_runs_on_older_machines_with_the_standard_library_alone() -> None:
    own = {path.stem for path in IMAGE_DIR.glob("flash*.py")}
    assert len(own) == 4
    for name in own:
        tree = ast.parse((IMAGE_DIR / f"{name}.py").read_text(), feature_version=(3, 9))
        for node in ast.walk(tree):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            for module in names:
                assert module.partition(".")[0] in own | sys.stdlib_module_names
