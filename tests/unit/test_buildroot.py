"""The tree for Buildroot: it asks for what exists, and gives what the other image gives."""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
import sys
import tomllib
from importlib import util
from pathlib import Path
from types import ModuleType

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
TREE = REPOSITORY / "buildroot-config"
IMAGE_DIR = REPOSITORY / "image"
OVERLAY = REPOSITORY / "rootfs-overlay"
BOARDS = ("rpi64", "rpi5")
for folder in (IMAGE_DIR, TREE):
    sys.path.insert(0, str(folder))

import kconfig  # noqa: E402
from builder import kernel as image_kernel  # noqa: E402
from builder import root as image_root  # noqa: E402
from builder.layer import read_list  # noqa: E402


def load(name: str) -> ModuleType:
    """Load a script of the tree under a name that nothing else has."""
    spec = util.spec_from_file_location(f"buildroot_{Path(name).stem}", TREE / name)
    assert spec is not None
    assert spec.loader is not None
    module = util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


build = load("build.py")
post_build = load("board/post_build.py")
post_image = load("board/post_image.py")


def defconfig(board: str) -> dict[str, str]:
    return kconfig.parse((TREE / f"configs/masqgate_{board}_defconfig").read_text())


def fragment(*names: str) -> dict[str, str]:
    return kconfig.merged((TREE / "board" / name).read_text() for name in names)


def rows(name: str) -> list[list[str]]:
    lines = (TREE / name).read_text().splitlines()
    return [line.split() for line in lines if line and not line.startswith("#")]


def package_symbols() -> set[str]:
    texts = (path.read_text() for path in (TREE / "package").glob("*/Config.in"))
    return {name for text in texts for name in re.findall(r"\bBR2_PACKAGE_\w+", text)}


# --- What is asked for exists


def test_every_symbol_is_known_and_every_known_symbol_is_used() -> None:
    used = package_symbols().union(*(defconfig(board) for board in BOARDS))
    known = {row[0]: row[1:] for row in rows("symbols-2025.02.txt")}
    assert used == set(known)
    assert {how for _, how in known.values()} == {"trial", "ours", "source"}
    for name, (where, how) in known.items():
        if how == "ours":
            assert f"config {name}\n" in (REPOSITORY / where).read_text()


def test_every_file_that_a_defconfig_names_exists() -> None:
    for board in BOARDS:
        for symbol, value in defconfig(board).items():
            for name in re.findall(r"\$\(BR2_EXTERNAL_MASQGATE_PATH\)/([^\s\"]+)", value):
                assert (TREE / name).exists(), f"{symbol} of {board}"
    for script in (TREE / "board").glob("post_*"):
        assert os.access(script, os.X_OK), script.name
    assert (TREE / "external.desc").read_text().startswith("name: MASQGATE\n")


def test_packages_are_included_pinned_and_hashed() -> None:
    included = (TREE / "Config.in").read_text()
    for folder in (TREE / "package").iterdir():
        assert f"package/{folder.name}/Config.in" in included
        assert (folder / f"{folder.name}.mk").is_file()
    recipe = (TREE / "package/python-msgspec/python-msgspec.mk").read_text()
    version = re.findall(r"_VERSION = (\S+)", recipe)[0]
    hashes = (TREE / "package/python-msgspec/python-msgspec.hash").read_text()
    assert re.search(
        rf"^sha256  [0-9a-f]{{64}}  msgspec-{re.escape(version)}\.tar\.gz$", hashes, re.M
    )


# --- It gives what the other image gives


def test_every_debian_package_has_its_counterpart() -> None:
    counterparts = {row[0]: row[1:] for row in rows("packages.txt")}
    wanted = set(read_list(IMAGE_DIR / "packages.txt"))
    assert wanted == set(counterparts), "keep buildroot-config/packages.txt in step"
    for board in BOARDS:
        given = {name for name, value in defconfig(board).items() if value != "n"}
        given |= package_symbols()
        for name, symbols in counterparts.items():
            assert symbols == ["="] or set(symbols) <= given, name


