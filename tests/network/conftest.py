"""Fixtures of the network tests: they need root, and touch nothing of the host's network."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from .router import PREFIX, World, eventually, world


@pytest.fixture(scope="session", autouse=True)
def root() -> None:
    """Skip for somebody without root; `make network` has it, so there nothing is left out.

    Root without namespaces is a failure, not a skip: the fixtures below say so.
    """
    if os.geteuid() != 0:
        pytest.skip("network namespaces need root")


@pytest.fixture
def bare() -> Iterator[World]:
    """The world with a router that has applied nothing yet."""
    # Not below pytest's folder, which nobody else may enter: dnsmasq runs as somebody else. In
    # memory as on the router, where no slow disk makes a write wait.
    with (
        tempfile.TemporaryDirectory(prefix=PREFIX, dir="/dev/shm") as folder,
        world(Path(folder)) as made,
    ):
        yield made


@pytest.fixture
def online(bare: World) -> World:
    """The world with a router that is configured, and whose call is up."""
    assert bare.router.apply() == []
    eventually(bare.router.forwarding, "the bridge passes frames")
    bare.introduce()
    return bare
