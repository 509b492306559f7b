"""The DHCPv6 client's configuration (dhcpcd.conf(5)), as text. Pure."""

from __future__ import annotations

from ..contract.paths import Paths

SCRIPT = "/usr/lib/masqgate/dhcp-prefix"


def dhcp6_conf(interface: str, duid: str, paths: Paths, script: str = SCRIPT) -> str:
    """What the client does: ask for a prefix (RFC 8415), tell the script, and change nothing.

    `duid` is who we say that we are, as pairs of hexadecimal digits with colons.
    """
    return "\n".join(
        [
            "# Made from the configuration: a change here does not last.",
            "ipv6only",
            "noipv6rs",
            "dhcp6",
            "noconfigure",
            "# It asks for as long as it runs.",
            "timeout 0",
            f"duid {duid}",
            f"script {script}",
            f"env MASQGATE_RUN={paths.run}",
            f"interface {interface}",
            "# For no interface: the supervisor gives the prefix to the LAN.",
            "ia_pd 1 -",
            "",
        ]
    )
