"""turnpike-load over IPv6: all four pairs of client's and peer's family, on every kind of wire."""

import os
from concurrent.futures import ThreadPoolExecutor

from lab import CLIENT, CLIENT6, OUTSIDE, OUTSIDE6, SERVICE, SERVICE6, Lab, check, test, wait_until
from relay import ReferenceRelay, configuration, start_relay
from test_load import (MEASURED, PATIENT, RESOURCE, UNAVAILABLE, USAGE, FarEcho,
                       check_all_delivered, load)

SERVERS = {4: f"{SERVICE}:3478", 6: f"[{SERVICE6}]:3478"}
CLIENTS = {4: CLIENT, 6: CLIENT6}
PAIRS = ((4, 6), (6, 4), (6, 6), (4, 4))
RELAYS = ("--relay", SERVICE, "--relay", SERVICE6)


def check_both_ways(code, result, n):
    check(code == MEASURED, f"exit {code}")
    for direction in ("up", "down"):
        check_all_delivered(result, direction, n)


def play_pairs(lab, pool, *argv):
    def play(pair):
        client, peer = pair
        return load(lab, "run", "-n", 20, "-d", 1, "--server", SERVERS[client], "--peer",
                    CLIENTS[peer], *RELAYS, *argv, *PATIENT)

    for code, _, result in pool.map(play, PAIRS):
        check_both_ways(code, result, 1000)


ALONE = {4: "198.18.0.11", 6: "2001:db8:18::11"}  # of peers: no other host has them


def play_frames(lab, pair, wire, *argv):
    client, peer = pair
    code, _, result = load(lab, "run", "-n", 20, "-d", 1, "--wire", wire, "--server",
                           SERVERS[client], "--client", CLIENTS[client], "--peer", ALONE[peer],
                           *RELAYS, *PATIENT, *argv)
    check_both_ways(code, result, 1000)


@test(limit_s=60)
def test_sockets_play_all_pairs():
    with Lab(ipv6=True) as lab, ThreadPoolExecutor() as pool:
        relay = start_relay(lab)
        play_pairs(lab, pool)
        play_pairs(lab, pool, "--via", "send")
        binding, allocate = pool.map(
            lambda argv: load(lab, *argv, "--server", SERVERS[6], "-d", 1, *PATIENT),
            (("binding", "--rate", 500), ("allocate", "--rate", 100)))
        check(binding[0] == allocate[0] == MEASURED, f"exit {binding[0]}, {allocate[0]}")
        check_all_delivered(binding[2], "up", 500)
        check(allocate[2]["calls_released"] == 100, f"{allocate[2]['control']}")
        counters = relay.stop()
        check(counters.get("allocations", 0) == 0, f"{counters}")


@test(limit_s=60)
def test_another_server_relays_all_pairs():
    with Lab(ipv6=True) as lab, ThreadPoolExecutor() as pool:
        ReferenceRelay(lab).start()
        play_pairs(lab, pool)
        # And between Linux's neighbour discovery and ours.
        lab.run("client", "ip", "addr", "flush", "dev", "eth0")
        for pair in ((6, 6), (6, 4)):
            play_frames(lab, pair, "af_packet:eth0")


def play_all_frames(lab, wire):
    start_relay(lab)
    lab.run("client", "ip", "addr", "flush", "dev", "eth0")
    for pair in PAIRS:
        play_frames(lab, pair, wire)


@test(limit_s=60)
def test_frames_by_af_packet_play_all_pairs():
    with Lab(ipv6=True) as lab:
        play_all_frames(lab, "af_packet:eth0")
        # The longest media fits an MTU of 1500 as an indication between addresses of IPv6.
        play_frames(lab, (6, 6), "af_packet:eth0", "--via", "send", "--profile", "flood",
                    "--size", 1400, "--rate", 1000)
        # An address that another host answers for is not ours.
        code, said, _ = load(lab, "run", "-n", 1, "--wire", "af_packet:eth0", "--server",
                             SERVERS[6], "--client", CLIENT6, "--peer", lab.peer_address6)
        check(code == RESOURCE and f"another host has {lab.peer_address6} " in said,
              f"exit {code}: {said}")


@test(limit_s=60)
def test_frames_by_af_xdp_play_all_pairs():
    with Lab(ipv6=True) as lab:
        play_all_frames(lab, "af_xdp:eth0")


