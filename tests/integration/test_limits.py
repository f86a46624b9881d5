"""Limits over a wire: a user's rate of media, and a relay that gets more requests than it can judge."""

import random
import socket
import struct
import threading
from concurrent.futures import ThreadPoolExecutor

from lab import SERVICE, Lab, check, test
from relay import PASSWORD, USER, configuration, start_relay
from stunlib import ALLOCATE, REFRESH, SUCCESS, UDP_TRANSPORT, Client, build
from test_load import MEASURED, PATIENT, load

GREEDY, MODEST = USER, "bob"
KBIT_S = 1600
# What a relay may drop of a crowd, and what the kernel's ring does not take in time: never media
# for a reason of its own.
OF_THE_CROWD = {"punt_shed", "punt_full", "challenge_budget", "no_route", "kernel_full",
                "mirror_full", "tx_full"}


def delivered(result, direction):
    return result[direction]["delivered"] / result[direction]["offered"]


@test(limit_s=60)
def test_a_greedy_user_gets_his_rate_and_a_modest_one_all():
    """3.2 Mbit/s each way, of which half may pass; beside it, 0.64 Mbit/s."""
    with Lab() as lab, ThreadPoolExecutor() as pool:
        config = configuration(lab)
        config["auth"]["users"].append({"name": MODEST, "password": PASSWORD})
        config["limits"]["rates"] = {"user-kbit-s": KBIT_S}
        relay = start_relay(lab, config)
        greedy, modest = pool.map(
            lambda who: load(lab, "run", "-n", who[1], "-d", 6, *PATIENT, user=who[0])[2],
            ((GREEDY, 50), (MODEST, 10)))
        for direction in ("up", "down"):
            share = delivered(greedy, direction)
            check(0.44 < share < 0.62, f"{direction}: {share:.3f} of the greedy user's media")
            check(delivered(modest, direction) > 0.99, f"{direction}: {modest[direction]}")
        relay.stop()
        n_lost = sum(greedy[way]["lost"] for way in ("up", "down"))
        n_dropped = relay.drops()["rate_user"]
        # The rest is the wire's.
        check(n_dropped <= n_lost < 1.02 * n_dropped, f"{n_lost} lost, {n_dropped} dropped")


def ipv4_udp(source, target, payload):
    """A packet from whom it likes; the kernel adds the header's checksum."""
    udp = struct.pack("!HHHH", source[1], target[1], 8 + len(payload), 0) + payload
    return struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0,
                       socket.inet_aton(source[0]), socket.inet_aton(target[0])) + udp


def spoof(sender, over):
    """Unsigned Allocates from all over the world, as fast as this thread can."""
    chance = random.Random(1)
    request = build(ALLOCATE, attributes=[UDP_TRANSPORT])
    packets = [ipv4_udp((f"203.0.{chance.randrange(256)}.{chance.randrange(1, 255)}", 999),
                        (SERVICE, 3478), request) for _ in range(5000)]
    n = 0
    while not over.is_set():
        sender.sendto(packets[n % len(packets)], (SERVICE, 0))
        n += 1
    return n


def refresh_until(client, over):
    """How many of how many Refreshes succeeded, one after the other."""
    n_asked = n_done = 0
    while not over.is_set():
        answer = client.request(REFRESH)
        n_asked += 1
        n_done += answer is not None and answer.kind == SUCCESS
        over.wait(0.05)
    return n_done, n_asked


@test(limit_s=100, alone=True)
def test_media_and_refreshes_pass_a_crowd():
    """New calls and a spoofed flood take all that the CPUs have. What the wire loses then is not the
    relay's: it must not drop media itself, and each Refresh must get its answer."""
    with Lab() as lab, ThreadPoolExecutor() as pool:
        relay = start_relay(lab)
        over = threading.Event()
        with lab.inside("peer"):
            sender = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
        with lab.inside("client"):
            client = Client((SERVICE, 3478), USER, PASSWORD)
        with sender, client:
            client.allocate()
            client.tries = 2 * 39  # RFC 8489 §6.2.1: a client goes on for 39.5 s
            crowd = pool.submit(spoof, sender, over)
            refreshes = pool.submit(refresh_until, client, over)
            new_calls = pool.submit(load, lab, "allocate", "-d", 4, "--rate", 4000, *PATIENT)
            _, _, calls = load(lab, "run", "-n", 20, "-d", 4, *PATIENT)
            new_calls.result()
            over.set()
            n_spoofed = crowd.result()
            n_done, n_asked = refreshes.result()
            check(client.request(REFRESH).kind == SUCCESS, "the call has ended")
        check(n_done == n_asked and n_asked > 5, f"{n_done} of {n_asked} Refreshes")
        check(n_spoofed > 1000, f"{n_spoofed} spoofed")
        check(calls["control"]["allocate"]["ok"] == 20, f"{calls['control']}")
        code, _, after = load(lab, "run", "-n", 10, "-d", 1, *PATIENT)
        check(code == MEASURED and after["up"]["lost"] == 0, f"afterwards: {after['up']}")
        relay.stop()
        drops = relay.drops()
        check(set(drops) <= OF_THE_CROWD, f"{drops}")
