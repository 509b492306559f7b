"""`superblock.py DEVICE`: makes a torn superblock of the data partition readable again.

An ext4 superblock is 1,024 bytes: two sectors, of which a power cut may leave the first one new
and the second one old. All that changes at a mount or a commit lies in the first, and only the
checksum in the second: so the checksum is what is torn, and a correct one makes the old or the
new superblock of it. e2fsck does not do that; it looks for a backup, and a file system smaller
than 128 MiB has none. What else may be wrong, e2fsck repairs afterwards.
"""

import os
import struct
import sys

OFFSET, SIZE, CHECKSUM = 1024, 1024, 1020
_MAGIC_AT, _MAGIC = 0x38, 0xEF53
_FEATURES_AT, _METADATA_CSUM = 0x64, 0x400
_KIND_AT, _CRC32C = 0x175, 1


def crc32c(data: bytes) -> int:
    """The checksum as ext4 has it: without the inversion at the end."""
    value = 0xFFFFFFFF
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = (value >> 1) ^ (0x82F63B78 if value & 1 else 0)
    return value


def mended(block: bytes) -> bytes | None:
    """Return a superblock with a correct checksum; None if it has that, or is none of ours."""
    if len(block) != SIZE or struct.unpack_from("<H", block, _MAGIC_AT)[0] != _MAGIC:
        return None
    if not struct.unpack_from("<I", block, _FEATURES_AT)[0] & _METADATA_CSUM:
        return None
    if block[_KIND_AT] != _CRC32C:
        return None
    good = block[:CHECKSUM] + struct.pack("<I", crc32c(block[:CHECKSUM]))
    return good if good != block else None


def main(arguments: list[str]) -> int:
    """Mend one device; return the exit status: 1 if there was nothing to mend."""
    device = os.open(arguments[0], os.O_RDWR | os.O_CLOEXEC)
    try:
        good = mended(os.pread(device, SIZE, OFFSET))
        if good is None:
            return 1
        os.pwrite(device, good, OFFSET)
        os.fsync(device)
    finally:
        os.close(device)
    print(f"{arguments[0]}: a torn superblock was mended")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
