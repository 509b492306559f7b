"""The nftables ruleset, as text, from the configuration and the facts.

Theory of operation (RFC 2827, RFC 4787, RFC 7126; packet path in docs/FIREWALL.md):

- `arrival` drops what cannot be honest, before connection tracking spends memory on it.
- `input` and `forward` drop what no rule lets through. Only LAN hosts begin flows.
- `translate` is a nat chain: the kernel asks it for the first packet of a flow only, and not for
  packets in state invalid. So it does not keep private sources in by itself.
- `departure` runs after it, for every packet, and lets only the uplink's own address out.

Interfaces are matched by name, so the rules are right before an uplink exists and after a redial.
The table is deleted and made anew within one transaction: a packet meets all of the old rules or
all of the new ones.
"""

from __future__ import annotations

from collections.abc import Iterable

from ..contract.config import Config, Lan, Modem
from . import nft_callers as callers
from . import nft_six as six
from .demand import COUNTERS, ask_rule, dial_rules, lookup_rules, use_rules
from .facts import (
    BRIDGE,
    SINK,
    Delegation,
    Facts,
    active_uplink,
    demanded,
    interface_of,
    interface_of_line,
)
from .six import PER_HOST, delegated, wanted, way

TABLE = "masqgate"
COUNTED = "flows_of_host"  # the set that the kernel itself fills

# RFC 6890 and its successors: sources that nobody on the Internet has. Answers are spared, since
# the name servers of mobile providers, and the routers on the way, often have such addresses.
UNROUTABLE = (
    "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
    "192.0.0.0/24", "192.0.2.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24",
    "203.0.113.0/24", "224.0.0.0/3",
)  # fmt: skip

# One LAN host may have so many flows at a time: one that floods, or scans the Internet, leaves
# room in the kernel's table for the others.
FLOWS_PER_HOST = 4096

_SERVICES = "{ tcp . 53, udp . 53, tcp . 80, tcp . 443 }"  # DNS, the admin page
_LOG = "limit rate 6/minute burst 5 packets log prefix"


def ruleset(config: Config, facts: Facts) -> str:
    """The whole table `inet masqgate` as one transaction for `nft -f`.

    LAN hosts reach the Internet through the active uplink only, and only once the administrator
    has set a password: until then the router is one that anybody on the LAN could take over.
    """
    uplinks = [interface_of(link) for link in config.uplink]
    active = active_uplink(config, facts)
    way_out = interface_of(active) if active and facts.password_set else ""
    dialed = demanded(config, facts)
    # Also while a call comes up or ends: rules come before routes, and dnsmasq would tell hosts
    # at once that there is no such name if its question could not be sent.
    sink = facts.password_set and any(modem.mode == "demand" for modem in config.modems)
    used = active if way_out and isinstance(active, Modem) and active.mode == "demand" else None
    lines = [interface_of_line(line) for line in config.lines]
    inside = lines if facts.password_set else []
    way6, delegation = way(config, facts), delegated(config, facts)
    chains = [
        _arrival(uplinks, lines),
        _arrival_lan(config.lan),
        _reply_lan(config.lan, sink=sink),
        _arrival_uplink(config.lan, way6),
        *([_chain("arrival_caller", *callers.arrival())] if lines else []),
        _sane(),
        _arrival_new(way6),
        _input(uplinks, lines),
        _input_lan(config.lan, asks=dialed is not None, ipv6=wanted(config)),
        _input_uplink(way6),
        *([_input_caller(config, facts)] if lines else []),
        _forward(
            way_out, inside, dials=dialed is not None, counts=used is not None,
            ipv6=bool(way6 and delegation and way_out),
        ),
        *_demand(dialed, used),
        _output(way6, dials=dialed is not None),
        _translate(config.lan),
        _departure(config.lan, lines, way6, sink=sink),
        *(_six(way6, way_out, delegation, counts=used is not None) if way6 else ()),
    ]  # fmt: skip
    counters = "".join(f"\tcounter {name} {{\n\t}}\n\n" for name in COUNTERS.values())
    return (
        "# Made from the configuration: a change here does not last.\n"
        f"table inet {TABLE}\ndelete table inet {TABLE}\n\n"
        f"table inet {TABLE} {{\n{_set('uplinks', 'ifname', map(_quoted, uplinks))}\n"
        f"{_set('unroutable', 'ipv4_addr', UNROUTABLE, flags='interval')}\n"
        f"{_set(COUNTED, 'ipv4_addr', (), flags='dynamic')}\n"
        + (f"{_set(PER_HOST, 'ether_addr', (), flags='dynamic')}\n" if way6 and delegation else "")
        + f"{counters if used else ''}"
        + (f"{_set(callers.SET, callers.KIND, callers.elements(facts))}\n" if lines else "")
        + "\n".join(chains)
        + "}\n"
    )


