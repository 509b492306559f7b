"""Fixtures of the network tests: they need root, and touch nothing of the host's network."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from .router import World, eventually, world


@pytest.fixture
def bare(tmp_path: Path) -> Iterator[World]:
    """The world with a router that has applied nothing yet."""
    if os.geteuid() != 0:
        pytest.skip("network namespaces need root")
    with world(tmp_path) as made:
        yield made


@pytest.fixture
def online(bare: World) -> World:
    """The world with a router that is configured, and whose call is up."""
    assert bare.router.apply() == []
    eventually(bare.router.forwarding, "the bridge passes frames")
    return bare