def test_our_python_package_brings_what_our_code_needs() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    names = {re.split(r"[<>=]", each)[0].removeprefix("py") for each in project["dependencies"]}
    names = {"pyroute2" if name == "route2" else name for name in names}
    selected = re.findall(
        r"select BR2_PACKAGE_PYTHON_(\w+)",
        (TREE / "package/python-masqgate/Config.in").read_text(),
    )
    assert {name.lower().replace("_", "-") for name in selected} == names


def test_users_are_those_of_the_overlay() -> None:
    wanted = set()
    for path in (OVERLAY / "usr/lib/sysusers.d").glob("*.conf"):
        for line in path.read_text().splitlines():
            if line.startswith("u "):
                wanted.add(tuple(line.split()[1:3]))
    table = [line.split() for line in (TREE / "board/users.txt").read_text().splitlines()]
    assert {(row[0], row[1]) for row in table} == wanted
    for row in table:
        assert row[2:5] == [row[0], row[1], "*"], "a group of its own, and no password"


def test_both_builders_lay_the_overlay_with_the_same_modes(tmp_path: Path) -> None:
    image_root._lay_overlay(tmp_path)
    for source in OVERLAY.rglob("*"):
        made = tmp_path / source.relative_to(OVERLAY)
        if source.is_symlink() or source.is_dir() or "__pycache__" in source.parts:
            continue
        executable = bool(source.stat().st_mode & 0o111)  # rsync's --chmod=u=rwX,go=rX
        assert stat.S_IMODE(made.stat().st_mode) == (0o755 if executable else 0o644), source
    for board in BOARDS:
        given = defconfig(board)["BR2_ROOTFS_OVERLAY"]
        assert given == '"$(BR2_EXTERNAL_MASQGATE_PATH)/../rootfs-overlay"'


