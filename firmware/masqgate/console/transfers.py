"""Files over the serial line, by ZMODEM: what terminals call 'send' and 'receive'.

`rz --restricted` takes plain names only, and writes into a folder of its own; nothing that came
is used before it was looked at.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from masqgate.contract import backup
from masqgate.contract.client import Client
from masqgate.contract.errors import MasqgateError
from masqgate.contract.paths import Paths
from masqgate.system import offline
from masqgate.system.staging import Staging

from .terminal import Terminal

NAME = f"backup{backup.SUFFIX}"
LARGEST_BUNDLE = 512 << 20  # bytes
BLOCK = 512  # bytes, of the shell's `ulimit -f`
# As bytes: cancels a transfer at the other end, and is harmless where there is none.
CANCEL = "\x18" * 8 + "\x08" * 10

OrOffline = Callable[[Callable[[], None], Callable[[], None]], None]


class Transfers:
    """The keys that send and receive."""

    def __init__(
        self, terminal: Terminal, client: Client, paths: Paths,
        confirm: Callable[[str], None], or_offline: OrOffline,
    ) -> None:  # fmt: skip
        self._terminal = terminal
        self._client = client
        self._paths = paths
        self._confirm = confirm
        self._or_offline = or_offline

    def send_backup(self) -> None:
        """Send a backup with all secrets."""
        made: list[str] = []
        self._or_offline(
            lambda: made.append(self._client.backup()),
            lambda: made.append(offline.backup_text(self._paths)),
        )
        with Staging(self._paths.transfer, backup.LARGEST) as staging:
            path = staging.put(NAME, made[0].encode())
            self._terminal.say("It holds all passwords. Receive it in your terminal now (ZMODEM).")
            if self._run(["sz", "--binary", "--quiet", str(path)], staging.folder) != 0:
                raise self._failed()
        self._terminal.say(f"{NAME} was sent.")

    def receive_backup(self) -> None:
        """Receive a backup, and put it in force after a yes."""
        with Staging(self._paths.transfer, backup.LARGEST) as staging:
            text = _text(self._receive(staging, backup.LARGEST))
        found = backup.read(text)
        made = f", made {found.made_at} UTC" if found.made_at else ""
        self._terminal.say(f"A backup of '{found.config.system.hostname}'{made}.")
        self._confirm("Replace settings, and the password if it has one?")
        self._or_offline(
            lambda: self._client.restore(text), lambda: offline.restore(self._paths, text)
        )
        self._terminal.say("The backup is in force and saved.")

    def receive_update(self) -> None:
        """Receive an update, and have it checked and installed."""
        with Staging(self._paths.update_staging, LARGEST_BUNDLE) as staging:
            if (room := staging.room()) < 1 << 20:
                text = "The data partition has no room for an update."
                raise MasqgateError("no_staging", text)
            path = self._receive(staging, room)
            command = ["masqgate", "update", "install", str(path)]
            if self._run(command, staging.folder, raw=False) != 0:
                text = "The update was not installed; what is above tells why."
                raise MasqgateError("not_installed", text)

    def _receive(self, staging: Staging, most: int) -> Path:
        self._terminal.say(
            "Send the file in your terminal now (ZMODEM). Five times Ctrl-X gives up."
        )
        limit = f"ulimit -f {most // BLOCK + 1} && exec rz --restricted --binary --quiet"
        if self._run(["/bin/sh", "-c", limit], staging.folder) != 0:
            raise self._failed()
        return staging.received()

    def _run(self, command: Sequence[str], folder: Path, *, raw: bool = True) -> int:
        """Lend the terminal to a program; then let the one at the other end finish."""
        path = {"PATH": os.environ.get("PATH", "/usr/sbin:/usr/bin")}
        code = self._terminal.run(command, path, str(folder), raw=raw)
        self._terminal.settle()
        return code

    def _failed(self) -> MasqgateError:
        """The other end may still be sending: that must not be taken for what somebody types."""
        self._terminal.settle(CANCEL)
        return MasqgateError(
            "transfer_failed", "The transfer failed, or the file is too large.", "Try again."
        )


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode()
    except UnicodeDecodeError:
        text = "This is no backup of a Masqgate router."
        raise MasqgateError("backup_foreign", text, "A backup is one text, no archive.") from None
