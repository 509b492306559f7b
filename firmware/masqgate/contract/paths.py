"""Where things are on the router. One place, so that tests can move all of it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Paths:
    """The folders of a router; everything else is derived from them."""

    run: Path = Path("/run/masqgate")
    data: Path = Path("/data")
    share: Path = Path("/usr/share/masqgate")

    @classmethod
    def from_environment(cls) -> Paths:
        """The usual folders, unless MASQGATE_RUN, MASQGATE_DATA or MASQGATE_SHARE are set."""
        usual = cls()
        return cls(
            Path(os.environ.get("MASQGATE_RUN", usual.run)),
            Path(os.environ.get("MASQGATE_DATA", usual.data)),
            Path(os.environ.get("MASQGATE_SHARE", usual.share)),
        )

    @property
    def socket(self) -> Path:
        """The supervisor's socket."""
        return self.run / "supervisor.sock"

    @property
    def config(self) -> Path:
        """The configuration that is in force."""
        return self.data / "config" / "config.toml"

    @property
    def previous_config(self) -> Path:
        """The configuration before it."""
        return self.data / "config" / "config.previous.toml"

    @property
    def factory_config(self) -> Path:
        """What the router comes with."""
        return self.share / "config.toml"

    @property
    def password(self) -> Path:
        """The hash of the administrator's password."""
        return self.data / "config" / "password"

    @property
    def reset_mark(self) -> Path:
        """There while a factory reset is under way: a start that finds it goes on with that."""
        return self.data / "config" / "reset"

    @property
    def events(self) -> Path:
        """The event history, one JSON object a line."""
        return self.data / "log" / "events.jsonl"

    def dialer_config(self, name: str) -> Path:
        """What the dialer of one modem is to do; holds secrets, mode 0600."""
        return self.run / "dialer" / f"{name}.json"

    def dialer_socket(self, name: str) -> Path:
        """Where the dialer of one modem listens."""
        return self.run / "dialer" / f"{name}.sock"

    def ppp_options(self, name: str) -> Path:
        """pppd's options of one modem; holds secrets, mode 0600."""
        return self.run / "ppp" / f"{name}.options"

    def pin_mark(self, name: str) -> Path:
        """A mark of the SIM's PIN that was tried last and not taken: it is not tried again."""
        return self.data / "state" / f"{name}.pin"

    @property
    def dnsmasq_config(self) -> Path:
        """dnsmasq's configuration."""
        return self.run / "dnsmasq.conf"

    @property
    def resolv(self) -> Path:
        """The provider's name servers, for dnsmasq."""
        return self.run / "resolv.conf"

    @property
    def leases(self) -> Path:
        """dnsmasq's leases."""
        return self.run / "dnsmasq.leases"

    @property
    def kept_leases(self) -> Path:
        """dnsmasq's leases, as they outlive a restart."""
        return self.data / "log" / "leases"

    @property
    def lockout(self) -> Path:
        """The count of wrong passwords, kept over a restart of the supervisor."""
        return self.run / "lockout.json"
