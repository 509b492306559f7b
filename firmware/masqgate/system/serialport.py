"""One serial port, in a thread of its own: whatever it does or fails to do, nobody else waits.

pyserial opens and sets it up. While pppd uses the line, the port is kept open but not read
(`lend`): DTR stays high until we let go. A pty has neither DTR nor DCD: the rate B0 stands in for
the one, 'unknown' for the other.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import re
import select
import termios
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import Literal

import serial

from ..link.events import Event, PortData, PortFailed, PortLent, PortLost, PortOpened

WRITE_TIMEOUT_S = 2.0
FORMER_S = 5.0  # how long the port's former user may take to let go
CARRIER_S = 0.5  # DCD may come a little after CONNECT
READ_SIZE = 4096

LentWhy = Literal["lent_window", "lent_jumper", "lent_file"]
Request = tuple[Literal["write", "drop", "lend"], bytes]
log = logging.getLogger("masqgate.dialer")


@dataclass(frozen=True, slots=True)
class PortRule:
    """Which devices are a modem's: no terminal of a person, and not the router's console."""

    devices: re.Pattern[str] = re.compile(r"/dev/tty(AMA|USB|ACM|S)[0-9]+")
    consoles: Path = Path("/sys/class/tty/console/active")  # their names, with spaces between
    lent: Path = Path("/run/masqgate/lent")  # ports that are the console at this start

    def refusal(self, device: str) -> PortFailed | None:
        """Return why a device that is there, by its real path, is not opened."""
        if not self.devices.fullmatch(device):
            return PortFailed("broken", f"{device} is no serial port")
        if why := self._lent(Path(device).name):
            return PortFailed(why)
        try:
            names = self.consoles.read_text("ascii", "replace").split()
        except OSError:
            return None
        return PortFailed("console") if Path(device).name in names else None

    def _lent(self, name: str) -> LentWhy | None:
        """Return why a port is the console's; a note that can't be read counts."""
        try:
            why = (self.lent / name).read_text("ascii", "replace")
        except FileNotFoundError:
            return None
        except OSError:
            return "lent_window"
        return {"file": "lent_file", "jumper": "lent_jumper"}.get(why, "lent_window")  # type: ignore[return-value]


PORT_RULE = PortRule()


class SerialPort:
    """An open port, or one that is being opened. Events come by `emit`, from its thread.

    `dtr_low_s`: how long DTR is low at first; None: it is left alone.
    """

    def __init__(
        self,
        path: str,
        speed: int,
        flow_control: bool,
        dtr_low_s: float | None,
        emit: Callable[[Event], None],
        former: SerialPort | None = None,
        rule: PortRule = PORT_RULE,
    ) -> None:
        self.path = path
        self.device = path  # the real device's path, once open
        self.closed = threading.Event()
        self._speed = speed
        self._flow_control = flow_control
        self._dtr_low_s = dtr_low_s
        self._emit = emit
        self._former = former
        self._rule = rule
        self._requests: SimpleQueue[Request] = SimpleQueue()
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._wake_r, self._wake_w = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._thread = threading.Thread(target=self._run, name="port", daemon=True)
        self._thread.start()

    def write(self, data: bytes) -> None:
        """Send bytes; what the port does not take within two seconds is lost."""
        self._ask(("write", data))

    def drop_dtr(self) -> None:
        """Make DTR low for a moment, and drain."""
        self._ask(("drop", b""))

    def lend(self) -> None:
        """Stop reading, for another process to use the port; PortLent follows."""
        self._ask(("lend", b""))

    def close(self) -> None:
        """Let go of the port; no event comes any more. Returns at once, see `closed`."""
        self._stop.set()
        self._wake()

    def _ask(self, request: Request) -> None:
        self._requests.put(request)
        self._wake()

    def _wake(self) -> None:
        with self._lock, contextlib.suppress(BlockingIOError):
            if self._wake_w >= 0:
                os.write(self._wake_w, b"!")

    def _tell(self, event: Event) -> None:
        if not self._stop.is_set():
            self._emit(event)

    # In the thread

    def _run(self) -> None:
        port: serial.Serial | None = None
        try:
            port = self._open()
            if port is not None:
                self._serve(port)
        except (OSError, serial.SerialException, termios.error) as error:
            self._tell(PortLost(str(error)))
        finally:
            if port is not None:
                self._close(port)
            with self._lock:  # nobody may write to a number that already means another file
                os.close(self._wake_r)
                os.close(self._wake_w)
                self._wake_w = -1
            self.closed.set()

    def _open(self) -> serial.Serial | None:
        if self._former is not None:
            self._former.closed.wait(FORMER_S)
            self._former = None
        try:
            self.device = os.path.realpath(self.path)
            if Path(self.device).exists() and (no := self._rule.refusal(self.device)):
                self._tell(no)
                return None
            port = serial.Serial(
                self.device,
                self._speed,
                rtscts=self._flow_control,
                write_timeout=WRITE_TIMEOUT_S,
                timeout=0,
                exclusive=True,
            )
        except (OSError, ValueError, termios.error) as error:  # SerialException is an OSError
            self._tell(_failure(error))
            return None
        try:
            if self._dtr_low_s is None:
                _keep_dtr(port)
            else:
                self._lower_dtr(port, self._dtr_low_s)
        except (OSError, termios.error) as error:
            self._close(port)
            self._tell(PortFailed("broken", str(error)))
            return None
        self._tell(PortOpened())
        return port

    def _serve(self, port: serial.Serial) -> None:
        reading = True
        while not self._stop.is_set():
            watched = [self._wake_r, port.fileno()] if reading else [self._wake_r]
            ready, _, _ = select.select(watched, [], [])
            if self._wake_r in ready:
                os.read(self._wake_r, READ_SIZE)
                while not self._requests.empty() and not self._stop.is_set():
                    reading = self._obey(port, *self._requests.get()) and reading
            elif ready:
                self._read(port)

    def _obey(self, port: serial.Serial, verb: str, data: bytes) -> bool:
        """Do what was asked; return whether the port is still ours to read."""
        if verb == "write":
            self._write(port, data)
        elif verb == "drop":
            self._lower_dtr(port, self._dtr_low_s or 0.0)
        else:
            self._tell(PortLent(self._carrier(port)))
            return False
        return True

    def _read(self, port: serial.Serial) -> None:
        try:
            data = os.read(port.fileno(), READ_SIZE)
        except BlockingIOError:
            return
        if not data:
            raise OSError(errno.EIO, "the port hung up")
        self._tell(PortData(data))

    @staticmethod
    def _write(port: serial.Serial, data: bytes) -> None:
        try:
            port.write(data)
        except serial.SerialTimeoutException:
            log.warning("The port takes no data: CTS may be low.")

    def _lower_dtr(self, port: serial.Serial, seconds: float) -> None:
        """Hang up by DTR (V.24, circuit 108/2), then throw away what is in the buffers."""
        by_rate = False
        try:
            port.dtr = False
        except OSError:
            by_rate = True
            _set_rate(port.fileno(), termios.B0)
        self._stop.wait(seconds)
        if by_rate:
            port.baudrate = 300 if self._speed != 300 else 1200  # pyserial skips a mere repeat
            port.baudrate = self._speed
        else:
            port.dtr = True
        port.reset_output_buffer()
        port.reset_input_buffer()

    @staticmethod
    def _carrier(port: serial.Serial) -> bool | None:
        """DCD (circuit 109); None where there is no such wire to ask."""
        end = time.monotonic() + CARRIER_S
        try:
            while not port.cd and time.monotonic() < end:
                time.sleep(0.05)
            return bool(port.cd)
        except OSError:
            return None

    @staticmethod
    def _close(port: serial.Serial) -> None:
        """Drain first: a port with its output stopped by CTS would block the close."""
        with contextlib.suppress(OSError, termios.error):
            port.reset_output_buffer()
        with contextlib.suppress(OSError, termios.error):
            port.close()


def _set_rate(handle: int, rate: int) -> None:
    attributes = termios.tcgetattr(handle)
    attributes[4] = attributes[5] = rate
    termios.tcsetattr(handle, termios.TCSANOW, attributes)


def _keep_dtr(port: serial.Serial) -> None:
    """Have DTR stay as it is when the port is closed, too."""
    attributes = termios.tcgetattr(port.fileno())
    attributes[2] &= ~termios.HUPCL
    termios.tcsetattr(port.fileno(), termios.TCSANOW, attributes)
    port.reset_input_buffer()


def _failure(error: Exception) -> PortFailed:
    number = getattr(error, "errno", None)
    if number in (errno.ENOENT, errno.ENODEV, errno.ENXIO):
        return PortFailed("missing", os.strerror(number))
    if number in (errno.EBUSY, errno.EAGAIN):
        return PortFailed("busy", os.strerror(number))
    return PortFailed("broken", os.strerror(number) if number else str(error))
