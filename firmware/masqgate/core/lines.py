"""The modems that answer the telephone: what is told of them, and who has dialed in."""

from __future__ import annotations

from collections.abc import Mapping

from masqgate.contract.config import Config, DialIn
from masqgate.contract.status import LinkState, LinkStatus, Reason


def unreported(line: DialIn, now: float) -> LinkStatus:
    """What to tell of a line until its dialer reports; `now` is Unix time."""
    state, reason = LinkState.WAITING, Reason("starting", "Its dialer is being started.")
    if not line.enabled:
        state, reason = LinkState.OFF, Reason("off", "Switched off in the configuration.")
    return LinkStatus(name=line.name, kind="dialin", state=state, reason=reason, since_at=now)


def kept(config: Config, known: Mapping[str, LinkStatus], now: float) -> dict[str, LinkStatus]:
    """What stays known of the lines when the configuration changes; `now` is Unix time."""
    return {
        line.name: known[line.name]
        if line.enabled and line.name in known
        else unreported(line, now)
        for line in config.dialin
    }


def up(lines: Mapping[str, LinkStatus]) -> tuple[LinkStatus, ...]:
    """The lines that carry a caller's packets."""
    return tuple(line for line in lines.values() if line.state is LinkState.UP and line.peer)
