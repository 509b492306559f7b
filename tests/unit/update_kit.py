"""A card in a few files, signers, and bundles, good and bad. The signatures are openssl's own."""

from __future__ import annotations

import functools
import hashlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from masqgate.contract.paths import Paths
from masqgate.contract.update_client import UpdateClient
from masqgate.core import bootstate
from masqgate.core.bootstate import BootState
from masqgate.system.slots import Slots
from masqgate.updater import Updater, serve

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "image"))

from bundle import write_bundle
from keys import Keys, development_keys

SLOT = 4 << 20
OLD = b"the system that was in this slot before"
BOARD = "masqgate-rpi64"


@functools.cache
def keys(name: str) -> Keys:
    """A signer; made once, because a key takes its time."""
    return development_keys(Path(tempfile.mkdtemp(prefix="masqgate-keys-")) / name)


CA = """\
[ca]
default_ca = here
[here]
database = index.txt
serial = serial
new_certs_dir = .
default_md = sha256
policy = any
[any]
organizationName = optional
commonName = supplied
"""


def future_keys(folder: Path) -> Keys:
    """A signer of ours whose certificate is not valid before 2040."""
    ours = keys("ours")
    folder.mkdir()
    (folder / "ca.cnf").write_text(CA)
    (folder / "index.txt").write_text("")
    (folder / "serial").write_text("1000\n")
    made = Keys(ours.key, folder / "future.pem", ours.keyring)
    for command in (
        ["req", "-new", "-key", ours.key, "-subj", "/CN=future", "-out", "request"],
        [
            "ca",
            "-batch",
            "-config",
            "ca.cnf",
            "-in",
            "request",
            "-out",
            made.certificate,
            "-cert",
            ours.keyring,
            "-keyfile",
            ours.key.with_name("development-ca.key"),
            "-startdate",
            "20400101000000Z",
            "-enddate",
            "20490101000000Z",
            "-notext",
        ],
    ):
        subprocess.run(["openssl", *command], cwd=folder, check=True, capture_output=True)
    known = ["openssl", "verify", "-CAfile", ours.keyring, made.certificate]
    said = subprocess.run(known, capture_output=True, text=True)
    assert "not yet valid" in said.stderr, said
    return made


def content() -> list[tuple[int, bytes]]:
    """What a slot holds: places and bytes, with a gap between them."""
    return [(0, b"superblock".ljust(4096, b"-")), (8192, bytes(range(256)) * 4096)]


def manifest(**changes: Any) -> bytes:
    """A manifest, with changes."""
    pieces = [(at, len(data), hashlib.sha256(data).hexdigest()) for at, data in content()]
    whole = {"compatible": BOARD, "version": "0.2.0", "slot_bytes": SLOT, "pieces": pieces}
    return json.dumps({**whole, **changes}).encode()


def bundle(path: Path, signer: Keys | None = None, **changes: Any) -> Path:
    """Write a bundle, signed by a signer, with changes in its manifest."""
    write_bundle(
        manifest(**changes), signer or keys("ours"), path, iter(data for _, data in content())
    )
    return path


class Card:
    """A router's card and data partition, slot A running and good."""

    def __init__(self, folder: Path, version: str = "0.1.0", signed: bool = True) -> None:
        self.paths = Paths(folder / "run", folder / "data", folder / "share", folder / "boot")
        for path in (self.paths.run, self.paths.data / "config", self.paths.share):
            path.mkdir(parents=True)
        self.paths.boot.mkdir()
        if signed:
            self.paths.keyring.write_bytes(keys("ours").keyring.read_bytes())
        self.paths.release.write_text(json.dumps({"version": version, "compatible": BOARD}))
        self.disk = folder / "card"
        self.disk.write_bytes(bytes(8192 * 512))
        (self.paths.boot / "disk").write_text(f"{self.disk}\n")
        self.run_slot("a")
        self.slots.write(BootState(seq=7, first="a", good=(True, False), tries=(0, 0)))
        for slot in bootstate.SLOTS:
            self.slots.partition(slot).write_bytes(OLD.ljust(SLOT, b"."))

    def run_slot(self, slot: str) -> None:
        (self.paths.boot / "slot").write_text(f"{slot}\n")

    @property
    def slots(self) -> Slots:
        return Slots.of_this_router(self.paths)

    @property
    def state(self) -> BootState:
        state = self.slots.read()
        assert state is not None
        return state

    def held(self, slot: str) -> bytes:
        return self.slots.partition(slot).read_bytes()

    @contextmanager
    def updater(self) -> Iterator[UpdateClient]:
        """The real updater on its socket, and a client of it."""
        self.paths.update_socket.unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(self.paths.update_socket))
            listener.listen(8)
            updater = Updater(self.paths)
            over = threading.Event()

            def again() -> None:
                while not over.is_set():  # as systemd would start it
                    serve(listener, updater, 0.1)

            thread = threading.Thread(target=again)
            thread.start()
            try:
                yield UpdateClient(self.paths.update_socket, 60.0)
            finally:
                over.set()
                thread.join(60)

    @contextmanager
    def updater_process(self, tools: Path) -> Iterator[UpdateClient]:
        """The updater as systemd starts it, with other programs in its path."""
        self.paths.update_socket.unlink(missing_ok=True)
        folders = {"RUN": self.paths.run, "DATA": self.paths.data, "BOOT": self.paths.boot}
        environment = {
            **os.environ,
            **{f"MASQGATE_{name}": str(folder) for name, folder in folders.items()},
            "MASQGATE_SHARE": str(self.paths.share),
            "LISTEN_FDS": "1",
            "PATH": f"{tools}:{os.environ['PATH']}",
        }
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(self.paths.update_socket))
            listener.listen(8)
            handed = f"exec 3<&{listener.fileno()}; exec {sys.executable} -m masqgate.updater"
            process = subprocess.Popen(
                ["bash", "-c", handed], env=environment, pass_fds=[listener.fileno()]
            )
            try:
                yield UpdateClient(self.paths.update_socket, 60.0)
            finally:
                process.kill()
                process.wait()


def untouched(card: Card) -> bool:
    """Whether neither slots nor boot record were written."""
    before = OLD.ljust(SLOT, b".")
    state = BootState(seq=7, first="a", good=(True, False), tries=(0, 0))
    return card.state == state and card.held("a") == card.held("b") == before
