"""Tries the steps of the self-test; what they are and mean is in `core/ladder.py`."""

from __future__ import annotations

import queue
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from masqgate.contract.status import Status
from masqgate.core.ladder import HEADERS, SMALL, Result, Step, Targets, active_link, plan

from .ping import ping

TCP_S = 15.0
NAME_S = 20.0
PAGE_S = 20.0
NFT_S = 20.0
SAFE_MTU = 576  # every path takes it (RFC 791)
LARGEST_PAGE = 64 * 1024  # bytes that are read

Seen = tuple[bool, str]  # whether it went well, and what was seen


def climb(status: Status, targets: Targets) -> Iterator[Result]:
    """Try step after step, each when it is asked for; a failed one does not end it."""
    link = active_link(status)
    for step in plan(status, targets, _mtu(link.interface if link else "")):
        yield attempt(step)


def attempt(step: Step) -> Result:
    """Try one step; never raises."""
    if step.skip:
        return Result(step, "skipped", step.skip)
    trials: dict[str, Callable[[Step], Seen]] = {
        "ruleset": _ruleset, "state": _state, "ping": _ping, "large": _large, "tcp": _tcp,
        "name": _name, "page": _page,
    }  # fmt: skip
    try:
        good, text = trials[step.kind](step)
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        good, text = False, _reason(error)
    return Result(step, "good" if good else "failed", text)


def _ruleset(_: Step) -> Seen:
    done = subprocess.run(
        ["nft", "--stateless", "list", "table", "inet", "masqgate"],
        stdin=subprocess.DEVNULL, capture_output=True, timeout=NFT_S, check=False,
    )  # fmt: skip
    if done.returncode != 0:
        return False, "there is no table 'inet masqgate'"
    if b"masquerade" not in done.stdout:
        return False, "only the closed rules are loaded; nothing is forwarded"
    return True, "table 'inet masqgate' masquerades"


def _state(step: Step) -> Seen:
    return bool(step.target), step.seen


def _ping(step: Step) -> Seen:
    pong = ping(step.target)
    if pong.ms is None:
        return False, f"{step.target}: {pong.error}"
    return True, f"{step.target} after {pong.ms:.0f} ms"


def _large(step: Step) -> Seen:
    """Send packets of the uplink's own size; a path that takes less must say so."""
    size = step.size
    pong = ping(step.target, size)
    if pong.path_mtu:
        size = pong.path_mtu - HEADERS
        pong = ping(step.target, size)
    if pong:
        return True, f"{size + HEADERS} bytes pass unfragmented"
    if ping(step.target, SMALL) and ping(step.target, SAFE_MTU - HEADERS):
        return False, f"{step.target} answers {SAFE_MTU} bytes, but not {size + HEADERS}"
    return False, f"{step.target}: {pong.error}; it may answer no pings at all"


def _tcp(step: Step) -> Seen:
    with socket.create_connection((step.target, step.port), TCP_S):
        return True, f"{step.target} port {step.port} takes the connection"


def _name(step: Step) -> Seen:
    """Ask the resolver, which knows no time limit, in a thread of its own."""
    found: queue.SimpleQueue[str | OSError] = queue.SimpleQueue()

    def ask() -> None:
        try:
            found.put(socket.gethostbyname(step.target))
        except OSError as error:
            found.put(error)

    threading.Thread(target=ask, name="resolver", daemon=True).start()
    try:
        answer = found.get(timeout=NAME_S)
    except queue.Empty:
        return False, f"{step.target}: no answer within {NAME_S:.0f} s"
    if isinstance(answer, OSError):
        return False, f"{step.target}: {_reason(answer)}"
    return True, f"{step.target} is {answer}"


def _page(step: Step) -> Seen:
    import http.client  # both take their time to load on a small board
    from urllib.parse import urlsplit

    url = urlsplit(step.target)
    connection = http.client.HTTPConnection(url.hostname or "", url.port or 80, timeout=PAGE_S)
    try:
        connection.request("GET", url.path or "/", headers={"User-Agent": "masqgate-self-test"})
        response = connection.getresponse()
        count = len(response.read(LARGEST_PAGE))
    except http.client.HTTPException as error:
        return False, f"{url.hostname} answers what is no HTTP ({type(error).__name__})"
    finally:
        connection.close()
    text = f"{url.hostname} answers {response.status} with {count} bytes"
    return response.status < 500, text


def _mtu(interface: str) -> int:
    """The interface's MTU in bytes; 1500 if it cannot be told."""
    if not interface:
        return 1500
    try:
        return int(Path(f"/sys/class/net/{interface}/mtu").read_text())
    except (OSError, ValueError):
        return 1500


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError | subprocess.TimeoutExpired):
        return "no answer in time"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return str(error) or type(error).__name__
