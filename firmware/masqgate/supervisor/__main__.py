"""`python3 -m masqgate.supervisor`: the service, put together."""

from __future__ import annotations

import logging
import queue
import signal
import sys
from typing import Any

from masqgate.contract.paths import Paths
from masqgate.core.ladder import Targets
from masqgate.core.messages import LinkReported, Message, NetworkChanged, PacketCopied, Stop
from masqgate.desired.demand import GROUP
from masqgate.system import netlink
from masqgate.system.applier import Applier
from masqgate.system.clock import Clock
from masqgate.system.copies import Copies
from masqgate.system.delegations import Delegations
from masqgate.system.dialers import Dialers
from masqgate.system.ethernet import EthernetWatcher
from masqgate.system.heartbeat import Heartbeat
from masqgate.system.history import History
from masqgate.system.kept_leases import KeptLeases
from masqgate.system.kept_prefixes import KeptPrefixes
from masqgate.system.kept_usage import KeptUsage
from masqgate.system.ladder import climb
from masqgate.system.neighbours import hardware_address
from masqgate.system.offline import finish_reset
from masqgate.system.password import LockoutFile, PasswordFile, Worker
from masqgate.system.prober import Prober
from masqgate.system.reboot import Rebooter
from masqgate.system.sensors import Sensors
from masqgate.system.server import Server, web_uid
from masqgate.system.services import Systemd
from masqgate.system.store import Store

from .parts import Parts
from .passwords import Passwords
from .supervisor import Supervisor
from .testing import SelfTest

log = logging.getLogger("masqgate")


def main() -> int:
    """Run until SIGTERM or SIGINT; calls, routes and rules stay as they are."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s", stream=sys.stderr)
    paths = Paths.from_environment()
    inbox: queue.SimpleQueue[Message] = queue.SimpleQueue()

    def stop(*_: Any) -> None:
        inbox.put(Stop())

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    serve(paths, inbox)
    return 0


def serve(paths: Paths, inbox: queue.SimpleQueue[Message]) -> None:
    """Put the supervisor together, and run it until a Stop arrives."""
    services, clock, heartbeat = Systemd(), Clock(), Heartbeat()
    hashing, testing = Worker("hashing"), Worker("self-test")
    dialers = Dialers(paths, services, inbox.put)
    resumed = finish_reset(paths)
    store = Store(paths)
    copies = Copies(GROUP, lambda *copy: inbox.put(PacketCopied(*copy)))
    # The watcher ends the DHCP clients that its configuration does not name.
    watcher = EthernetWatcher(
        store.load().config, lambda status: inbox.put(LinkReported(status)), paths, services
    )
    delegations = Delegations(lambda: inbox.put(NetworkChanged()), paths, services)
    prober = Prober(inbox.put)
    passwords = Passwords(
        PasswordFile(paths.password), LockoutFile(paths.lockout), hashing, clock, inbox.put,
        hardware_address,
    )  # fmt: skip
    parts = Parts(
        store=store,
        history=History(paths.events),
        usage=KeptUsage(paths.usage),
        leases=KeptLeases(paths.leases, paths.kept_leases),
        call_log=History(paths.call_log),
        applier=Applier(paths, services, heartbeat.alive),
        dialers=dialers,
        watcher=watcher,
        prober=prober,
        delegations=delegations,
        prefixes=KeptPrefixes(paths.kept_prefixes),
        rebooting=Rebooter(paths.reboots),
        sensors=Sensors(paths),
        passwords=passwords,
        self_test=SelfTest(lambda status: climb(status, Targets()), testing, inbox.put),
        copies=copies,
        clock=clock,
        heartbeat=heartbeat,
    )
    supervisor = Supervisor(parts, inbox)
    if resumed:
        text = "A factory reset that was interrupted is done."
        supervisor.record("config", "factory_reset", text, "warning")
    server = Server(paths.socket, inbox.put, web_uid())
    monitor = netlink.watch(lambda: inbox.put(NetworkChanged()))
    try:
        supervisor.run()
    finally:
        for part in (
            server,
            monitor,
            watcher,
            delegations,
            prober,
            copies,
            dialers,
            hashing,
            testing,
        ):
            part.close()


if __name__ == "__main__":
    sys.exit(main())
