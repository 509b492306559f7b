"""Links, addresses, routes and sysctls of the kernel: read them, change them, watch them."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import threading
from collections.abc import Callable, Iterator
from ipaddress import IPv4Interface, IPv4Network, IPv6Interface
from pathlib import Path
from types import TracebackType
from typing import Any

from pyroute2 import IPRoute
from pyroute2.netlink import NLM_F_DUMP, NLM_F_REQUEST
from pyroute2.netlink.rtnl import RTM_GETNEIGH
from pyroute2.netlink.rtnl.ndmsg import ndmsg

from ..desired.changes import (
    DEFAULT,
    MAIN,
    Actual,
    Add,
    Address,
    Change,
    CreateBridge,
    CreateSink,
    Item,
    Network,
    PinAddress,
    Proxy,
    Remove,
    Route,
    Rule,
    SetMaster,
    SetSysctl,
    SetUp,
)
from ..desired.facts import ROUTE_PROTOCOL
from ..desired.six import DEFAULT6, STALE_S
from ..desired.sysctls import SHARED

PROC_SYS = Path("/proc/sys")
SYS_NET = Path("/sys/class/net")
SETTLE_S = 0.2  # a burst of changes is told once
_IFF_UP = 1
_IFF_NOARP = 0x80
_ARPHRD_ETHER = 1
_SCOPE_LINK = 253
_SCOPE_GLOBAL = 0
_DEPRECATED = 0x20  # IFA_F_DEPRECATED
_FOREVER = 0xFFFF_FFFF  # of an address's lifetimes (RFC 4861, section 4.6.2)
_ONLINK = 4  # RTNH_F_ONLINK
_NO_PREFIX_ROUTE = 0x200  # IFA_F_NOPREFIXROUTE
_NTF_PROXY = 0x08
_GROUPS = 0x1 | 0x10  # RTMGRP_LINK, RTMGRP_IPV4_IFADDR
_ADDRESS_SET = "3"  # NET_ADDR_SET
_PORT_KINDS = (None, "veth")  # real ports have no kind; veth is a container's port


class Kernel:
    """The kernel's network of this namespace; a context manager, one thread at a time.

    OSError (pyroute2's NetlinkError has its own type) where the kernel refuses.
    """

    def __init__(self) -> None:
        self._ipr: Any = IPRoute()

    def __enter__(self) -> Kernel:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ipr.close()

    def ports(self) -> tuple[str, ...]:
        """The Ethernet interfaces, sorted; no bridge, PPP, loopback, radio or tunnel."""
        names = (_name(link) for link in self._ipr.get_links() if _is_port(link))
        return tuple(
            sorted(name for name in names if not _is_radio(name) and not belongs_to_modem(name))
        )

    def way_out(self) -> str:
        """The interface of our default route; empty if there is none."""
        links = self._ipr.get_links()
        names = {link["index"]: _name(link) for link in links}
        ways = (r for r in self._routes(names) if (r.table, r.destination) == (MAIN, DEFAULT))
        return next((route.interface for route in ways), "")

    def read(self, wanted: Network) -> Actual:
        """What is there of what `wanted` speaks of."""
        links = list(self._ipr.get_links())
        names = {link["index"]: _name(link) for link in links}
        masters = ((_name(link), link.get_attr("IFLA_MASTER")) for link in links)
        return Actual(
            links=frozenset(names.values()),
            up=frozenset(_name(link) for link in links if link["flags"] & _IFF_UP),
            pinned=_pinned(wanted.bridge),
            masters={name: names.get(master, "?") for name, master in masters if master},
            addresses=frozenset(
                [*self._addresses(names), *self._addresses6(names, wanted.bridge)]
            ),
            routes=frozenset(self._routes(names)),
            sysctls=dict(_sysctls(wanted)),
            rules=frozenset(self._rules()),
            proxies=frozenset(self._proxies(names, wanted.bridge)),
        )

    def change(self, change: Change) -> None:
        """Make one change; OSError or NetlinkError if the kernel refuses."""
        if isinstance(change, CreateBridge):
            self._ipr.link("add", ifname=change.bridge, kind="bridge")
        elif isinstance(change, CreateSink):
            flags = {"flags": _IFF_NOARP, "change": _IFF_NOARP}
            self._ipr.link("add", ifname=change.interface, kind="bridge", **flags)
        elif isinstance(change, PinAddress):
            index = self._index(change.bridge)
            address = self._ipr.get_links(index)[0].get_attr("IFLA_ADDRESS")
            self._ipr.link("set", index=index, address=address)
        elif isinstance(change, SetMaster):
            master = self._index(change.master) if change.master else 0
            self._ipr.link("set", index=self._index(change.interface), master=master)
        elif isinstance(change, SetUp):
            self._ipr.link("set", index=self._index(change.interface), state="up")
        elif isinstance(change, Add):
            self._item("add", change.item)
        elif isinstance(change, Remove):
            self._item("del", change.item)
        elif isinstance(change, SetSysctl):
            (PROC_SYS / change.sysctl.path).write_text(change.sysctl.value)

    def _item(self, verb: str, item: Item) -> None:
        if isinstance(item, Address):
            self._address(verb, item)
        elif isinstance(item, Route):
            self._route("replace" if verb == "add" else verb, item)
        elif isinstance(item, Rule):
            self._rule(verb, item)
        else:
            index = self._index(item.interface)
            self._ipr.neigh(verb, dst=item.address, ifindex=index, flags=_NTF_PROXY)

    def global_address(self, interface: str) -> str:
        """An interface's global IPv6 address, with prefix; empty if it has none."""
        names = {link["index"]: _name(link) for link in self._ipr.get_links()}
        found = self._addresses6(names, interface)
        return next((one.address for one in found if not one.deprecated), "")

    def _addresses6(self, names: dict[int, str], interface: str) -> Iterator[Address]:
        """The global IPv6 addresses of an interface."""
        for message in self._ipr.get_addr(family=socket.AF_INET6):
            if names.get(message["index"]) != interface or message["scope"] != _SCOPE_GLOBAL:
                continue
            text = f"{message.get_attr('IFA_ADDRESS')}/{message['prefixlen']}"
            flags = message.get_attr("IFA_FLAGS") or message["flags"]
            deprecated = bool(flags & _DEPRECATED)
            yield Address(interface, str(IPv6Interface(text)), deprecated=deprecated)

    def _addresses(self, names: dict[int, str]) -> Iterator[Address]:
        for message in self._ipr.get_addr(family=socket.AF_INET):
            local = message.get_attr("IFA_LOCAL") or message.get_attr("IFA_ADDRESS")
            name = names.get(message["index"], "?")
            flags = message.get_attr("IFA_FLAGS") or message["flags"]
            routed = not flags & _NO_PREFIX_ROUTE
            yield Address(name, f"{local}/{message['prefixlen']}", routed)

    def _routes(self, names: dict[int, str]) -> Iterator[Route]:
        families = (socket.AF_INET, DEFAULT), (socket.AF_INET6, DEFAULT6)
        for family, default in families:
            yield from self._routes_of(family, default, names)

    def _routes_of(self, family: int, default: str, names: dict[int, str]) -> Iterator[Route]:
        for message in self._ipr.get_routes(family=family):
            if message["proto"] != ROUTE_PROTOCOL:
                continue
            table = message.get_attr("RTA_TABLE") or message["table"]
            target = message.get_attr("RTA_DST")
            yield Route(
                f"{target}/{message['dst_len']}" if target else default,
                names.get(message.get_attr("RTA_OIF"), "?"),
                message.get_attr("RTA_GATEWAY") or "",
                table,
            )

    def _rules(self) -> Iterator[Rule]:
        for message in self._ipr.get_rules(family=socket.AF_INET):
            if message.get_attr("FRA_PROTOCOL") != ROUTE_PROTOCOL:
                continue
            target = message.get_attr("FRA_DST")
            yield Rule(
                message.get_attr("FRA_PRIORITY") or 0,
                message.get_attr("FRA_TABLE") or message["table"],
                message.get_attr("FRA_SRC") or "",
                f"{target}/{message['dst_len']}" if target else "",
            )

    def _proxies(self, names: dict[int, str], bridge: str) -> Iterator[Proxy]:
        # pyroute2's own dump leaves the flag out, and the kernel then lists other neighbours.
        question = ndmsg()
        question["family"], question["flags"] = socket.AF_INET, _NTF_PROXY
        kind, flags = RTM_GETNEIGH, NLM_F_REQUEST | NLM_F_DUMP
        for message in self._ipr.nlm_request(question, msg_type=kind, msg_flags=flags):
            if names.get(message["ifindex"]) == bridge:
                yield Proxy(bridge, str(message.get_attr("NDA_DST")))

    def _address(self, verb: str, address: Address) -> None:
        if ":" in address.address:
            self._address6(verb, address)
            return
        interface = IPv4Interface(address.address)
        extra: dict[str, Any] = {}
        if verb == "add" and address.routed:
            extra = {"broadcast": str(interface.network.broadcast_address)}
        elif verb == "add":
            extra = {"flags": _NO_PREFIX_ROUTE}
        self._ipr.addr(
            verb,
            index=self._index(address.interface),
            address=str(interface.ip),
            prefixlen=interface.network.prefixlen,
            **extra,
        )

    def _address6(self, verb: str, address: Address) -> None:
        interface = IPv6Interface(address.address)
        extra: dict[str, Any] = {}
        if verb == "add":
            # dnsmasq tells what is left of it, as it passes.
            lives = (0, STALE_S) if address.deprecated else (_FOREVER, _FOREVER)
            extra = {"cacheinfo": dict(zip(("preferred", "valid"), lives, strict=True))}
        self._ipr.addr(
            verb,
            family=socket.AF_INET6,
            index=self._index(address.interface),
            address=str(interface.ip),
            prefixlen=interface.network.prefixlen,
            **extra,
        )

    def _route(self, verb: str, route: Route) -> None:
        # On link: some providers' gateways are outside the network that they give.
        gateway = {"gateway": route.gateway, "flags": _ONLINK}
        way: dict[str, Any] = gateway if route.gateway else {"scope": _SCOPE_LINK}
        if ":" in route.destination:
            way = {"family": socket.AF_INET6}
        self._ipr.route(
            verb,
            dst=route.destination,
            oif=self._index(route.interface),
            proto=ROUTE_PROTOCOL,
            table=route.table,
            **way,
        )

    def _rule(self, verb: str, rule: Rule) -> None:
        match: dict[str, Any] = {}
        if rule.source:
            match = {"src": rule.source, "src_len": 32}
        if rule.destination:
            network = IPv4Network(rule.destination)
            address = str(network.network_address)
            match |= {"dst": address, "dst_len": network.prefixlen}
        self._ipr.rule(
            verb, table=rule.table, priority=rule.priority, protocol=ROUTE_PROTOCOL, **match
        )

    def _index(self, name: str) -> int:
        try:
            return socket.if_nametoindex(name)
        except OSError:
            raise OSError(f"there is no interface {name}") from None


def _name(link: Any) -> str:
    return str(link.get_attr("IFLA_IFNAME"))


def _is_port(link: Any) -> bool:
    info = link.get_attr("IFLA_LINKINFO")
    kind = info.get_attr("IFLA_INFO_KIND") if info else None
    ethernet = link["ifi_type"] == _ARPHRD_ETHER and kind in _PORT_KINDS
    return ethernet and not _name(link).startswith("ppp")


def _is_radio(name: str) -> bool:
    """Whether it is a wireless LAN or a modem's own network device: neither can be bridged."""
    try:
        lines = (SYS_NET / name / "uevent").read_text().splitlines()
    except OSError:
        return False
    return any(line in ("DEVTYPE=wlan", "DEVTYPE=wwan") for line in lines)


def belongs_to_modem(name: str, root: Path = SYS_NET) -> bool:
    """Whether an interface is on a USB device that has a serial port, too.

    Mobile modems have both, and behind the interface is the provider's network, not the LAN.
    """
    found = (root / name / "device").resolve()
    for device in (found, found.parent):  # a driver takes the device, or one of its interfaces
        if (device / "idVendor").exists():
            return any(device.glob("*:*/tty*"))
    return False


def _pinned(bridge: str) -> bool:
    """Whether the bridge's hardware address was set, not taken from a port."""
    try:
        return (SYS_NET / bridge / "addr_assign_type").read_text().strip() == _ADDRESS_SET
    except OSError:
        return False


def _sysctls(wanted: Network) -> Iterator[tuple[str, str]]:
    for sysctl in wanted.sysctls:
        if sysctl.path == SHARED and not os.access(PROC_SYS / SHARED, os.W_OK):
            continue
        with contextlib.suppress(OSError):  # the interface or the module is not there
            yield sysctl.path, (PROC_SYS / sysctl.path).read_text().strip()


class Monitor:
    """A running watch over links and addresses; `close()` ends its thread."""

    def __init__(self, callback: Callable[[], None], settle_s: float = SETTLE_S) -> None:
        self._callback = callback
        self._settle_s = settle_s
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0)
        self._socket.bind((0, _GROUPS))
        self._socket.setblocking(False)
        self._stop, self._stopped = socket.socketpair()
        self._thread = threading.Thread(target=self._run, name="netlink", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the watching; the callback is not called any more once this returns."""
        self._stop.close()
        if threading.current_thread() is not self._thread:
            self._thread.join()
        self._socket.close()
        self._stopped.close()

    def _run(self) -> None:
        while self._wait(None):
            while self._drain() and self._wait(self._settle_s):
                pass
            if not self._closing():
                self._callback()

    def _wait(self, timeout_s: float | None) -> bool:
        """Whether there is news within the time; False when closing, too."""
        ready, _, _ = select.select([self._socket, self._stopped], [], [], timeout_s)
        return self._socket in ready and self._stopped not in ready

    def _closing(self) -> bool:
        return bool(select.select([self._stopped], [], [], 0)[0])

    def _drain(self) -> bool:
        """Throw away what is queued: only that something changed matters."""
        with contextlib.suppress(OSError):  # nothing more, or news were lost (ENOBUFS)
            while self._socket.recv(65536):
                pass
        return True


def watch(callback: Callable[[], None], settle_s: float = SETTLE_S) -> Monitor:
    """Call `callback` (from a thread) whenever links appear, vanish or change; many as one.

    A change is told once nothing more has come for `settle_s` seconds.
    """
    return Monitor(callback, settle_s)
