"""Images to write (.img, .img.xz) and their block maps (.bmap), checked before any use."""

from __future__ import annotations

import hashlib
import lzma
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from flash_device import FlashError

CHUNK = 4 << 20
_MAX_BMAP = 16 << 20
_DOWNLOAD = "Download it again, or build it again."

Progress = Callable[[str, int, int], None]  # step, bytes done, bytes in all (0: unknown)


@dataclass(frozen=True)
class Range:
    """Bytes `start` to `end` (not included) of the image, with their SHA-256 if it is known."""

    start: int
    end: int
    sha256: str = ""


@dataclass(frozen=True)
class Bmap:
    """A block map: which ranges of the image hold data."""

    image_size: int
    ranges: tuple[Range, ...]


@dataclass(frozen=True)
class Plan:
    """What to write: ranges of at most CHUNK bytes, each with its SHA-256."""

    image_size: int
    ranges: tuple[Range, ...]
    mapped: bool

    @property
    def size(self) -> int:
        """Return the number of bytes to write."""
        return sum(part.end - part.start for part in self.ranges)


def find_bmap(image: Path) -> Path | None:
    """Return the block map beside an image, if there is one."""
    bare = image.with_suffix("") if image.suffix == ".xz" else image
    names = [f"{image.name}.bmap", f"{bare.name}.bmap", f"{bare.stem}.bmap"]
    return next((image.with_name(name) for name in names if image.with_name(name).is_file()), None)


def parse_bmap(data: bytes) -> Bmap:
    """Read a block map of format 2; FlashError if it is damaged or of another format.

    The file's own checksum covers the file with the digits of that checksum set to zero.
    """
    if len(data) > _MAX_BMAP or b"<!DOCTYPE" in data or b"<!ENTITY" in data:
        raise FlashError("The block map is not one that this program reads.", _DOWNLOAD)
    try:
        root = ElementTree.fromstring(data)
        if not root.get("version", "").startswith("2.") or _text(root, "ChecksumType") != "sha256":
            raise FlashError(
                "The block map's format is not 2 with SHA-256.", "Make it with bmaptool 3."
            )
        expected = _text(root, "BmapFileChecksum")
        _check_bmap(data, expected)
        size, block = int(_text(root, "ImageSize")), int(_text(root, "BlockSize"))
        ranges = tuple(_range(item, block, size) for item in root.iterfind("BlockMap/Range"))
    except (ElementTree.ParseError, ValueError) as error:
        raise FlashError(f"The block map is damaged: {error}.", _DOWNLOAD) from error
    for before, after in zip(ranges, ranges[1:]):  # noqa: B905, RUF007 - Python 3.9
        if after.start < before.end:
            raise FlashError("The block map's ranges overlap.", _DOWNLOAD)
    return Bmap(size, ranges)


def _check_bmap(data: bytes, expected: str) -> None:
    zeroed = data.replace(expected.encode(), b"0" * len(expected), 1)
    if len(expected) != 64 or hashlib.sha256(zeroed).hexdigest() != expected:
        raise FlashError("The block map's own checksum is wrong.", _DOWNLOAD)


def _text(root: ElementTree.Element, name: str) -> str:
    found = root.findtext(name)
    if not found:
        raise ValueError(f"{name} is missing")
    return found.strip()


def _range(item: ElementTree.Element, block: int, size: int) -> Range:
    first, _, last = (item.text or "").strip().partition("-")
    start, end = int(first) * block, min((int(last or first) + 1) * block, size)
    checksum = item.get("chksum", "")
    if not 0 <= start < end or not re.fullmatch("[0-9a-f]{64}", checksum):
        raise ValueError("a range outside of the image, or without a checksum")
    return Range(start, end, checksum)


@contextmanager
def opened(image: Path) -> Iterator[IO[bytes]]:
    """Open an image for reading, unpacked; FlashError for what can't be read."""
    try:
        with lzma.open(image) if image.suffix == ".xz" else image.open("rb") as file:
            yield cast("IO[bytes]", file)
    except (lzma.LZMAError, EOFError) as error:
        raise FlashError(f"{image.name} is damaged: {error}.", _DOWNLOAD) from error
    except FileNotFoundError:
        raise FlashError(
            f"There is no {image}.", "Build it (make image), or name one: --image FILE."
        ) from None


def make_plan(image: Path, bmap: Bmap | None, progress: Progress) -> Plan:
    """Read the whole image once: check it against its block map, and hash what is to be written.

    Nothing is on the card yet: a damaged download is found here.
    """
    whole = hashlib.sha256()
    parts: list[Range] = []
    checks = _RangeChecks(bmap.ranges if bmap else ())
    at = 0
    with opened(image) as file:
        while data := file.read(CHUNK):
            whole.update(data)
            checks.feed(at, data)
            for start, end in _wanted(bmap, at, at + len(data)):
                digest = hashlib.sha256(data[start - at : end - at]).hexdigest()
                parts.append(Range(start, end, digest))
            at += len(data)
            progress("checking the image", at, bmap.image_size if bmap else 0)
    if not at:
        raise FlashError(f"{image.name} is empty.", _DOWNLOAD)
    if bmap and at != bmap.image_size:
        raise FlashError(
            f"{image.name} holds {at} bytes, its block map says {bmap.image_size}.", _DOWNLOAD
        )
    checks.finish(image.name)
    _check_sums(image, whole.hexdigest())
    return Plan(at, tuple(parts), bmap is not None)


def _wanted(bmap: Bmap | None, start: int, end: int) -> list[tuple[int, int]]:
    """Return the parts of bytes `start` to `end` that are to be written."""
    if bmap is None:
        return [(start, end)]
    return [
        (max(part.start, start), min(part.end, end))
        for part in bmap.ranges
        if part.start < end and start < part.end
    ]


class _RangeChecks:
    """The checksums of a block map's ranges, fed with the image from its start to its end."""

    def __init__(self, ranges: tuple[Range, ...]) -> None:
        self._left = list(reversed(ranges))
        self._digest = hashlib.sha256()
        self._wrong: list[Range] = []

    def feed(self, at: int, data: bytes) -> None:
        while self._left and self._left[-1].start < at + len(data):
            part = self._left[-1]
            self._digest.update(data[max(part.start - at, 0) : part.end - at])
            if part.end > at + len(data):
                return
            if self._digest.hexdigest() != part.sha256:
                self._wrong.append(part)
            self._digest = hashlib.sha256()
            self._left.pop()

    def finish(self, name: str) -> None:
        if self._wrong or self._left:
            at = (self._wrong or self._left)[0].start
            raise FlashError(f"{name} is not what its block map tells, at byte {at}.", _DOWNLOAD)


def _check_sums(image: Path, unpacked: str) -> None:
    """Compare with SHA256SUMS beside the image, if that names it."""
    sums = image.with_name("SHA256SUMS")
    if not sums.is_file():
        return
    lines = (line.split() for line in sums.read_text(encoding="utf-8").splitlines())
    known = {words[1].lstrip("*"): words[0] for words in lines if len(words) == 2}
    found = {image.name: unpacked}
    if image.suffix == ".xz":
        found[image.stem] = unpacked
        found[image.name] = file_sha256(image)
    for name, digest in found.items():
        if known.get(name, digest) != digest:
            raise FlashError(f"{name} is not what SHA256SUMS tells.", _DOWNLOAD)


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, in hexadecimal digits."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while data := file.read(CHUNK):
            digest.update(data)
    return digest.hexdigest()
