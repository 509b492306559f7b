"""A release's folder, its block map, its bill of materials, and the lock of the packages."""

from __future__ import annotations

import hashlib
import json
import lzma
import os
import shutil
import struct
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

IMAGE_DIR = Path(__file__).resolve().parents[2] / "image"
sys.path.insert(0, str(IMAGE_DIR))

import lock  # noqa: E402
import release  # noqa: E402
import release_bmap  # noqa: E402
import release_inputs  # noqa: E402
import release_sbom  # noqa: E402
from builder import epoch  # noqa: E402
from flash_source import parse_bmap  # noqa: E402
from lock import Package  # noqa: E402
from release_bmap import BLOCK, Extent  # noqa: E402

MIB = 1 << 20
NFT = Package("nftables", "1.1.3-1", "nftables", "1.1.3-1", "a" * 64)
BUSYBOX = Package("busybox-static", "1:1.37.0-6+b9", "busybox", "1:1.37.0-6", "b" * 64)
FREE_NFT = """\
Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Files: *
Copyright: 2008 Somebody
License: GPL-2+

Files: doc
License: BSD-3-clause or GPL-2
 Redistribution and use

License: GPL-2+
 This program is free software
"""


def manifest(*packages: Package) -> str:
    return "".join(
        f"{p.name} {p.version} {p.source} {p.source_version} {p.sha256}\n" for p in packages
    )


# --- The lock


def test_a_lock_is_read_back_as_it_was_written() -> None:
    text = lock.format_lock([NFT, BUSYBOX])
    assert lock.parse_lock(text)["busybox-static"] == ("1:1.37.0-6+b9", "b" * 64)
    assert lock.differences(lock.parse_lock(text), [BUSYBOX, NFT]) == []
    assert lock.parse_manifest(manifest(NFT, BUSYBOX)) == [BUSYBOX, NFT]


def test_every_difference_from_the_lock_is_told() -> None:
    locked = lock.parse_lock(lock.format_lock([NFT, BUSYBOX]))
    newer = Package("nftables", "1.1.3-2", "nftables", "1.1.3-2", "c" * 64)
    other = Package("nftables", "1.1.3-1", "nftables", "1.1.3-1", "c" * 64)
    ppp = Package("ppp", "2.5.2-1", "ppp", "2.5.2-1", "d" * 64)
    assert lock.differences(locked, [newer, ppp]) == [
        "busybox-static: locked, but not in the image",
        "nftables: locked 1.1.3-1, got 1.1.3-2",
        "ppp 2.5.2-1: in the image, but not locked",
    ]
    assert lock.differences(locked, [other, BUSYBOX]) == [
        "nftables 1.1.3-1: another archive than the locked one"
    ]


def test_lock_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    where = ["--build", str(tmp_path), "--lock", str(tmp_path / "l")]
    assert lock.main(where) == 2
    (tmp_path / "packages.manifest").write_text(manifest(NFT, BUSYBOX))
    assert lock.main([*where, "--check"]) == 1
    assert lock.main(where) == 0
    assert lock.main([*where, "--check"]) == 0
    assert "as in l" in capsys.readouterr().out
    (tmp_path / "packages.manifest").write_text(manifest(NFT))
    assert lock.main([*where, "--check"]) == 1
    assert "1 differ from l" in capsys.readouterr().out


# --- What a build leaves


def make_base(base: Path) -> None:
    doc = base / "tree/usr/share/doc"
    for name in ("nftables", "busybox-static", "coreutils", "raspi-firmware", "u-boot-rpi"):
        (doc / name).mkdir(parents=True)
        (doc / name / "copyright").write_text(f"copyright of {name}\n")
    common = base / "tree/usr/share/common-licenses"
    common.mkdir()
    (common / "GPL-3").write_text("the licence\n")
    (common / "GPL").symlink_to("GPL-3")
    (base / "packages.manifest").write_text(manifest(NFT, BUSYBOX))
    (base / "packages.files").write_text(
        "busybox-static usr/bin/busybox\ncoreutils usr/bin/cat\ncoreutils usr/bin/ls\n"
        "coreutils usr/share/doc/coreutils/copyright\nnftables usr/sbin/nft\n"
    )


