"""A provider that nobody here wrote: Debian's pppd in user-mode Linux, on a number of its own.

Each call boots a machine of its own (about two seconds), so that no call sees what another
left. The caller's address is not hidden: the machine routes between the call and the lab's
Internet. One call at a time; a second caller hears BUSY.
"""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Callable
from pathlib import Path

from . import places
from .at import Result
from .isp import ACCOUNT
from .netns import Namespace
from .ports import PtyPort
from .processes import Processes, stop
from .state import State
from .telephone import Attempt, Line

NUMBER = "5552000"
DEVICE = "uml0"
NEAR, FAR = "198.18.0.1", "198.18.0.2"  # between machine and Internet (RFC 2544's range)
BOOT_S = 45.0
HIGH_WATER = 3000

# /run hides the script once the tmpfs is there; the shell has it open already.
INIT = f"""#!/bin/sh
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
mount -t proc proc /proc
mount -t tmpfs run /run
mount -t tmpfs ppp /etc/ppp
mkdir -p /run/lock /run/root/lib
ln -s /usr/lib/uml/modules /run/root/lib/modules
modprobe -d /run/root ppp_async
[ -e /dev/ppp ] || mknod /dev/ppp c 108 0
echo 1 > /proc/sys/net/ipv4/ip_forward
ip link set lo up
ip address add {FAR}/30 dev vec0
ip link set vec0 up
ip route add default via {NEAR}
umask 077
echo '{ACCOUNT.user} * {ACCOUNT.password} *' > /etc/ppp/chap-secrets
: > /etc/ppp/options
pppd /dev/ttyS0 115200 local nodetach debug name isp auth require-chap \\
    {places.EXTERNAL_GATEWAY}:{places.EXTERNAL_CALLER} ms-dns {places.DNS_SERVER} \\
    lcp-echo-interval 30 lcp-echo-failure 4
echo "pppd ended with $?"
poweroff -f
"""


class ExternalIsp:
    """The subscriber, on the lab's loop (but `prepare`, which runs anywhere)."""

    def __init__(self, state: State, processes: Processes, internet: Namespace) -> None:
        self.calls = 0
        self._processes = processes
        self._internet = internet
        self._script = state.folder / "provider.sh"
        self._work = state.folder / "uml"
        self._call: ExternalCall | None = None

    def prepare(self) -> None:
        """Make the machine's link to the Internet, and its start-up script."""
        self._work.mkdir(exist_ok=True)
        self._script.write_text(INIT)
        self._script.chmod(0o755)
        self._internet.ip(
            f"tuntap add dev {DEVICE} mode tap", f"address add {NEAR}/30 dev {DEVICE}",
            f"link set {DEVICE} up",
            f"route add {places.EXTERNAL_CALLER}/32 via {FAR}",
            f"route add {places.EXTERNAL_GATEWAY}/32 via {FAR}",
        )  # fmt: skip

    def offer(self, attempt: Attempt) -> None:
        """Boot a machine, and answer when its pppd has opened the line."""
        if self._call is not None:
            attempt.refuse(Result.BUSY)
            return
        self.calls += 1
        self._call = ExternalCall(attempt, self._boot, self._ended)
        attempt.on_cancelled = self._call.end

    def close(self) -> None:
        """End the call, if there is one."""
        if self._call is not None:
            self._call.end()

    def _ended(self) -> None:
        self._call = None

    def _boot(self, tty: Path) -> subprocess.Popen[bytes]:
        command = [
            "linux.uml", "mem=64M", "rootfstype=hostfs", "rootflags=/", "ro", "quiet",
            f"init={self._script}", f"uml_dir={self._work}", "con=null", "con0=null,fd:1",
            "ssl=null", f"ssl0=tty:{tty}", f"vec0:transport=tap,ifname={DEVICE},depth=64",
        ]  # fmt: skip
        return self._processes.start("provider-pppd", self._internet.command(command))


class ExternalCall:
    """One call: the `Party` that passes bytes between the line and the machine's serial port."""

    def __init__(
        self,
        attempt: Attempt,
        boot: Callable[[Path], subprocess.Popen[bytes]],
        on_end: Callable[[], None],
    ) -> None:
        self._attempt = attempt
        self._on_end = on_end
        self._line: Line | None = None
        self._over = False
        self._port = PtyPort()
        self._machine = boot(self._port.path)
        self._port.start(self._from_machine, self._opened)
        self._timer = asyncio.get_running_loop().call_later(BOOT_S, self._too_late)

    def line_up(self, line: Line) -> None:
        """The call is up."""
        self._line = line

    def line_data(self, data: bytes) -> None:
        """Bytes from the caller."""
        self._port.write(data)

    def line_drained(self) -> None:
        """Room for more."""
        self._port.pause(False)

    def line_down(self) -> None:
        """The caller hung up."""
        self._line = None
        self.end()

    def end(self) -> None:
        """Switch the machine off and cut the call. May be called twice."""
        if self._over:
            return
        self._over = True
        self._timer.cancel()
        self._port.close()
        stop(self._machine, kill=True)
        if self._line is not None:
            self._line.hang_up()
        self._attempt.refuse(Result.NO_ANSWER)
        self._on_end()

    def _opened(self, is_open: bool) -> None:
        if is_open and self._line is None:
            self._attempt.answer(self)
        elif not is_open and self._line is not None:
            self.end()  # pppd ended: so does the call

    def _from_machine(self, data: bytes) -> None:
        if self._line is not None:
            self._line.send(data)
            self._port.pause(self._line.backlog > HIGH_WATER)

    def _too_late(self) -> None:
        if self._line is None:
            self.end()