def test_no_file_of_the_target_stays_setuid(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    program = tmp_path / "pppd"
    program.write_text("")
    program.chmod(0o4755)
    subprocess.run([TREE / "board/post_fakeroot.sh", tmp_path, "rpi64"], check=True)
    assert stat.S_IMODE(program.stat().st_mode) == 0o755
    assert stat.S_IMODE((tmp_path / "root").stat().st_mode) == 0o700


# --- The kernel and the boot loader


def features() -> dict[tuple[str, str], list[str]]:
    return {(row[0], row[1]): row[2:] for row in rows("features.txt")}


def ruleset_words() -> set[str]:
    files = [*(REPOSITORY / "firmware/masqgate/desired").glob("nft*.py")]
    files += (OVERLAY / "usr/share/masqgate").glob("*.nft")
    return {word for path in files for word in re.findall(r"[a-z]\w+", path.read_text())}


def modules() -> set[str]:
    lists = [IMAGE_DIR / "modules-early.txt", *(OVERLAY / "usr/lib/modules-load.d").glob("*.conf")]
    return {name.replace("-", "_") for path in lists for name in read_list(path)}


@pytest.mark.parametrize("board", BOARDS)
def test_the_kernel_has_what_the_router_asks_of_it(board: str) -> None:
    names = post_build.FRAGMENTS[board]
    given = {name.removeprefix("CONFIG_"): value for name, value in fragment(*names).items()}
    words = ruleset_words()
    for (kind, name), symbols in features().items():
        if kind == "nft" and name not in words:
            continue
        for symbol in symbols:
            assert given.get(symbol) in ("y", "m"), f"{kind} {name} needs {symbol}"


def test_every_module_that_is_loaded_by_name_is_accounted_for() -> None:
    known = {name for kind, name in features() if kind == "module"}
    assert modules() <= known, "say in features.txt which symbol gives it"


def test_nothing_that_the_root_file_system_needs_is_a_module() -> None:
    """The initramfs of this image loads none."""
    given = fragment("linux.fragment")
    for module in read_list(IMAGE_DIR / "modules-early.txt"):
        for symbol in features()["module", module.replace("-", "_")]:
            assert given[f"CONFIG_{symbol}"] == "y", module


def test_fragments_do_not_contradict_each_other() -> None:
    router = fragment("linux.fragment")
    for name in ("linux-trim.fragment", "rpi5/linux.fragment"):
        for symbol, value in fragment(name).items():
            assert router.get(symbol, value) == value, f"{symbol} in {name}"


def test_the_boot_loader_has_the_boot_scripts_commands() -> None:
    given = fragment("uboot.fragment")
    text = (IMAGE_DIR / "board/boot.cmd").read_text() + (
        IMAGE_DIR / "board/uboot.env.txt"
    ).read_text()
    commands = {
        "booti": "CMD_BOOTI",
        "env export": "CMD_EXPORTENV",
        "env import": "CMD_IMPORTENV",
        "ext4load": "CMD_EXT4",
        "fatload": "CMD_FAT",
        "fdt": "CMD_FDT",
        "mmc read": "CMD_MMC",
        "mw.l": "CMD_MEMORY",
        "setexpr": "CMD_SETEXPR",
        "source": "CMD_SOURCE",
        "unzip": "CMD_UNZIP",
    }
    for command, symbol in commands.items():
        assert command in text, f"{command} is not used any more"
        assert given[f"CONFIG_{symbol}"] == "y"
    assert given["CONFIG_USE_PREBOOT"] == "n", "starting USB costs Linux its Ethernet"
    assert given["CONFIG_ENV_SIZE"] == "0x4000"


@pytest.mark.parametrize("board", BOARDS)
def test_device_trees_are_built_for_every_board(board: str) -> None:
    named = defconfig(board)["BR2_LINUX_KERNEL_INTREE_DTS_NAME"].strip('"').split()
    assert [name.removeprefix("broadcom/") for name in named] == list(
        post_image.BOARDS[board].device_trees
    )
    assert defconfig(board)["BR2_ROOTFS_POST_SCRIPT_ARGS"] == f'"{board}"'


def test_the_boot_script_names_its_console_once() -> None:
    text = (IMAGE_DIR / "board/boot.cmd").read_text()
    assert text.count(f"console={post_image.BOARDS['rpi64'].console}") == 1


# --- What Kconfig dropped is told


def test_dropped_and_demoted_symbols_are_told() -> None:
    wanted = kconfig.parse(
        'A=y\nB=m\nC="x"\n# D is not set\n# E is not set\nF=y\nG=""\n# A note\n'
    )
    assert wanted["D"] == "n"
    actual = kconfig.parse('A=m\nB=m\nC="x"\n# D is not set\n# F is not set\n')
    assert kconfig.differences(wanted, actual) == ["A: wanted y, got m", "F: wanted y, got n"]
    assert kconfig.differences(wanted, {**actual, "A": "y", "F": "y", "E": "y"}) == [
        "E: wanted n, got y"
    ]
    assert kconfig.differences({"G": '""'}, {"G": '"x"'}) == ['G: wanted "", got "x"']


FAKE_MAKEFILE = """\
export BR2_VERSION := @VERSION@
masqgate_%_defconfig:
\tsed '/DROP/d' "$(BR2_EXTERNAL)/configs/$@" >"$(O)/.config"
all:
\tmkdir -p "$(O)/images/lab" && echo card >"$(O)/images/masqgate.img"
\techo tree >"$(O)/images/lab/board.dtb"
.DEFAULT_GOAL := all
"""


def fake_buildroot(folder: Path, version: str = "2025.02.16", drop: str = "nothing") -> Path:
    """A tree whose make does what Buildroot's would, without building."""
    folder.mkdir(parents=True)
    text = FAKE_MAKEFILE.replace("@VERSION@", version).replace("DROP", drop)
    (folder / "Makefile").write_text(text)
    return folder


def run_build(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *arguments: str, **environment: str
) -> int:
    for name in ("BUILDROOT_DIR",):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    output = tmp_path / "out"
    return int(build.main(["--output", str(output), *arguments]))


def test_a_build_leaves_the_card_where_everybody_looks_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree = fake_buildroot(tmp_path / "br")
    assert run_build(tmp_path, monkeypatch, BUILDROOT_DIR=str(tree)) == 0
    assert (tmp_path / "out/masqgate.img").read_text() == "card\n"
    assert (tmp_path / "out/boot/board.dtb").is_file()


@pytest.mark.parametrize("board", BOARDS)
def test_a_check_tells_what_did_not_survive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], board: str
) -> None:
    arguments = ("--check", "--board", board)
    tree = fake_buildroot(tmp_path / "whole")
    assert run_build(tmp_path, monkeypatch, *arguments, BUILDROOT_DIR=str(tree)) == 0
    assert not (tmp_path / "out/masqgate.img").exists()
    tree = fake_buildroot(tmp_path / "br", drop="^BR2_PACKAGE_PPPD")
    assert run_build(tmp_path, monkeypatch, *arguments, BUILDROOT_DIR=str(tree)) == 1
    assert "BR2_PACKAGE_PPPD: wanted y, got nothing" in capfd.readouterr().err


