"""A-box, B-box and C-box: computers on the router's LAN that know nothing of Masqgate.

Each is a network namespace with a real DHCP client (busybox udhcpc) and a resolv.conf of its
own, and runs any program of the host.
"""

from __future__ import annotations

import subprocess
from collections.abc import Sequence

from .netns import RUN_S, Namespace, resolver_folder
from .processes import LabError, Processes, stop
from .runner import wait_until
from .state import State

LEASE_SCRIPT = """#!/bin/sh
# Called by udhcpc with the lease in its environment.
case "$1" in
deconfig)
    ip address flush dev "$interface"
    ip link set "$interface" up
    rm -f "$LAB_LEASE" ;;
bound|renew)
    ip address replace "$ip/$mask" broadcast + dev "$interface"
    ip route flush dev "$interface" default 2>/dev/null
    for gateway in $router; do ip route replace default via "$gateway" dev "$interface"; break; done
    { for server in $dns; do echo "nameserver $server"; done; [ -z "$domain" ] || echo "search $domain"
      echo "options timeout:10 attempts:3"; } > "$LAB_RESOLV"
    printf '%s\\n' "$ip" "$router" "$dns" "$domain" "$lease" "$hostname" > "$LAB_LEASE.new"
    mv "$LAB_LEASE.new" "$LAB_LEASE" ;;
esac
exit 0
"""  # noqa: E501 - shell
NO_RESOLVER = "# no lease yet\n"


class Box:
    """One computer on the LAN, named `A-box` and so on."""

    def __init__(self, letter: str, namespace: Namespace, state: State) -> None:
        self.letter = letter
        self.name = f"{letter}-box"
        self.namespace = namespace
        self.mac = f"02:4d:47:00:00:{ord(letter):02x}"
        self._lease = state.folder / f"{self.name}.lease"
        self._script = state.folder / f"{self.name}.udhcpc"
        self._resolver = resolver_folder(namespace.name)
        self._client: subprocess.Popen[bytes] | None = None
        state.path(self._resolver)

    def prepare(self) -> None:
        """Write resolver file and lease script."""
        self._resolver.mkdir(parents=True, exist_ok=True)
        (self._resolver / "resolv.conf").write_text(NO_RESOLVER)
        self._script.write_text(LEASE_SCRIPT)
        self._script.chmod(0o700)

    def start_dhcp(self, processes: Processes) -> None:
        """Ask for an address, for as long as it takes, and renew it; again after `stop_dhcp`."""
        self.stop_dhcp()
        self._lease.unlink(missing_ok=True)
        settings = [
            f"LAB_LEASE={self._lease}", f"LAB_RESOLV={self._resolver / 'resolv.conf'}",
        ]  # fmt: skip
        client = ["busybox", "udhcpc", "-f", "-i", "eth0", "-s", str(self._script)]
        client += ["-x", f"hostname:{self.name}", "-t", "4", "-T", "3", "-A", "3", "-R"]
        command = self.namespace.command(["env", *settings, *client])
        self._client = processes.start(self.name, command)

    def stop_dhcp(self) -> None:
        """Release the lease and forget the address."""
        if self._client is not None:
            stop(self._client)
            self._client = None

    @property
    def lease(self) -> list[str]:
        """Address, router, DNS servers, domain, seconds, name; empty without a lease."""
        try:
            return self._lease.read_text().splitlines()
        except OSError:
            return []

    @property
    def address(self) -> str:
        """The leased address; an empty string without a lease."""
        return self.lease[0] if self.lease else ""

    @property
    def router(self) -> str:
        """The router's LAN address according to the lease; an empty string without one."""
        return self.lease[1].split(" ")[0] if self.lease else ""

    def wait_address(self, timeout_s: float = 180.0) -> str:
        """Wait for a lease; TimeoutError otherwise."""
        wait_until(lambda: bool(self.address), timeout_s, f"{self.name} has an address", 0.2)
        return self.address

    def run(
        self, command: Sequence[str], *, timeout_s: float = RUN_S, text: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in the box, e.g. `run(["curl", "-s", "http://web.example/"])`."""
        return self.namespace.run(command, timeout_s=timeout_s, text=text)

    def popen(self, command: Sequence[str]) -> subprocess.Popen[str]:
        """Start a command in the box, with pipes; the caller ends it."""
        pipe = subprocess.PIPE
        return subprocess.Popen(
            self.namespace.command(command), stdin=pipe, stdout=pipe, stderr=pipe, text=True,
            errors="replace",
        )  # fmt: skip

    def fetch(self, url: str, *, timeout_s: float = 60.0) -> str:
        """Return the body of a page; LabError with curl's words if it cannot be had."""
        command = ["curl", "-sS", "--fail", "--max-time", f"{timeout_s:g}", url]
        done = self.run(command, timeout_s=timeout_s + 10)
        if done.returncode != 0:
            raise LabError(f"{self.name} could not fetch {url}: {done.stderr.strip()}")
        return done.stdout
