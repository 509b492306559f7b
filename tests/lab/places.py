"""The addresses and names of the lab's Internet.

Provider and Ethernet uplink have documentation ranges (RFC 5737). The servers do not: routers
drop packets of those as forged, and DNS answers with them as an attack. Their range was once
that of 6to4's relays, belongs to nobody now (RFC 7526), and is looked for by nobody.
"""

from __future__ import annotations

WEB = "192.88.99.80"
ECHO = "192.88.99.7"
STUN = "192.88.99.34"
DNS_SERVER = "198.51.100.53"
ETHERNET_DNS = "192.0.2.1"
ETHERNET_GATEWAY = "192.0.2.1"
ETHERNET_POOL = ("192.0.2.100", "192.0.2.150")
NAMES = {
    "web.example": WEB,
    "echo.example": ECHO,
    "stun.example": STUN,
    "ns.example": DNS_SERVER,
}
WEB6 = "2001:db8:88::80"  # has no name: hosts with IPv6 would prefer it to WEB
CALLERS6 = "2001:db8:100::/48"
ECHO_PORT = 7
STUN_PORT = 3478
BOXES = ("A", "B", "C")
EXTERNAL_CALLER = "198.51.100.200"  # what the pppd that nobody here wrote hands out
EXTERNAL_GATEWAY = "198.51.100.2"
