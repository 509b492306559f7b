"""The lab's world on this machine's kernel: boxes, Internet, and a call with IP through it."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab import places
from tests.lab.forward import Forward
from tests.lab.isp import ACCOUNT
from tests.lab.lab import Lab
from tests.lab.netns import Namespace
from tests.lab.ppp_auth import Credentials
from tests.lab.processes import LabError
from tests.lab.remote import Control, ask
from tests.lab.runner import wait_until
from tests.lab.state import ROOT, alive
from tests.lab.world import ROOT as TREE

RFC1918 = "192.168.77"


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with Lab(None, logs=tmp_path_factory.mktemp("logs")) as lab:
        yield lab


@pytest.fixture(scope="module")
def router(lab: Lab) -> Iterator[None]:
    """Something on the LAN that gives addresses, in place of the router."""
    lab.world.lan.ip(f"address add {RFC1918}.1/24 dev br-lan")
    command = ["dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--user=root",
               "--pid-file=", f"--dhcp-range={RFC1918}.100,{RFC1918}.110", "--no-resolv",
               "--dhcp-leasefile=/dev/null", "--address=/web.example/192.0.2.99"]  # fmt: skip
    lab.processes.start("lan-dhcp", lab.world.lan.command(command))
    yield


def test_a_caller_reaches_the_internet_and_is_seen_by_its_address(lab: Lab) -> None:
    address = lab.anybox.dial("5551000", ACCOUNT)
    try:
        assert lab.isp.wait_up() == str(address)
        page = lab.anybox.run(["curl", "-sS", "--max-time", "60", f"http://{places.WEB}/"])
        assert page.stdout == f"{address}\n", page.stderr
        large = f"http://{places.WEB}/large?bytes=30000"
        options = ["-sS", "--max-time", "60", "-o", "/dev/null", "-w", "%{size_download}"]
        body = lab.anybox.run(["curl", *options, large])
        assert body.stdout == "30000", body.stderr
    finally:
        lab.anybox.hang_up()
    lab.isp.wait_down()


def test_a_caller_reaches_the_internet_through_a_pppd_that_nobody_here_wrote(lab: Lab) -> None:
    for _ in range(2):
        address = lab.anybox.dial("5552000", ACCOUNT, timeout_s=120.0)
        try:
            assert str(address) == places.EXTERNAL_CALLER
            page = lab.anybox.run(["curl", "-sS", "--max-time", "60", f"http://{places.WEB}/"])
            assert page.stdout == f"{address}\n", page.stderr
        finally:
            lab.anybox.hang_up()
    with pytest.raises(LabError, match="LCP down"):
        lab.anybox.dial("5552000", Credentials("masqgate", "wrong"), timeout_s=120.0)


def test_a_refused_caller_is_told_why(lab: Lab) -> None:
    with pytest.raises(LabError, match="authentication failed"):
        lab.anybox.dial("5551001", Credentials("masqgate", "wrong"))
    with pytest.raises(LabError, match="BUSY"):
        lab.anybox.dial("5553000")


def test_the_internet_has_names_and_no_others(lab: Lab) -> None:
    def ask(name: str) -> subprocess.CompletedProcess[str]:
        code = f"import socket; print(socket.gethostbyname({name!r}))"
        return lab.world.internet.run([sys.executable, "-c", code])

    folder = Path("/etc/netns") / lab.world.internet.name
    folder.mkdir(parents=True)
    lab.state.path(folder)
    (folder / "resolv.conf").write_text(f"nameserver {places.DNS_SERVER}\n")
    assert ask("web.example").stdout.strip() == places.WEB
    assert ask("www.debian.org").returncode != 0


def test_echo_servers_answer_by_tcp_and_udp(lab: Lab) -> None:
    code = (
        "import socket, sys\n"
        "for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):\n"
        "    link = socket.socket(socket.AF_INET, kind); link.settimeout(20)\n"
        f"    link.connect(('{places.ECHO}', {places.ECHO_PORT}))\n"
        "    link.sendall(b'hello'); print(link.recv(5).decode())\n"
    )
    done = lab.world.internet.run([sys.executable, "-c", code])
    assert done.stdout.split() == ["hello", "hello"], done.stderr


def test_stun_tells_the_caller_its_address(lab: Lab) -> None:
    code = (
        "import socket\n"
        "link = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); link.settimeout(20)\n"
        f"link.connect(('{places.STUN}', {places.STUN_PORT}))\n"
        "link.send(bytes.fromhex('000100002112a442') + bytes(12))\n"
        "print(link.recv(100)[20:24].hex(), link.getsockname()[0])\n"
    )
    done = lab.world.internet.run([sys.executable, "-c", code])
    assert done.stdout.split()[0] == "00200008", done.stderr


def test_a_browser_of_this_machine_is_let_in_through_localhost(lab: Lab) -> None:
    forward = Forward(lab.world.internet, lambda: places.WEB, 80)
    port = lab.runner.wait(forward.start(0))
    command = ["curl", "-sS", "--max-time", "60", f"http://127.0.0.1:{port}/"]
    done = subprocess.run(command, capture_output=True, text=True)
    lab.runner.call(forward.close)
    assert done.stdout.strip() == places.WEB, done.stderr
    assert subprocess.run(command, capture_output=True).returncode != 0


def test_another_terminal_sets_faults(lab: Lab) -> None:
    control = Control(lab)
    lab.runner.wait(control.start())
    folder = lab.state.folder
    ask(folder, "isp", "no_echo=yes", "loss=0.5")
    faults = lab.isp.isp.faults
    assert (faults.no_echo, faults.loss) == (True, 0.5)
    with pytest.raises(LabError, match="no such provider fault: nonsense"):
        ask(folder, "isp", "nonsense=1")
    with pytest.raises(LabError, match="cannot 'dance'"):
        ask(folder, "dance")
    ask(folder, "clear")
    assert (faults.no_echo, faults.loss) == (False, 0.0)
    lab.runner.call(control.close)


def test_boxes_get_addresses_names_and_a_resolver_of_their_own(lab: Lab, router: None) -> None:
    addresses = [box.wait_address() for box in lab.boxes.values()]
    assert len(set(addresses)) == 3
    assert all(address.startswith(RFC1918) for address in addresses)
    box = lab.boxes["A"]
    assert box.lease[5] == "A-box" and box.router == f"{RFC1918}.1"
    assert box.run(["getent", "hosts", "web.example"]).stdout.split()[0] == "192.0.2.99"
    assert RFC1918 not in Path("/etc/resolv.conf").read_text()


def test_captures_hold_every_link(lab: Lab, router: None, tmp_path: Path) -> None:
    box = lab.boxes["B"]
    box.wait_address()
    with lab.capture(tmp_path):
        box.run(["getent", "hosts", "web.example"])
        lab.anybox.dial("5551003")
        lab.anybox.run(["curl", "-sS", "--max-time", "60", f"http://{places.WEB}/"])
        lab.anybox.hang_up()
    sizes = {path.stem: path.stat().st_size for path in tmp_path.glob("*.pcap")}
    assert sizes.keys() == {"lan", "internet", "ethernet", "isp-ip", "isp-ppp"}
    assert min(sizes[name] for name in ("lan", "internet", "isp-ip", "isp-ppp")) > 100


def test_the_hosts_own_network_is_untouched_and_out_of_reach(lab: Lab) -> None:
    routes = lab.boxes["A"].run(["ip", "route", "get", "1.1.1.1"])
    host = subprocess.run(["ip", "-o", "link"], capture_output=True, text=True).stdout
    assert "Internet" not in routes.stdout
    assert not any(name in host for name in ("br-lan", "pi0", "isp0", "wan0", "port-a"))


CHILD = """
import sys, pathlib
from tests.lab.lab import Lab
with Lab(None, logs=pathlib.Path(sys.argv[1])) as lab:
    print(lab.state.name, flush=True)
    sys.stdin.read()
