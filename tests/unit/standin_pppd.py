"""A stand-in for pppd where the kernel has no PPP: the lab's PPP peer over a terminal.

With `auth` among the options it is the server, and asks for a login. It takes pppd's arguments
(DEVICE SPEED file OPTIONS), writes pppd's log lines and ends with pppd's exit codes. No
interface, no packets: what a dialer can see of pppd, and no more.
"""

from __future__ import annotations

import os
import re
import select
import signal
import sys
import termios
import time
import tty
from ipaddress import IPv4Address
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.lab import hdlc
from tests.lab.ppp_auth import Auth, Credentials
from tests.lab.ppp_options import PeerSettings
from tests.lab.ppp_peer import Phase, PppPeer
from tests.unit.pppd_words import words

ECHO_REPLY = 10
MAX_LOOPS = 10


class Client:
    """One call."""

    def __init__(self, device: str, options: dict[str, str]) -> None:
        login = None
        if "user" in options:
            login = Credentials(options["user"], options["password"])
        self.interface = options["ifname"]
        self.device = device
        self.echo_every = float(options["lcp-echo-interval"])
        self.fd = os.open(device, os.O_RDWR | os.O_NOCTTY)
        tty.setraw(self.fd)
        attributes = termios.tcgetattr(self.fd)
        attributes[2] |= termios.CLOCAL
        termios.tcsetattr(self.fd, termios.TCSANOW, attributes)
        self.peer = PppPeer(self.settings(options, login), random=os.urandom, on_frame=self.saw)
        self.unanswered = 0
        self.heard_lcp = False
        self.logged = 0
        self.was_up = False
        self.ended_by_user = False
        self.next_echo = float("inf")

    def settings(self, options: dict[str, str], login: Credentials | None) -> PeerSettings:
        return PeerSettings(name="client", login=login, ask_dns=True)

    def saw(self, direction: str, frame: hdlc.Frame) -> None:
        if direction == "in" and frame.protocol == hdlc.LCP:
            if not self.heard_lcp:
                say("rcvd [LCP ConfReq id=0x1 <asyncmap 0x0>]")
            self.heard_lcp = True
            if frame.payload[:1] == bytes([ECHO_REPLY]):
                self.unanswered = 0

    def run(self) -> int:
        say(f"Using interface {self.interface}")
        say(f"Connect: {self.interface} <--> {self.device}")
        self.peer.start(time.monotonic())
        while True:
            if (code := self.follow()) is not None:
                return code
            self.write()
            now = time.monotonic()
            due = min(self.peer.deadline or now + 1.0, self.next_echo, now + 1.0)
            ready, _, _ = select.select([self.fd], [], [], max(0.0, due - now))
            if ready:
                try:
                    data = os.read(self.fd, 4096)
                except OSError:
                    data = b""
                if not data:
                    say("Modem hangup")
                    say("Connection terminated.")
                    return 16
                self.peer.receive(data, time.monotonic())
            self.peer.tick(time.monotonic())

    def write(self) -> None:
        data = self.peer.take_output()
        while data:
            data = data[os.write(self.fd, data) :]

    def follow(self) -> int | None:
        """Say what is new; return the exit code at the end."""
        for line in self.peer.log[self.logged :]:
            if code := self.tell(line):
                return code
        self.logged = len(self.peer.log)
        if self.peer.lcp_policy.loops >= MAX_LOOPS:
            say("Serial line is looped back.")
            return 17
        if self.peer.phase is Phase.UP and not self.was_up:
            self.came_up()
        if self.was_up and time.monotonic() >= self.next_echo:
            return self.echo()
        return None

    def came_up(self) -> None:
        self.was_up = True
        dns = self.peer.ipcp_policy.dns
        say(f"local  IP address {self.peer.own_address}")
        say(f"remote IP address {self.peer.peer_address}")
        if dns[0] != IPv4Address(0):
            say(f"primary   DNS address {dns[0]}")
            say(f"secondary DNS address {dns[1]}")
        self.next_echo = time.monotonic() + self.echo_every

    def echo(self) -> int | None:
        if self.unanswered >= 4:
            say("No response to 4 echo-requests")
            say("Serial link appears to be disconnected.")
            return 15
        self.unanswered += 1
        self.peer.send_echo(time.monotonic())
        self.next_echo = time.monotonic() + self.echo_every
        return None

    def tell(self, line: str) -> int:
        if line.startswith("authentication ok"):
            say("CHAP authentication succeeded")
        elif line.startswith("authentication failed: no answer"):
            say("No response to PAP authenticate-requests")
            return 19
        elif line.startswith("authentication failed"):
            say(f"CHAP authentication failed: {line.partition(': ')[2]}")
            say("CHAP authentication failed")
            return 19
        elif line.startswith("IPCP down"):
            say("IPCP: timeout sending Config-Requests")
            return 10
        elif line.startswith("LCP down"):
            if self.ended_by_user:
                return 5
            if not self.heard_lcp:
                say("LCP: timeout sending Config-Requests")
                say("Connection terminated.")
                return 10
            say("LCP terminated by peer (administrative)")
            return 16 if self.was_up else 10
        return 0

    def terminate(self, *_: object) -> None:
        say("Terminating on signal 15")
        self.ended_by_user = True
        self.peer.terminate(time.monotonic(), "User request")