def test_another_series_is_refused_and_another_point_release_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    for version, status in (("2025.02.99", 0), ("2025.02", 0), ("2024.11.1", 1), ("2025.05", 1)):
        tree = fake_buildroot(tmp_path / version, version)
        assert run_build(tmp_path, monkeypatch, "--check", BUILDROOT_DIR=str(tree)) == status
    assert "2025.02.99 instead of" in capfd.readouterr().out
    assert run_build(tmp_path, monkeypatch, "--check", BUILDROOT_DIR=str(tmp_path)) == 1


def git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), "-c", "user.name=t", "-c", "user.email=t@t", *arguments]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


def test_the_pinned_release_is_fetched_and_another_commit_refused(tmp_path: Path) -> None:
    source, good, bad = (tmp_path / name for name in ("source", "good", "bad"))
    fake_buildroot(source)
    git(source, "init", "--quiet")
    git(source, "add", ".")
    git(source, "commit", "--quiet", "-m", "release")
    git(source, "tag", "-a", "-m", "release", "2025.02.16")
    commit = git(source, "rev-parse", "HEAD")
    for target in (good, bad):
        target.mkdir()
    build.fetch(str(source), "2025.02.16", commit, good)
    assert (good / "Makefile").read_bytes() == (source / "Makefile").read_bytes()
    with pytest.raises(build.BuildrootError, match=f"is commit {commit}, not 0000"):
        build.fetch(str(source), "2025.02.16", "0" * 40, bad)
    assert not (bad / "Makefile").exists()


def test_a_release_that_cannot_be_fetched_is_told_with_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(build.BuildrootError, match="BUILDROOT_DIR="):
        build.fetch(str(tmp_path / "nowhere"), "2025.02.16", "0" * 40, tmp_path)


def test_the_release_is_pinned() -> None:
    release = build.release()
    assert release["version"].startswith("2025.02.")
    assert re.fullmatch("[0-9a-f]{40}", release["commit"])


# --- The scripts that Buildroot calls


def made_build(folder: Path, board: str, without: str = "") -> Path:
    """A build folder as it looks when everything is built."""
    made = {
        "linux-6.12.1": (post_build.FRAGMENTS[board], "arch/arm64/boot/Image"),
        "uboot-2025.01": (("uboot.fragment",), "u-boot.bin"),
        "busybox-1.37.0": (("busybox.fragment",), "busybox"),
    }
    (folder / "linux-headers-6.12.1").mkdir(parents=True)
    for name, (fragments, product) in made.items():
        (folder / name / product).parent.mkdir(parents=True, exist_ok=True)
        (folder / name / product).write_text("")
        text = "".join((TREE / "board" / part).read_text() + "\n" for part in fragments)
        if without:
            text = text.replace(f"{without}=y\n", f"{without}=m\n")
        (folder / name / ".config").write_text(text)
    return folder


