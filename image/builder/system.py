"""The layer between Debian's packages and our own code: small, bootable, compiled."""

from pathlib import Path

from .bytecode import compile_tree
from .layer import IMAGE_DIR, read_list
from .modules import prune_modules
from .tree import make_system


def make_system_layer(base: Path, python: Path, accounts: Path, layer_dir: Path) -> None:
    """Make `tree` from the packages; `accounts` is the folder of our sysusers.d files."""
    tree = layer_dir / "tree"
    tree.mkdir()
    make_system(base, tree, accounts)
    prune_modules(tree, read_list(IMAGE_DIR / "modules.txt"))
    for folder in ("usr/lib/python3.13", "usr/lib/python3/dist-packages"):
        compile_tree(python, tree, folder)
