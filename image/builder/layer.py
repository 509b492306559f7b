"""Running tools, and layers cached by the hash of everything that they are made from."""

import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

IMAGE_DIR = Path(__file__).resolve().parent.parent
REPOSITORY = IMAGE_DIR.parent


class BuildError(Exception):
    """A step of the build failed; the text says which one, and where to look."""


def say(text: str) -> None:
    """Print one line of progress, with the time since the start of the process."""
    print(f"[{time.monotonic() - _process_start():6.1f} s] {text}", flush=True)


def _process_start() -> float:
    """Return the monotonic time, in seconds, at which this process started."""
    fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    ticks = int(fields[19])
    return ticks / os.sysconf("SC_CLK_TCK")


def run(command: Sequence[str | Path], *, cwd: Path | None = None, stdin: bytes = b"") -> str:
    """Run a tool and return its output; raise BuildError with the output's end if it fails."""
    words = [str(word) for word in command]
    try:
        done = subprocess.run(
            words, cwd=cwd, input=stdin, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
    except FileNotFoundError as error:
        raise BuildError(f"{words[0]} is not installed: see image/packages-host.txt") from error
    output = done.stdout.decode(errors="replace")
    if done.returncode:
        tail = "\n".join(output.splitlines()[-25:])
        raise BuildError(f"{' '.join(words)[:300]}\nended with {done.returncode}:\n{tail}")
    return output


def read_list(path: Path) -> list[str]:
    """Read a list: one entry on a line; '#' starts a comment."""
    lines = (line.partition("#")[0].strip() for line in path.read_text().splitlines())
    return [line for line in lines if line]


def digest(paths: Iterable[Path], *words: str) -> str:
    """Hash files and trees (names, modes, contents, link targets) and further words."""
    state = hashlib.sha256()
    for word in words:
        state.update(b"w" + word.encode() + b"\0")
    for top in paths:
        for path in sorted(_files_below(top)):
            name = path.relative_to(top.parent).as_posix()
            content = str(path.readlink()).encode() if path.is_symlink() else path.read_bytes()
            mode = 0 if path.is_symlink() else path.stat().st_mode
            state.update(f"f{name}\0{mode:o}\0{len(content)}\0".encode() + content)
    return state.hexdigest()[:16]


def _files_below(top: Path) -> Iterable[Path]:
    if top.is_file():
        return [top]
    return (
        path
        for path in top.rglob("*")
        if (path.is_symlink() or path.is_file()) and "__pycache__" not in path.parts
    )


def layer(cache: Path, name: str, key: str, make: Callable[[Path], None]) -> Path:
    """Return the folder of a layer, making it first if it is not in the cache.

    A layer is made in a temporary folder and renamed when it is complete, so that an
    interrupted build leaves nothing that looks finished. Older layers of the same name go.
    """
    path = cache / f"{name}-{key}"
    if path.is_dir():
        say(f"{name}: cached")
        return path
    for old in cache.glob(f"{name}-*"):
        shutil.rmtree(old)
    partial = cache / f"partial-{name}"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    say(f"{name}: making")
    make(partial)
    partial.rename(path)
    return path


def fail(error: BuildError) -> int:
    """Print why the build failed; return the exit status."""
    print(f"image: {error}", file=sys.stderr)
    return 1
