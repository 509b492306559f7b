"""The nftables ruleset, as text, from the configuration and the facts."""

from __future__ import annotations

from ..contract.config import Config
from .facts import Facts


def ruleset(config: Config, facts: Facts) -> str:
    """The whole table `inet masqgate` as one transaction for `nft -f`."""
    raise NotImplementedError
