"""What `masqgate update` does, and prints."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from masqgate.contract.client import Client
from masqgate.contract.codec import to_json
from masqgate.contract.paths import Paths
from masqgate.contract.update import BundleInfo
from masqgate.contract.update_client import UpdateClient
from masqgate.core import updates

from .codes import GOOD

STEP = 10_000_000  # bytes between two lines of progress


def status(_: Client, wanted: argparse.Namespace) -> int:
    """Tell what is in both slots."""
    found = _client().update_status()
    if wanted.json:
        print(to_json(found).decode())
    else:
        print("\n".join(updates.lines(found)))
    return GOOD


def check(_: Client, wanted: argparse.Namespace) -> int:
    """Verify a bundle."""
    info = _send(wanted, check_only=True)
    print(f"The update is good: version {info.version} for {info.compatible}.")
    return GOOD


def install(_: Client, wanted: argparse.Namespace) -> int:
    """Write a bundle to the spare slot."""
    info = _send(wanted, check_only=False)
    print(f"Version {info.version} is in slot {info.slot.upper()}, read back and compared.")
    print("Restart the router to try it (reboot). It stays only if the router works with it.")
    return GOOD


def back(_: Client, __: argparse.Namespace) -> int:
    """Have the other slot started next."""
    print(_client().update_back().text)
    return GOOD


def _client() -> UpdateClient:
    return UpdateClient(Paths.from_environment().update_socket)


def _send(wanted: argparse.Namespace, check_only: bool) -> BundleInfo:
    """Send the bundle; tell of progress on a terminal, where somebody waits for it."""
    told = 0

    def progress(sent: int) -> None:
        nonlocal told
        if sys.stdout.isatty() and sent - told >= STEP:
            told = sent
            print(f"{sent // 1_000_000} MB are taken.", flush=True)

    path = Path(wanted.file)
    allow = bool(wanted.allow_downgrade)
    return _client().update_install(path, allow, check_only=check_only, progress=progress)
