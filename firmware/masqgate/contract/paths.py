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
    boot: Path = Path("/run/masqgate-boot")

    @classmethod
    def from_environment(cls) -> Paths:
        """The usual folders, unless MASQGATE_RUN, _DATA, _SHARE or _BOOT are set."""
        usual = cls()
        return cls(
            Path(os.environ.get("MASQGATE_RUN", usual.run)),
            Path(os.environ.get("MASQGATE_DATA", usual.data)),
            Path(os.environ.get("MASQGATE_SHARE", usual.share)),
            Path(os.environ.get("MASQGATE_BOOT", usual.boot)),
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
    def kept_certificate(self) -> Path:
        """Key and certificate of the page's HTTPS (PEM, both in one)."""
        return self.data / "config" / "page.pem"

    @property
    def certificate(self) -> Path:
        """The copy that is in use."""
        return self.run / "page.pem"

    @property
    def reset_mark(self) -> Path:
        """There while a factory reset is under way: a start that finds it goes on with that."""
        return self.data / "config" / "reset"

    @property
    def provisioned(self) -> Path:
        """A mark of the card's `masqgate.toml` that was taken in last."""
        return self.data / "config" / "provisioned"

    @property
    def provision_warnings(self) -> Path:
        """What was wrong with the card's `masqgate.toml` at this start."""
        return self.run / "provision.json"

    def lent(self, tty: str) -> Path:
        """A note that a serial port is the console's at this start, and why."""
        return self.run / "lent" / tty

    @property
    def volatile(self) -> Path:
        """There if the data partition can't be mounted, and memory stands in for it."""
        return self.boot.parent / "data-volatile"

    @property
    def transfer(self) -> Path:
        """Where the console puts a file that goes out or comes in over its line."""
        return self.run / "transfer"

    @property
    def update_staging(self) -> Path:
        """Where the console puts an update that comes in over its line."""
        return self.data / "received"

    @property
    def events(self) -> Path:
        """The event history, one JSON object a line."""
        return self.data / "log" / "events.jsonl"

    @property
    def call_log(self) -> Path:
        """The calls that were answered, one JSON object a line."""
        return self.data / "log" / "calls.jsonl"

    def dialer_config(self, name: str) -> Path:
        """What the dialer of one modem is to do; holds secrets, mode 0600."""
        return self.run / "dialer" / f"{name}.json"

    def dialer_socket(self, name: str) -> Path:
        """Where the dialer of one modem listens."""
        return self.run / "dialer" / f"{name}.sock"

    def line_lockout(self, name: str) -> Path:
        """Refused logins of a line that answers, kept over a restart of its dialer."""
        return self.run / "dialer" / f"{name}.lockout"

    def power_request(self, name: str) -> Path:
        """There if a dialer asks for its modem's USB port to be switched off and on."""
        return self.run / "dialer" / f"{name}.power"

    def power_answer(self, name: str) -> Path:
        """How that went: a reason."""
        return self.run / "dialer" / f"{name}.powered"

    def usb_cut(self, name: str) -> Path:
        """Which ports are without power at this moment."""
        return self.run / "dialer" / f"{name}.cut"

    def ppp_options(self, name: str) -> Path:
        """pppd's options of one modem; holds secrets, mode 0600."""
        return self.run / "ppp" / f"{name}.options"

    def ppp_secrets(self, name: str) -> Path:
        """The users of a line that answers the telephone, for pppd; mode 0600."""
        return self.run / "ppp" / f"{name}.secrets"

    def pin_mark(self, name: str) -> Path:
        """A mark of the SIM's PIN that was tried last and not taken: it is not tried again."""
        return self.pin_marks / f"{name}.pin"

    @property
    def pin_marks(self) -> Path:
        """Where these marks are."""
        return self.data / "state"

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
    def dhcp6(self) -> Path:
        """What DHCPv6 clients are told, one file for an interface."""
        return self.run / "dhcp6"

    @property
    def prefix(self) -> Path:
        """The prefixes that DHCPv6 clients were given, one file for an interface."""
        return self.run / "prefix"

    @property
    def kept_prefixes(self) -> Path:
        """The LAN's IPv6 prefixes, as they outlive a restart."""
        return self.data / "log" / "prefixes.json"

    @property
    def usage(self) -> Path:
        """What modems have used of their budgets."""
        return self.data / "log" / "usage.json"

    @property
    def kept_leases(self) -> Path:
        """dnsmasq's leases, as they outlive a restart."""
        return self.data / "log" / "leases"

    @property
    def reboots(self) -> Path:
        """How often the router was restarted for want of an uplink."""
        return self.data / "log" / "reboots.json"

    @property
    def lockout(self) -> Path:
        """The count of wrong passwords, kept over a restart of the supervisor."""
        return self.run / "lockout.json"

    @property
    def update_socket(self) -> Path:
        """The updater's socket."""
        return self.run / "update.sock"

    @property
    def update_work(self) -> Path:
        """Where the updater keeps what it verifies, in memory; nobody else may look."""
        return self.run / "update"

    @property
    def keyring(self) -> Path:
        """The certificates whose signers may update this router (PEM)."""
        return self.share / "update-keyring.pem"

    @property
    def update_trial(self) -> Path:
        """What an update found before it, and how the last one ended."""
        return self.data / "update" / "trial.json"

    def slot_record(self, slot: str) -> Path:
        """Which version an update wrote to a slot."""
        return self.data / "update" / f"slot-{slot}" / "record.json"

    def slot_config(self, slot: str) -> Path:
        """The configuration as it was when this slot was updated away from."""
        return self.data / "update" / f"slot-{slot}" / "config.toml"

    @property
    def release(self) -> Path:
        """Version and compatible boards of the running slot."""
        return self.boot / "release.json"