def _quoted(name: str) -> str:
    return f'"{name}"'


def _set(name: str, kind: str, elements: Iterable[str], *, flags: str = "") -> str:
    lines = [f"\tset {name} {{", f"\t\ttype {kind}"]
    lines += ["\t\tsize 65535"] if flags == "dynamic" else []
    lines += [f"\t\tflags {flags}"] if flags else []
    listed = ", ".join(elements)
    lines += [f"\t\telements = {{ {listed} }}"] if listed else []
    return "\n".join([*lines, "\t}", ""])


def _chain(name: str, *rules: str, base: str = "") -> str:
    first = [f"type {base};"] if base else []
    return "".join(
        [f"\tchain {name} {{\n", *(f"\t\t{rule}\n" for rule in [*first, *rules]), "\t}\n"]
    )


def _by_interface(chain: str, uplinks: list[str], lines: list[str]) -> str:
    """A verdict map over the interface that a packet came in by."""
    ways = [f'"{BRIDGE}" : goto {chain}_lan']
    ways += [f'"{name}" : goto {chain}_uplink' for name in uplinks]
    ways += [f'"{name}" : goto {chain}_caller' for name in lines]
    return f"iifname vmap {{ {', '.join(ways)} }}"


def _arrival(uplinks: list[str], lines: list[str]) -> str:
    return _chain(
        "arrival",
        'iifname "lo" accept comment "the router to itself"',
        f'{_by_interface("arrival", uplinks, lines)} comment "by side"',
        'counter drop comment "an interface that is neither LAN nor uplink"',
        base="filter hook prerouting priority raw; policy accept",
    )


def _arrival_lan(lan: Lan) -> str:
    net = lan.interface.network
    nobody = f"{lan.interface.ip}, {net.network_address}, {net.broadcast_address}"
    return _chain(
        "arrival_lan",
        'meta nfproto ipv6 accept comment "chain input and chain forward decide"',
        "ip saddr 0.0.0.0 ip daddr 255.255.255.255 udp sport 68 udp dport 67 accept"
        ' comment "DHCP: a host that has no address yet"',
        f'ip saddr {{ {nobody} }} counter drop comment "no host has these sources: LAND, smurf"',
        f'ip saddr != {net} {_LOG} "masqgate spoof LAN: " comment "forged source, log"',
        f'ip saddr != {net} counter drop comment "forged source"',
        'jump sane comment "malformed packets"',
        f"ip daddr {lan.interface.ip} meta l4proto . th dport {_SERVICES} notrack"
        ' comment "DNS and page work even when the table of flows is full"',
        f'ip daddr {lan.interface.ip} icmp type echo-request notrack comment "and so does ping"',
    )


def _reply_lan(lan: Lan, *, sink: bool = False) -> str:
    """What is not tracked on its way in must not be tracked on its way out."""
    return _chain(
        "reply_lan",
        f'oifname "{BRIDGE}" ip saddr {lan.interface.ip} meta l4proto . th sport {_SERVICES}'
        ' notrack comment "DNS and page"',
        f'oifname "{BRIDGE}" ip saddr {lan.interface.ip} icmp type echo-reply notrack'
        ' comment "ping"',
        *([f'oifname "{SINK}" notrack comment "goes nowhere"'] if sink else []),
        base="filter hook output priority raw; policy accept",
    )


