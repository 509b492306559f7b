"""The dialer: keeps one modem's link as its configuration wants it, or answers its telephone.

Run as `python3 -m masqgate.dialer NAME`.

One thread decides (this one: the machine lives here); port, pppd and socket have threads of
their own that put events into its queue.
"""

from __future__ import annotations

import contextlib
import logging
import random
import signal
import sys
import time
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue

import msgspec
import pexpect

from .contract import dialer as wire
from .contract.paths import Paths
from .contract.status import CallRecord, Entry, LinkState, LinkStatus
from .link import events as ev
from .link.access import Find
from .link.machines import loaded, machine_for
from .link.options import quote
from .link.timings import Timings
from .system import atomic
from .system.dialer_files import DialerFiles
from .system.notify import notify, watchdog_s
from .system.portholder import PortHolder
from .system.pppd import PPPD, Pppd, clear_stale, read_counters
from .system.providers import Providers
from .system.report_server import ReportServer
from .system.serialport import PORT_RULE, PortRule
from .system.signalport import SignalPort

TICK_S = 2.0  # counters, pppd's state, and reports while there is something to count
EXIT_CONFIG = 78  # sysexits(3), EX_CONFIG
_LEVELS = {"info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
log = logging.getLogger("masqgate.dialer")

Item = tuple[int, ev.Event]  # the generation of the port (0: not the port's), and the event


class Dialer:
    """One modem's dialer. `program` is pppd with its first arguments."""

    def __init__(
        self,
        paths: Paths,
        name: str,
        timings: Timings | None = None,
        program: Sequence[str] = PPPD,
        chance: Callable[[], float] = random.random,
        rule: PortRule = PORT_RULE,
        find: Find | None = None,
    ) -> None:
        self._paths = paths
        self._name = name
        self._files = DialerFiles(paths, name)
        self._timings = timings or Timings()
        self._program = program
        self._queue: SimpleQueue[Item] = SimpleQueue()
        self._timers: dict[ev.Timer, float] = {}
        self._holder = PortHolder(lambda *item: self._queue.put(item), self._timings.dtr_low, rule)
        self._signal = SignalPort(self._timings, rule, lambda event: self._queue.put((0, event)))
        self._pppd: Pppd | None = None
        self._entries: list[Entry] = []
        self._number = 0
        self._since = (LinkState.OFF, time.time())
        self._last: LinkStatus | None = None
        self._report_at: float | None = None  # monotonic
        self._machine = machine_for(
            self._files.config(),
            self._timings,
            chance,
            self._files.pin_mark(),
            find or Providers().find,
            self._files.lockout(),
        )

    def run(self) -> None:
        """Work until told to end."""
        if stale := clear_stale(self._files.options, self._timings.terminate):
            log.warning("Ended %d pppd of an earlier dialer.", stale)
        self._server = ReportServer(self._paths.dialer_socket(self._name), self._told)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._queue.put((0, ev.ShutdownCalled())))
        notify("READY=1")
        self._feed(ev.Began())
        next_tick = next_dog = time.monotonic()
        dog = watchdog_s()
        while not self._machine.ended:
            now = time.monotonic()
            if dog is not None and now >= next_dog:
                notify("WATCHDOG=1")
                next_dog = now + dog
            if now >= next_tick:
                self._tick()
                next_tick = now + TICK_S
            due = [next_tick, *self._timers.values(), *([next_dog] if dog is not None else [])]
            due += [self._report_at] if self._report_at is not None else []
            self._take_event(max(0.0, min(due) - time.monotonic()))
        notify("STOPPING=1")
        self._server.stop()

    # Events

    def _take_event(self, patience_s: float) -> None:
        """Wait for an event, or for a timer to run out."""
        with contextlib.suppress(Empty):
            generation, event = self._queue.get(timeout=patience_s)
            if generation in (0, self._holder.generation):
                self._feed(event)
        now = time.monotonic()
        for timer in [timer for timer, at in self._timers.items() if at <= now]:
            if self._timers.get(timer, now + 1) <= now:
                del self._timers[timer]
                self._feed(ev.TimerExpired(timer))
        if self._report_at is not None and self._report_at <= now:
            self._report()

    def _feed(self, event: ev.Event) -> None:
        if isinstance(event, ev.PppdEnded):
            self._pppd = None
            self._files.forget_pppd()
        for command in self._machine.handle(event, time.monotonic()):
            self._do(command)
        port = self._holder.port
        self._signal.follow(self._machine.second_port, "" if port is None else port.device)
        if not isinstance(event, ev.PppdLogged):
            self._report()
        elif self._report_at is None:  # name servers follow the addresses
            self._report_at = time.monotonic() + self._timings.gather

    def _told(self, command: wire.Command) -> None:
        """A client's command; called in the server's thread."""
        if command.verb == "reload":
            try:
                self._queue.put((0, loaded(self._machine, self._files.config())))
            except (OSError, msgspec.MsgspecError) as error:
                self._queue.put((0, ev.ConfigRefused(str(error))))
            return
        self._queue.put((0, _called(command)))

    def _tick(self) -> None:
        if self._pppd is not None:
            if self._pppd.stopped:
                self._feed(ev.PppdStopped())
            elif self._pppd.stirred():
                self._feed(ev.PppdStirred())
            if counted := read_counters(self._machine.config.interface):
                self._feed(ev.Counted(*counted))
        if answer := self._files.power_answer():
            self._feed(answer)
        if self._report_at is None:
            self._report(force=self._machine.state in (LinkState.UP, LinkState.WAITING))

    # Commands

    def _do(self, command: ev.Command) -> None:
        match command:
            case ev.SetTimer(timer, seconds):
                self._timers[timer] = time.monotonic() + seconds
            case ev.CancelTimer(timer):
                self._timers.pop(timer, None)
            case ev.Note(code, text, level):
                self._note(code, text, level)
            case ev.CallEnded(record, level):
                began = time.time() - record.duration_s
                call = msgspec.structs.replace(record, began_at=began)
                self._note("call", call.text, level, call)
            case ev.StartPppd(options, secrets):
                self._start_pppd(options, secrets)
            case ev.TerminatePppd() | ev.KillPppd() if self._pppd is not None:
                kill = isinstance(command, ev.KillPppd)
                (self._pppd.kill if kill else self._pppd.terminate)()
            case ev.RememberLockout(lockout):
                self._files.keep_lockout(lockout)
            case ev.SwitchPower():
                self._files.ask_for_power()
            case ev.RememberPin(mark):
                self._files.keep_pin_mark(mark)
            case _:
                if isinstance(command, ev.WritePort):
                    log.info("To the modem: %s", command.shown)
                self._holder.do(command)

    def _start_pppd(self, options: str, secrets: str) -> None:
        port, speed = self._holder.port, self._machine.port.speed
        if port is None:
            self._queue.put((0, ev.PppdFailed("the port is closed")))
            return
        try:
            if secrets:
                atomic.write(self._files.secrets, secrets.encode())
                path = quote(str(self._files.secrets))
                options += f"pap-secrets {path}\nchap-secrets {path}\n"
            atomic.write(self._files.options, options.encode())
            self._pppd = Pppd(
                self._program, port.device, speed, self._files.options,
                lambda event: self._queue.put((0, event)),
            )  # fmt: skip
        except (OSError, pexpect.ExceptionPexpect) as error:
            self._queue.put((0, ev.PppdFailed(str(error).splitlines()[0])))
            return
        self._queue.put((0, ev.PppdBegan(self._pppd.pid)))

    # Reports

    def _note(self, code: str, text: str, level: str, call: CallRecord | None = None) -> None:
        self._number += 1
        entry = Entry(
            number=self._number, at=time.time(), source=self._name, code=code, text=text,
            level=level,  # type: ignore[arg-type]
            call=call,
        )  # fmt: skip
        self._entries.append(entry)
        log.log(_LEVELS[level], "%s", text)

    def _report(self, *, force: bool = False) -> None:
        """Tell the clients, if there is something new."""
        self._report_at = None
        state = self._machine.state
        if state is not self._since[0]:
            self._since = (state, time.time())
        now, told = time.monotonic(), self._machine.modem.network_at
        status = self._machine.status(now, self._since[1])
        if told is not None:
            status = msgspec.structs.replace(status, network_at=time.time() - (now - told))
        if not force and not self._entries and _same(status, self._last):
            return
        if self._last is None or self._last.reason != status.reason:
            notify(f"STATUS={status.reason.text}")
        entries, self._entries, self._last = tuple(self._entries), [], status
        self._server.publish(status, entries)


def _called(command: wire.Command) -> ev.Event:
    """The event of a command."""
    match command.verb:
        case "connect":
            return ev.ConnectCalled()
        case "dial":
            return ev.DialCalled()
        case "rest" if command.reason is not None:
            return ev.RestCalled(command.reason)
    return ev.DisconnectCalled()


def _same(one: LinkStatus, other: LinkStatus | None) -> bool:
    """Compare but for what changes all the time."""
    if other is None:
        return False
    still = {"retry_in_s": None, "counters": other.counters, "network_at": None}
    return msgspec.structs.replace(one, **still) == msgspec.structs.replace(other, **still)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the dialer of one modem; return the process's exit status."""
    words = sys.argv[1:] if arguments is None else arguments
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(message)s")
    if len(words) != 1 or not words[0].isalnum():
        print("usage: python3 -m masqgate.dialer NAME", file=sys.stderr)
        return 2
    try:
        dialer = Dialer(Paths.from_environment(), words[0])
    except (OSError, msgspec.MsgspecError) as error:
        log.error("The dialer's configuration cannot be read: %s", error)
        return EXIT_CONFIG
    dialer.run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
