"""The layer between Debian's packages and our own code: small, bootable, compiled."""

import shutil
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
    _slim_pyroute2(tree)
    for folder in ("usr/lib/python3.13", "usr/lib/python3/dist-packages"):
        compile_tree(python, tree, folder)


def _slim_pyroute2(tree: Path) -> None:
    """Make pyroute2 import what its own minimal edition imports: netlink, not its databases.

    Its full __init__ costs a small board seconds at each start, and some megabytes.
    """
    package = tree / "usr/lib/python3/dist-packages/pyroute2"
    shutil.copyfile(package / "minimal.py", package / "__init__.py")
