"""What is pure in the image's builder: layout, boot state, lists, units. No root, no build."""

from __future__ import annotations

import configparser
import re
import struct
import sys
import zlib
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

REPOSITORY = Path(__file__).resolve().parents[2]
IMAGE = REPOSITORY / "image"
OVERLAY = REPOSITORY / "rootfs-overlay"
UNITS = OVERLAY / "usr/lib/systemd/system"
sys.path.insert(0, str(IMAGE))

from builder import elf, modules, tree  # noqa: E402
from builder.disk import boot_state  # noqa: E402
from builder.layer import BuildError, digest, layer, read_list  # noqa: E402
from builder.layout import DISK_SIGNATURE, IMAGE_BYTES, MIB, PARTITIONS  # noqa: E402

state = boot_state()

# --- boot state ---------------------------------------------------------------------------

STATES = st.builds(
    state.BootState,
    seq=st.integers(0, 2**31 - 1),
    first=st.sampled_from(state.SLOTS),
    good=st.tuples(st.booleans(), st.booleans()),
    tries=st.tuples(st.integers(0, 9), st.integers(0, 9)),
)


@given(STATES)
def test_a_boot_state_survives_its_encoding(value):
    sector = state.encode(value)
    assert len(sector) == 512
    assert state.decode(sector) == value


def test_a_boot_state_is_what_u_boot_imports():
    sector = state.encode(state.BootState(seq=0x1F, first="b", good=(True, False), tries=(3, 2)))
    text = b"first=b\0good_a=1\0good_b=0\0seq=1f\0tries_a=3\0tries_b=2\0"
    assert sector[4:] == text.ljust(508, b"\0")
    assert struct.unpack("<I", sector[:4]) == (zlib.crc32(sector[4:]),)


