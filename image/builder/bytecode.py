"""Bytecode for the image's Python, compiled on the machine that builds.

Unchecked hash-based files (PEP 552): the interpreter neither looks at times nor at the
source, which is right for a read-only root.
"""

from pathlib import Path

from .layer import run

_COMPILE = (
    "import compileall, py_compile, sys\n"
    "mode = py_compile.PycInvalidationMode.UNCHECKED_HASH\n"
    "done = compileall.compile_dir(sys.argv[1], stripdir=sys.argv[2], quiet=1, workers=1,\n"
    "                              invalidation_mode=mode, force=True, legacy=False)\n"
    "sys.exit(0 if done else 1)\n"
)


def compile_tree(interpreter: Path, tree: Path, folder: str) -> None:
    """Compile every module below `folder` of `tree`; `interpreter` is an unpacked system."""
    root = interpreter / "tree"
    loader = next(root.glob("usr/lib/*-linux-gnu/ld-linux-*.so.?"))
    run(
        [
            # Sets of constants are stored in the order of their hashes.
            *("env", "-i", "PYTHONHASHSEED=0"),
            loader,
            "--library-path",
            loader.parent,
            root / "usr/bin/python3.13",
            *("-s", "-P"),
            "-c",
            _COMPILE,
            tree / folder,
            tree,
        ]
    )
