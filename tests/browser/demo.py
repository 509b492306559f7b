"""Serve the page with sample data: `python -m tests.browser.demo [PORT]`.

The password is 'correct horse battery'. The link dials when asked, and comes up after a while.
"""

from __future__ import annotations

import signal
import sys
import tempfile
import threading
import time
from pathlib import Path

import msgspec
from masqgate.contract.status import Counters, LinkState, LinkStatus

from tests.browser.fake_router import LivelyRouter, link
from tests.browser.fake_supervisor import FakeSupervisor
from tests.browser.serving import serving

STEPS = {LinkState.DIALING: LinkState.NEGOTIATING, LinkState.NEGOTIATING: LinkState.UP}
DWELL_S = 5.0


def live_on(router: LivelyRouter, passed: float) -> None:
    """Let dialing links come up, and links that are up carry bytes."""
    moved: list[LinkStatus] = []
    for up in router.uplinks:
        if up.state in STEPS and router.now - up.since_at > DWELL_S:
            up = link(STEPS[up.state], name=up.name, since_at=router.now)
        elif up.state is LinkState.UP:
            wave = 1500 + 900 * ((router.now // 7) % 3) if router.now % 20 < 14 else 180
            counters = Counters(
                up.counters.rx_bytes + int(wave * passed),
                up.counters.tx_bytes + int((wave / 6 + 90) * passed),
            )
            up = msgspec.structs.replace(up, counters=counters)
        moved.append(up)
    router.uplinks = tuple(moved)


def main() -> None:
    """Serve until interrupted."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())  # so that gunicorn ends, too
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 8177
    router = LivelyRouter()
    router.status()
    router.uplinks = (link(LinkState.UP, since_at=router.now - 754),)
    with tempfile.TemporaryDirectory() as folder:
        supervisor = FakeSupervisor(Path(folder) / "supervisor.sock", router)
        supervisor.start()
        with serving(Path(folder), port) as url:
            print(f"The page is at {url}/ (password: {router.password})", flush=True)
            while threading.main_thread().is_alive():
                time.sleep(0.5)
                live_on(router, 0.5)


if __name__ == "__main__":
    main()
