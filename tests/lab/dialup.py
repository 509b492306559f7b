"""A computer with a modem of its own that dials in: Anybox, or a caller of the provider.

It speaks PPP by the lab's own peer, and its IP packets pass through a tun device of its
namespace, in which any program can then be run.
"""

from __future__ import annotations

import random
import subprocess
from collections.abc import Sequence
from ipaddress import IPv4Address

from .at import Result
from .netns import RUN_S, Namespace, resolver_folder
from .ppp_auth import Credentials
from .ppp_options import PeerSettings
from .ppp_party import PppParty
from .ppp_peer import Phase, PppPeer
from .processes import LabError
from .runner import Runner, wait_until
from .telephone import Attempt, Network
from .tun import CallUplink, IspTun

DEVICE = "ppp0"
ANYBOX_NUMBER = "5554000"


class ClientCall(PppParty):
    """The calling `Party`. Lives on the lab's loop."""

    def __init__(self, settings: PeerSettings, tun: IspTun) -> None:
        super().__init__(PppPeer(settings, random=random.Random(7).randbytes))
        self.result: Result | None = None  # why the call did not come up
        self.attempt: Attempt | None = None
        self.over = False
        self._tun = tun
        self._uplink: CallUplink | None = None

    @property
    def _source(self) -> CallUplink | None:
        return self._uplink

    def refused(self, result: Result) -> None:
        """The call did not come up."""
        self.result = result
        self.over = True

    def line_down(self) -> None:
        """The call is over."""
        self.over = True
        super().line_down()

    def _arrived(self, packet: bytes) -> None:
        self._tun.write(packet)

    def _outgoing(self, packet: bytes) -> None:
        self.ppp.send_packet(packet)
        self._work()

    def _follow_phase(self) -> None:
        if self.ppp.phase is Phase.UP and self._uplink is None:
            self._uplink = self._tun.default(self._outgoing)


class DialUp:
    """The computer. All methods may be called from any thread but the loop's own."""

    def __init__(
        self, runner: Runner, network: Network, namespace: Namespace, number: str = ANYBOX_NUMBER
    ) -> None:
        """Make the computer; whoever does so removes its `resolver` folder."""
        self.resolver = resolver_folder(namespace.name)
        self.namespace = namespace
        self.number = number
        self._runner = runner
        self._network = network
        self._call: ClientCall | None = None
        namespace.ip(f"tuntap add dev {DEVICE} mode tun")
        fd = namespace.open_tun(DEVICE)
        self._tun = runner.call(lambda: IspTun(fd))

    def dial(
        self, number: str, login: Credentials | None = None, *, timeout_s: float = 60.0
    ) -> IPv4Address:
        """Call, wait for IP, and take address and default route; return our address.

        LabError tells why it did not work.
        """
        settings = PeerSettings(name="anybox", login=login, ask_dns=True)
        call = self._runner.call(lambda: self._start(number, settings))
        self._call = call
        wait_until(
            lambda: call.over or call.ppp.phase is Phase.UP, timeout_s, f"IP by calling {number}"
        )
        if call.over:
            why = call.result.value[1] if call.result is not None else call.ppp.log
            raise LabError(f"the call to {number} failed: {why}")
        address, peer = call.ppp.own_address, call.ppp.peer_address
        self.namespace.ip(
            f"address flush dev {DEVICE}", f"address add {address} peer {peer} dev {DEVICE}",
            f"link set {DEVICE} up", f"route replace default dev {DEVICE}",
        )  # fmt: skip
        self._take_servers(call.ppp.ipcp_policy.dns)
        return address

    def _take_servers(self, servers: Sequence[IPv4Address]) -> None:
        self.resolver.mkdir(parents=True, exist_ok=True)
        lines = [f"nameserver {server}\n" for server in dict.fromkeys(servers) if int(server)]
        (self.resolver / "resolv.conf").write_text("".join(lines))

    def run(
        self, command: Sequence[str], *, timeout_s: float = RUN_S
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in the computer."""
        return self.namespace.run(command, timeout_s=timeout_s)

    @property
    def log(self) -> list[str]:
        """What the newest call's PPP noted."""
        return list(self._call.ppp.log) if self._call is not None else []

    def end(self, *, timeout_s: float = 60.0) -> None:
        """End PPP in order, and wait until the other side hangs up."""
        call = self._call
        if call is None or call.over:
            return
        self._runner.call(call.terminate)
        wait_until(lambda: call.over, timeout_s, "the other side hangs up")

    def hang_up(self) -> None:
        """End the call at once; nothing happens without one."""
        call = self._call
        if call is not None and call.attempt is not None:
            self._runner.call(call.attempt.cancel)

    def close(self) -> None:
        """Hang up and remove the tun device's descriptor."""
        self.hang_up()
        self._runner.call(self._tun.close)

    def _start(self, number: str, settings: PeerSettings) -> ClientCall:
        call = ClientCall(settings, self._tun)
        call.attempt = self._network.dial(number, self.number, call, call.refused)
        return call
