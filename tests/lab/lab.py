"""The whole lab: boxes, Internet, provider, telephone network, modem, and the emulated router.

with Lab(Image.of(Path("build/masqgate.img")), logs=Path("build/lab-logs/x")) as lab:
    lab.wait_ready()
    lab.modem.drop_carrier()
    lab.wait_status(lambda s: s["uplinks"][0]["state"] == "up", what="the call is up again")
"""

from __future__ import annotations

import contextlib
import json
import shlex
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

from . import first_use
from .boxes import Box
from .capture import Capture
from .capture import Tap as CaptureTap
from .console import Console, Done
from .console_line import ConsoleLine
from .controls import IspControl, ModemControl
from .dialup import DialUp
from .exchange import Exchange
from .isp import Recording
from .pi import LAN_MAC, WAN_MAC, Image, Pi, Tap
from .ports import SocketPort
from .processes import LabError, Processes
from .runner import Runner, wait_until
from .state import State
from .web import Reply, fetch
from .world import ROOT, World

DEADLINE_S = 120.0
BOOT_S = 900.0
ASK_AGAIN_S = 2.0  # each question starts a program on a slow board
Progress = Callable[[str], None]


class Lab:
    """Owns everything; `close` removes everything. Methods may be called from any thread."""

    def __init__(
        self,
        image: Image | None,
        *,
        logs: Path,
        progress: Progress = lambda text: None,
        wan: bool = False,
        modem2: bool = False,
    ) -> None:
        """Prepare a lab; `image` None: without a router.

        `wan`: a second Ethernet adapter, to be an uplink (see `connect_ethernet`). `modem2`: a
        second modem, on a USB serial adapter.
        """
        self.logs = logs
        self._progress = progress
        self._began = time.monotonic()
        self._captures: dict[Capture, Recording] = {}
        self._anybox: DialUp | None = None
        self.state = State()
        self.processes = Processes(self.state, logs)
        self.runner = Runner()
        self.world = World(self.state, self.processes)
        self.exchange = Exchange(self.runner, self.world, self.processes, self.state)
        self.pi: Pi | None = None
        if image is not None:
            try:
                self.pi = self._make_pi(image, wan, modem2)
            except BaseException:
                self.runner.stop()
                self.state.close()
                raise
        self._line: ConsoleLine | None = None
        self._console: Console | None = None

    def __enter__(self) -> Lab:
        """Start, and clean up if that fails."""
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        """Remove everything."""
        self.close()

    def start(self) -> None:
        """Start world, provider, modem and router (its boot goes on after this returns)."""
        self.world.start()
        self.say("the boxes and the Internet are there")
        self.exchange.start()
        self.say("the provider answers the telephone")
        if self.pi is None:
            return
        pi = self.pi
        self.exchange.plug_in("modem1", pi.modem_path)
        if pi.modem2_path is not None:
            self.exchange.plug_in("modem2", pi.modem2_path)
        self._line = self.runner.call(
            lambda: ConsoleLine(SocketPort(pi.console_path), self.logs / "console.log")
        )
        self.runner.wait(self._line.share(self.state.folder / "console"))
        self._console = Console(self._line)
        pi.start()
        self.say("the router is switched on")

    def say(self, text: str) -> None:
        """Tell progress, with the seconds since the lab began."""
        self._progress(f"{time.monotonic() - self._began:6.1f} s  {text}")

    # Parts

    @property
    def boxes(self) -> dict[str, Box]:
        """The computers on the LAN: A, B and C."""
        return self.world.boxes

    @property
    def modem(self) -> ModemControl:
        """The router's modem."""
        return self.exchange.modems["modem1"]

    @property
    def isp(self) -> IspControl:
        """The provider."""
        return self.exchange.isp

    @property
    def console(self) -> Console:
        """The router's serial console; LabError in a lab without a router."""
        if self._console is None:
            raise LabError("this lab has no router")
        return self._console

    @property
    def anybox(self) -> DialUp:
        """A computer with a modem of its own; made when first asked for."""
        if self._anybox is None:
            namespace = self.world.namespace("any")
            self._anybox = DialUp(self.runner, self.exchange.network, namespace)
            self.state.path(self._anybox.resolver)
        return self._anybox

    # The router

    def wait_ready(self, timeout_s: float = BOOT_S) -> None:
        """Wait until the console, the boxes' addresses and the page are there."""
        end = time.monotonic() + timeout_s
        self.console.booted(timeout_s)
        self.say("the console is there")
        for box in self.boxes.values():
            box.wait_address(max(1.0, end - time.monotonic()))
        self.say(f"A-box has the address {self.boxes['A'].address}")
        left = max(1.0, end - time.monotonic())
        wait_until(lambda: self._page_answers(), left, "the admin page answers", 1.0)
        self.say("the admin page answers")

    def set_up(self, *, dialin: bool = False) -> None:
        """Do what a person does first with a new router; see `first_use`."""
        first_use.set_up(self.console, dialin=dialin)
        self.say("the router has a password, and a number to call")

    def connect_ethernet(self, connected: bool = True) -> None:
        """Plug the Ethernet uplink in, or pull it; at first it is not plugged in."""
        self.world.internet.ip(f"link set wan0 {'up' if connected else 'down'}")

    def break_ethernet(self, broken: bool = True) -> None:
        """Let nothing behind the Ethernet uplink's gateway answer; the gateway itself does."""
        self.world.break_ethernet(broken)

    @property
    def wan_mac(self) -> str:
        """The hardware address of the router's second Ethernet adapter."""
        return WAN_MAC

    def cli(self, *arguments: str, timeout_s: float = DEADLINE_S) -> Done:
        """Run `masqgate …` on the router by its console."""
        return self.console.run(shlex.join(["masqgate", *arguments]), timeout_s)

    def status(self) -> dict[str, Any]:
        """Return the router's status document; LabError if there is none."""
        done = self.cli("status", "--json")
        try:
            document: dict[str, Any] = json.loads(done.output)
        except ValueError as error:
            raise LabError(f"`masqgate status --json` said: {done.output[-500:]}") from error
        return document

    def wait_status(
        self,
        predicate: Callable[[dict[str, Any]], bool],
        timeout_s: float = DEADLINE_S,
        what: str = "the status is as wanted",
    ) -> dict[str, Any]:
        """Ask until the status fits; return it. LabError with the last status otherwise."""
        end = time.monotonic() + timeout_s
        last: object = "none"
        while True:
            try:
                status = self.status()
                if predicate(status):
                    return status
                last = status
            except (LabError, LookupError, TypeError) as error:
                last = error  # the supervisor may be on its way up
            if time.monotonic() >= end:
                raise LabError(f"not within {timeout_s:g} s: {what}. Last status: {last}")
            time.sleep(ASK_AGAIN_S)

    def page(self, path: str = "/", *curl: str, box: str = "A") -> Reply:
        """Fetch a page of the router's from a box, with more options for curl if wanted."""
        computer = self.boxes[box]
        return fetch(computer, f"http://{computer.router}{path}", *curl)

    def restart(self, *, power_cut: bool = True, new_card: bool = False) -> None:
        """Cut the power (or push reset) and switch on again; returns at once."""
        pi = self._router()
        if power_cut or new_card:
            pi.power_cut()
            self.console.restarted()
            if new_card:
                pi.new_card()
            pi.start()
        else:
            self.console.restarted()
            pi.reset()
        for box in self.boxes.values():  # their cable had no carrier for a while
            box.start_dhcp(self.processes)

    # Faults and captures

    def clear(self) -> None:
        """Modem, line and providers behave well from now on."""
        self.exchange.clear()
        self.world.break_ethernet(False)

    @contextlib.contextmanager
    def capture(self, folder: Path, *, snap: int = 65535) -> Iterator[Path]:
        """Capture on all links: `lan`, `internet`, `ethernet`, `isp-ip` and `isp-ppp` .pcap."""
        capture = self.start_capture(folder, snap=snap)
        try:
            yield folder
        finally:
            self.stop_capture(capture)

    def start_capture(self, folder: Path, *, snap: int = 65535) -> Capture:
        """Begin to capture; see `capture`. `snap`: bytes kept of each packet."""
        lan, internet = self.world.lan, self.world.internet
        taps = [
            CaptureTap("lan", lan, "br-lan"),
            CaptureTap("internet", internet, "isp0"),
            CaptureTap("ethernet", internet, "br-wan"),
        ]
        capture = Capture(self.processes, folder, taps, snap)
        self._captures[capture] = self.runner.call(lambda: self.isp.isp.capture(folder))
        return capture

    def stop_capture(self, capture: Capture) -> None:
        """End a capture; nothing happens if it is over."""
        if (recording := self._captures.pop(capture, None)) is not None:
            self.runner.call(lambda: self.isp.isp.stop_capture(recording))
            capture.stop()

    def close(self) -> None:
        """End all programs, remove all namespaces and files but the logs. May be called twice."""
        if self.runner.closed:
            return
        steps: list[Callable[[], object]] = [self._stop_captures]
        if self._anybox is not None:
            steps.append(self._anybox.close)
        if self.pi is not None:
            steps.append(self.pi.power_cut)
        if self._line is not None:
            line = self._line
            steps.append(lambda: self.runner.call(line.close))
        steps += [self.exchange.close, self.runner.stop, self.state.close]
        with contextlib.ExitStack() as stack:  # all of them, whatever happens
            for step in reversed(steps):
                stack.callback(step)

    def _stop_captures(self) -> None:
        for capture in list(self._captures):
            self.stop_capture(capture)

    def _make_pi(self, image: Image, wan: bool, modem2: bool) -> Pi:
        taps = [Tap(self.world.lan, "pi0", LAN_MAC)]
        if wan:
            taps.append(Tap(self.world.internet, "wan0", WAN_MAC))
        work = ROOT / "build" / "lab" / self.state.name
        return Pi(image, self.state, self.processes, taps, work=work, modem2=modem2)

    def _router(self) -> Pi:
        if self.pi is None:
            raise LabError("this lab has no router")
        return self.pi

    def _page_answers(self) -> bool:
        with contextlib.suppress(LabError):
            return self.page("/").status == 200  # so the supervisor answers, too
        return False
