"""dnsmasq's files, as text, from the configuration and the facts."""

from __future__ import annotations

from ..contract.config import Config
from ..contract.paths import Paths
from .facts import Facts


def dnsmasq_conf(config: Config, paths: Paths) -> str:
    """dnsmasq's configuration: DHCP and DNS on the LAN."""
    raise NotImplementedError


def resolv_conf(facts: Facts) -> str:
    """The name servers of the active uplink, in the format of resolv.conf(5)."""
    raise NotImplementedError
