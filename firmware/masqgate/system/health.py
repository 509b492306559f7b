"""What a running system looks like from the outside, for its trial after an update."""

from __future__ import annotations

import contextlib
import http.client
import subprocess
from pathlib import Path

from masqgate.contract.client import Client
from masqgate.contract.errors import MasqgateError
from masqgate.contract.paths import Paths
from masqgate.contract.status import LinkState, Status
from masqgate.core.trial import Seen, dialer_unit

from .services import Systemd

PAGE_S = 120.0  # a loaded, emulated board
STATUS_S = 60.0
LIVES = ("masqgate.service", "masqgate-web.service")  # services that end and start again
TOOL_S = 60.0


def look(paths: Paths) -> Seen:
    """Look at LAN, page, dialers and uplink once; never fails."""
    status: Status | None = None
    with contextlib.suppress(MasqgateError):
        status = Client(paths.socket, STATUS_S).status()
    links = status.uplinks if status else ()
    modems = [one.name for one in links if one.kind == "modem" and one.state is not LinkState.OFF]
    services = Systemd()
    dead = [name for name in modems if not services.active(dialer_unit(name))]
    return Seen(
        supervisor=status is not None,
        lan=status is not None and _lan_is_up(status.lan.interface),
        page=page_trouble(),
        dead_dialers=tuple(dead),
        uplink=status is not None and bool(status.active),
        crashes={unit: _restarts(unit) for unit in (*LIVES, *map(dialer_unit, modems))},
    )


def _lan_is_up(interface: str) -> bool:
    """Whether the bridge is there and on; a cable may be pulled."""
    with contextlib.suppress(OSError, ValueError):
        flags = (Path("/sys/class/net") / interface / "flags").read_text()
        return bool(int(flags, 16) & 1)  # IFF_UP
    return False


def page_trouble(host: str = "127.0.0.1", port: int = 80, timeout_s: float = PAGE_S) -> str:
    """Ask for the login page over HTTP; return what is wrong, or nothing."""
    connection = http.client.HTTPConnection(host, port, timeout=timeout_s)
    try:
        connection.request("GET", "/login", headers={"Host": host})
        answer = connection.getresponse()
        body = answer.read(1 << 20)
        if answer.status in (302, 303):  # a router without a password asks for a first one
            return "" if answer.getheader("Location", "").startswith("/first-") else "no form"
        if answer.status != 200:
            return f"HTTP status {answer.status}"
        return "" if b'name="form_token"' in body else "no form"
    except TimeoutError:
        return "not in time"
    except (OSError, http.client.HTTPException) as error:
        return (getattr(error, "strerror", None) or type(error).__name__).lower()
    finally:
        connection.close()


def _restarts(unit: str) -> int:
    """How often systemd has started a service again."""
    command = ["systemctl", "show", "--property=NRestarts", "--value", unit]
    with contextlib.suppress(OSError, subprocess.TimeoutExpired, ValueError):
        done = subprocess.run(command, capture_output=True, text=True, timeout=TOOL_S, check=False)
        return int(done.stdout.strip() or 0)
    return 0
