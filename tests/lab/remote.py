"""The running lab's control socket: faults and calls from another terminal.

One JSON request a line (`{"do": "cut"}`), one JSON answer (`{"ok": true, "text": ""}`).
"""

from __future__ import annotations

import asyncio
import json
import shlex
import socket
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from .at import Result
from .exchange import NUMBERS
from .first_use import ANYBOX
from .lab import Lab
from .ppp_auth import Credentials
from .processes import LabError
from .state import ROOT, alive

SOCKET = "control"
ANSWER_S = 180.0
DIAL_S = 120.0


def parse_value(text: str) -> bool | int | float | str | Result | None:
    """Read a fault's value as it is typed: yes, no, none, a number, a dial result, or text."""
    words = {"yes": True, "true": True, "no": False, "false": False, "none": None}
    if text.lower() in words:
        return words[text.lower()]
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    name = text.upper().replace("-", "_").replace(" ", "_")
    return Result[name] if name in Result.__members__ else text


def parse_faults(pairs: Sequence[str]) -> dict[str, Any]:
    """Read `name=value` words; ValueError tells which is none."""
    bad = [pair for pair in pairs if "=" not in pair]
    if bad:
        raise ValueError(f"write NAME=VALUE, not {bad[0]!r}")
    return {name: parse_value(value) for name, value in (pair.split("=", 1) for pair in pairs)}


def find_lab(name: str = "", root: Path = ROOT) -> Path:
    """Return the folder of the lab `name`, or of the newest; LabError if it does not run."""
    folders = [f for f in root.iterdir() if (f / SOCKET).exists()] if root.is_dir() else []
    running = [f for f in folders if alive(f) and name in ("", f.name)]
    if not running:
        raise LabError(f"no lab {name} is running: start one with `make run`".replace("  ", " "))
    return max(running, key=lambda folder: (folder / SOCKET).stat().st_mtime)


def ask(folder: Path, do: str, *words: str) -> str:
    """Ask the running lab to do something; return its answer, or LabError with its refusal."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as link:
        link.settimeout(ANSWER_S)
        link.connect(str(folder / SOCKET))
        link.sendall(json.dumps({"do": do, "words": words}).encode() + b"\n")
        with link.makefile() as stream:
            answer = json.loads(stream.readline())
    if not answer["ok"]:
        raise LabError(answer["text"])
    return str(answer["text"])


def _anybox() -> tuple[str, str]:
    return ANYBOX.user, ANYBOX.password


class Control:
    """The socket's server. Requests are run in threads, for they wait for the lab's loop."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen."""
        path = self._lab.state.folder / SOCKET
        self._server = await asyncio.start_unix_server(self._serve, path)

    def close(self) -> None:
        """Take no more requests."""
        if self._server is not None:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            request = json.loads(await reader.readline())
            text = await asyncio.to_thread(self._obey, request["do"], request["words"])
            answer = {"ok": True, "text": text}
        except (LabError, ValueError, LookupError, RuntimeError, TimeoutError) as error:
            answer = {"ok": False, "text": str(error)}
        writer.write(json.dumps(answer).encode() + b"\n")
        writer.close()

    def _obey(self, do: str, words: list[str]) -> str:
        actions: dict[str, Callable[[list[str]], str]] = {
            "cut": self._cut,
            "dial": self._dial,
            "hangup": self._hang_up,
            "modem": self._modem_fault,
            "isp": self._isp_fault,
            "line": self._line,
            "clear": self._clear,
            "state": self._state,
            "router": self._router,
            "reset": lambda words: self._restart(power_cut=False),
            "power": lambda words: self._restart(power_cut=True),
        }
        if do not in actions:
            raise ValueError(f"the lab cannot {do!r}; it can: {', '.join(actions)}")
        return actions[do](words)

    def _cut(self, words: list[str]) -> str:
        self._lab.modem.drop_carrier()
        return "the call is cut"

    def _dial(self, words: list[str]) -> str:
        """Have Anybox call the router's second modem, or another number, as somebody else."""
        number, user, password = [*words, *(NUMBERS["modem2"], *_anybox())[len(words) :]][:3]
        address = self._lab.anybox.dial(number, Credentials(user, password), timeout_s=DIAL_S)
        return f"Anybox is connected, with the address {address}"

    def _hang_up(self, words: list[str]) -> str:
        self._lab.anybox.hang_up()
        return "Anybox has hung up"

    def _modem_fault(self, words: list[str]) -> str:
        self._lab.modem.fault(**parse_faults(words))
        return "the modem misbehaves as told"

    def _isp_fault(self, words: list[str]) -> str:
        self._lab.isp.fault(**parse_faults(words))
        return "the provider misbehaves as told"

    def _line(self, words: list[str]) -> str:
        self._lab.modem.shape(**parse_faults(words))
        return "the line is as told"

    def _clear(self, words: list[str]) -> str:
        self._lab.clear()
        return "all faults are gone"

    def _router(self, words: list[str]) -> str:
        command = words[0] if len(words) == 1 else shlex.join(words)
        done = self._lab.console.run(command, ANSWER_S - 10)
        if done.code != 0:
            raise LabError(f"{done.output}\n(exit code {done.code})")
        return done.output

    def _restart(self, *, power_cut: bool) -> str:
        self._lab.restart(power_cut=power_cut)
        return "the router restarts"

    def _state(self, words: list[str]) -> str:
        lab = self._lab
        faults = asdict(lab.isp.isp.faults)
        return "\n".join(
            [
                f"modem: {lab.modem.state.value}, {lab.modem.calls} calls so far",
                f"caller's address at the provider: {lab.isp.address or 'none'}",
                f"boxes: {', '.join(f'{b.name} {b.address}' for b in lab.boxes.values())}",
                f"provider's faults: {faults}",
            ]
        )
