"""What people, the configuration and the supervisor want of a link that dials."""

from __future__ import annotations

from dataclasses import dataclass

from ..contract.config import Modem
from ..contract.status import Reason
from . import reasons


@dataclass(slots=True)
class Wishes:
    """Whether the link is wanted, and why not; a person's word counts more than the rest."""

    wanted: bool = False
    by_hand: bool = False  # the link is down because a person said so
    resting: Reason | None = None  # why it is down, if the supervisor said so
    now: bool = False  # whether the next dial is not to wait

    def want(self) -> None:
        """The link is to be up."""
        self.wanted, self.by_hand, self.resting = True, False, None

    def want_none(self) -> None:
        """A person wants no link until further notice."""
        self.wanted, self.by_hand, self.now = False, True, False

    def rest(self, why: Reason) -> None:
        """The configuration has a reason for none."""
        self.wanted, self.resting, self.now = False, why, False

    def take_now(self) -> bool:
        """Whether to dial at once; asked, it is forgotten."""
        now, self.now = self.now, False
        return now

    def adopt(self, old: Modem, new: Modem) -> None:
        """Draw from another configuration what it says of wanting."""
        if new.mode != old.mode:
            self.wanted = new.mode == "always" or (
                new.mode in ("manual", "demand") and self.wanted
            )
            self.by_hand = self.by_hand and not self.wanted and new.mode != "demand"
            self.resting = None
        elif old.windows and not new.windows and new.mode == "always":
            self.wanted = not self.by_hand

    def why_idle(self, mode: str) -> Reason:
        """Why nobody wants the link."""
        if self.by_hand:
            return reasons.state("disconnected")
        return self.resting or reasons.state("idle_demand" if mode == "demand" else "idle")
