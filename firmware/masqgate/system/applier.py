"""Brings the kernel, nftables and dnsmasq to the desired state, and reads back."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
from pyroute2.netlink.exceptions import NetlinkError

from ..contract.config import Config
from ..contract.errors import Problem
from ..contract.paths import Paths
from ..contract.status import Counters, Flow, Host, LinkState
from ..desired.addresses import ipv4
from ..desired.changes import Change, Network, SetSysctl
from ..desired.dnsmasq import dnsmasq_conf, resolv_conf
from ..desired.facts import Facts
from ..desired.network import closed, diff, network
from ..desired.nft import ruleset
from ..desired.sysctls import PASSING
from . import atomic, conntrack, leases
from .netlink import PROC_SYS, SYS_NET, Kernel
from .nft import Firewall, used
from .run import ToolError
from .services import Services, Systemd

log = logging.getLogger(__name__)

DNSMASQ = "masqgate-dnsmasq.service"
_PASSES = 2  # the second one sets what the first one's changes have reset
_REFUSED = (OSError, NetlinkError)


class Applier:
    """Owns bridge, LAN address, our routes, sysctls, the ruleset and dnsmasq's files.

    Not safe to share by threads: one thread calls it.
    """

    def __init__(
        self,
        paths: Paths,
        services: Services | None = None,
        alive: Callable[[], None] = lambda: None,
    ) -> None:
        """Use `services` for units; `alive` is called between steps, each bounded by itself.

        On a board with far too much to do the steps together take longer than a watchdog waits.
        """
        self._paths = paths
        self._services: Services = services or Systemd()
        self._alive = alive
        self._firewall = Firewall(paths, alive)
        self._config = Config()
        self._flushed: tuple[str, ...] | None = None  # the addresses the flows are known to fit
        self._dnsmasq_ok = False
        self._rules_ok = False  # whether the last apply's rules are in force

    def apply(self, config: Config, facts: Facts) -> tuple[Problem, ...]:
        """Bring everything to what configuration and facts ask for; what could not be done.

        Idempotent: a second call with the same arguments changes nothing. Never raises: a part
        that fails is a Problem, and the other parts are applied all the same. Rules that cannot
        be loaded leave the old ones in force.
        """
        self._config = config
        ports = [link.port for link in config.ethernets]
        found = leases.uplink_leases(self._paths, ports)
        leased = msgspec.structs.replace(facts, leases=found)
        urgent = (  # until here, nobody on the LAN is answered by another uplink
            *self._apply_rules(config, facts),
            *self._apply_network(network(config, leased)),
            *self._apply_flows(config, facts),
        )
        self._firewall.remember()
        return (*urgent, *self._apply_dnsmasq(config, facts))

    def close(self) -> tuple[Problem, ...]:
        """Load the closed ruleset and stop forwarding."""
        problems: list[Problem] = []
        try:
            self._firewall.close()
        except ToolError as error:
            problems.append(_problem("firewall", "firewall_not_closed", error))
        try:
            for path in PASSING:
                (PROC_SYS / path).write_text("0")
        except OSError as error:
            problems.append(_problem("network", "network_change", error))
        return tuple(problems)

    def ports(self) -> tuple[str, ...]:
        """The Ethernet interfaces present, sorted: no bridge, no PPP, no loopback, no radio."""
        try:
            with Kernel() as kernel:
                return kernel.ports()
        except _REFUSED as error:
            log.error("The interfaces cannot be read: %s", error)
            return ()

    def way_out(self) -> str:
        """The interface that the kernel's default route of ours leads to; empty: none."""
        try:
            with Kernel() as kernel:
                return kernel.way_out()
        except _REFUSED as error:
            log.error("The routes cannot be read: %s", error)
            return ""

    def hosts(self) -> tuple[Host, ...]:
        """The hosts that hold a lease of ours, by address."""
        try:
            data = leases.read_file(self._paths.leases, leases.MAX_LEASES)
        except OSError:
            return ()
        return leases.parse(data.decode(errors="replace"))

    def flows(self, limit: int) -> tuple[Flow, ...]:
        """At most `limit` masqueraded connections of LAN hosts."""
        with contextlib.suppress(ToolError):
            return conntrack.flows(self._config.lan.interface.network, limit)
        return ()

    def flow_count(self) -> int:
        """How many masqueraded connections there are."""
        with contextlib.suppress(ToolError):
            return conntrack.count(self._config.lan.interface.network)
        return 0

    def counters(self, interface: str) -> Counters:
        """Bytes that an interface has carried; zeros if it is not there."""
        folder = SYS_NET / interface / "statistics"
        try:
            received, sent = ((folder / name).read_text() for name in ("rx_bytes", "tx_bytes"))
            return Counters(rx_bytes=int(received), tx_bytes=int(sent))
        except (OSError, ValueError):
            return Counters()

    def address6(self, interface: str) -> str:
        """An interface's global IPv6 address, with prefix; empty if it has none."""
        try:
            with Kernel() as kernel:
                return kernel.global_address(interface)
        except _REFUSED as error:
            log.error("The addresses cannot be read: %s", error)
            return ""

    def used(self) -> dict[str, int]:
        """Packets of the LAN over the call that count, by kind of traffic; empty if unknown."""
        with contextlib.suppress(ToolError):
            return used()
        return {}

    def _apply_rules(self, config: Config, facts: Facts) -> Iterator[Problem]:
        self._rules_ok = False
        try:
            if self._firewall.load(ruleset(config, facts)):
                log.info("The ruleset was loaded; the way out is %s.", facts.active or "closed")
            self._rules_ok = True
        except ToolError as error:
            yield _problem("firewall", "firewall_not_loaded", error)

    def _apply_network(self, wanted: Network) -> Iterator[Problem]:
        # Without rules of ours nothing may be forwarded; if that is not known, nothing changes.
        rules = self._rules_ok or self._firewall.loaded()
        if not rules:
            wanted = closed(wanted) if rules is False else _as_it_is(wanted)
        errors: dict[Change, Exception] = {}
        try:
            with Kernel() as kernel:
                left = diff(wanted, kernel.read(wanted))
                for _ in range(_PASSES if left else 0):
                    self._alive()
                    errors = _make(kernel, left)
                    left = diff(wanted, kernel.read(wanted))
        except _REFUSED as error:
            yield _problem("network", "network_unreadable", error)
            return
        for change in left:
            why = errors.get(change) or Exception("it was made, and is gone again")
            yield _problem("network", "network_change", f"{change}: {why}")

    def _apply_flows(self, config: Config, facts: Facts) -> Iterator[Problem]:
        up = [link for link in facts.links if link.state is LinkState.UP]
        alive = {link.name: address for link in up if (address := ipv4(link.address))}
        active = alive.get(facts.active, "")
        lan = config.lan.interface.network
        state = (str(lan), active, *sorted(alive.values()))
        if state == self._flushed:
            return
        try:
            count = conntrack.flush_stale(lan, active, alive.values(), self._alive)
        except ToolError as error:
            yield _problem("network", "stale_flows", error)
            return
        self._flushed = state
        if count:
            log.info("%d flows of an earlier uplink address were forgotten.", count)

    def _apply_dnsmasq(self, config: Config, facts: Facts) -> Iterator[Problem]:
        self._alive()
        try:
            servers = _write(self._paths.resolv, resolv_conf(facts))
            changed = _write(self._paths.dnsmasq_config, dnsmasq_conf(config, self._paths, facts))
        except OSError as error:
            yield _problem("dnsmasq", "dnsmasq_files", error)
            return
        if changed:
            self._dnsmasq_ok = self._services.restart(DNSMASQ)
        elif servers:
            self._dnsmasq_ok = self._services.reload(DNSMASQ)
        elif not self._dnsmasq_ok:
            self._dnsmasq_ok = self._services.start(DNSMASQ)
        if not self._dnsmasq_ok:
            yield _problem("dnsmasq", "dnsmasq_not_running", f"{DNSMASQ} does not start")


