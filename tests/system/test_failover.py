"""An Ethernet uplink before the modem, on the booted image: failover, failback, and no leak."""

from __future__ import annotations

import contextlib
import json
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from ipaddress import IPv6Network
from itertools import pairwise
from pathlib import Path

import pytest

from tests.lab import places
from tests.lab.delegation import Delegation, link_local
from tests.lab.lab import Lab
from tests.lab.runner import wait_until

from .helpers import addresses6, closed6, link, packets, reaches6, wait_up

PATIENCE_S = 900.0  # a machine with other work emulates slowly
PREFIX = "2001:db8:200::"  # what the cable's provider delegates, a /56
PING = 200  # bytes of A-box's; the router's own probes are smaller

CABLE = f"""
[[uplink]]
kind = "ethernet"
name = "cable"
port = "usb1"
hold_s = 5
probe = {{ targets = ["{places.WEB}"], interval_s = 2, down_after = 2, up_after = 2 }}

"""


def wait_active(lab: Lab, name: str) -> None:
    lab.wait_status(lambda s: s["active"] == name, PATIENCE_S, f"traffic goes by {name}")


def fetch(lab: Lab) -> str:
    """The address that the Internet sees of A-box."""
    return lab.boxes["A"].fetch(f"http://{places.WEB}/", timeout_s=300).strip()


def chosen(lab: Lab) -> str:
    """What the history says of the last change."""
    lines = lab.cli("log", "-n", "30").output.splitlines()
    return next((line for line in reversed(lines) if "Traffic goes through" in line), "")


@pytest.fixture(scope="module")
def preferred(booted: Lab) -> Iterator[Lab]:
    """The cable plugged in, and before the modem in the order; taken back afterwards."""
    wait_up(booted, PATIENCE_S)
    before = booted.cli("config", "show").output
    at = before.index("[[uplink]]")
    try:
        _apply(booted, before[:at] + CABLE + before[at:])
        booted.connect_ethernet()  # not before: a port that is no uplink is one of the LAN's
        wait_active(booted, "cable")
        yield booted
    finally:
        booted.connect_ethernet(False)
        _apply(booted, before)
        wait_up(booted, PATIENCE_S)


@contextlib.contextmanager
def pinging(lab: Lab, folder: Path, what: str) -> Iterator[None]:
    """Ping from A-box five times a second; tell the longest time without an answer.

    All its packets are one connection to the router, which goes on through every change.
    """
    log = folder / "ping"
    ping = ["ping", "-n", "-D", "-i", "0.2", "-s", str(PING), places.WEB]
    with log.open("w") as out:
        program = subprocess.Popen(lab.boxes["A"].namespace.command(ping), stdout=out)
        try:
            wait_until(lambda: "ttl=" in log.read_text(), PATIENCE_S, "a ping is answered")
            yield
        finally:
            program.send_signal(signal.SIGINT)
            program.wait()
    answered = [float(at) for at in re.findall(r"^\[([0-9.]+)\] .*ttl=", log.read_text(), re.M)]
    gaps = [after - before for before, after in pairwise(answered)]
    lab.say(f"{what}: {max(gaps, default=0.0):.1f} s without an answer")


def _download(lab: Lab, path: Path) -> subprocess.Popen[str]:
    """A download that goes on for longer than the test, and has begun.

    Its computer asks every two seconds whether the other end is still there (TCP keep-alive).
    """
    url = f"http://{places.WEB}/large?bytes=40000000&pace=20000"
    curl = ["curl", "-sS", "--keepalive-time", "2", "--no-buffer", "-o", str(path), url]
    download = lab.boxes["A"].popen(curl)
    wait_until(
        lambda: path.exists() and path.stat().st_size > 0, PATIENCE_S, "the download has begun"
    )
    return download


def _apply(lab: Lab, document: str) -> None:
    lab.console.put("/tmp/uplinks.toml", document.encode())
    done = lab.cli("config", "apply", "/tmp/uplinks.toml")
    assert done.code == 0, done.output