def _arrival_uplink(lan: Lan, way6: str) -> str:
    return _chain(
        "arrival_uplink",
        *six.to_chain("iifname", way6, "arrival"),
        'meta nfproto != ipv4 counter drop comment "no IPv6 on this uplink"',
        "ip saddr { 0.0.0.0/8, 127.0.0.0/8, 224.0.0.0/3 } counter drop"
        ' comment "no host has these sources"',
        f'ip saddr {lan.interface.network} counter drop comment "forged: a source of the LAN"',
        'fib saddr type local counter drop comment "forged: our own source (LAND)"',
        "fib daddr . iif type != local counter drop"
        ' comment "not to this uplink\'s address: broadcast, or past the masquerade"',
        'jump sane comment "malformed packets"',
    )


def _sane() -> str:
    """Fragments are put together before this chain sees them: what is left fits nowhere."""
    return _chain(
        "sane",
        'ip frag-off & 0x1fff != 0 counter drop comment "a fragment without its beginning"',
        "tcp flags & (fin | syn | rst | ack)"
        " != { syn, syn | ack, ack, fin | ack, rst, rst | ack } counter drop"
        ' comment "flags that TCP does not have (RFC 9293): null, FIN, Xmas scans"',
        'tcp sport 0 counter drop comment "no such port"',
        'tcp dport 0 counter drop comment "no such port"',
        'udp dport 0 counter drop comment "no such port"',
    )


def _arrival_new(way6: str) -> str:
    return _chain(
        "arrival_new",
        *six.arrival_new(way6),
        "iifname @uplinks ct state new ip saddr @unroutable counter drop"
        ' comment "a source that nobody on the Internet has, and no answer"',
        base="filter hook prerouting priority mangle; policy accept",
    )


def _answers(match: str = "") -> tuple[str, str]:
    """Let in what answers a flow that began on our side; ICMP errors come as 'related'."""
    return (
        f'{match}ct state established ct direction reply accept comment "answers"',
        f'{match}ct state related meta l4proto icmp accept comment "errors about our flows"',
    )


def _input(uplinks: list[str], lines: list[str]) -> str:
    return _chain(
        "input",
        'iifname "lo" accept comment "the router to itself"',
        'ct state invalid counter drop comment "fits no flow"',
        f'{_by_interface("input", uplinks, lines)} comment "by side"',
        base="filter hook input priority filter; policy drop",
    )


def _input_lan(lan: Lan, *, asks: bool = False, ipv6: bool = False) -> str:
    dhcp = 'udp sport 68 udp dport 67 accept comment "DHCP"'
    neighbours = (
        "icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } ip6 hoplimit 255 accept"
        ' comment "neighbours, RFC 4861"'
    )
    rules = [
        *(six.input_lan() if ipv6 else (neighbours,)),
        'meta nfproto ipv6 counter drop comment "no other IPv6"',
        *_answers(),
        *([dhcp] if lan.dhcp else []),
        'icmp type echo-request accept comment "ping"',
        *([ask_rule(lan)] if asks else []),
        f"ip daddr {lan.interface.ip} meta l4proto . th dport {_SERVICES} accept"
        ' comment "DNS and the admin page"',
        'fib daddr type != local counter drop comment "broadcasts of other services"',
        f'{_LOG} "masqgate refused LAN: " comment "no such service, log"',
        'meta l4proto tcp counter reject with tcp reset comment "no such service"',
        'counter reject comment "no such service"',
    ]
    return _chain("input_lan", *rules)


def _input_caller(config: Config, facts: Facts) -> str:
    return _chain("input_caller", *_answers(), *callers.input_rules(config, facts))


def _input_uplink(way6: str) -> str:
    refused = 'counter drop comment "nothing is answered, ping neither"'
    apart = six.to_chain("iifname", way6, "input")
    return _chain("input_uplink", *apart, *_answers(), refused)


def _six(way6: str, way_out: str, delegation: Delegation | None, *, counts: bool) -> Iterable[str]:
    """The chains of the uplink that speaks IPv6."""
    yield _chain("arrival_six", *six.arrival(delegation))
    yield _chain("input_six", *six.input_uplink())
    if way_out and delegation is not None:
        rules = six.forward(way6, delegation, FLOWS_PER_HOST, counts=counts)
        yield _chain("forward_six", *rules)
    yield _chain("departure_six", *six.departure(delegation))