class Server(Client):
    """One call of somebody who must log in."""

    def settings(self, options: dict[str, str], login: Credentials | None) -> PeerSettings:
        rows = [row.split() for row in Path(options["chap-secrets"]).read_text().splitlines()]
        cells = [[words(cell.encode())[0].decode() for cell in row] for row in rows if row]
        assert all(row[1] == options["name"] for row in cells)
        method = next(auth for word, auth in METHODS.items() if word in options)
        return PeerSettings(
            name=options["name"],
            require=method,
            accounts=tuple(Credentials(row[0], row[2]) for row in cells),
            own_address=IPv4Address(options["local"]),
            peer_address=IPv4Address(cells[0][3]),
            dns=(IPv4Address(options["ms-dns"]),) * 2,
        )

    def tell(self, line: str) -> int:
        if line.startswith("authentication ok"):
            say(f"Peer {self.peer.user} authenticated with CHAP")
        elif line.startswith("authentication failed"):
            say(f"Peer {self.peer.user} failed CHAP authentication")
            self.peer.tick(time.monotonic())
            self.write()
            return 11
        elif line.startswith("LCP down") and not self.ended_by_user and self.heard_lcp:
            say("LCP terminated by peer (administrative)")
            return 16 if self.was_up else 10
        else:
            return super().tell(line)
        return 0


METHODS = {
    "require-mschap-v2": Auth.MSCHAPV2, "require-chap": Auth.CHAP, "require-pap": Auth.PAP,
}  # fmt: skip


def say(line: str) -> None:
    print(line, flush=True)


def read_options(path: str) -> dict[str, str]:
    found = [word.decode() for word in words(Path(path).read_bytes())]
    valued = (
        "user", "password", "ifname", "lcp-echo-interval", "name", "ms-dns", "chap-secrets",
    )  # fmt: skip
    options = {word: found[at + 1] for at, word in enumerate(found) if word in valued}
    options |= {word: "" for word in found if word in ("auth", *METHODS)}
    local = [word[:-1] for word in found if re.fullmatch(r"[0-9.]+:", word)]
    return options | ({"local": local[0]} if local else {})


def main() -> int:
    device, _speed, file_word, path = sys.argv[1:]
    assert file_word == "file"
    options = read_options(path)
    client = (Server if "auth" in options else Client)(device, options)
    signal.signal(signal.SIGTERM, client.terminate)
    try:
        return client.run()
    finally:
        client.write()


if __name__ == "__main__":
    sys.exit(main())
