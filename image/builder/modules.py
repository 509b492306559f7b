"""Kernel modules: which of them go into the image, and in which order the early ones load."""

import lzma
from collections.abc import Iterable
from fnmatch import fnmatch
from pathlib import Path

from .layer import BuildError, run


def parse_dependencies(text: str) -> dict[str, list[str]]:
    """Parse modules.dep: path of a module to the paths that it needs (nearest first)."""
    lines = (line.partition(":") for line in text.splitlines() if line)
    return {path: needs.split() for path, _, needs in lines}


def select(dependencies: dict[str, list[str]], patterns: list[str]) -> set[str]:
    """Return the paths that a pattern matches, and all that they depend on."""
    chosen: set[str] = set()
    for pattern in patterns:
        found = [path for path in dependencies if fnmatch(_stem(path), f"kernel/{pattern}")]
        if not found:
            raise BuildError(f"modules.txt: no module matches {pattern}")
        for path in found:
            chosen.update([path, *dependencies[path]])
    return chosen


def load_order(dependencies: dict[str, list[str]], names: list[str]) -> list[str]:
    """Return the paths of the named modules, each after what it depends on."""
    by_name = {Path(_stem(path)).name.replace("-", "_"): path for path in dependencies}
    order: list[str] = []
    for name in names:
        path = by_name.get(name.replace("-", "_"))
        if path is None:
            raise BuildError(f"modules-early.txt: there is no module {name}")
        order += [each for each in [*reversed(dependencies[path]), path] if each not in order]
    return order


def _stem(path: str) -> str:
    return path.partition(".ko")[0]


def prune_modules(tree: Path, patterns: list[str]) -> None:
    """Keep the chosen modules, stored uncompressed: the squashfs compresses them better."""
    version_dir = only(tree.glob("usr/lib/modules/*"))
    run(["depmod", "-b", tree, version_dir.name])
    dependencies = parse_dependencies((version_dir / "modules.dep").read_text())
    chosen = select(dependencies, patterns)
    for path in dependencies:
        module = version_dir / path
        if path in chosen and module.suffix == ".xz":
            module.with_suffix("").write_bytes(lzma.decompress(module.read_bytes()))
        if path not in chosen or module.suffix == ".xz":
            module.unlink()
    run(["depmod", "-b", tree, version_dir.name])


def only(paths: Iterable[Path]) -> Path:
    """Return the single path of an iterable."""
    found = list(paths)
    if len(found) != 1:
        raise BuildError(f"expected one path, found {found}")
    return found[0]
