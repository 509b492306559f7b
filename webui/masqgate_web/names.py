"""By which names browsers may call the router. Everything else is refused (DNS rebinding)."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from ipaddress import ip_address

from masqgate.contract.client import Client
from masqgate.contract.errors import MasqgateError
from masqgate.contract.status import Status

ALWAYS = ("localhost", "masqgate", "masqgate.lan", "masqgate.local")
REFRESH_S = 5.0  # an unknown name asks the supervisor at most this often
_NAME = re.compile(r"[a-z0-9-]{1,63}")
_DOMAIN = re.compile(r'^domain = "([a-z0-9.-]{1,63})"$', re.MULTILINE)


class Names:
    """The router's names, learned from the supervisor and remembered."""

    def __init__(self, router: Client, clock: Callable[[], float]) -> None:
        self._router = router
        self._clock = clock
        self._lock = threading.Lock()
        self._asked: float | None = None
        self._hostname = "masqgate"
        self._domain = "lan"

    @property
    def hostname(self) -> str:
        """The router's own name, as last heard."""
        return self._hostname

    @property
    def full(self) -> str:
        """The router's name with the LAN's domain, as last heard."""
        return f"{self._hostname}.{self._domain}"

    def learn(self, status: Status) -> None:
        """Remember the name that a status tells."""
        name = status.hostname.lower()
        if _NAME.fullmatch(name):
            self._hostname = name

    def allow(self, host: str) -> bool:
        """Whether a Host header names the router: a private address, or one of its names."""
        name = _without_port(host)
        if name is None:
            return False
        return is_local_address(name) or self._known(name) or self._known_after_asking(name)

    def _known(self, name: str) -> bool:
        mine = (self._hostname, f"{self._hostname}.{self._domain}", f"{self._hostname}.local")
        return name in ALWAYS or name in mine

    def _known_after_asking(self, name: str) -> bool:
        now = self._clock()
        with self._lock:
            if self._asked is not None and now - self._asked < REFRESH_S:
                return False
            self._asked = now
        try:
            self.learn(self._router.status())
            found = _DOMAIN.search(self._router.config_show())
        except MasqgateError:
            return False
        if found:
            self._domain = found.group(1)
        return self._known(name)


def is_local_address(name: str) -> bool:
    """Whether this is a literal address of a private network: a rebound name never is."""
    try:
        address = ip_address(name.strip("[]"))
    except ValueError:
        return False
    return address.is_private or address.is_link_local or address.is_loopback


def _without_port(host: str) -> str | None:
    match = re.fullmatch(r"(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]{1,253}?)\.?(?::[0-9]{1,5})?", host)
    return match.group(1).lower() if match else None