@pytest.mark.parametrize("board", BOARDS)
def test_post_build_stops_if_a_symbol_was_demoted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], board: str
) -> None:
    target = tmp_path / "target"
    (target / "etc").mkdir(parents=True)
    (target / "usr/lib").mkdir(parents=True)
    (target / "etc/fstab").write_text("/dev/root / auto rw\n")
    arguments = [str(target), board]
    (tmp_path / "ca.pem").write_text("certificate")
    monkeypatch.setenv("MASQGATE_KEYRING", str(tmp_path / "ca.pem"))
    monkeypatch.setenv("BUILD_DIR", str(made_build(tmp_path / "good", board)))
    assert post_build.main(arguments) == 0
    assert (target / "etc/resolv.conf").readlink() == Path("/run/masqgate/resolv.conf")
    assert (target / "data").is_dir()
    assert (target / "usr/share/masqgate/update-keyring.pem").read_text() == "certificate"
    assert not (target / "etc/fstab").exists()
    monkeypatch.setenv("BUILD_DIR", str(made_build(tmp_path / "bad", board, "CONFIG_BRIDGE")))
    assert post_build.main(arguments) == 1
    assert "CONFIG_BRIDGE: wanted y, got m" in capsys.readouterr().err
    shutil.rmtree(tmp_path / "bad/uboot-2025.01")
    assert post_build.main(arguments) == 1
    assert "uboot-*/u-boot.bin was not built" in capsys.readouterr().err


def test_buildroots_images_are_laid_out_as_the_builder_expects(tmp_path: Path) -> None:
    images, base = tmp_path / "images", tmp_path / "base"
    (images / "rpi-firmware").mkdir(parents=True)
    for board in image_kernel.BOARDS:
        (images / f"{board}.dtb").write_text(board)
    (images / "Image").write_bytes(b"kernel")
    (images / "u-boot.bin").write_bytes(b"u-boot")
    post_image.as_unpacked_packages(images, base)
    image_kernel.make_kernel(base, tmp_path / "Image.gz")
    assert (tmp_path / "Image.gz").stat().st_size > 0
    assert (base / "tree" / post_image.disk.UBOOT).read_bytes() == b"u-boot"
    folder = base / "tree/usr/lib/linux-image-buildroot/broadcom"
    assert {path.stem for path in folder.iterdir()} == set(image_kernel.BOARDS)


def test_the_initramfs_brings_the_libraries_of_busybox(tmp_path: Path) -> None:
    if not shutil.which("cpio"):
        pytest.skip("needs cpio (image/packages-host.txt)")
    target, work = tmp_path / "target", tmp_path / "work"
    (target / "usr/bin").mkdir(parents=True)
    (target / "usr/lib").mkdir()
    program = Path(sys.executable).resolve()  # some program with shared libraries
    shutil.copy(program, target / "usr/bin/busybox")
    wanted = post_image.elf.needed(program)
    for name in [*wanted, "ld-linux-aarch64.so.1"]:
        (target / "usr/lib" / name).write_bytes(b"library")
    post_image.make_initramfs(target, work, tmp_path / "initrd")
    libraries = {path.name for path in (work / "initramfs/lib").iterdir()}
    assert libraries == {*wanted, "ld-linux-aarch64.so.1"}
    assert (work / "initramfs/init").read_bytes() == (IMAGE_DIR / "initramfs/init").read_bytes()
    assert (tmp_path / "initrd").read_bytes()[:2] == b"\x1f\x8b"
