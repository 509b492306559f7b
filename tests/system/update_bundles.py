"""Bundles for the booted router, made from the slot that it was built with.

Nothing is built anew: another version is another `release.json` in a copy of the slot, and a
system without its page is one more archive behind the initramfs, which takes it away.
"""

from __future__ import annotations

import gzip
import json
import shutil
import subprocess
import sys
from pathlib import Path

from masqgate.core.bootstate import COPY_SECTORS, SECTOR, BootState, encode
from masqgate.core.bundle import HEAD

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "image"))

from builder.layout import PARTITIONS  # noqa: E402
from bundle import make_bundle, slot_release  # noqa: E402
from keys import development_keys  # noqa: E402

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


def card_on_trial(image: Path, target: Path, bundle: Path, version: str) -> None:
    """Copy an image as an update leaves it: slot A good, the bundle in slot B to be tried."""
    subprocess.run(["cp", "--sparse=always", image, target], check=True)
    data = bundle.read_bytes()
    _, manifest, signature = HEAD.unpack(data[: HEAD.size])
    pieces = json.loads(data[HEAD.size : HEAD.size + manifest])["pieces"]
    at = HEAD.size + manifest + signature
    state = BootState(seq=5, first="a", good=(True, False), tries=(0, 0)).to_be_tried("b")
    with target.open("r+b") as card:
        for offset, length, _ in pieces:
            card.seek(PARTITIONS["slot-b"][0] + offset)
            card.write(data[at : at + length])
            at += length
        card.seek(COPY_SECTORS[1] * SECTOR)
        card.write(encode(state))
    notes = target.with_name("trial.json")
    notes.write_text(json.dumps({"slot": "b", "version": version, "uplink_up": False}))
    orders = f"mkdir update\nwrite {notes} update/trial.json\n"
    command = ["debugfs", "-w", "-f", "-", f"{target}?offset={PARTITIONS['data'][0]}"]
    subprocess.run(command, input=orders.encode(), check=True, stdout=-3, stderr=-3)
