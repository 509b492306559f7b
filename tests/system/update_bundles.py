"""Bundles for the booted router, made from the slot that it was built with.

Nothing is built anew: another version is another `release.json` in a copy of the slot, and a
system without its page is one more archive behind the initramfs, which takes it away.
"""

from __future__ import annotations

import gzip
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "image"))

from builder.layout import PARTITIONS  # noqa: E402
from bundle import make_bundle, slot_release  # noqa: E402
from keys import development_keys  # noqa: E402

CARD_BYTES = 1 << 30
_OFFSET = PARTITIONS["slot-a"][0]
_BREAK = "rm -rf /root/usr/lib/python3/dist-packages/masqgate_web\nexec switch_root"


def make(image: Path, folder: Path, version: str, *, without_page: bool = False) -> Path:
    """Make a bundle of `image` with another version."""
    changed = folder / f"{version}.img"
    subprocess.run(["cp", "--sparse=always", image, changed], check=True)
    release = {**slot_release(image, _OFFSET), "version": version}
    _replace(changed, folder, "release.json", json.dumps(release).encode() + b"\n")
    if without_page:
        init = (ROOT / "image/initramfs/init").read_text()
        broken = init.replace("exec switch_root", _BREAK)
        assert broken != init
        whole = _read(changed, "initrd") + _archive(folder / "more", broken)
        _replace(changed, folder, "initrd", whole)
    target = folder / f"{version}.bundle"
    make_bundle(changed, development_keys(image.parent / "keys"), target)
    changed.unlink()
    return target


def _archive(folder: Path, init: str) -> bytes:
    """A further archive of the initramfs: the kernel unpacks one over the other."""
    folder.mkdir()
    (folder / "init").write_text(init)
    (folder / "init").chmod(0o755)
    packed = subprocess.run(
        ["cpio", "--create", "--format=newc", "--quiet", "--owner=0:0"],
        cwd=folder, input=b"init\n", stdout=subprocess.PIPE, check=True,
    )  # fmt: skip
    shutil.rmtree(folder)
    return gzip.compress(packed.stdout)


def _read(image: Path, name: str) -> bytes:
    command = ["debugfs", "-R", f"cat /{name}", f"{image}?offset={_OFFSET}"]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=-3).stdout


def _replace(image: Path, folder: Path, name: str, data: bytes) -> None:
    source = folder / name
    source.write_bytes(data)
    orders = f"rm /{name}\nwrite {source} {name}\n"
    command = ["debugfs", "-w", "-f", "-", f"{image}?offset={_OFFSET}"]
    subprocess.run(command, input=orders.encode(), check=True, stdout=-3, stderr=-3)
    assert _read(image, name) == data


def card_with(image: Path, target: Path, files: dict[str, Path]) -> None:
    """Copy an image to a card of 1 GiB, its data partition grown, and put files on that."""
    subprocess.run(["cp", "--sparse=always", image, target], check=True)
    os.truncate(target, CARD_BYTES)
    offset, size = PARTITIONS["data"]
    grow = ["sfdisk", "--quiet", "--no-reread", "--no-tell-kernel", "-N", "4", target]
    subprocess.run(grow, input=b", +\n", check=True, stdout=-3)
    part = target.with_suffix(".data")
    with target.open("rb") as card, part.open("wb") as copy:
        card.seek(offset)
        copy.write(card.read(size))
    os.truncate(part, CARD_BYTES - offset)
    subprocess.run(["resize2fs", "-f", part], check=True, stdout=-3, stderr=-3)
    for name, file in files.items():
        command = ["debugfs", "-w", "-R", f"write {file} {name}", part]
        subprocess.run(command, check=True, stdout=-3, stderr=-3)
    os.truncate(target, offset)  # it is the last one
    whole = ["dd", f"if={part}", f"of={target}", "bs=1M", f"seek={offset >> 20}"]
    subprocess.run([*whole, "conv=sparse,notrunc", "status=none"], check=True)
    os.truncate(target, CARD_BYTES)
    part.unlink()