def test_failover_under_a_download_and_back(preferred: Lab, tmp_path: Path) -> None:
    """The line dies under a download; the next request goes by the modem; then back.

    On neither uplink does a packet leave with an address that is not that uplink's own.
    """
    lab = preferred
    cable, modem = (link(lab.status(), name)["address"] for name in ("cable", "modem1"))
    assert cable
    assert modem == lab.isp.address
    with lab.capture(tmp_path), pinging(lab, tmp_path, "left by probes"):
        assert fetch(lab) == cable
        download = _download(lab, tmp_path / "download")
        try:
            lab.connect_ethernet(False)
            wait_active(lab, "modem1")
            assert "dead beyond" in chosen(lab)
            assert fetch(lab) == modem
            download.communicate(timeout=PATIENCE_S)
            assert download.returncode != 0, "it has ended, it does not hang"
        finally:
            download.kill()
            download.wait()
        assert "not answered" in link(lab.status(), "cable")["health"]["unused"]
        flows = json.loads(lab.cli("flows", "--json").output)["flows"]
        assert not [flow for flow in flows if flow["masqueraded"] == cable]
        lives = time.time()
        lab.connect_ethernet()
        wait_active(lab, "cable")
        assert "has been well for 5 s" in chosen(lab)
        assert fetch(lab) == cable
    # What arrives there comes from the router: from the cable's own address, or is DHCP's.
    out = f"ip and ether src {lab.wan_mac} and not src host 0.0.0.0"
    assert packets(tmp_path / "ethernet.pcap", f"{out} and src host {cable}")
    assert packets(tmp_path / "ethernet.pcap", f"{out} and not src host {cable}") == []
    assert packets(tmp_path / "isp-ip.pcap", f"src host {modem}")
    asked = f"icmp and src host {cable} and greater {PING}"
    pings = packets(tmp_path / "ethernet.pcap", asked, "-tt")
    back = next(at for at in (float(line.split()[0]) for line in pings) if at > lives)
    lab.say(f"back by probes and hold: {back - lives:.1f} s")
    # On the modem's side only its address and those of the Internet's servers are ever seen.
    assert packets(tmp_path / "isp-ip.pcap", f"src host {cable}") == []
    assert packets(tmp_path / "isp-ip.pcap", "src net 192.168.0.0/16") == []


def test_dead_beyond_a_gateway_that_answers(preferred: Lab, tmp_path: Path) -> None:
    """The cable's link, lease and gateway are fine; nothing behind them answers."""
    lab = preferred
    wait_active(lab, "cable")
    with pinging(lab, tmp_path, "left by probes, beyond the gateway"):
        lab.break_ethernet()
        wait_active(lab, "modem1")
        assert fetch(lab) == lab.isp.address
    told = lab.cli("uplinks").output
    assert "DEAD BEYOND THE LINK" in told
    page = lab.page("/").body
    assert "Dead beyond the link" in page
    lab.clear()
    wait_active(lab, "cable")
    assert fetch(lab) == link(lab.status(), "cable")["address"]


@pytest.fixture
def delegation(preferred: Lab, tmp_path: Path) -> Iterator[Delegation]:
    """The cable's provider has IPv6, until the end of the test."""
    made = Delegation(preferred.world.internet, "br-wan", tmp_path / "provider")
    try:
        yield made
    finally:
        made.close()


def test_the_cable_brings_ipv6_to_the_lan_and_nothing_in(
    preferred: Lab, delegation: Delegation
) -> None:
    """A real DHCPv6 server delegates a prefix, which the modem's provider has none of."""
    lab = preferred
    wait_active(lab, "cable")
    delegation.advertise()
    delegation.delegate(PREFIX, link_local(lab.wan_mac))
    wait_until(lambda: bool(addresses6(lab)), PATIENCE_S, "A-box has an address of IPv6", 1.0)
    (mine,) = addresses6(lab)
    assert mine in IPv6Network(f"{PREFIX}/56")
    wait_until(lambda: reaches6(lab) == str(mine), PATIENCE_S, "A-box reaches the Internet", 1.0)
    closed6(lab, mine)
    status = link(lab.status(), "cable")
    assert IPv6Network(status["prefix6"]).subnet_of(IPv6Network(f"{PREFIX}/56"))
    lab.connect_ethernet(False)
    wait_active(lab, "modem1")
    wait_until(lambda: not addresses6(lab), PATIENCE_S, "the prefix is left with its uplink", 1.0)
    lab.connect_ethernet()
    wait_active(lab, "cable")


def test_the_adapter_is_pulled_and_plugged_in(preferred: Lab, tmp_path: Path) -> None:
    """The port vanishes altogether, as when somebody takes the USB adapter away."""
    lab = preferred
    wait_active(lab, "cable")
    found = lab.console.run("readlink -f /sys/class/net/usb1/device/..").output.strip()
    device = found.splitlines()[-1]
    with pinging(lab, tmp_path, "left by link"):
        assert lab.console.run(f"echo 0 > {device}/authorized").code == 0
        wait_active(lab, "modem1")
        assert "cable is down" in chosen(lab)
        assert fetch(lab) == lab.isp.address
    assert lab.console.run(f"echo 1 > {device}/authorized").code == 0
    wait_active(lab, "cable")
    assert fetch(lab) == link(lab.status(), "cable")["address"]
