"""Where everything lies on the card, in bytes; genimage.cfg says the same."""

MIB = 1 << 20
SECTOR = 512
# QEMU takes only powers of two as the size of a card.
IMAGE_BYTES = 512 * MIB
# name: (offset, size)
PARTITIONS = {
    "boot": (4 * MIB, 60 * MIB),
    "slot-a": (64 * MIB, 192 * MIB),
    "slot-b": (256 * MIB, 192 * MIB),
    "data": (448 * MIB, 63 * MIB),
}
DISK_SIGNATURE = b"mqgt"
SQUASHFS_LIMIT = 90 * MIB