def play_over_socket(kind, relay_kind):
    with Lab(ipv6=True) as lab, ThreadPoolExecutor() as pool:
        config = configuration(lab)
        path = lab.path("wire")
        config["ports"][0]["device"] = f"{relay_kind}:{path}"
        if kind == "memif":
            config["ports"][0]["role"] = "server"
        if kind == "vhost":
            ended = pool.submit(play_frames, lab, (6, 6), f"vhost:{path}")
            wait_until(lambda: os.path.exists(path), 15, "the generator serves its socket")
            start_relay(lab, config)
            ended.result()
        else:
            start_relay(lab, config)
            for pair in ((6, 4), (4, 6)):
                play_frames(lab, pair, f"{kind}:{path}")


@test(limit_s=60)
def test_frames_by_virtio_user_play_ipv6():
    play_over_socket("virtio_user", "vhost")


@test(limit_s=60)
def test_frames_by_vhost_play_ipv6():
    play_over_socket("vhost", "virtio_user")


@test(limit_s=60)
def test_frames_by_memif_play_ipv6():
    play_over_socket("memif", "memif")


@test(limit_s=60)
def test_clients_and_peers_on_two_wires():
    """An edge between two networks, and two families."""
    with Lab(wires=2, ipv6=True) as lab:
        start_relay(lab)
        lab.run("peer", "ip", "link", "set", "eth0", "netns", lab.namespace("client"),
                "name", "eth1")
        lab.run("client", "ip", "link", "set", "eth1", "up")
        for wire in ((), ("--wire", "af_packet:eth0")):
            for client, peer, relay in ((4, lab.peer_address6, OUTSIDE6),
                                        (6, lab.peer_address, OUTSIDE)):
                code, _, result = load(
                    lab, "run", "-n", 20, "-d", 1, "--server", SERVERS[client], "--client",
                    CLIENTS[client], *wire, "--peer-wire", "af_packet:eth1", "--peer", peer,
                    "--relay", relay, *PATIENT)
                check_both_ways(code, result, 1000)
            lab.run("client", "ip", "addr", "flush", "dev", "eth0")


@test(limit_s=60)
def test_far_echo_of_ipv6_gives_back_what_came_through_the_relay():
    with Lab(ipv6=True) as lab:
        start_relay(lab)
        far = ("-n", 20, "-d", 1, "--relay", SERVICE6, "--echo", lab.peer_address6, *PATIENT)
        for wire in ((), ("--wire", "af_packet:eth0")):
            echo = FarEcho(lab, "--echo", lab.peer_address6, "--relay", SERVICE6, *wire)
            for client in (4, 6):
                code, _, result = load(lab, "run", "--server", SERVERS[client], *far)
                check(code == MEASURED, f"exit {code}")
                check_all_delivered(result, "up", 1000)
            saw = echo.end()
            check(saw["returned"] == saw["received"] == 2000, f"{saw}")
            lab.run("peer", "ip", "addr", "flush", "dev", "eth0")


@test(limit_s=60)
def test_addresses_that_do_not_go_together_are_refused():
    with Lab(ipv6=True) as lab:
        start_relay(lab)
        server6 = ("--server", SERVERS[6])
        for argv, wanted, why in (
                (("--client", CLIENT, *server6), USAGE, "family of the server"),
                (("--client", CLIENT6), USAGE, "family of the server"),
                (("--client", CLIENT, "--client", CLIENT6), USAGE, "family of the server"),
                (("--peer", CLIENT, "--peer", CLIENT6, *RELAYS), USAGE, "one family"),
                (("--echo", CLIENT, "--echo", CLIENT6, *RELAYS), USAGE, "one family"),
                (("--peer", CLIENT6), USAGE, "--relay is missing"),
                (("--peer", CLIENT, *server6), USAGE, "--relay is missing"),
                (("--peer", "fe80::1", *server6), USAGE, "cannot use: fe80::1"),
                (("--peer", "2001:db8::99", *server6), UNAVAILABLE, "as an address of this host"),
                (("--server", "[3fff::1]:3478"), UNAVAILABLE, "no route to the server"),
                (("--wire", "af_packet:eth0", "--client", CLIENT, "--gateway", SERVICE6), USAGE,
                 "--gateway must be of a family that is on its wire"),
                (("--peer-wire", "af_packet:eth0", "--peer", CLIENT, "--peer-gateway", SERVICE6),
                 USAGE, "--peer-gateway must be of the family")):
            code, said, result = load(lab, "run", *argv)
            check(code == wanted and why in said and not result, f"{argv}: exit {code}: {said}")