def _as_it_is(wanted: Network) -> Network:
    kept = tuple(sysctl for sysctl in wanted.sysctls if sysctl.path not in PASSING)
    return msgspec.structs.replace(wanted, sysctls=kept)


def _make(kernel: Kernel, changes: tuple[Change, ...]) -> dict[Change, Exception]:
    """Make changes; what the kernel refused, with its reason."""
    errors: dict[Change, Exception] = {}
    for change in changes:
        try:
            kernel.change(change)
            log.log(logging.DEBUG if isinstance(change, SetSysctl) else logging.INFO, "%s", change)
        except _REFUSED as error:
            errors[change] = error
    return errors


def _write(path: Path, text: str) -> bool:
    """Replace a file if its text differs; whether it did."""
    data = text.encode()
    with contextlib.suppress(OSError):
        if path.read_bytes() == data:
            return False
    atomic.write(path, data, 0o644)
    return True


_TEXTS = {
    "firewall_not_loaded": (
        "The firewall's rules could not be loaded; the ones before are still in force.",
        "If this stays after a restart of the router, report it with the configuration.",
    ),
    "firewall_not_closed": (
        "The firewall could not be closed; the rules before are still in force.",
        "Take the modem's plug out if the router must be off the Internet now.",
    ),
    "network_unreadable": (
        "The state of the network could not be read.",
        "Restart the router if this stays.",
    ),
    "network_change": (
        "A setting of the network could not be made.",
        "It is tried again at the next change; look whether the port is plugged in.",
    ),
    "stale_flows": (
        "Connections of an earlier uplink address could not be forgotten.",
        "Those that hang can be opened anew.",
    ),
    "dnsmasq_files": (
        "The files of the DHCP and DNS service could not be written.",
        "Look whether /run is full, and restart the router.",
    ),
    "dnsmasq_not_running": (
        "The DHCP and DNS service does not run.",
        "Hosts with an address keep it; restart the router if this stays.",
    ),
}


def _problem(path: str, code: str, why: object) -> Problem:
    """A problem for people; why exactly is for the log."""
    text, hint = _TEXTS[code]
    log.error("%s %s", text, why)
    return Problem(path, code, text, hint)
