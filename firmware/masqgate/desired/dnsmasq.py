"""dnsmasq's files, as text, from the configuration and the facts."""

from __future__ import annotations

import re

from ..contract.config import Config, Lan
from ..contract.paths import Paths
from .addresses import ipv4
from .facts import BRIDGE, Delegation, Facts, interface_of_line
from .six import LAN_BITS, advertised_s, delegated, wanted

CACHE = 2000  # names; about 100 bytes each
# Asked while no name server is known: it is nobody's (RFC 5737), and the question makes it dial.
NOBODY = "192.0.2.53"
LOCAL_NAME = "masqgate.lan"  # finds the page whatever hostname and domain are
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")


def dnsmasq_conf(config: Config, paths: Paths, facts: Facts | None = None) -> str:
    """dnsmasq's configuration: DHCP and DNS on the LAN bridge, and DNS for the router itself.

    Everything that is not written here is off: no TFTP, no DHCPv6.
    """
    callers = [interface_of_line(line) for line in config.lines]
    lines = [
        "# Made from the configuration: a change here does not last.",
        f"interface={BRIDGE}",
        *(f"interface={name}" for name in callers),
        "bind-dynamic",
        "no-dhcp-interface=lo",
        *(f"no-dhcp-interface={name}" for name in callers),
        "no-hosts",
        f"resolv-file={paths.resolv}",
        "# Read again when told so (SIGHUP): looking now and then, dnsmasq would miss a second",
        "# change within one second.",
        "no-poll",
        f"cache-size={CACHE}",
        "# Names that have no place in the Internet's DNS are not asked there, and answers from",
        "# there do not name addresses of the LAN (DNS rebinding).",
        "domain-needed",
        "bogus-priv",
        "stop-dns-rebind",
        *_names(config),
    ]
    if config.lan.dhcp:
        lines += ["", *_dhcp(config.lan, config.system.hostname, paths)]
    if wanted(config):
        lines += ["", *_advertisements(delegated(config, facts) if facts else None)]
    return "\n".join(lines) + "\n"


def resolv_conf(facts: Facts) -> str:
    """The name servers of the active uplink, in the format of resolv.conf(5).

    They come from the provider, so what is not an IPv4 address is left out. While a look-up may
    make an uplink dial, they are those of nobody.
    """
    if facts.may_dial:
        return f"# The next look-up makes the router dial.\nnameserver {NOBODY}\n"
    link = facts.link(facts.active) if facts.active else None
    servers = [address for text in (link.dns if link else ()) if (address := ipv4(text))]
    lines = [f"nameserver {server}" for server in dict.fromkeys(servers)]
    return "\n".join(["# The provider's name servers; dnsmasq asks them.", *lines]) + "\n"


def domain(lan: Lan) -> str:
    """The LAN's domain; `lan` where the configured one could not be a domain (RFC 1035)."""
    labels = lan.domain.split(".")
    good = all(len(label) <= 63 and _LABEL.fullmatch(label) for label in labels)
    return lan.domain if good else "lan"


def _advertisements(delegation: Delegation | None) -> list[str]:
    """Router advertisements for the IPv6 addresses that the bridge has, and none without."""
    lifetime_s = advertised_s(delegation)
    interval_s = lifetime_s // 4  # at least three are told while a prefix lasts
    return [
        "# A prefix whose address on the bridge is deprecated or gone is told as deprecated.",
        "enable-ra",
        f"dhcp-range=::,constructor:{BRIDGE},ra-only,{LAN_BITS},{lifetime_s}",
        f"ra-param={BRIDGE},{interval_s},{lifetime_s}",
        "# The bridge's link-local address, which outlives every prefix.",
        "dhcp-option=option6:dns-server,[fe80::]",
    ]


def _names(config: Config) -> list[str]:
    """The router's own names, and the domain of the LAN, which only we answer for."""
    lan, host = domain(config.lan), config.system.hostname
    own = dict.fromkeys([f"{host}.{lan}", host, LOCAL_NAME])
    return [
        f"domain={lan}",
        f"local=/{lan}/",
        f"host-record={','.join(own)},{config.lan.interface.ip}",
    ]


def _dhcp(lan: Lan, hostname: str, paths: Paths) -> list[str]:
    interface = lan.interface
    ours = dict.fromkeys([hostname, "masqgate", "localhost", "wpad", "isatap"])
    return [
        "dhcp-authoritative",
        f"dhcp-range={lan.dhcp_first},{lan.dhcp_last},{interface.netmask},{lan.lease_minutes}m",
        f"dhcp-option=option:router,{interface.ip}",
        f"dhcp-option=option:dns-server,{interface.ip}",
        f"dhcp-leasefile={paths.leases}",
        "# Names that no host of the LAN may take: the router's own, and those that others would",
        "# follow blindly (proxy discovery). A host may give its name with a domain, too.",
        *(f"dhcp-name-match=set:reserved,{name}{rest}" for name in ours for rest in ("", ".*")),
        "dhcp-ignore-names=tag:reserved",
    ]
