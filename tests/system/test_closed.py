"""Nothing on the uplink answers, and what listens is what the documentation says."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from scapy.layers.inet import ICMP, IP, TCP

from tests.lab import places
from tests.lab.lab import Lab
from tests.lab.world import ROOT

from .helpers import packets, wait_up

SCAN = """
import resource, socket, sys, time
resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))
target = sys.argv[1]
kept = []
for port in (53, 67, 68, 69, 123, 161, 500, 1900, 4500, 5353, 33434):
    u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    u.sendto(b'\\0' * 32, (target, port)); kept.append(u)
for port in (*range(1, 1025), 1723, 3128, 5353, 8000, 8080, 8443, 9000, 49152):
    s = socket.socket(); s.setblocking(False)
    s.connect_ex((target, port)); kept.append(s)
    time.sleep(0.01)  # the way there has short queues
time.sleep(20)
"""


def test_nothing_on_the_uplink_answers(lab: Lab, tmp_path: Path) -> None:
    """TCP, UDP and ping from the Internet: the router sends not one packet back."""
    address = wait_up(lab)["address"]
    net = lab.world.internet
    with lab.capture(tmp_path):
        scan = net.run([sys.executable, "-c", SCAN, address], timeout_s=180)
        assert scan.returncode == 0, scan.stderr
        net.run(["ping", "-c", "3", "-W", "3", address], timeout_s=60)
    capture = tmp_path / "internet.pcap"
    assert len(packets(capture, f"dst host {address} and tcp[tcpflags] & tcp-syn != 0")) > 1000
    assert len(packets(capture, f"dst host {address} and udp and src portrange 1025-65535")) >= 11
    assert packets(capture, f"dst host {address} and icmp")
    # Not one answer: neither SYN-ACK nor RST nor ICMP. What the router's own questions to the
    # name server or to its clock's server bring is not counted: those ports are high.
    answers = packets(
        capture,
        f"src host {address} and (icmp or (tcp and src portrange 1-49999 and tcp[tcpflags] & "
        "(tcp-ack|tcp-rst) != 0 and not dst port 80 and not dst port 443)"
        " or (udp and src portrange 1-1023))",
    )
    assert answers == []


def test_no_forward_from_the_uplink(lab: Lab, tmp_path: Path) -> None:
    """A provider that knows the LAN's addresses gets no packet in, whoever it claims to be."""
    wait_up(lab)
    box = lab.boxes["A"].address
    sources = (places.WEB, "198.51.100.1", "192.168.77.143", "127.0.0.1")
    forged = [IP(src=source, dst=box) / ICMP() / b"masqgate-forged" for source in sources]
    forged += [IP(src=source, dst=box) / TCP(sport=80, dport=22, flags="S") for source in sources]
    with lab.capture(tmp_path):
        for packet in forged:
            lab.isp.send(bytes(packet))
        lab.boxes["B"].fetch("http://web.example/")  # what was sent before has arrived by now
    assert len(packets(tmp_path / "isp-ip.pcap", f"dst host {box}")) == len(forged)
    assert packets(tmp_path / "lan.pcap", f"dst host {box} and icmp[8:4] = 0x6d617371") == []
    assert packets(tmp_path / "lan.pcap", f"dst host {box} and tcp dst port 22") == []


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
        ("masqgate-web-tls.service", 2.0),
        ("masqgate.service", 4.5),
        ("masqgate-dialer@modem1.service", 4.5),
        ("masqgate-dhcp6@ppp-modem1.service", 4.5),
    ):
        output = lab.console.run(f"systemd-analyze security --no-pager {unit} | tail -1").output
        match = re.search(r"(\d+\.\d)", output)
        assert match, output
        assert float(match[1]) <= most, output


def test_no_failed_unit(lab: Lab) -> None:
    assert lab.console.run("systemctl --failed --no-legend --plain").output.strip() == ""


def test_nobody_logs_in_from_afar(lab: Lab) -> None:
    """No server for that is installed, no account has a password, and there are no keys."""
    servers = "sshd dropbear telnetd in.telnetd rlogind"
    found = lab.console.run(f"for name in {servers}; do command -v $name; done").output
    assert found.strip() == ""
    accounts = lab.console.run("cat /etc/shadow").output.splitlines()
    assert accounts
    assert all(account.split(":")[1].startswith(("!", "*")) for account in accounts)
    keys = "ls /etc/ssh /root/.ssh /home/*/.ssh /data/.ssh"
    assert "authorized" not in lab.console.run(keys).output


def test_logs_are_capped_and_in_memory(lab: Lab) -> None:
    """What journald itself says of its cap; the router's own history: tests/unit/test_history."""
    said = lab.console.run("journalctl -b -u systemd-journald --no-pager").output
    found = re.search(r"Runtime Journal \(/run/log/journal/\w+\) is \S+, max (\S+),", said)
    assert found, said
    assert found[1] == "8M"
    assert lab.console.run("test -e /var/log/journal").code != 0
    used = int(lab.console.run("du -sk /run/log/journal | cut -f 1").output)
    assert 0 < used <= 9 << 10
    assert int(lab.console.run("du -sk /data/log | cut -f 1").output) <= 4 << 10


def test_watchdogs_are_set(lab: Lab) -> None:
    """The supervisor's by systemd, systemd's by the board (the emulated one has none)."""
    for unit in ("masqgate.service", "masqgate-web.service", "masqgate-dialer@modem1.service"):
        assert lab.console.run(f"systemctl show -P Restart {unit}").output == "always", unit
    assert lab.console.run("systemctl show -P WatchdogUSec masqgate.service").output == "2min"
    manager = lab.console.run("systemd-analyze cat-config systemd/system.conf").output
    assert re.findall(r"^RuntimeWatchdogSec=(\S+)", manager, re.MULTILINE) == ["15s", "0"]
