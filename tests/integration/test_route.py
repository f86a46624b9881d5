"""The way out follows Linux: packets wait for a neighbour's address, and move with MAC and route."""

import socket

from lab import SERVICE, SERVICE6, Lab, check, test, wait_until
from relay import PASSWORD, USER, configuration, start_relay
from stunlib import (CREATE_PERMISSION, IPV6_RELAYED, LIFETIME, REFRESH, SUCCESS, XOR_PEER_ADDRESS,
                     Client, channel_data, encode_address)
from test_ctl import rows

PEER_PORT = 9999
CHANNEL = 0x4000


def open_call(lab, ipv6=False):
    """A client with an allocation, and a peer's socket: (client, peer)."""
    with lab.inside("peer"):
        peer = socket.socket(socket.AF_INET6 if ipv6 else socket.AF_INET, socket.SOCK_DGRAM)
    peer.bind(("::" if ipv6 else "0.0.0.0", PEER_PORT))
    peer.settimeout(10)
    with lab.inside("client"):
        client = Client((SERVICE6 if ipv6 else SERVICE, 3478), USER, PASSWORD)
    client.allocate(*[IPV6_RELAYED] * ipv6)
    return client, peer


def bind(client, ip):
    check(client.bind_channel(CHANNEL, ip, PEER_PORT).kind == SUCCESS, "no channel")


def delivered(client, peer, data):
    """Send until it arrives: for what comes after a change that spreads."""
    peer.settimeout(0.05)

    def attempt():
        client.send(channel_data(CHANNEL, data))
        try:
            return peer.recv(2048) == data
        except TimeoutError:
            return False

    wait_until(attempt, 10, f"{data} reaches the peer")


@test()
def test_packets_wait_for_their_neighbour():
    with Lab() as lab:
        relay = start_relay(lab)
        client, peer = open_call(lab)
        lab.run("peer", "ip", "link", "set", "eth0", "arp", "off")
        bind(client, lab.peer_address)
        for i in range(5):
            client.send(channel_data(CHANNEL, b"early %d" % i))
        wait_until(lambda: relay.counters().get("kernel") == 5, 5, "5 packets went to the kernel")
        lab.run("peer", "ip", "link", "set", "eth0", "arp", "on")
        got = [peer.recv(2048) for _ in range(5)]
        check(got == [b"early %d" % i for i in range(5)], str(got))
        delivered(client, peer, b"late")
        counters = relay.stop()
        check(counters["kernel_lost"] == 0 and counters["drops"] == 0, str(counters))


@test()
def test_packets_wait_for_their_neighbour_of_ipv6():
    with Lab(ipv6=True) as lab:
        relay = start_relay(lab)
        client, peer = open_call(lab, ipv6=True)
        lab.run("peer", "ip", "addr", "del", f"{lab.peer_address6}/64", "dev", "eth0")
        bind(client, lab.peer_address6)
        for i in range(5):
            client.send(channel_data(CHANNEL, b"early %d" % i))
        wait_until(lambda: relay.counters().get("kernel") == 5, 5, "5 packets went to the kernel")
        lab.run("peer", "ip", "addr", "add", f"{lab.peer_address6}/64", "dev", "eth0", "nodad")
        got = [peer.recv(2048) for _ in range(5)]
        check(got == [b"early %d" % i for i in range(5)], str(got))
        delivered(client, peer, b"late")
        counters = relay.stop()
        check(counters["kernel_lost"] == 0 and counters["drops"] == 0, str(counters))


@test()
def test_media_follow_a_link_local_gateway():
    """The peer's far address is behind fe80::77, and then behind fe80::78."""
    far = "2001:db8:77::7"
    with Lab(ipv6=True) as lab:
        config = configuration(lab)
        config["peers"]["allow"].append("2001:db8:77::/48")
        config["ports"][0]["routes"] = [{"to": "2001:db8:77::/48", "via": "fe80::77"}]
        lab.run("peer", "ip", "addr", "add", "fe80::77/64", "dev", "eth0", "nodad")
        relay = start_relay(lab, config)
        lab.run("peer", "sysctl", "-qw", "net.ipv6.conf.lo.disable_ipv6=0")
        lab.run("peer", "ip", "addr", "add", f"{far}/128", "dev", "lo")
        client, peer = open_call(lab, ipv6=True)
        bind(client, far)
        delivered(client, peer, b"by the first")
        lab.run("relay", "ip", "-6", "route", "del", "2001:db8:77::/48")
        wait_until(lambda: client.send(channel_data(CHANNEL, b"nowhere")) or
                   relay.drops("stats").get("no_route"), 10, "packets without a route are dropped")
        lab.run("peer", "ip", "addr", "add", "fe80::78/64", "dev", "eth0", "nodad")
        lab.run("relay", "ip", "-6", "route", "add", "2001:db8:77::/48", "via", "fe80::78",
                "dev", "tp0")
        delivered(client, peer, b"by the second")
        relay.stop()


