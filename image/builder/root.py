"""The root file system with our overlay and our code in it, as a squashfs."""

import shutil
from pathlib import Path

from .bytecode import compile_tree
from .layer import REPOSITORY, BuildError, run, say
from .layout import SQUASHFS_LIMIT
from .tree import privileged_files

_PACKAGES = {"masqgate": "firmware/masqgate", "masqgate_web": "webui/masqgate_web"}
_IGNORED = shutil.ignore_patterns("__pycache__", "*.pyc", ".*_cache")


def make_root(system: Path, python: Path, tree: Path, squashfs: Path, keyring: Path) -> None:
    """Lay the overlay, our packages and the updates' keyring over the system; pack it."""
    say("root: copying")
    run(["cp", "-a", f"{system}/.", _made(tree)])
    _lay_overlay(tree)
    for name, source in _PACKAGES.items():
        target = tree / "usr/lib/python3/dist-packages" / name
        if (REPOSITORY / source).is_dir():
            shutil.copytree(REPOSITORY / source, target, ignore=_IGNORED)
            compile_tree(python, tree, f"usr/lib/python3/dist-packages/{name}")
        else:
            say(f"root: there is no {source}; the image goes without it")
    lay_keyring(tree, keyring)
    _enable_units(tree)
    if privileged := privileged_files(tree):
        raise BuildError(f"setuid files in the image: {', '.join(map(str, privileged))}")
    (tree / "usr/lib/clock-epoch").touch()
    say("root: packing")
    _pack(tree, squashfs)


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def _lay_overlay(tree: Path) -> None:
    """Copy the overlay with modes that do not depend on the umask of the checkout."""
    overlay = REPOSITORY / "rootfs-overlay"
    for source in sorted(overlay.rglob("*")):
        target = tree / source.relative_to(overlay)
        if "__pycache__" in source.parts:
            continue
        if source.is_symlink():
            target.unlink(missing_ok=True)
            target.symlink_to(source.readlink())
        elif source.is_dir():
            target.mkdir(exist_ok=True)
        else:
            target.unlink(missing_ok=True)
            shutil.copyfile(source, target)
            target.chmod(0o755 if source.stat().st_mode & 0o100 else 0o644)


def lay_keyring(tree: Path, keyring: Path) -> None:
    """Put the certificates whose updates the router takes into a root file system."""
    target = tree / "usr/share/masqgate/update-keyring.pem"
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(keyring, target)
    target.chmod(0o644)


def _enable_units(tree: Path) -> None:
    """Enable what the presets say; systemctl works on the tree, nothing of it runs."""
    run(["systemctl", f"--root={tree}", "preset-all"])


def _pack(tree: Path, squashfs: Path) -> None:
    options = "-comp zstd -Xcompression-level 15 -noappend -no-progress -quiet -no-exports"
    run(["mksquashfs", tree, squashfs, *options.split()])
    size = squashfs.stat().st_size
    say(f"root: {size / 1e6:.1f} MB")
    if size > SQUASHFS_LIMIT:
        raise BuildError(f"the squashfs has {size} bytes, more than {SQUASHFS_LIMIT}")
