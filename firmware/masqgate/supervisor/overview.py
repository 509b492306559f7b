"""The whole router at one moment, for people."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import msgspec

from masqgate import __version__
from masqgate.contract.status import Host, LanStatus, LinkState, LinkStatus, Reason, Status

if TYPE_CHECKING:
    from .supervisor import Supervisor

log = logging.getLogger(__name__)


def overview(supervisor: Supervisor) -> Status:
    """Put together what is known; what cannot be found out is left empty."""
    clock = supervisor.parts.clock
    hardware = supervisor.hardware.look()
    return Status(
        version=__version__,
        hostname=supervisor.config.system.hostname,
        at=clock.wall(),
        uptime_s=clock.monotonic(),
        active=supervisor.active,
        uplinks=tuple(_counted(supervisor, link) for link in supervisor.links.values()),
        dialin=tuple(supervisor.lines.values()),
        lan=LanStatus(
            address=supervisor.config.lan.address,
            address6=supervisor.prefixes.router_address,
            old_prefixes6=supervisor.prefixes.stale,
            ports=_ports(supervisor),
            hosts=_hosts(supervisor),
        ),
        firewall=supervisor.firewall,
        password_set=supervisor.parts.passwords.is_set,
        password_generation=supervisor.parts.passwords.generation,
        warnings=tuple(_warnings(supervisor)),
        reboots=supervisor.last_resort.causes,
        hardware=hardware,
        confirm_in_s=supervisor.configuring.confirm_in_s,
    )


def _counted(supervisor: Supervisor, link: LinkStatus) -> LinkStatus:
    """A link with health, counters (a modem's dialer has told them already) and trigger."""
    link = _with_six(supervisor, supervisor.choosing.told(link))
    if link.kind == "modem":
        return msgspec.structs.replace(link, trigger=supervisor.demand.trigger(link.name))
    if link.kind != "ethernet" or link.state is not LinkState.UP:
        return link
    counters = supervisor.parts.applier.counters(link.interface)
    return msgspec.structs.replace(link, counters=counters)


def _with_six(supervisor: Supervisor, link: LinkStatus) -> LinkStatus:
    """The uplink that carries the traffic, with what it has of IPv6."""
    if link.name != supervisor.active or link.state is not LinkState.UP:
        return link
    found = supervisor.prefixes.delegation
    return msgspec.structs.replace(
        link,
        address6=supervisor.parts.applier.address6(link.interface),
        prefix6=found.prefix if found is not None else "",
    )


def _ports(supervisor: Supervisor) -> tuple[str, ...]:
    """The Ethernet ports that are no uplink: those of the bridge."""
    uplinks = {link.port for link in supervisor.config.ethernets if link.enabled}
    return tuple(port for port in supervisor.ports if port not in uplinks)


def _hosts(supervisor: Supervisor) -> tuple[Host, ...]:
    try:
        return supervisor.parts.applier.hosts()
    except Exception:
        log.exception("the leases cannot be read")
        return ()


def _warnings(supervisor: Supervisor) -> list[Reason]:
    parts = supervisor.parts
    found: list[Reason | None] = [
        *supervisor.config_warnings,
        *supervisor.card_warnings,
        *supervisor.budgets.warnings(),
        *parts.store.health(),
        *supervisor.hardware.warnings,
        parts.history.warning,
        parts.passwords.warning,
        *(Reason(p.code, f"{p.path}: {p.text}", p.hint) for p in supervisor.problems),
    ]
    return [reason for reason in found if reason is not None]
