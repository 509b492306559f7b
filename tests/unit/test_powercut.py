"""The replay of power cuts finds what is wrong with a card, and repairs as the router does.

The cards are made here, with a file system of a few MiB; what the booted image writes is
replayed in tests/system/test_powercut.py, all of it by `make powercut`.
"""

from __future__ import annotations

import hashlib
import os
import random
import struct
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from masqgate.system import atomic

from image.builder.disk import boot_state
from image.builder.layout import DISK_SIGNATURE, PARTITIONS
from tests.powercut import blocklog
from tests.powercut.blocklog import SECTOR, Write
from tests.powercut.card import DATA_START, Card
from tests.powercut.judge import MEND, Broken, Facts, facts, run
from tests.powercut.kills import Work, compare
from tests.powercut.orders import Epoch, Unit, ends_flushed, epochs, subsets, units
from tests.powercut.record import Mark
from tests.powercut.replay import Limits, Recording, journal
from tests.powercut.uboot import expected, torn
from tests.powercut.updates import Systems

CONFIG = '[system]\nhostname = "saved"\n'
HASH = "scrypt$16384$8$1$c2FsdA==$aGFzaA==\n"
JOURNAL = frozenset(range(800, 1600))
COMMIT = struct.pack(">II", 0xC03B3998, 2).ljust(SECTOR, b"\0")


def block(at: int, data: bytes = b"x" * SECTOR) -> list[Write]:
    """A block of eight sectors."""
    return [Write(at * 8, data), *(Write(at * 8 + n, bytes(SECTOR)) for n in range(1, 8))]


def test_a_log_is_read_up_to_the_write_that_was_cut(tmp_path: Path) -> None:
    writes = block(3) + block(9)
    path = tmp_path / "log"
    path.write_bytes(blocklog.encode(writes))
    assert blocklog.read(path) == writes
    path.write_bytes(blocklog.encode(writes)[:-1])
    assert blocklog.read(path) == writes[:-1]
    path.write_bytes(b"no log of writes".ljust(SECTOR))
    with pytest.raises(ValueError, match="not a log"):
        blocklog.read(path)


