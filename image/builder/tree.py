"""The root file system between Debian's packages and our own overlay."""

import os
import shutil
import stat
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

from .accounts import make_accounts
from .elf import needed
from .layer import IMAGE_DIR, BuildError, read_list, run

LIBRARIES = "usr/lib/aarch64-linux-gnu"
# Opened by name at run time, so that no file's list of needed libraries tells of them.
_DLOPENED = (
    "libkmod.so.2",
    "libseccomp.so.2",
    "libmount.so.1",
    "libblkid.so.1",
    "libacl.so.1",
    "libzstd.so.1",
    "liblzma.so.5",
    "libcap.so.2",
    "libaudit.so.1",
    "libgcc_s.so.1",
    "libnss_dns.so.2",
    "libnss_files.so.2",
    "libselinux.so.1",
    "libcrypt.so.1",
)


def make_system(base: Path, tree: Path, accounts: Path) -> None:
    """Copy the unpacked packages to `tree` and turn them into a small bootable system."""
    run(["cp", "-a", f"{base}/tree/.", tree])
    if accounts.exists():
        shutil.copytree(accounts, tree / "usr/lib/sysusers.d", dirs_exist_ok=True)
    make_accounts(tree)
    _base_files(tree)
    _remove_patterns(tree)
    _keep_commands(tree)
    _keep_units(tree)
    _keep_libraries(tree)
    strip_privileges(tree)
    _busybox_links(tree)
    run(["qemu-aarch64-static", tree / "usr/sbin/ldconfig", "-r", tree])
    (tree / "usr/sbin/ldconfig").unlink()


def _base_files(tree: Path) -> None:
    """What the maintainer scripts of base-files, libc-bin and tzdata would have made."""
    etc = tree / "etc"
    shutil.copy(tree / "usr/share/libc-bin/nsswitch.conf", etc / "nsswitch.conf")
    zone = tree / "usr/share/zoneinfo/Etc/UTC"
    if zone.exists():
        (etc / "localtime").unlink(missing_ok=True)
        shutil.copy(zone, etc / "localtime")
    for name in ("fstab", "hostname", "resolv.conf"):
        (etc / name).unlink(missing_ok=True)
    (etc / "resolv.conf").symlink_to("/run/masqgate/resolv.conf")
    for name in ("data", "dev", "proc", "sys", "run", "tmp", "root", "mnt", "var/log", "var/tmp"):
        (tree / name).mkdir(parents=True, exist_ok=True)
    (tree / "root").chmod(0o700)
    for name in ("tmp", "var/tmp"):
        (tree / name).chmod(0o1777)
    for name, target in (("var/run", "/run"), ("var/lock", "/run/lock")):
        remove(tree / name)
        (tree / name).symlink_to(target)


def _remove_patterns(tree: Path) -> None:
    for pattern in read_list(IMAGE_DIR / "prune.txt"):
        for path in tree.glob(pattern):
            remove(path)


def remove(path: Path) -> None:
    """Remove a file, a link or a whole tree."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _keep_commands(tree: Path) -> None:
    """Remove every command that is not on the list; a listed one that is missing is an error."""
    wanted = set(read_list(IMAGE_DIR / "commands.txt"))
    seen = set()
    for folder in ("usr/bin", "usr/sbin", "usr/lib/systemd"):
        for path in [each for each in (tree / folder).iterdir() if not each.is_dir()]:
            seen.add(path.name)
            if path.name not in wanted and path.name != "ldconfig":
                remove(path)
    if missing := sorted(wanted - seen):
        raise BuildError(f"commands.txt names what no package brings: {', '.join(missing)}")


def _keep_units(tree: Path) -> None:
    patterns = read_list(IMAGE_DIR / "units.txt")
    units = tree / "usr/lib/systemd/system"
    kept = set()
    for path in list(units.iterdir()):
        if path.is_dir() and path.name.endswith(".d"):
            remove(path)
        elif not path.is_dir():
            if any(fnmatch(path.name, pattern) for pattern in patterns):
                kept.add(path.name)
            else:
                remove(path)
    for folder in units.glob("*.wants"):
        for link in list(folder.iterdir()):
            if link.name not in kept:
                link.unlink()
        if not any(folder.iterdir()):
            folder.rmdir()
    if missing := sorted(p for p in patterns if not any(fnmatch(name, p) for name in kept)):
        raise BuildError(f"units.txt names what systemd does not bring: {', '.join(missing)}")
    default = units / "default.target"
    default.unlink(missing_ok=True)
    default.symlink_to("multi-user.target")


def _keep_libraries(tree: Path) -> None:
    """Remove shared libraries that nothing left in the image needs."""
    folder = tree / LIBRARIES
    names = {path.name for path in folder.iterdir() if ".so" in path.name and not path.is_dir()}
    roots = [path for path in _regular_files(tree) if not _is_library(path, folder)]
    wanted = set(_DLOPENED) & names
    queue = roots + [folder / name for name in sorted(wanted)]
    while queue:
        for name in needed(queue.pop()):
            if name in names and name not in wanted:
                wanted.add(name)
                queue.append(folder / name)
    targets = {(folder / name).resolve().name for name in wanted}
    for name in names - wanted - targets:
        (folder / name).unlink()


def _is_library(path: Path, folder: Path) -> bool:
    return path.parent == folder and ".so" in path.name and not path.name.startswith("ld-")


def _regular_files(tree: Path) -> Iterator[Path]:
    for parent, _, names in os.walk(tree):
        for name in names:
            path = Path(parent, name)
            if stat.S_ISREG(path.lstat().st_mode):
                yield path


def privileged_files(tree: Path) -> list[Path]:
    """Return the files of a tree that are setuid or setgid."""
    return [path for path in _regular_files(tree) if path.lstat().st_mode & 0o6000]


def strip_privileges(tree: Path) -> None:
    """Take setuid and setgid off every file: whoever needs root here is root already."""
    for path in privileged_files(tree):
        path.chmod(stat.S_IMODE(path.lstat().st_mode) & ~0o6000)


def _busybox_links(tree: Path) -> None:
    """Link busybox's applets where no real command of that name is left."""
    applets = run(["qemu-aarch64-static", tree / "usr/bin/busybox", "--list"]).split()
    present = {
        path.name for folder in ("usr/bin", "usr/sbin") for path in (tree / folder).iterdir()
    }
    unwanted = set(read_list(IMAGE_DIR / "applets-unwanted.txt"))
    for applet in applets:
        if applet not in present and applet not in unwanted:
            (tree / "usr/bin" / applet).symlink_to("busybox")