@given(STATES, st.integers(0, 512 * 8 - 1))
def test_one_flipped_bit_is_no_boot_state(value, bit):
    sector = bytearray(state.encode(value))
    sector[bit // 8] ^= 1 << bit % 8
    assert state.decode(bytes(sector)) is None


@given(STATES, st.integers(1, 511))
def test_a_torn_write_leaves_the_older_state(value, cut):
    old, new = state.encode(value), state.encode(replace(value, seq=value.seq + 1, first="b"))
    torn = new[:cut] + old[cut:]
    found, _ = state.newest((old, torn))
    assert found in (value, state.decode(new))


@pytest.mark.parametrize("garbage", [b"", b"\0" * 512, b"\xff" * 512, b"x" * 511, b"x" * 513])
def test_garbage_is_no_boot_state(garbage):
    assert state.decode(garbage) is None
    assert state.newest((garbage, garbage)) == (None, 0)


def test_text_with_a_right_checksum_but_a_wrong_slot_is_no_boot_state():
    data = b"first=c\0good_a=1\0good_b=0\0seq=1\0tries_a=3\0tries_b=2\0".ljust(508, b"\0")
    assert state.decode(struct.pack("<I", zlib.crc32(data)) + data) is None


def test_the_newest_copy_counts_and_the_other_is_written_next():
    old, new = state.BootState(seq=9), state.BootState(seq=10)
    assert state.newest((state.encode(old), state.encode(new))) == (new, 0)
    assert state.newest((state.encode(new), state.encode(old))) == (new, 1)
    assert state.newest((state.encode(new), b"\0" * 512)) == (new, 1)
    assert state.newest((b"\0" * 512, state.encode(new))) == (new, 0)


def test_an_update_is_on_trial_until_it_is_marked_good():
    running = state.BootState(seq=4, first="a", good=(True, False), tries=(0, 0))
    writing = running.invalidated("b")
    assert (writing.first, writing.good, writing.tries) == ("a", (True, False), (0, 0))
    trial = writing.to_be_tried("b")
    assert (trial.first, trial.good, trial.tries) == ("b", (True, False), (0, state.UPDATE_TRIES))
    kept = trial.marked_good("b")
    assert (kept.first, kept.good, kept.seq) == ("b", (True, True), 7)


# --- layout -------------------------------------------------------------------------------


def test_the_layout_is_that_of_genimage():
    text = (IMAGE / "genimage.cfg").read_text()
    sizes = dict(re.findall(r"image (\S+) \{.*?\n\tsize = (\d+)M", text, re.DOTALL))
    for name, (offset, size) in PARTITIONS.items():
        part = re.search(rf"partition {name} \{{(.*?)\}}", text, re.DOTALL)
        assert part is not None
        fields = dict(re.findall(r"(\S+) = \"?([^\"\n]+)", part[1]))
        assert fields["offset"] == f"{offset // MIB}M"
        held = fields.get("size", "").rstrip("M") or sizes[fields["image"]]
        assert int(held) * MIB == size
    assert int(sizes["masqgate.img"]) * MIB == IMAGE_BYTES
    signature = re.search(r"disk-signature = 0x(\w+)", text)
    assert signature is not None
    assert bytes.fromhex(signature[1])[::-1] == DISK_SIGNATURE


def test_partitions_do_not_overlap_and_fit():
    end = 4 * MIB
    for offset, size in PARTITIONS.values():
        assert offset >= end
        end = offset + size
    assert end <= IMAGE_BYTES
    assert IMAGE_BYTES & (IMAGE_BYTES - 1) == 0


def test_the_boot_state_lies_in_the_gap_before_the_first_partition():
    text = (IMAGE / "genimage.cfg").read_text()
    script = (IMAGE / "board/boot.cmd").read_text()
    for number, sector in enumerate(state.COPY_SECTORS):
        assert sector * 512 + 512 <= PARTITIONS["boot"][0]
        assert re.search(rf"partition state-{number} \{{[^}}]*offset = {sector // 2048}M", text)
        assert f"{sector:#x}" in script


def test_the_boot_script_carries_every_field_of_the_boot_state():
    script = (IMAGE / "board/boot.cmd").read_text()
    names = re.findall(rb"(\w+)=", state.encode(state.BootState())[4:])
    for command in ("env import -c ${copy} 0x200", "env export -c -s 0x200 0x07002000"):
        line = next(line for line in script.splitlines() if command in line)
        for name in names:
            assert name.decode() in line.split(command)[1].split(";")[0].split()


def test_boot_parts_do_not_overlap_in_memory():
    script = (IMAGE / "board/boot.cmd").read_text()
    kernel, tree_at, initrd, packed = 0x200000, 0x8000000, 0x8100000, 0xA000000
    for address in (kernel, tree_at, initrd, packed):
        assert f"{address:#010x}" in script
    assert kernel + 100 * MIB < tree_at < initrd < packed
    # A Pi Zero 2 W has 512 MiB, less the graphics' part; U-Boot lies at its end.
    assert packed + 40 * MIB < 400 * MIB


def test_the_kernel_never_talks_on_the_modems_uart():
    script = (IMAGE / "board/boot.cmd").read_text()
    assert re.findall(r"console=(\S+?)[\s,]", script) == ["ttyS1"]
    assert "ttyAMA0" not in script
    environment = (IMAGE / "board/uboot.env.txt").read_text()
    assert "usb start" not in environment and "preboot" not in environment


def test_the_watchdog_runs_from_the_boot_script_on_but_not_in_the_emulator():
    script = (IMAGE / "board/boot.cmd").read_text()
    emulated, board = re.search(
        r"if fdt get value watchdog .*?\n(.*?)\nelse\n(.*?)\nfi\n", script, re.DOTALL
    ).groups()
    assert "mw" not in emulated and 'setenv arm \'if test -n "${trial}"; then mw.l' in board
    start = next(line for line in script.splitlines() if line.startswith("setenv start "))
    # After all that takes long, right before the system, and off again if that returns.
    assert re.search(r"unzip \S+ \S+ && run arm && booti [^;]+; run disarm'$", start)
    assert read_list(IMAGE / "modules-early.txt")[0] == "bcm2835_wdt"


# --- lists --------------------------------------------------------------------------------

LISTS = sorted(IMAGE.glob("*.txt"))


@pytest.mark.parametrize("path", LISTS, ids=lambda path: path.name)
def test_lists_have_no_entry_twice(path):
    entries = read_list(path)
    assert entries
    assert len(entries) == len(set(entries))


@pytest.mark.parametrize("name", ["packages.txt", "packages-host.txt"])
def test_package_lists_hold_names_of_packages(name):
    for entry in read_list(IMAGE / name):
        assert re.fullmatch(r"[a-z0-9][a-z0-9+.-]+", entry)


def test_no_remote_shell_and_no_privilege_tools_in_the_image():
    unwanted = {"openssh-server", "dropbear", "sudo", "telnetd", "login", "dbus"}
    assert not unwanted & set(read_list(IMAGE / "packages.txt"))
    commands = set(read_list(IMAGE / "commands.txt"))
    assert not {"su", "login", "passwd", "sshd", "agetty"} & commands


def test_removals_stay_inside_of_the_tree():
    for pattern in read_list(IMAGE / "prune.txt"):
        assert not pattern.startswith("/") and ".." not in pattern.split("/")


def test_everything_python_that_we_declare_is_a_package_of_the_image():
    declared = (REPOSITORY / "pyproject.toml").read_text()
    block = re.search(r"\ndependencies = \[(.*?)\]", declared, re.DOTALL)
    assert block is not None
    names = re.findall(r'"([a-z0-9-]+)', block[1])
    packages = set(read_list(IMAGE / "packages.txt"))
    for name in names:
        debian = name.removeprefix("py") if name == "pyserial" else name
        assert {f"python3-{debian}", debian} & packages, name


# --- builder ------------------------------------------------------------------------------


def test_setuid_files_are_found_and_stripped(tmp_path):
    plain, special = tmp_path / "plain", tmp_path / "pppd"
    for path in (plain, special):
        path.write_bytes(b"")
        path.chmod(0o755)
    special.chmod(0o4755)
    assert tree.privileged_files(tmp_path) == [special]
    tree.strip_privileges(tmp_path)
    assert tree.privileged_files(tmp_path) == []
    assert special.stat().st_mode & 0o7777 == 0o755


DEPENDENCIES = modules.parse_dependencies(
    "kernel/fs/ext4/ext4.ko.xz: kernel/fs/jbd2/jbd2.ko.xz kernel/lib/crc16.ko.xz\n"
    "kernel/fs/jbd2/jbd2.ko.xz:\n"
    "kernel/lib/crc16.ko.xz:\n"
    "kernel/drivers/net/usb/cdc_ether.ko.xz: kernel/drivers/net/usb/usbnet.ko.xz\n"
    "kernel/drivers/net/usb/usbnet.ko.xz:\n"
)


def test_modules_come_with_what_they_depend_on():
    chosen = modules.select(DEPENDENCIES, ["fs/ext4/*"])
    assert {Path(path).name for path in chosen} == {"ext4.ko.xz", "jbd2.ko.xz", "crc16.ko.xz"}


def test_a_pattern_without_a_module_stops_the_build():
    with pytest.raises(BuildError, match="sch_cake"):
        modules.select(DEPENDENCIES, ["net/sched/sch_cake"])


def test_early_modules_load_after_their_dependencies():
    order = modules.load_order(DEPENDENCIES, ["ext4", "cdc-ether"])
    names = [Path(path).name.partition(".")[0] for path in order]
    assert names == ["crc16", "jbd2", "ext4", "usbnet", "cdc_ether"]


def test_what_a_program_needs_is_read_from_it():
    assert any(name.startswith("libc.so") for name in elf.needed(Path("/bin/ls")))
    assert elf.needed(Path(__file__)) == []


def test_a_digest_tells_contents_names_modes_and_words_apart(tmp_path):
    top = tmp_path / "top"
    top.mkdir()
    (top / "one").write_text("1")
    seen = {digest([top]), digest([top], "word")}
    (top / "one").chmod(0o700)
    seen.add(digest([top]))
    (top / "one").write_text("2")
    seen.add(digest([top]))
    (top / "one").rename(top / "two")
    seen.add(digest([top]))
    assert len(seen) == 5


def test_a_layer_is_made_once_and_never_half(tmp_path):
    made = []

    def make(folder: Path) -> None:
        made.append(folder)
        (folder / "content").write_text("x")

    def broken(folder: Path) -> None:
        (folder / "content").write_text("half")
        raise BuildError("no")

    with pytest.raises(BuildError):
        layer(tmp_path, "base", "k1", broken)
    first = layer(tmp_path, "base", "k1", make)
    assert layer(tmp_path, "base", "k1", make) == first
    assert len(made) == 1
    assert (first / "content").read_text() == "x"
    second = layer(tmp_path, "base", "k2", make)
    assert second.exists() and not first.exists()


# --- units --------------------------------------------------------------------------------


def _unit(path: Path) -> list[tuple[str, str]]:
    lines = path.read_text().replace("\\\n", " ").splitlines()
    pairs = [line.partition("=") for line in lines if "=" in line and line[0] not in "#["]
    return [(key.strip(), value.strip()) for key, _, value in pairs]


SERVICES = sorted(UNITS.glob("masqgate*.service"))


@pytest.mark.parametrize("path", SERVICES, ids=lambda path: path.name)
def test_units_start_what_exists(path):
    commands = set(read_list(IMAGE / "commands.txt"))
    starts = [value for key, value in _unit(path) if key == "ExecStart"]
    assert starts
    for words in (value.split() for value in starts):
        if words[1:2] == ["-m"] and words[2].startswith("masqgate."):
            module = REPOSITORY / "firmware" / words[2].replace(".", "/")
            assert module.with_suffix(".py").exists() or (module / "__main__.py").exists()
        for word in words:
            if word.startswith("/usr/lib/masqgate/"):
                assert (OVERLAY / word[1:]).exists()
            elif word.startswith(("/usr/bin/", "/usr/sbin/")):
                assert word.rpartition("/")[2] in commands


@pytest.mark.parametrize(
    "path", [p for p in OVERLAY.rglob("*") if p.parent.name in ("masqgate", "bin")], ids=str
)
def test_scripts_of_the_overlay_can_be_executed(path):
    if path.is_file() and path.read_bytes()[:2] == b"#!":
        assert path.stat().st_mode & 0o100


def test_presets_enable_units_that_exist_and_nothing_else():
    preset = OVERLAY / "usr/lib/systemd/system-preset/10-masqgate.preset"
    *enabled, last = read_list(preset)
    assert last == "disable *"
    kept = set(read_list(IMAGE / "units.txt"))
    for line in enabled:
        verb, name, *_ = line.split()
        assert verb == "enable"
        assert (UNITS / name).exists() or name in kept


def test_units_that_must_never_stand_still_restart_for_ever():
    for name in ("masqgate", "masqgate-dialer@", "masqgate-web", "masqgate-console@"):
        fields = dict(_unit(UNITS / f"{name}.service"))
        assert fields["Restart"] == "always"
        assert fields["StartLimitIntervalSec"] == "0"


def test_the_packet_filter_is_closed_before_any_link_and_stays_at_stop():
    fields = _unit(UNITS / "masqgate-firewall.service")
    assert not [key for key, _ in fields if key.startswith("ExecStop")]
    before = " ".join(value for key, value in fields if key == "Before").split()
    assert {"network-pre.target", "masqgate-board.service"} <= set(before)
    rules = (OVERLAY / "usr/share/masqgate/closed.nft").read_text()
    hooks = re.findall(r"hook (\w+) priority \w+; policy (\w+);", rules)
    assert hooks == [("input", "drop"), ("forward", "drop"), ("output", "accept")]
    assert re.findall(r"^\s*(.*accept.*)$", rules, re.MULTILINE)[0].startswith('iifname "lo"')
    assert len(re.findall(r"(?<!policy )\baccept\b", rules)) == 1


@pytest.mark.parametrize("name", ["masqgate-web", "masqgate-web-tls"])
def test_odd_requests_of_the_lan_do_not_fill_the_journal(name):
    unit = (UNITS / f"{name}.service").read_text()
    (burst,) = re.findall(r"^LogRateLimitBurst=(\d+)$", unit, re.MULTILINE)
    (seconds,) = re.findall(r"^LogRateLimitIntervalSec=(\d+)s$", unit, re.MULTILINE)
    assert int(burst) / int(seconds) < 10  # lines a second; an 8 MiB journal lasts for hours


def test_names_and_leases_are_served_by_a_user_of_their_own():
    """Debian's dnsmasq becomes 'nobody' unless told otherwise."""
    unit = (UNITS / "masqgate-dnsmasq.service").read_text()
    assert "--user=dnsmasq" in unit.split("ExecStart=")[1].splitlines()[0].split()
    accounts = (OVERLAY / "usr/lib/sysusers.d/masqgate.conf").read_text()
    assert re.search(r"^u +dnsmasq ", accounts, re.MULTILINE)


def test_no_tmpfiles_line_gives_configuration_or_secrets_away():
    rows = [line.split() for line in read_list(OVERLAY / "usr/lib/tmpfiles.d/masqgate.conf")]
    modes = {row[1]: row[2] for row in rows}
    # dnsmasq passes through to its own files; nobody else can list what is there.
    assert modes["/run/masqgate"] == "0751"
    for path in ("/run/masqgate/dialer", "/run/masqgate/ppp", "/data/config", "/data/log"):
        assert modes[path] == "0700"


def test_forwarding_is_off_until_the_supervisor_turns_it_on():
    parser = configparser.ConfigParser(strict=True, interpolation=None)
    parser.read_string("[s]\n" + (OVERLAY / "usr/lib/sysctl.d/60-masqgate.conf").read_text())
    values = parser["s"]
    assert values["net.ipv4.ip_forward"] == values["net.ipv6.conf.all.forwarding"] == "0"
    assert values["net.ipv4.conf.all.accept_source_route"] == "0"
    assert values["kernel.panic"] == "10"


def test_no_byte_from_a_modem_can_stop_the_boot_loader():
    # On a board whose header carries the modem, U-Boot's console may be the modem's UART.
    environment = (IMAGE / "board/uboot.env.txt").read_text().splitlines()
    assert "bootdelay=-2" in environment


def test_the_initramfs_starts_programs_of_the_root_by_their_whole_path():
    script = (IMAGE / "initramfs/init").read_text()
    programs = re.findall(r"chroot /root (\S+?)[\s\"]", script)
    assert programs == ["/usr/sbin/e2fsck", "/usr/bin/python3"]
    assert "e2fsck" in read_list(IMAGE / "commands.txt")


def test_the_initramfs_mends_a_torn_superblock_before_it_repairs_what_is_left():
    """As the replay of power cuts does: tests/powercut/judge.py."""
    script = (IMAGE / "initramfs/init").read_text()
    steps = (
        "$fsck -p",
        "/usr/lib/masqgate/superblock.py",
        "$fsck -f -y",
        "mount -t ext4 -o noatime",
    )
    places = [script.index(step) for step in steps]
    assert places == sorted(places)
    assert (OVERLAY / "usr/lib/masqgate/superblock.py").is_file()