def _forward(
    way_out: str,
    lines: list[str],
    *,
    dials: bool = False,
    counts: bool = False,
    ipv6: bool = False,
) -> str:
    apart = 'meta nfproto ipv6 goto forward_six comment "IPv6"'
    closed = 'meta nfproto ipv6 counter drop comment "IPv6 is not routed"'
    rules = [
        'ct state invalid counter drop comment "fits no flow"',
        apart if ipv6 else closed,
    ]
    inside = callers.inside(lines)
    if way_out:
        outward = f'iifname {inside} oifname "{way_out}" '
        rules += [
            "tcp flags & (syn | rst) == syn tcp option maxseg size set rt mtu"
            ' comment "MSS fits the smaller MTU, both ways"',
            f"{outward}ct state new tcp flags & (fin | syn | rst | ack) != syn"
            ' counter reject with tcp reset comment "a flow of an earlier call: open a new one"',
            f"{outward}ct state new add @{COUNTED}"
            f" {{ ip saddr ct count over {FLOWS_PER_HOST} }} counter drop"
            ' comment "a host with too many flows"',
            *([f'{outward}jump used comment "what the LAN uses the call for"'] if counts else []),
            f'{outward}ct state new,established,related accept comment "the LAN to the Internet"',
            *_answers(f'iifname "{way_out}" oifname {inside} '),
        ]
    if dials:
        rules += [f'iifname {inside} oifname "{SINK}" goto dial comment "this may dial"']
    rules += callers.forward(lines)
    rules += [
        f'{_LOG} "masqgate refused forward: " comment "no way, log"',
        'counter drop comment "no way"',
    ]
    return _chain("forward", *rules, base="filter hook forward priority filter; policy drop")


def _demand(dialed: Modem | None, used: Modem | None) -> Iterable[str]:
    if dialed is not None:
        yield _chain("dial", *dial_rules(dialed))
    if used is not None:
        yield _chain("used", *use_rules(used))


def _output(way6: str, *, dials: bool = False) -> str:
    names = ", ".join(_quoted(name) for name in ("lo", BRIDGE, *([way6] if way6 else [])))
    return _chain(
        "output",
        f"oifname != {{ {names} }} meta nfproto ipv6 counter drop"
        ' comment "IPv6 goes nowhere else"',
        *(lookup_rules() if dials else ()),
        base="filter hook output priority filter; policy accept",
    )


def _translate(lan: Lan) -> str:
    """Not `random`: a free source port is kept, which peer-to-peer traffic needs (RFC 4787)."""
    return _chain(
        "translate",
        f"oifname @uplinks ip saddr {lan.interface.network} masquerade"
        ' comment "LAN hosts leave with the uplink\'s address"',
        base="nat hook postrouting priority srcnat; policy accept",
    )


def _departure(lan: Lan, lines: list[str], way6: str, *, sink: bool = False) -> str:
    nowhere = f'oifname "{SINK}" accept comment "goes nowhere: a look-up that may dial"'
    strange = "fib saddr . oif type != local"
    return _chain(
        "departure",
        f'oifname {{ "lo", "{BRIDGE}" }} accept comment "stays inside"',
        *([nowhere] if sink else []),
        *callers.departure(lines),
        'oifname != @uplinks counter drop comment "an interface that nobody configured"',
        *six.to_chain("oifname", way6, "departure"),
        'meta nfproto ipv6 counter drop comment "no IPv6 on this uplink"',
        f'ip saddr {lan.interface.network} {_LOG} "masqgate leak: " comment "un-NATed, log"',
        f'ip saddr {lan.interface.network} counter drop comment "a LAN source that missed NAT"',
        f'{strange} {_LOG} "masqgate leak: " comment "not our address, log"',
        f'{strange} counter drop comment "only the uplink\'s own address leaves"',
        base="filter hook postrouting priority srcnat + 10; policy accept",
    )
