"""LAN hosts reach the Internet at the same time, which sees only the router's address."""

from __future__ import annotations

import contextlib

from .router import LAN, PEER, SERVER, UPLINK, World, eventually


def test_three_hosts_reach_the_internet_at_once_from_one_address(online: World) -> None:
    server = online.udp(online.internet, SERVER, 7000)
    clients = [online.udp(host, port=5000) for host in online.hosts]
    for number, client in enumerate(clients):
        client.sendto(b"from %d" % number, (SERVER, 7000))
    seen = dict(server.recvfrom(100) for _ in clients)
    assert {address for address, _ in seen.values()} == {UPLINK}
    assert len({port for _, port in seen.values()}) == 3
    for message, address in seen.items():
        server.sendto(b"to " + message, address)
    for number, client in enumerate(clients):
        assert client.recv(100) == b"to from %d" % number


def test_a_free_source_port_is_kept_for_peer_to_peer_traffic(online: World) -> None:
    server = online.udp(online.internet, SERVER, 7000)
    client = online.udp(online.hosts[0], port=5060)
    client.sendto(b"hello", (SERVER, 7000))
    assert server.recvfrom(100) == (b"hello", (UPLINK, 5060))


def test_tcp_goes_through_both_ways(online: World) -> None:
    listener = online.tcp(online.internet, SERVER, 8000)
    listener.listen()
    client = online.tcp(online.hosts[1])
    client.connect((SERVER, 8000))
    connection, (address, _) = listener.accept()
    assert address == UPLINK
    client.sendall(b"x" * 200_000)
    client.shutdown(1)
    connection.settimeout(20)
    received = 0
    while chunk := connection.recv(65536):
        received += len(chunk)
    assert received == 200_000


def test_flows_are_told_with_both_tuples(online: World) -> None:
    server = online.udp(online.internet, SERVER, 7000)
    client = online.udp(online.hosts[2], port=5000)
    client.sendto(b"hello", (SERVER, 7000))
    server.recv(100)
    (flow,) = online.router.call("flows", 10)
    assert flow["protocol"] == "udp"
    assert (flow["source"], flow["source_port"]) == (f"{LAN}.13", 5000)
    assert (flow["destination"], flow["destination_port"]) == (SERVER, 7000)
    assert (flow["masqueraded"], flow["masqueraded_port"]) == (UPLINK, 5000)
    # RFC 4787, REQ-5: a mapping lives two minutes at least, answered or not.
    assert 100 < flow["timeout_s"] <= 120
    assert online.router.call("flow_count") == 1


def test_segments_fit_the_uplink(online: World) -> None:
    online.router.space.ip("link set ppp-modem1 mtu 576")
    listener = online.tcp(online.internet, SERVER, 8000)
    listener.listen()
    client = online.tcp(online.hosts[0])
    client.connect((SERVER, 8000))
    connection, _ = listener.accept()
    tcp_maxseg = 2
    for end in (client, connection):
        assert end.getsockopt(6, tcp_maxseg) <= 576 - 40


def test_the_router_itself_reaches_the_internet(online: World) -> None:
    server = online.udp(online.internet, SERVER, 53)
    resolver = online.udp(online.router.space)
    resolver.sendto(b"question", (SERVER, 53))
    message, address = server.recvfrom(100)
    assert (message, address[0]) == (b"question", UPLINK)
    server.sendto(b"answer", address)
    assert resolver.recv(100) == b"answer"


def test_the_route_is_ours_and_counters_count(online: World) -> None:
    route = online.router.tool("ip", "route", "show", "default")
    assert route.split() == ["default", "dev", "ppp-modem1", "proto", "77", "scope", "link"]
    before = online.router.call("counters", "ppp-modem1")["tx_bytes"]
    online.udp(online.hosts[0]).sendto(b"x" * 1000, (PEER, 9))
    server = online.udp(online.internet, SERVER, 7000)
    online.udp(online.hosts[0]).sendto(b"after", (SERVER, 7000))
    server.recv(100)
    assert online.router.call("counters", "ppp-modem1")["tx_bytes"] >= before + 1000
    assert online.router.call("counters", "ppp-nothing") == {"rx_bytes": 0, "tx_bytes": 0}


def test_a_host_learns_the_uplinks_mtu(online: World) -> None:
    """Path MTU discovery (RFC 1191): without it, large packets vanish in a black hole."""
    online.router.space.ip("link set ppp-modem1 mtu 576")
    ip_mtu_discover, always, ip_mtu = 10, 2, 14
    client = online.udp(online.hosts[0])
    client.setsockopt(0, ip_mtu_discover, always)
    client.connect((SERVER, 7000))

    def learned() -> bool:
        with contextlib.suppress(OSError):  # too long, as it knows then
            client.send(b"x" * 1000)
        return client.getsockopt(0, ip_mtu) == 576

    eventually(learned, "the host knows the path's MTU")
