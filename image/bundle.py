"""Make the bundle of an update from a built image: `make bundle`.

The format is described in firmware/masqgate/core/bundle.py. The content is slot A of the card
as it was written, without the blocks that its file system does not use.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import struct
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from keys import Keys, KeysError, chosen_keys, sign, verify
from release_bmap import BLOCK, Extent, dumpe2fs, ext_free, mapped_blocks, merge, partitions

REPOSITORY = Path(__file__).resolve().parent.parent
MAGIC = b"MASQUPD1"
PIECE = 1 << 20


def make_bundle(image: Path, keys: Keys, target: Path) -> str:
    """Write the bundle of slot A in `image`; return its version. KeysError if it can't be signed.

    Two bundles of one image with the same (RSA) key are equal, byte for byte.
    """
    slot = slot_a(image)
    offset, size = slot.start, slot.end - slot.start
    release = slot_release(image, offset)
    pieces = list(_pieces(image, offset, size))
    manifest = json.dumps({**release, "slot_bytes": size, "pieces": pieces}).encode()
    write_bundle(manifest, keys, target, _payload(image, offset, pieces))
    return str(release["version"])


def write_bundle(manifest: bytes, keys: Keys, target: Path, payload: Iterator[bytes]) -> None:
    """Sign a manifest and write it with its payload."""
    signature = signed(manifest, keys)
    with target.open("wb") as file:
        file.write(struct.pack(">8sII", MAGIC, len(manifest), len(signature)))
        file.write(manifest)
        file.write(signature)
        for data in payload:
            file.write(data)


def signed(manifest: bytes, keys: Keys) -> bytes:
    """Return the signature of a manifest, which the keyring was seen to take."""
    with tempfile.TemporaryDirectory() as folder:
        data, signature = Path(folder) / "manifest", Path(folder) / "signature"
        data.write_bytes(manifest)
        sign(data, keys, signature)
        verify(data, keys, signature)
        return signature.read_bytes()


def slot_a(image: Path) -> Extent:
    """Return where slot A lies on a card: its second partition."""
    return partitions(image)[1]


def slot_release(image: Path, offset: int) -> dict[str, str]:
    """Read version and compatible boards from the slot itself."""
    command = ["debugfs", "-R", "cat /release.json", f"{image}?offset={offset}"]
    done = subprocess.run(command, capture_output=True, text=True)
    try:
        found = json.loads(done.stdout)
        return {"compatible": str(found["compatible"]), "version": str(found["version"])}
    except (ValueError, KeyError) as error:
        raise KeysError(f"{image} has no release.json in slot A: build it anew.") from error


def _pieces(image: Path, offset: int, size: int) -> Iterator[tuple[int, int, str]]:
    """Yield place, length and SHA-256 of what the slot's file system uses."""
    part = Extent(offset, offset + size)
    free = sorted(ext_free(dumpe2fs(image, part), part), key=lambda each: each.start)
    first, last = offset // BLOCK, (offset + size) // BLOCK
    used = (number for number in mapped_blocks(image, free) if first <= number < last)
    with image.open("rb") as file:
        for start, end in merge(used):
            for at in range(start * BLOCK, (end + 1) * BLOCK, PIECE):
                length = min(PIECE, (end + 1) * BLOCK - at)
                file.seek(at)
                yield at - offset, length, hashlib.sha256(file.read(length)).hexdigest()


def _payload(image: Path, offset: int, pieces: list[tuple[int, int, str]]) -> Iterator[bytes]:
    with image.open("rb") as file:
        for at, length, _ in pieces:
            file.seek(offset + at)
            yield file.read(length)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options that choose the keys."""
    parser.add_argument("--key", default="", help="the signer's private key (PEM)")
    parser.add_argument("--cert", default="", help="the signer's certificate (PEM)")
    parser.add_argument("--keyring", default="", help="what the image trusts (PEM)")


def main(arguments: list[str]) -> int:
    """Make a bundle; return the exit status."""
    parser = argparse.ArgumentParser(prog="bundle", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--build", type=Path, default=REPOSITORY / "build")
    parser.add_argument("--output", type=Path, help="default: masqgate-VERSION.bundle")
    add_arguments(parser)
    chosen = parser.parse_args(arguments)
    image = chosen.build / "masqgate.img"
    try:
        if not image.is_file():
            raise KeysError(f"There is no {image}. Build the image first: make image.")
        keys = chosen_keys(chosen.build / "keys", chosen.key, chosen.cert, chosen.keyring)
        version = slot_release(image, slot_a(image).start)["version"]
        target = chosen.output or chosen.build / f"masqgate-{version}.bundle"
        make_bundle(image, keys, target)
    except KeysError as error:
        print(f"bundle: {error}", file=sys.stderr)
        return 1
    print(f"bundle: {target}, {target.stat().st_size / 1e6:.1f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
