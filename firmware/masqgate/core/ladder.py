"""The self-test: a ladder of steps, each with its own diagnosis.

It is the ladder of the IP Masquerade HOWTO, chapter 5, as far as the router can climb it by
itself, from its own firewall outwards. Which steps there are, and what a failure means, is
decided here; `system/ladder.py` tries them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from masqgate.contract.status import LinkStatus, Status

Kind = Literal["ruleset", "state", "ping", "large", "tcp", "name", "page"]
Verdict = Literal["good", "failed", "skipped"]

HEADERS = 28  # bytes of an IPv4 header (RFC 791) and an ICMP echo's (RFC 792)
SMALL = 56  # bytes of data in an ordinary ping


@dataclass(frozen=True)
class Targets:
    """What is tried on the Internet."""

    address: str = "9.9.9.9"
    port: int = 53
    name: str = "www.debian.org"
    page: str = "http://example.com/"


@dataclass(frozen=True)
class Step:
    """One rung."""

    number: int
    title: str
    kind: Kind
    diagnosis: str  # what it means if this step fails
    target: str = ""
    port: int = 0
    size: int = SMALL  # bytes of data in a ping
    skip: str = ""  # why it is not tried
    seen: str = ""  # what is known without trying


@dataclass(frozen=True)
class Result:
    """How a step went; `text` is what was seen."""

    step: Step
    verdict: Verdict
    text: str


def plan(status: Status, targets: Targets, mtu: int) -> tuple[Step, ...]:
    """Return the steps for a router in this state, in order; `mtu` is the uplink's, in bytes."""
    return (*_inside(status), *_outside(status, targets, mtu - HEADERS))


def active_link(status: Status) -> LinkStatus | None:
    """Return the uplink that carries the traffic."""
    return next((link for link in status.uplinks if link.name == status.active), None)


def failed(results: tuple[Result, ...]) -> bool:
    """Whether any step failed."""
    return any(result.verdict == "failed" for result in results)


def _inside(status: Status) -> tuple[Step, ...]:
    lan = status.lan.address.split("/")[0]
    hosts = status.lan.hosts
    return (
        Step(
            1, "The firewall's rules are loaded", "ruleset",
            "The rules could not be loaded, or something else has removed them. "
            "See `masqgate log`; restart the service `masqgate`.",
        ),
        Step(
            2, "The router's own LAN address answers", "ping",
            "The bridge has no address: see the warnings of `masqgate status`.",
            lan,
        ),
        Step(
            3, "A host of the LAN answers", "ping",
            "Check its cable and switch. Many hosts do not answer a ping by choice.",
            hosts[-1].address if hosts else "",
            skip="" if hosts else "no host has asked for an address yet",
        ),
    )  # fmt: skip


def _outside(status: Status, targets: Targets, large: int) -> tuple[Step, ...]:
    link = active_link(status)
    skip = "" if link else "no uplink is up"
    own, peer = (link.address, link.peer) if link else ("", "")
    return (
        Step(
            4, "An uplink is up", "state",
            "Without an uplink there is no Internet; `masqgate status` tells more.",
            target=status.active, seen=f"{link.name} with {own}" if link else _why_none(status),
        ),
        Step(
            5, "The router's own uplink address answers", "ping",
            "The uplink's interface has lost its address: `masqgate disconnect`, then `connect`.",
            own.split("/")[0], skip=skip,
        ),
        Step(
            6, "The other end of the uplink answers", "ping",
            "The call is up but nothing comes back over it. Some providers do not answer here; "
            "if the next steps fail too, hang up and dial again.",
            peer, skip=skip or ("" if peer else "its address is not known"),
        ),
        Step(
            7, "An address on the Internet answers", "ping",
            "The provider passes nothing on, or filters pings: if the next step is good, all is "
            "well.",
            targets.address, skip=skip,
        ),
        Step(
            8, "A TCP connection to an address", "tcp",
            "The provider passes no TCP: the account may be blocked or used up.",
            targets.address, targets.port, skip=skip,
        ),
        Step(
            9, "A name is found (DNS)", "name",
            "The provider's name servers do not answer. See `masqgate status` for which they are.",
            targets.name, skip=skip,
        ),
        Step(
            10, "A web page is fetched by its name", "page",
            "Names and TCP work, but the web does not: the provider may ask for a login first.",
            targets.page, skip=skip,
        ),
        Step(
            11, "Large packets pass", "large",
            "Small packets pass and large ones vanish: an MTU black hole. Set a smaller `mtu` "
            "for this uplink, for example 1400.",
            targets.address, size=large, skip=skip,
        ),
    )  # fmt: skip


def _why_none(status: Status) -> str:
    for link in status.uplinks:
        return f"{link.name}: {link.reason.text}"
    return "none is configured"
