"""Bundles for the booted router, made from the slot that it was built with.

Nothing is built anew: another version is another `release.json` in a copy of the slot, and a
broken system is one more archive behind the initramfs, which breaks it.
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
_PACKAGES = "/root/usr/lib/python3/dist-packages"
# What an initramfs does before it starts the system, so that this is a broken one.
WITHOUT_PAGE = f"rm -rf {_PACKAGES}/masqgate_web"
_DIALER = f"{_PACKAGES}/masqgate/dialer.py {_PACKAGES}/masqgate/__pycache__/dialer.*"
WITHOUT_DIALER = f"rm -f {_DIALER}"
PANICS = "mount -t proc proc /proc; echo c >/proc/sysrq-trigger"
HANGS = "echo 'Test: hangs here' >/dev/console; while :; do sleep 3600; done"
TRIAL_HANGS = """printf '#!/bin/sh\\nexec sleep 99999\\n' >/root/usr/lib/masqgate/health
sed -i s/:-3000/:-180/ /root/usr/lib/masqgate/deadline"""


def make(image: Path, folder: Path, version: str, breaks: str = "") -> Path:
    """Make a bundle of `image` with another version; `breaks`: what breaks it (see above)."""
    changed = folder / f"{version}.img"
    subprocess.run(["cp", "--sparse=always", image, changed], check=True)
    release = {**slot_release(image, _OFFSET), "version": version}
    _replace(changed, folder, "release.json", json.dumps(release).encode() + b"\n")
    if breaks:
        init = (ROOT / "image/initramfs/init").read_text()
        broken = init.replace("exec switch_root", f"{breaks}\nexec switch_root")
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