"""


@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGINT])
def test_a_killed_lab_leaves_nothing(tmp_path: Path, sign: signal.Signals) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(tmp_path)], cwd=TREE, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    assert child.stdout is not None
    name = child.stdout.readline().strip()
    folder = ROOT / name
    assert alive(folder) and Path(f"/run/netns/{name}-a").exists()
    pids = [int(line.split()[0]) for line in (folder / "processes").read_text().splitlines()]
    child.send_signal(sign)
    child.wait()
    wait_until(lambda: not folder.exists(), 60.0, "the janitor has cleaned up", 0.2)
    assert not list(Path("/run/netns").glob(f"{name}-*"))
    assert not list(Path("/etc/netns").glob(f"{name}-*"))
    assert not any(_runs_in_lab(pid, name) for pid in pids)


def _runs_in_lab(pid: int, name: str) -> bool:
    try:
        return name in Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return False


def test_two_labs_do_not_clash(lab: Lab, tmp_path: Path) -> None:
    with Lab(None, logs=tmp_path) as other:
        assert other.state.name != lab.state.name
        assert isinstance(other.world.lan, Namespace)
        address = other.anybox.dial("5551003")
        page = other.anybox.run(["curl", "-sS", "--max-time", "60", f"http://{places.WEB}/"])
        assert page.stdout == f"{address}\n"
