"""turnpike-load over IPv6: all four pairs of client's and peer's family, on every kind of wire."""

from concurrent.futures import ThreadPoolExecutor

from lab import CLIENT, CLIENT6, SERVICE, SERVICE6, Lab, check, test
from relay import ReferenceRelay, start_relay
from test_load import MEASURED, PATIENT, UNAVAILABLE, USAGE, check_all_delivered, load

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


@test(limit_s=40)
def test_sockets_play_all_pairs():
    with Lab(ipv6=True) as lab, ThreadPoolExecutor() as pool:
        relay = start_relay(lab)
        play_pairs(lab, pool)
        play_pairs(lab, pool, "--via", "send")
        counters = relay.stop()
        check(counters.get("allocations", 0) == 0, f"{counters}")


@test(limit_s=40)
def test_another_server_relays_all_pairs():
    with Lab(ipv6=True) as lab, ThreadPoolExecutor() as pool:
        ReferenceRelay(lab).start()
        play_pairs(lab, pool)


@test(limit_s=40)
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
                (("--server", "[3fff::1]:3478"), UNAVAILABLE, "no route to the server")):
            code, said, result = load(lab, "run", *argv)
            check(code == wanted and why in said and not result, f"{argv}: exit {code}: {said}")