@test()
def test_media_follow_a_new_mac():
    with Lab() as lab:
        relay = start_relay(lab)
        client, peer = open_call(lab)
        bind(client, lab.peer_address)
        delivered(client, peer, b"before")
        lab.run("peer", "ip", "link", "set", "eth0", "address", "02:00:00:00:00:77")
        lab.run("peer", "arping", "-q", "-U", "-c", "1", "-I", "eth0", lab.peer_address)
        delivered(client, peer, b"after")
        relay.stop()


@test()
def test_media_follow_a_new_route():
    """The peer's far address is reached by one gateway, then by none, then by another."""
    far = "198.51.100.7"
    with Lab() as lab:
        config = configuration(lab)
        config["peers"]["allow"].append("198.51.100.0/24")
        config["ports"][0]["routes"] = [{"to": "198.51.100.0/24", "via": lab.peer_address}]
        relay = start_relay(lab, config)
        lab.run("peer", "ip", "addr", "add", f"{far}/32", "dev", "lo")
        client, peer = open_call(lab)
        bind(client, far)
        delivered(client, peer, b"by the first")
        lab.run("relay", "ip", "route", "del", "198.51.100.0/24")
        wait_until(lambda: client.send(channel_data(CHANNEL, b"nowhere")) or
                   relay.drops("stats").get("no_route"), 10, "packets without a route are dropped")
        lab.run("peer", "ip", "addr", "add", "198.18.0.21/24", "dev", "eth0")
        lab.run("relay", "ip", "route", "add", "198.51.100.0/24", "via", "198.18.0.21")
        delivered(client, peer, b"by the second")
        relay.stop()


def name_neighbours(lab, first, n):
    """Permissions for `n` addresses on the link that nobody has, by as many clients as that takes."""
    clients = []
    for at in range(first, first + n, 128):
        with lab.inside("client"):
            clients.append(Client((SERVICE6, 3478), USER, PASSWORD))
        clients[-1].allocate(IPV6_RELAYED)
        for low in range(at, at + 128, 16):
            peers = [(XOR_PEER_ADDRESS, encode_address(f"{SERVICE6}:{i:x}", 0))
                     for i in range(low, low + 16)]
            check(clients[-1].request(CREATE_PERMISSION, *peers).kind == SUCCESS, "no permission")
    return clients


@test()
def test_neighbours_that_are_peers_no_more_make_room():
    """Clients name peers on the link until there is hardly room for more, and go."""
    with Lab(ipv6=True) as lab:
        relay = start_relay(lab)
        client, peer = open_call(lab, ipv6=True)
        bind(client, lab.peer_address6)
        delivered(client, peer, b"before")
        for stranger in name_neighbours(lab, 0x1000, 25 * 128):
            check(stranger.request(REFRESH, (LIFETIME, b"\0\0\0\0")).kind == SUCCESS, "not gone")
        check(len(rows(relay, "show", "routes")) > 25 * 128, "every peer has a next hop")
        wait_until(lambda: len(rows(relay, "show", "routes")) < 100, 40, "most are forgotten")
        delivered(client, peer, b"after")
        # What comes back at one of their places is another neighbour.
        lab.run("peer", "ip", "addr", "add", f"{SERVICE6}:99/64", "dev", "eth0", "nodad")
        check(client.bind_channel(CHANNEL + 1, f"{SERVICE6}:99", PEER_PORT).kind == SUCCESS, "new")
        peer.settimeout(5)
        client.send(channel_data(CHANNEL + 1, b"to the new one"))
        check(peer.recv(2048) == b"to the new one", "the new neighbour's first packet")
        relay.stop()