def test_only_packages_that_left_something_count(tmp_path: Path) -> None:
    base, root, output = tmp_path / "base", tmp_path / "root", tmp_path / "output"
    make_base(base)
    for path in ("usr/bin/busybox", "usr/sbin/nft", "usr/share/doc/coreutils/copyright"):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text("")
    (root / "usr/bin/cat").symlink_to("busybox")
    output.mkdir()
    assert "packages" in release_inputs.record(base, root, output)
    present = (output / "packages.present").read_text().split()
    assert present == ["busybox-static", "nftables", "raspi-firmware", "u-boot-rpi"]
    assert (output / "licences/nftables").read_text() == "copyright of nftables\n"
    assert (output / "licences/common/GPL").read_text() == "the licence\n"
    assert not (output / "licences/coreutils").exists()


def test_the_images_time_can_be_given(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SOURCE_DATE_EPOCH", "E2FSPROGS_FAKE_TIME", "E2FSCK_TIME"):
        monkeypatch.setenv(name, "5")
    assert epoch.image_epoch() == 5
    epoch.set_epoch(7)
    assert [os.environ[n] for n in ("SOURCE_DATE_EPOCH", "E2FSCK_TIME")] == ["7", "7"]
    monkeypatch.delenv("SOURCE_DATE_EPOCH")
    assert epoch.image_epoch() >= epoch.LAYERS_EPOCH


# --- The block map


def partition_table(*parts: tuple[int, int]) -> bytes:
    entries = b"".join(
        struct.pack("<8xII", start // 512, size // 512) for start, size in parts
    ).ljust(64, b"\0")
    return b"\0" * 446 + entries + b"\x55\xaa"


def test_free_blocks_of_ext4_are_read_from_its_dump() -> None:
    dump = (
        "Block size:               1024\n  Free blocks: 5-7, 9\nFree blocks: 4\n  Free blocks: \n"
    )
    assert list(release_bmap.ext_free(dump, Extent(MIB, 2 * MIB))) == [
        Extent(MIB + 5 * 1024, MIB + 8 * 1024),
        Extent(MIB + 9 * 1024, MIB + 10 * 1024),
    ]


def test_free_clusters_of_fat16_are_read_from_its_table(tmp_path: Path) -> None:
    boot = bytearray(512)
    # 512 bytes in a sector, 4 sectors in a cluster, 1 reserved, 2 tables, 16 root entries
    struct.pack_into("<HBHBH", boot, 11, 512, 4, 1, 2, 16)
    struct.pack_into("<H", boot, 22, 1)
    table = struct.pack("<6H", 0xFFF8, 0xFFFF, 0xFFFF, 0, 4, 0).ljust(512, b"\0")
    image = tmp_path / "image"
    image.write_bytes(bytes(boot) + table * 2 + bytes(512) + bytes(4 * 2048))
    assert list(release_bmap.fat16_free(image, Extent(0, image.stat().st_size))) == [
        Extent(2048 + 1 * 2048, 2048 + 2 * 2048),
        Extent(2048 + 3 * 2048, 2048 + 4 * 2048),
    ]


def test_zeros_that_mean_something_are_written(tmp_path: Path) -> None:
    """An empty partition's head is written, and everything before the first partition."""
    image = tmp_path / "image"
    head = partition_table((MIB, 2 * MIB), (3 * MIB, 2 * MIB))
    middle = b"\1" * 2 * MIB  # no file system that is known: all of it counts
    image.write_bytes(head.ljust(MIB, b"\0") + middle + bytes(4 * MIB))
    bmap = parse_bmap(release_bmap.make_bmap(image))
    assert [(part.start, part.end) for part in bmap.ranges] == [(0, 4 * MIB)]
    with image.open("r+b") as file:
        file.seek(5 * MIB)
        file.write(b"x")  # behind the last partition, and not zero: it counts
    bmap = parse_bmap(release_bmap.make_bmap(image))
    assert bmap.ranges[-1].end == 5 * MIB + BLOCK


@pytest.fixture(scope="module")
def card(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A card with FAT16, ext4 and an empty partition, made by the real tools."""
    if not all(shutil.which(tool) for tool in ("mkfs.vfat", "mke2fs", "dumpe2fs")):
        pytest.skip("needs dosfstools and e2fsprogs (image/packages-host.txt)")
    folder = tmp_path_factory.mktemp("card")
    fat, ext = folder / "fat", folder / "ext"
    for path, size in ((fat, 5 * MIB), (ext, 6 * MIB)):
        with path.open("wb") as file:
            file.truncate(size)
    (folder / "files").mkdir()
    (folder / "files/slot").write_bytes(b"slot" * 100_000)
    release_json = {"version": "9.9.9", "compatible": "masqgate-test"}
    (folder / "files/release.json").write_text(json.dumps(release_json))
    run("mkfs.vfat", "-F", "16", "-s", "1", "--invariant", fat)
    run("mke2fs", "-q", "-t", "ext4", "-b", "1024", "-d", folder / "files", ext)
    image = folder / "masqgate.img"
    table = partition_table((MIB, 5 * MIB), (6 * MIB, 6 * MIB), (12 * MIB, 2 * MIB))
    image.write_bytes(table.ljust(MIB, b"\0") + fat.read_bytes() + ext.read_bytes())
    with image.open("r+b") as file:
        file.truncate(15 * MIB)
    return image


def run(*command: str | Path) -> str:
    return subprocess.run(
        [str(word) for word in command], check=True, capture_output=True, text=True
    ).stdout


def test_file_systems_are_whole_on_a_card_full_of_old_data(card: Path, tmp_path: Path) -> None:
    bmap = parse_bmap(release_bmap.make_bmap(card))
    source = card.read_bytes()
    written = bytearray(b"\xff" * len(source))
    for part in bmap.ranges:
        written[part.start : part.end] = source[part.start : part.end]
    assert sum(part.end - part.start for part in bmap.ranges) < 6 * MIB
    for name, start, end in (("fat", 1, 6), ("ext", 6, 12)):
        (tmp_path / name).write_bytes(written[start * MIB : end * MIB])
    run("fsck.vfat", "-n", tmp_path / "fat")
    run("e2fsck", "-f", "-n", tmp_path / "ext")
    run("debugfs", "-R", f"dump /slot {tmp_path / 'slot'}", tmp_path / "ext")
    assert (tmp_path / "slot").read_bytes() == b"slot" * 100_000


# --- The bill of materials


def test_licence_names_come_from_machine_readable_files_alone() -> None:
    assert release_sbom.licence_names(FREE_NFT) == ["BSD-3-clause or GPL-2", "GPL-2+"]
    assert release_sbom.licence_names("This is GPL.\nLicense: GPL-2\n") == []


def test_package_urls_are_encoded() -> None:
    assert release_sbom.purl(BUSYBOX) == (
        "pkg:deb/debian/busybox-static@1:1.37.0-6%2Bb9?arch=arm64&distro=trixie"
    )


def bill(tmp_path: Path) -> str:
    (tmp_path / "vendor.json").write_text(
        json.dumps(
            [
                {
                    "file": "htmx.min.js",
                    "package": "htmx.org",
                    "version": "2.0.1",
                    "licence": "0BSD",
                    "sha256": "e" * 64,
                }
            ]
        )
    )
    return release_sbom.make_bill(
        release_sbom.Image("0.1.0", "f" * 64, 1_790_000_000),
        [BUSYBOX, NFT],
        {"nftables": FREE_NFT},
        release_sbom.vendored_components(tmp_path),
    )


def test_the_bill_names_packages_hashes_and_sources(tmp_path: Path) -> None:
    document = json.loads(bill(tmp_path))
    names = {each["name"]: each for each in document["components"]}
    assert names["nftables"]["hashes"] == [{"alg": "SHA-256", "content": "a" * 64}]
    assert names["busybox-static"]["properties"][0] == {
        "name": "debian:source",
        "value": "busybox",
    }
    assert names["htmx.org"]["purl"] == "pkg:npm/htmx.org@2.0.1"
    assert document["metadata"]["timestamp"] == "2026-09-21T14:13:20Z"
    assert bill(tmp_path) == bill(tmp_path)


def test_the_bill_keeps_to_the_schema(tmp_path: Path) -> None:
    pytest.importorskip("cyclonedx", reason="cyclonedx-python-lib is not installed")
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    validator = JsonStrictValidator(SchemaVersion.V1_5)
    assert validator.validate_str(bill(tmp_path)) is None
    broken = bill(tmp_path).replace('"SHA-256"', '"SHA-257"')
    assert validator.validate_str(broken) is not None


def test_the_pages_own_list_of_vendored_files_is_understood() -> None:
    if not (release.VENDOR / "vendor.json").is_file():
        pytest.skip("the page brings nothing along")
    for each in release_sbom.vendored_components(release.VENDOR):
        assert each["version"]


# --- The folder


@pytest.fixture
def build_dir(card: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "build"
    (folder / "licences/common").mkdir(parents=True)
    shutil.copyfile(card, folder / "masqgate.img")
    (folder / "packages.manifest").write_text(manifest(NFT, BUSYBOX))
    (folder / "packages.present").write_text("nftables\n")
    (folder / "licences/nftables").write_text(FREE_NFT)
    (folder / "licences/common/GPL-2").write_text("text\n")
    return folder


def draft(build_dir: Path, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> Path:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1790000000")
    monkeypatch.setattr(release, "project_version", lambda: "9.9.9")
    assert release.main(["--build", str(build_dir), "--draft", *arguments]) == 0
    return build_dir / "release/masqgate-9.9.9-draft"


def test_a_release_is_complete_and_its_sums_are_right(
    build_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = draft(build_dir, monkeypatch, "--url", "https://example.org/masqgate/")
    name = "masqgate-9.9.9-draft"
    sums = dict(line.split()[::-1] for line in (made / "SHA256SUMS").read_text().splitlines())
    assert set(sums) == {path.name for path in made.iterdir()} - {"SHA256SUMS"}
    for file, digest in sums.items():
        assert hashlib.sha256((made / file).read_bytes()).hexdigest() == digest
    update = (made / f"{name}.bundle").read_bytes()
    assert update.startswith(b"MASQUPD1") and b'"version": "9.9.9"' in update[:4096]
    assert len(update) < 2 * MIB, "what the file system does not use is left out"
    image = lzma.decompress((made / f"{name}.img.xz").read_bytes())
    assert image == (build_dir / "masqgate.img").read_bytes()
    entry = json.loads((made / "os_list.json").read_text())["os_list"][0]
    assert entry["url"] == f"https://example.org/masqgate/{name}.img.xz"
    assert entry["extract_size"] == len(image)
    assert entry["extract_sha256"] == hashlib.sha256(image).hexdigest()
    assert entry["image_download_sha256"] == sums[f"{name}.img.xz"]
    bill = json.loads((made / f"{name}.cdx.json").read_text())
    assert bill["metadata"]["component"]["hashes"][0]["content"] == entry["extract_sha256"]
    text = (made / "LICENCES.txt").read_text()
    assert "nftables\t1.1.3-1\tBSD-3-clause or GPL-2, GPL-2+\tnftables 1.1.3-1\n" in text
    assert "busybox" not in text, "nothing of it is in the image"
    with tarfile.open(made / "licences.tar.xz") as archive:
        names = archive.getnames()
    assert {"licences/masqgate", "licences/nftables", "licences/common/GPL-2"} <= set(names)


def test_two_releases_of_one_build_are_equal(
    build_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = {path.name: path.read_bytes() for path in draft(build_dir, monkeypatch).iterdir()}
    second = {path.name: path.read_bytes() for path in draft(build_dir, monkeypatch).iterdir()}
    assert first == second


def test_the_flash_program_of_a_release_runs_alone(
    build_dir: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    made = draft(build_dir, monkeypatch)
    alone = tmp_path / "flash.pyz"
    shutil.copyfile(made / "masqgate-flash.pyz", alone)
    image = made / "masqgate-9.9.9-draft.img.xz"
    command = [sys.executable, "-I", alone, "--image", image, "--device", "/dev/null", "--yes"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 1
    assert "/dev/null is not a block device" in done.stdout


def test_a_release_needs_a_build_a_commit_and_the_lock(
    build_dir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(release, "LOCK", build_dir / "lock")
    monkeypatch.setattr(release, "uncommitted", lambda: [" M image/x"])
    arguments = ["--build", str(build_dir)]
    assert release.main(arguments) == 1
    assert "1 files differ from the last commit (M image/x" in capsys.readouterr().err
    monkeypatch.setattr(release, "uncommitted", list)
    assert release.main(arguments) == 1
    assert "not those of image/packages.lock" in capsys.readouterr().err
    (build_dir / "lock").write_text(lock.format_lock([NFT, BUSYBOX]))
    (build_dir / "packages.present").unlink()
    assert release.main(arguments) == 1
    assert "Build the image first" in capsys.readouterr().err
    assert not (build_dir / "release").exists()


def test_an_image_that_is_built_anew_meanwhile_is_noticed(
    build_dir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def changing(image: Path) -> bytes:
        with image.open("ab") as file:
            file.write(b"x")
        return b""

    monkeypatch.setattr(release, "make_bmap", changing)
    assert release.main(["--build", str(build_dir), "--draft"]) == 1
    assert "built anew meanwhile" in capsys.readouterr().err
