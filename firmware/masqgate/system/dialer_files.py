"""The files of one dialer: what it is told, what it keeps, and what it asks for."""

from __future__ import annotations

import logging
from pathlib import Path

import msgspec

from ..contract.codec import from_json, to_json
from ..contract.dialer import AnyConfig
from ..contract.paths import Paths
from ..contract.status import Reason
from ..link.events import PowerSwitched
from ..link.lockout import Lockout
from . import atomic

POWER_CUT = "usb_power"  # the code of an answer: the port was without power
log = logging.getLogger("masqgate.dialer")


class DialerFiles:
    """Files by the dialer's name."""

    def __init__(self, paths: Paths, name: str) -> None:
        self.options = paths.ppp_options(name)
        self.secrets = paths.ppp_secrets(name)
        self._config = paths.dialer_config(name)
        self._pin = paths.pin_mark(name)
        self._lockout = paths.line_lockout(name)
        self._power_request = paths.power_request(name)
        self._power_answer = paths.power_answer(name)

    def config(self) -> AnyConfig:
        """Return what the dialer is told; OSError or MsgspecError if it cannot be read."""
        # For mypy a union is no type of its own.
        return from_json(self._config.read_bytes(), AnyConfig)  # type: ignore[arg-type]

    def forget_pppd(self) -> None:
        """Remove what was written for a pppd that has ended."""
        self.options.unlink(missing_ok=True)
        self.secrets.unlink(missing_ok=True)

    def pin_mark(self) -> str:
        """Return the mark of the PIN that was tried last; '' if there is none."""
        try:
            return self._pin.read_text("ascii", "replace").strip()
        except OSError:
            return ""

    def keep_pin_mark(self, mark: str) -> None:
        """Keep it, as well as that goes."""
        _write(self._pin, mark.encode(), "The PIN's mark cannot be kept")

    def lockout(self) -> Lockout:
        """Return what an earlier dialer knew of refused logins since the router's start."""
        try:
            return from_json(self._lockout.read_bytes(), Lockout)
        except FileNotFoundError:
            return Lockout()
        except (OSError, msgspec.MsgspecError) as error:
            log.warning("What was known of refused logins cannot be read: %s", error)
            return Lockout()

    def keep_lockout(self, lockout: Lockout) -> None:
        """Keep it, as well as that goes; its times are of the clock that runs since the start."""
        _write(self._lockout, to_json(lockout), "Refused logins cannot be kept")

    def ask_for_power(self) -> None:
        """Have `masqgate.usbpower` switch the USB port; systemd sees the file."""
        self._power_answer.unlink(missing_ok=True)
        _write(self._power_request, b"", "The USB port's power cannot be asked for")

    def power_answer(self) -> PowerSwitched | None:
        """Return how that went, once; None if nothing is known yet."""
        try:
            reason = from_json(self._power_answer.read_bytes(), Reason)
            self._power_answer.unlink()
        except FileNotFoundError:
            return None
        except (OSError, msgspec.MsgspecError) as error:
            log.warning("How the USB port was switched cannot be read: %s", error)
            return None
        return PowerSwitched(reason.code == POWER_CUT, reason.text)


def _write(path: Path, data: bytes, failure: str) -> None:
    try:
        atomic.write(path, data)
    except OSError as error:
        log.error("%s: %s", failure, error.strerror)
