"""Nothing on the uplink answers, and what listens is what the documentation says."""

from __future__ import annotations

import re
from pathlib import Path

from tests.lab.lab import Lab
from tests.lab.world import ROOT

from .helpers import packets, wait_up

SCAN = """
import socket, sys
target, ports = sys.argv[1], range(1, 1025)
heard = []
for port in (*ports, 1723, 3128, 5353, 8000, 8080, 8443, 9000, 49152):
    s = socket.socket(); s.setblocking(False)
    s.connect_ex((target, port)); heard.append((port, s))
for port in (53, 67, 68, 69, 123, 161, 500, 1900, 4500, 5353, 33434):
    u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    u.sendto(b'\\0' * 32, (target, port)); heard.append((port, u))
import time; time.sleep(15)
"""


def test_nothing_on_the_uplink_answers(lab: Lab, tmp_path: Path) -> None:
    """TCP, UDP and ping from the Internet: the router sends not one packet back."""
    address = wait_up(lab)["address"]
    with lab.capture(tmp_path):
        net = lab.world.internet
        net.run(["python3", "-c", SCAN, address], timeout_s=120)
        net.run(["ping", "-c", "3", "-W", "3", address], timeout_s=30)
    capture = tmp_path / "internet.pcap"
    assert len(packets(capture, f"dst host {address} and tcp[tcpflags] & tcp-syn != 0")) > 1000
    # Not one answer: neither SYN-ACK nor RST nor ICMP; what the LAN's boxes began is not counted.
    answers = packets(
        capture,
        f"src host {address} and (icmp or (tcp[tcpflags] & tcp-ack != 0 and src port < 10000)"
        " or (udp and src port < 1024))",
    )
    assert answers == []


def test_no_forward_from_the_uplink(lab: Lab, tmp_path: Path) -> None:
    """A neighbour at the provider that knows the LAN's addresses gets no packet in."""
    address = wait_up(lab)["address"]
    box = lab.boxes["A"].address
    net = lab.world.internet
    net.ip(f"route add {box}/32 dev isp0")
    try:
        with lab.capture(tmp_path):
            net.run(["ping", "-c", "3", "-W", "3", box], timeout_s=30)
    finally:
        net.ip(f"route del {box}/32 dev isp0")
    assert packets(tmp_path / "lan.pcap", f"icmp and dst host {box}") == []
    assert address


def test_what_listens_is_documented(lab: Lab) -> None:
    """`ss` on the router against docs/SERVICES.md."""
    # Three looks: a question under way to a name server has a port for a moment only.
    output = lab.console.run("for i in 1 2 3; do ss -Hlntu; echo; sleep 4; done").output
    looks = [
        {(f[0], int(f[4].rsplit(":", 1)[1])) for f in map(str.split, look.splitlines()) if f[4:]}
        for look in output.split("\n\n")
        if look.strip()
    ]
    assert len(looks) == 3, output
    found = set.intersection(*looks)
    text = (ROOT / "docs" / "SERVICES.md").read_text()
    known = {(p.lower(), int(n)) for p, n in re.findall(r"^\| (TCP|UDP) \| (\d+) \|", text, re.M)}
    assert found, output
    assert found <= known, f"not documented: {sorted(found - known)}"


def test_no_setuid_and_root_locked(lab: Lab) -> None:
    done = lab.console.run("find / -xdev -perm /6000 -type f", 240)
    assert done.output.strip() == ""
    root = lab.console.run("grep ^root: /etc/shadow").output
    assert root.split(":")[1].startswith(("!", "*"))


def test_units_are_sandboxed(lab: Lab) -> None:
    """`systemd-analyze security`: page <= 2.0, supervisor and dialer <= 4.5."""
    for unit, most in (
        ("masqgate-web.service", 2.0),
        ("masqgate.service", 4.5),
        ("masqgate-dialer@modem1.service", 4.5),
    ):
        output = lab.console.run(f"systemd-analyze security --no-pager {unit} | tail -1").output
        match = re.search(r"(\d+\.\d)", output)
        assert match, output
        assert float(match[1]) <= most, output


def test_no_failed_unit(lab: Lab) -> None:
    assert lab.console.run("systemctl --failed --no-legend --plain").output.strip() == ""