def test_a_flush_is_where_the_journal_commits() -> None:
    writes = block(10) + block(100) + block(101, COMMIT) + block(11) + block(12)
    found = epochs(writes, JOURNAL)
    assert [[unit.writes[0].at // 8 for unit in epoch.units] for epoch in found] == [
        [10, 100], [101], [11, 12],
    ]  # fmt: skip
    assert [epoch.first for epoch in found] == [0, 16, 24]
    assert [unit.first for unit in units(writes)] == [0, 8, 16, 24, 32]


def test_a_log_that_ends_in_a_commit_ends_in_a_flush() -> None:
    commit = block(10) + block(101, COMMIT)
    assert ends_flushed(epochs(commit, JOURNAL), JOURNAL)
    assert not ends_flushed(epochs(commit + block(11), JOURNAL), JOURNAL)
    assert not ends_flushed([], JOURNAL)


def test_of_a_small_epoch_every_subset_is_tried_and_of_a_large_one_a_sample() -> None:
    small = Epoch(0, tuple(units(block(1) + block(2) + block(3))))
    whole = {
        frozenset(write.at for write in chosen)
        for chosen in subsets(small, random.Random(1), samples=0)
    }
    assert len(whole) == 8
    large = Epoch(0, tuple(Unit(n * 8, tuple(block(n))) for n in range(30)))
    chosen = list(subsets(large, random.Random(1), samples=50))
    assert len(chosen) == 50
    assert any(len(writes) % 8 for writes in chosen), "some blocks are torn"


@pytest.fixture
def card(tmp_path: Path) -> Callable[[dict[str, str]], Path]:
    """Make a card whose data partition holds files."""

    def make(files: dict[str, str]) -> Path:
        folder, data = tmp_path / "files", tmp_path / "card.img"
        for name, text in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)
        folder.mkdir(exist_ok=True)
        state = boot_state()
        table = bytearray(SECTOR)
        table[440:444], table[510:] = DISK_SIGNATURE, b"\x55\xaa"
        for number, (offset, size) in enumerate(PARTITIONS.values()):
            place = 446 + 16 * number + 8
            table[place : place + 8] = struct.pack("<II", offset // SECTOR, size // SECTOR)
        with data.open("wb") as file:
            file.truncate(512 << 20)
            file.write(table)
            for at in state.COPY_SECTORS:
                file.seek(at * SECTOR)
                file.write(state.encode(state.BootState()))
        offset = f"offset={PARTITIONS['data'][0]}"
        made = run("mke2fs", "-q", "-t", "ext4", "-b", "4096", "-J", "size=4", "-E", offset,
                   "-d", str(folder), str(data), "63M")  # fmt: skip
        assert made.returncode == 0, made.stderr
        return data

    return make


GOOD = {"config/config.toml": CONFIG, "config/password": HASH, "machine-id": "1234\n"}


def test_what_the_router_would_find_is_found(
    card: Callable[[dict[str, str]], Path], tmp_path: Path
) -> None:
    found = facts(Card.of(card(GOOD)), tmp_path)
    assert (found.origin, found.password, found.machine_id) == ("saved", HASH.strip(), "1234")
    assert 'hostname = "saved"' in found.config
    assert found.slot == "a"


@pytest.mark.parametrize(
    ("files", "why"),
    [
        ({**GOOD, "config/config.toml": CONFIG[:20]}, "configuration"),
        ({**GOOD, "config/password": ""}, "password"),
        ({**GOOD, "config/password": HASH[3:]}, "password"),
        ({**GOOD, "log/events.jsonl": '{"half\n{"another\n'}, "history"),
    ],
)
def test_half_a_file_is_a_bad_state(
    card: Callable[[dict[str, str]], Path], tmp_path: Path, files: dict[str, str], why: str
) -> None:
    with pytest.raises(Broken, match=why):
        facts(Card.of(card(files)), tmp_path)


def test_a_torn_table_boot_state_or_file_system_is_a_bad_state(
    card: Callable[[dict[str, str]], Path], tmp_path: Path
) -> None:
    whole = Card.of(card(GOOD))
    torn = bytes(SECTOR)
    copies = [Write(at, torn) for at in boot_state().COPY_SECTORS]
    assert facts(whole.after(copies[:1]), tmp_path).slot == "a", "the other copy is enough"
    with pytest.raises(Broken, match="boot state"):
        facts(whole.after(copies), tmp_path)
    with pytest.raises(Broken, match="table"):
        facts(whole.after([Write(0, torn)]), tmp_path)
    with pytest.raises(Broken, match="cannot be repaired"):
        facts(whole.after([Write(DATA_START + 2, torn)]), tmp_path)


def test_a_superblock_of_which_one_sector_was_written_is_mended(
    card: Callable[[dict[str, str]], Path], tmp_path: Path
) -> None:
    """e2fsck alone gives up: so small a file system has no backup of it."""
    whole = Card.of(card(GOOD))
    first = bytearray(whole.read(DATA_START + 2))
    first[44:48] = struct.pack("<I", 1_900_000_000)  # mounted at another time
    torn = whole.after([Write(DATA_START + 2, bytes(first))])
    data = tmp_path / "torn.img"
    torn.write_data(data)
    assert run("e2fsck", "-f", "-y", str(data)).returncode >= 4
    assert facts(torn, tmp_path).password == HASH.strip()
    # Once mended there is nothing left to do, and nothing that is no superblock is touched.
    assert subprocess.run([sys.executable, MEND, data], capture_output=True).returncode == 0
    assert subprocess.run([sys.executable, MEND, data], capture_output=True).returncode == 1
    data.write_bytes(bytes(8192))
    assert subprocess.run([sys.executable, MEND, data], capture_output=True).returncode == 1
    assert data.read_bytes() == bytes(8192)


def test_a_replay_tells_old_from_new_and_finds_a_loss(
    card: Callable[[dict[str, str]], Path], tmp_path: Path
) -> None:
    """A file is written in place: a torn one, or one that is acknowledged before a flush."""
    folder = tmp_path / "recording"
    folder.mkdir()
    base = card(GOOD)
    base.rename(folder / "card.img")
    place = next(
        at for at in range(DATA_START, DATA_START + 129024, 8)
        if Card.of(folder / "card.img").read(at).startswith(CONFIG.encode())
    )  # fmt: skip
    new = Write(place, CONFIG.replace("saved", "novel").encode().ljust(SECTOR, b"\0"))
    torn = Write(place, b"[system\n".ljust(SECTOR, b"\0"))
    data = tmp_path / "data.img"
    Card.of(folder / "card.img").write_data(data)
    flush = Write(min(journal(data)) + 8, COMMIT)

    def judged(*writes: Write) -> list[str]:
        (folder / "writes.log").write_bytes(blocklog.encode(list(writes)))
        recording = Recording(folder, tmp_path / "work")
        mark = Mark("recording", "save", 0, len(writes), len(writes))
        result = recording.judge(mark, Limits(subsets=0), seed=1)
        assert result.outcomes["new"] > 0
        return [why for _, why in result.bad]

    assert judged(new, flush) == []
    assert any("configuration" in why for why in judged(torn, new, flush))
    assert any("older than acknowledged" in why for why in judged(new))


def test_half_a_system_is_a_bad_state_only_in_a_slot_that_may_be_started(
    card: Callable[[dict[str, str]], Path], tmp_path: Path
) -> None:
    folder = tmp_path / "recording"
    folder.mkdir()
    card(GOOD).rename(folder / "card.img")
    module = boot_state()
    state = module.BootState()

    def judged(slot: str) -> list[str]:
        first = PARTITIONS[f"slot-{slot}"][0] // SECTOR
        written = [Write(first + n, b"system".ljust(SECTOR)) for n in range(3)]
        tried = Write(module.COPY_SECTORS[0], module.encode(state.to_be_tried(slot)))
        (folder / "writes.log").write_bytes(blocklog.encode([*written, tried]))
        recording = Recording(folder, tmp_path / "work")
        mark = Mark("recording", "update", 0, 4, 4)
        return [why for name, why in recording.judge(mark, Limits(), 1).bad if "prefix" in name]

    assert judged("b") == [], "slot B has no tries until it is complete"
    assert set(judged("a")) == {"a slot that may be started holds half a system"}


def test_a_reset_that_is_under_way_is_finished_before_it_is_judged(
    card: Callable[[dict[str, str]], Path], tmp_path: Path
) -> None:
    found = facts(Card.of(card({**GOOD, "config/reset": ""})), tmp_path)
    assert 'hostname = "masqgate"' in found.config
    assert found.password == ""


def test_a_temporary_file_is_not_taken_for_a_configuration(
    card: Callable[[dict[str, str]], Path], tmp_path: Path
) -> None:
    left = atomic._temporary(Path("config/config.toml"))
    found = facts(Card.of(card({**GOOD, str(left): "[half"})), tmp_path)
    assert found.origin == "saved"


def test_what_the_router_waits_for_is_a_flush_as_well() -> None:
    writes = [*block(10), Write(2048, bytes(SECTOR)), *block(11)]
    found = epochs(writes, JOURNAL, frozenset({2048}))
    assert [len(epoch.units) for epoch in found] == [1, 1, 1]
    assert [len(epoch.units) for epoch in epochs(writes, JOURNAL)] == [3]


def test_torn_boot_states_are_read_as_the_old_one_or_the_new_one() -> None:
    module = boot_state()
    for one in torn(random.Random(1), 300):
        found = module.newest(one.copies)[0]
        assert found in [module.newest(copies)[0] for copies in (one.before, one.after)]


def test_what_the_boot_loader_should_do_is_told_by_the_boot_state() -> None:
    module = boot_state()
    trial = module.BootState(9, "b", (True, False), (0, 2))
    copies = module.encode(trial), module.encode(module.BootState(8, "a", (True, True)))
    tried, left = expected(copies)
    assert tried == "baba"
    assert module.newest(left) == (module.BootState(10, "b", (True, False), (0, 1)), 0)
    assert expected((b"", b"")) == ("abab", (b"", b""))


@pytest.fixture
def before() -> Facts:
    return Facts("saved", "minutes = 1", "scrypt$old", "id", (1, 2), "a", (None, None), 100)


@pytest.mark.parametrize(("during", "change", "acknowledged", "outcome"), [
    ("configuration save", {}, False, "old"),
    ("configuration save", {"config": "minutes = 2"}, True, "new"),
    ("configuration save", {}, True, "Broken: older than acknowledged"),
    ("configuration save", {"config": "minutes = 3"}, False, "Broken: neither the old"),
    ("configuration save", {"password": "scrypt$x"}, False, "Broken: the password"),
    ("update", {"slot": "b"}, True, "starts slot b next"),
    ("update", {"config": "minutes = 2"}, False, "Broken: configuration or password"),
    ("update", {"machine_id": "other"}, False, "Broken: the identity"),
    ("update", {"events": (2,)}, False, "Broken: events"),
    ("factory reset", {"events": (3,), "config": "minutes = 2"}, True, "new"),
    ("factory reset", {"events": (3,)}, False, "Broken: events"),
])  # fmt: skip
def test_what_a_kill_may_leave(
    before: Facts, during: str, change: dict[str, object], acknowledged: bool, outcome: str
) -> None:
    work = Work(during, "", 1.0, lambda found: found.config == "minutes = 2")
    now = replace(before, **change)
    if outcome.startswith("Broken: "):
        with pytest.raises(Broken, match=outcome.removeprefix("Broken: ")):
            compare(work, before, now, acknowledged)
    else:
        assert compare(work, before, now, acknowledged) == outcome


def test_a_slot_that_may_be_started_holds_a_whole_system(tmp_path: Path) -> None:
    module = boot_state()
    path, system = tmp_path / "card", b"system" * 1000
    pieces = ((4096, len(system), hashlib.sha256(system).hexdigest()),)
    systems = Systems(path, (pieces,))
    with path.open("wb") as file:
        file.truncate(1 << 30)
        os.pwrite(file.fileno(), system, PARTITIONS["slot-a"][0] + 4096)
        os.pwrite(file.fileno(), system[:-1], PARTITIONS["slot-b"][0] + 4096)
        for good, whole in (((True, False), True), ((True, True), False), ((False, True), False)):
            state = module.BootState(2, "a", good, (0, 0))
            os.pwrite(file.fileno(), module.encode(state), 2048 * SECTOR)
            if whole:
                systems.check(path)
            else:
                with pytest.raises(Broken, match="slot b may be started"):
                    systems.check(path)
