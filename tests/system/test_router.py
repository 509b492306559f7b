"""The main job on the booted image: three boxes reach the Internet behind one address."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.lab import places, web
from tests.lab.boxes import Box
from tests.lab.lab import Lab
from tests.lab.sim import MobileSim

from .helpers import LONG_S, PRIVATE, changed, link, packets, wait_up

# The plug of a modem that is not used here (it answers the telephone elsewhere).
SECOND_PORT = "/dev/serial/by-path/platform-3f980000.usb-usb-0:1.2:1.0-port0"


def test_dials_and_tells_so(lab: Lab) -> None:
    """The call is up, with the provider's address, on page and command line alike."""
    call = wait_up(lab)
    assert call["address"] == lab.isp.address
    assert call["connect_rate"] == 115_200
    assert call["dns"]
    words = lab.cli("status").output
    assert call["address"] in words
    assert "115200" in words or "115,200" in words or "115.2" in words
    page = lab.page("/")
    assert page.status == 200
    assert call["address"] in page.body


def test_boxes_are_known_by_name(lab: Lab) -> None:
    wait_up(lab)
    hosts = {host["name"]: host for host in lab.status()["lan"]["hosts"]}
    for box in lab.boxes.values():
        assert hosts[box.name]["address"] == box.address
        assert hosts[box.name]["mac"] == box.mac


def test_three_boxes_fetch_at_once_behind_one_address(lab: Lab, tmp_path: Path) -> None:
    """The server sees the router's address alone; nothing private leaves; the LAN is untouched."""
    address = wait_up(lab)["address"]
    with lab.capture(tmp_path), ThreadPoolExecutor(3) as pool:
        seen = list(pool.map(lambda box: box.fetch("http://web.example/"), lab.boxes.values()))
        sizes = list(pool.map(_download, lab.boxes.values()))
    assert [text.strip() for text in seen] == [address] * 3
    assert sizes == ["20000"] * 3
    assert packets(tmp_path / "isp-ip.pcap", f"src host {address} and tcp dst port 80")
    assert packets(tmp_path / "isp-ip.pcap", PRIVATE) == []
    for box in lab.boxes.values():
        # Both ways the LAN sees the box and the server themselves, nobody in between.
        to_box = packets(
            tmp_path / "lan.pcap", f"src host {places.WEB} and dst host {box.address}"
        )
        assert to_box, f"no answer of the server itself reached {box.name}"
    assert packets(tmp_path / "lan.pcap", f"host {address}") == []


def _download(box: Box) -> str:
    """Fetch 20,000 bytes; return how many came."""
    command = ["curl", "-sS", "-o", "/dev/null", "-w", "%{size_download}", "--max-time", "120"]
    return box.run([*command, "http://web.example/large?bytes=20000"], timeout_s=130).stdout


def test_udp_and_ping_are_masqueraded(lab: Lab) -> None:
    wait_up(lab)
    box = lab.boxes["B"]
    done = box.run(["ping", "-c", "3", "-W", "20", places.WEB], timeout_s=90)
    assert done.returncode == 0, done.stdout + done.stderr
    script = (
        "import socket;s=socket.socket(socket.AF_INET,socket.SOCK_DGRAM);s.settimeout(20);"
        f"s.sendto(b'hello',('{places.ECHO}',7));print(s.recv(99).decode())"
    )
    done = box.run(["python3", "-c", script], timeout_s=60)
    assert done.stdout.strip() == "hello", done.stderr


def test_flows_show_both_tuples(lab: Lab) -> None:
    """The four steps of masquerading: original tuple, and what the Internet sees."""
    address = wait_up(lab)["address"]
    box = lab.boxes["C"]
    slow = box.popen(
        ["curl", "-s", "-o", "/dev/null", "http://web.example/large?bytes=900000&pace=3000"]
    )
    try:
        for _ in range(20):
            flows = json.loads(lab.cli("flows", "--json").output)["flows"]
            mine = [f for f in flows if f["source"] == box.address and f["protocol"] == "tcp"]
            if mine:
                break
            time.sleep(1)
    finally:
        slow.kill()
        slow.wait()
    assert mine, f"no flow of {box.address} is listed: {flows}"
    assert mine[0]["destination"] == places.WEB
    assert mine[0]["destination_port"] == 80
    assert mine[0]["masqueraded"] == address


def test_names_resolve_by_the_router(lab: Lab) -> None:
    wait_up(lab)
    assert lab.boxes["A"].lease[2].split()[0] == lab.boxes["A"].router
    done = lab.boxes["A"].run(
        ["python3", "-c", "import socket;print(socket.gethostbyname('web.example'))"], timeout_s=60
    )
    assert done.stdout.strip() == places.WEB, done.stderr


def test_the_page_by_https(lab: Lab) -> None:
    """Its server starts at the first visit, with the certificate that the shell tells of."""
    box = lab.boxes["A"]
    assert web.fetch(box, f"https://{box.router}/", "--insecure", timeout_s=300).status == 200
    presented = box.run(
        ["sh", "-c", f"openssl s_client -connect {box.router}:443 < /dev/null 2> /dev/null"
         " | openssl x509 -noout -fingerprint -sha256"],
        timeout_s=120,
    )  # fmt: skip
    told = lab.cli("certificate").output.split()
    assert told[:1] == ["SHA-256"]
    assert presented.stdout.strip().endswith(f"={told[1]}")


def test_signal_is_live_by_a_second_port(lab: Lab) -> None:
    """What changes during a call is told during the call, by a port that is a USB adapter."""
    wait_up(lab)
    before, calls = lab.cli("config", "show").output, lab.modem.calls
    sim = MobileSim(operator="Lab Mobile", rsrp=45)
    lab.exchange.modems["modem2"].insert(sim)
    try:
        changed(lab, before, status_port=f'"{SECOND_PORT}"')
        for sim.operator, sim.rsrp in (("Lab Mobile", 45), ("Over There", 60)):
            told = sim.operator, sim.rsrp - 141
            lab.wait_status(
                lambda s: (link(s)["operator"], link(s)["signal_dbm"]) == told,  # noqa: B023
                LONG_S,
                f"the status tells {told}",
            )
        words = " ".join(lab.cli("status").output.split())
        assert "Over There, signal -81 dBm (" in words, words
        assert "-81 dBm, good" in lab.page("/").body
        assert lab.modem.calls == calls
    finally:
        changed(lab, before)
        lab.exchange.modems["modem2"].insert(None)
