"""passwd, group and shadow, made without running anything of the image."""

import re
from pathlib import Path

from .layer import run

_KEPT = {"root", "daemon", "bin", "sys", "nobody"}


def make_accounts(tree: Path) -> None:
    """Make the account files: Debian's fixed numbers, then every sysusers.d file.

    All passwords are locked, root's too: the ways in are the page and the console.
    """
    masters = tree / "usr/share/base-passwd"
    etc = tree / "etc"
    for name in ("passwd", "group"):
        lines = (masters / f"{name}.master").read_text().splitlines()
        kept = [_locked(line) for line in lines if name == "group" or _user(line) in _KEPT]
        (etc / name).write_text("".join(f"{line}\n" for line in kept))
    users = [_user(line) for line in (etc / "passwd").read_text().splitlines()]
    (etc / "shadow").write_text("".join(f"{user}:!*:20000::::::\n" for user in users))
    (etc / "gshadow").write_text("")
    (tree / "usr/lib/sysusers.d/basic.conf").unlink(missing_ok=True)
    for path in (tree / "usr/lib/sysusers.d").glob("*.conf"):
        # 'u!' (a locked account) is newer than the systemd of some machines that build.
        path.write_text(re.sub(r"^u!", "u", path.read_text(), flags=re.MULTILINE))
    run(["systemd-sysusers", f"--root={tree}"])
    for name in ("shadow", "gshadow"):
        (etc / name).chmod(0o600)
    for backup in etc.glob("*-"):
        backup.unlink()


def _user(line: str) -> str:
    return line.partition(":")[0]


def _locked(line: str) -> str:
    """Point the password at shadow, and give root a shell that is in the image."""
    return line.replace(":*:", ":x:", 1).replace("/bin/bash", "/bin/sh")
