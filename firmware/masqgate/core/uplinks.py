"""What is told of an uplink that nobody has reported on, and which one is to dial."""

from __future__ import annotations

from collections.abc import Mapping

from masqgate.contract.codec import convert
from masqgate.contract.config import Config, Ethernet, Modem
from masqgate.contract.errors import MasqgateError
from masqgate.contract.status import LinkState, LinkStatus, Reason


def dialing(config: Config, name: str) -> Modem:
    """Return the uplink to dial ('': the first that dials); MasqgateError if there is none."""
    for modem in config.modems:
        if name in ("", modem.name):
            break
    else:
        raise _unknown(config, name)
    if modem.mode == "off":
        text = f"The uplink '{modem.name}' is switched off."
        raise MasqgateError("uplink_off", text, "Set its mode to 'manual' or 'always' first.")
    return modem


def _unknown(config: Config, name: str) -> MasqgateError:
    names = ", ".join(modem.name for modem in config.modems)
    hint = f"These dial: {names}." if names else "Configure a modem first."
    if not name:
        return MasqgateError("no_uplink", "No uplink dials.", hint)
    if any(link.name == name for link in config.ethernets):
        text = f"The uplink '{name}' is an Ethernet port; it has nothing to dial."
        return MasqgateError("uplink_does_not_dial", text, hint)
    return MasqgateError("unknown_uplink", f"There is no uplink '{name}'.", hint)


def unreported(uplink: Modem | Ethernet, now: float) -> LinkStatus:
    """What to tell of an uplink until its dialer or watcher reports; `now` is Unix time."""
    if isinstance(uplink, Modem):
        kind, off, who = "modem", uplink.mode == "off", "dialer"
    else:
        kind, off, who = "ethernet", not uplink.enabled, "watcher"
    reason = Reason("starting", f"Its {who} is being started.")
    if off:
        reason = Reason("off", "Switched off in the configuration.")
    return convert(
        {
            "name": uplink.name,
            "kind": kind,
            "state": LinkState.OFF if off else LinkState.WAITING,
            "reason": reason,
            "since_at": now,
        },
        LinkStatus,
    )


def kept(uplink: Modem | Ethernet, link: LinkStatus | None, now: float) -> LinkStatus:
    """What stays known of an uplink when the configuration changes; `now` is Unix time."""
    fresh = unreported(uplink, now)
    return link if link is not None and link.kind == fresh.kind else fresh


def lost(link: LinkStatus, now: float) -> LinkStatus:
    """What to tell of an uplink whose dialer has gone away; `now` is Unix time."""
    if link.state is LinkState.OFF:
        return link
    return LinkStatus(
        name=link.name,
        kind=link.kind,
        state=LinkState.WAITING,
        reason=Reason(
            "dialer_lost",
            "Its dialer has stopped and is being started again.",
            "If this stays, see `journalctl -u masqgate-dialer@" + link.name + "`.",
        ),
        since_at=now,
        resets=link.resets,
    )


def routing(links: Mapping[str, LinkStatus]) -> tuple[tuple[object, ...], ...]:
    """The part of the links' status that routes, rules and name servers depend on."""
    return tuple(
        (name, link.state is LinkState.UP, link.interface, link.address, link.peer, link.dns)
        for name, link in sorted(links.items())
    )
