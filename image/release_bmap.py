"""A block map of the card that is right about what must be zero.

Tools that make one from a sparse file leave out every hole, but a hole is not always
free: a file allocation table or an inode table of zeros means something, and what an old
card holds there would be taken for it. So only blocks are left out that a file system
itself calls free, and what lies outside of every partition's content.
"""

from __future__ import annotations

import hashlib
import re
import struct
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

BLOCK = 4096
_SECTOR = 512
_EXT_MAGIC = b"\x53\xef"
# The start of an empty partition is written: an old file system there must not be found.
_EMPTY_HEAD = 1 << 20


@dataclass(frozen=True)
class Extent:
    """Bytes from `start` to `end` (not included)."""

    start: int
    end: int


def make_bmap(image: Path) -> bytes:
    """Return the block map (format 2.0) of a card's image."""
    size = image.stat().st_size
    free = free_extents(image)
    blocks = mapped_blocks(image, free)
    return format_bmap(image, size, merge(blocks))


def free_extents(image: Path) -> list[Extent]:
    """Return what need not be written if it is zero, sorted by position."""
    parts = partitions(image)
    found: list[Extent] = []
    for part in parts:
        found += _free_in(image, part)
    end = max((part.end for part in parts), default=0)
    return sorted([*found, Extent(end, image.stat().st_size)], key=lambda each: each.start)


def partitions(image: Path) -> list[Extent]:
    """Read the MBR's four entries."""
    with image.open("rb") as file:
        table = file.read(_SECTOR)
    if table[510:] != b"\x55\xaa":
        raise ValueError(f"{image.name} has no partition table")
    entries = [struct.unpack_from("<II", table, 446 + 16 * index + 8) for index in range(4)]
    return [Extent(at * _SECTOR, (at + count) * _SECTOR) for at, count in entries if count]


def _free_in(image: Path, part: Extent) -> list[Extent]:
    with image.open("rb") as file:
        file.seek(part.start)
        head = file.read(2 * BLOCK)
    if head[1080:1082] == _EXT_MAGIC:
        return list(ext_free(dumpe2fs(image, part), part))
    if head[54:59] == b"FAT16":
        return list(fat16_free(image, part))
    if not head.strip(b"\0"):
        return [Extent(part.start + _EMPTY_HEAD, part.end)]
    return []


def dumpe2fs(image: Path, part: Extent) -> str:
    """Return what dumpe2fs tells of the ext4 file system in a partition."""
    command = ["dumpe2fs", f"{image}?offset={part.start}"]
    return subprocess.run(
        command, check=True, text=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ).stdout


def ext_free(dump: str, part: Extent) -> Iterator[Extent]:
    """Yield the free blocks of an ext4 file system, from dumpe2fs's text."""
    block = int(re.findall(r"^Block size:\s+(\d+)", dump, re.M)[0])
    for line in re.findall(r"^  Free blocks: (.*)", dump, re.M):
        for first, last in re.findall(r"(\d+)(?:-(\d+))?", line):
            start = part.start + int(first) * block
            yield Extent(start, part.start + (int(last or first) + 1) * block)


def fat16_free(image: Path, part: Extent) -> Iterator[Extent]:
    """Yield the free clusters of a FAT16 file system (Microsoft's FAT specification, 3 and 4)."""
    with image.open("rb") as file:
        file.seek(part.start)
        boot = file.read(_SECTOR)
        sector, per_cluster, reserved, copies, root = struct.unpack_from("<HBHBH", boot, 11)
        per_fat = struct.unpack_from("<H", boot, 22)[0]
        file.seek(part.start + reserved * sector)
        table = file.read(per_fat * sector)
    cluster = per_cluster * sector
    first = (reserved + copies * per_fat) * sector + root * 32
    count = min(len(table) // 2, (part.end - part.start - first) // cluster + 2)
    for number in range(2, count):
        if table[2 * number : 2 * number + 2] == b"\0\0":
            at = part.start + first + (number - 2) * cluster
            yield Extent(at, at + cluster)


def mapped_blocks(image: Path, free: list[Extent]) -> Iterator[int]:
    """Yield the numbers of the blocks to write: all but those that are free and zero."""
    covers = _coverage(free)
    zero = bytes(BLOCK)
    with image.open("rb") as file:
        number = 0
        while data := file.read(BLOCK):
            end = number * BLOCK + len(data)
            if data != zero[: len(data)] or not covers(number * BLOCK, end):
                yield number
            number += 1


def _coverage(free: list[Extent]) -> Callable[[int, int], bool]:
    """Return a test whether bytes lie in free extents; to be asked in rising order."""
    joined: list[Extent] = []
    for each in free:
        if joined and each.start <= joined[-1].end:
            joined[-1] = Extent(joined[-1].start, max(joined[-1].end, each.end))
        else:
            joined.append(each)
    left = list(reversed(joined))

    def covers(start: int, end: int) -> bool:
        while left and left[-1].end <= start:
            left.pop()
        return bool(left) and left[-1].start <= start and end <= left[-1].end

    return covers


def merge(blocks: Iterator[int]) -> list[tuple[int, int]]:
    """Join block numbers to ranges, first and last included."""
    ranges: list[tuple[int, int]] = []
    for block in blocks:
        if ranges and ranges[-1][1] == block - 1:
            ranges[-1] = (ranges[-1][0], block)
        else:
            ranges.append((block, block))
    return ranges


def format_bmap(image: Path, size: int, ranges: list[tuple[int, int]]) -> bytes:
    """Return the text of a block map, its own checksum filled in."""
    mapped = sum(last - first + 1 for first, last in ranges)
    rows = "".join(_row(image, first, last) for first, last in ranges)
    zeros = "0" * 64
    text = (
        '<?xml version="1.0" ?>\n<bmap version="2.0">\n'
        f"    <ImageSize> {size} </ImageSize>\n"
        f"    <BlockSize> {BLOCK} </BlockSize>\n"
        f"    <BlocksCount> {-(-size // BLOCK)} </BlocksCount>\n"
        f"    <MappedBlocksCount> {mapped} </MappedBlocksCount>\n"
        "    <ChecksumType> sha256 </ChecksumType>\n"
        f"    <BmapFileChecksum> {zeros} </BmapFileChecksum>\n"
        f"    <BlockMap>\n{rows}    </BlockMap>\n</bmap>\n"
    )
    return text.replace(zeros, hashlib.sha256(text.encode()).hexdigest()).encode()


def _row(image: Path, first: int, last: int) -> str:
    digest = hashlib.sha256()
    with image.open("rb") as file:
        file.seek(first * BLOCK)
        left = (last - first + 1) * BLOCK
        while left and (data := file.read(min(left, 1 << 20))):
            digest.update(data)
            left -= len(data)
    text = str(first) if first == last else f"{first}-{last}"
    return f'        <Range chksum="{digest.hexdigest()}"> {text} </Range>\n'
