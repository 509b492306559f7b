"""The addresses and names of the lab's Internet (documentation ranges, RFC 5737)."""

from __future__ import annotations

WEB = "203.0.113.80"
ECHO = "203.0.113.7"
STUN = "203.0.113.34"
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
ECHO_PORT = 7
STUN_PORT = 3478
BOXES = ("A", "B", "C")
EXTERNAL_CALLER = "198.51.100.200"  # what the pppd that nobody here wrote hands out
EXTERNAL_GATEWAY = "198.51.100.2"
