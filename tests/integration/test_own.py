"""Addresses of this box are never a peer, whenever Linux got them."""

import concurrent.futures
import contextlib
import json
import os
import re
import resource
import subprocess
import time

from lab import SERVICE, SERVICE6, Lab, check, test, wait_until
from relay import PASSWORD, TOP, USER, start_relay
from stunlib import (CREATE_PERMISSION, IPV6_RELAYED, SUCCESS, XOR_PEER_ADDRESS, Client,
                     encode_address)
from test_robust import Call, start_echo

CTL = f"{TOP}/build/app/turnpikectl/turnpikectl"
PEER, PEER6 = "198.18.0.77", "2001:db8:18::77"
NETWORK, BROADCAST = "198.18.64.1/24", "198.18.64.255"
MANY = [f"198.19.{i // 250}.{i % 250 + 1}" for i in range(3000)]
FORBIDDEN = 403


@contextlib.contextmanager
def another_call(lab):
    """One that goes on meanwhile and loses nothing; it talks to another peer."""
    start_echo(lab)
    call = Call(lab)
    with concurrent.futures.ThreadPoolExecutor(1) as threads:
        goes_on = [True]

        def talk():
            n = 0
            while goes_on:
                n += call.talk(0.1)
            return n

        talking = threads.submit(talk)
        try:
            yield
        finally:
            goes_on.clear()
        check(talking.result() > 0, "no media")


def give(lab, *words):
    lab.run("relay", "ip", "addr", "add", *words, "dev", "another0")


def take(lab, *words):
    lab.run("relay", "ip", "addr", "del", *words, "dev", "another0")


def permit(client, *peers):
    """0, or the error."""
    answer = client.request(CREATE_PERMISSION, *((XOR_PEER_ADDRESS, encode_address(peer, 0))
                                                 for peer in peers))
    check(answer, "no answer")
    return 0 if answer.kind == SUCCESS else answer.error


def becomes(client, peer, error):
    wait_until(lambda: permit(client, peer) == error, 5, f"{error} for {peer}")


def standing(relay):
    """(permissions, channels)"""
    text = subprocess.run((CTL, "-s", relay.config["admin"]["socket"], "--json", "status"),
                          capture_output=True, text=True, timeout=20, check=True).stdout
    turn = json.loads(text)["turn"]
    return turn["permissions"], turn["channels"]


def changes(relay):
    """[(addresses, new, gone)]"""
    return [tuple(map(int, numbers)) for numbers in re.findall(
        r" info own\.changed addresses=(\d+) new=(\d+) gone=(\d+)$", relay.process.log(), re.M)]


def start(lab):
    relay = start_relay(lab)
    lab.run("relay", "ip", "link", "add", "another0", "type", "bridge")
    lab.run("relay", "ip", "link", "set", "another0", "up")
    return relay


@test()
def test_an_address_that_becomes_ours_is_no_peer_until_it_has_gone():
    with Lab() as lab:
        relay = start(lab)
        with another_call(lab), lab.inside("client"), Client((SERVICE, 3478), USER, PASSWORD) as client:
            client.allocate()
            check(client.bind_channel(0x4000, PEER, 9).kind == SUCCESS, "no channel")
            check(permit(client, BROADCAST) == 0, "a peer like any other")
            check(standing(relay) == (3, 2), f"{standing(relay)}")
            give(lab, f"{PEER}/32")
            wait_until(lambda: standing(relay) == (2, 1), 5, "what stood for it has ended")
            check(permit(client, PEER) == FORBIDDEN, "it may be reached again")
            check(client.bind_channel(0x4000, PEER, 9).error == FORBIDDEN, "by a channel, too")
            give(lab, NETWORK)
            wait_until(lambda: standing(relay) == (1, 1), 5, "nor its network's broadcast address")
            check(changes(relay)[-2:] == [(changes(relay)[-1][0] - 3, 1, 0), (changes(relay)[-1][0], 3, 0)],
                  f"{changes(relay)}")
            # Once more, and away again, is no change.
            n_changes = len(changes(relay))
            lab.run("relay", "ip", "addr", "add", f"{PEER}/32", "dev", "lo")
            time.sleep(0.5)  # more than it takes to look
            take(lab, f"{PEER}/32")
            check(permit(client, PEER) == FORBIDDEN, "it is still ours")
            lab.run("relay", "ip", "addr", "del", f"{PEER}/32", "dev", "lo")
            becomes(client, PEER, 0)
            check(len(changes(relay)) == n_changes + 1 and changes(relay)[-1][1:] == (0, 1),
                  f"{changes(relay)}")
            check(permit(client, BROADCAST) == FORBIDDEN, "the other is still ours")
            lab.run("relay", "ip", "link", "del", "another0")
            becomes(client, BROADCAST, 0)
        relay.stop()


@test()
def test_an_address_of_ipv6_that_becomes_ours_is_no_peer():
    with Lab(ipv6=True) as lab:
        relay = start(lab)
        lab.run("relay", "sysctl", "-qw", "net.ipv6.conf.another0.disable_ipv6=0")
        with lab.inside("client"), Client((SERVICE6, 3478), USER, PASSWORD) as client:
            client.allocate(IPV6_RELAYED)
            check(permit(client, PEER6) == 0, "a peer like any other")
            give(lab, f"{PEER6}/128")
            wait_until(lambda: standing(relay) == (0, 0), 5, "what stood for it has ended")
            check(permit(client, PEER6) == FORBIDDEN, "it may be reached again")
            take(lab, f"{PEER6}/128")
            becomes(client, PEER6, 0)
        relay.stop()


@test()
def test_what_linux_did_not_tell_is_asked_again():
    with Lab() as lab:
        relay = start(lab)
        pid = relay.process.pid
        before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        n_open = len(os.listdir(f"/proc/{pid}/fd"))
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (n_open, before[1]))
        give(lab, f"{PEER}/32")
        relay.process.wait_log(r'error own\.unknown reason="Too many open files"$')
        resource.prlimit(pid, resource.RLIMIT_NOFILE, before)
        relay.process.wait_log(r"info own\.changed addresses=\d+ new=1 gone=0$")
        with lab.inside("client"), Client((SERVICE, 3478), USER, PASSWORD) as client:
            client.allocate()
            check(permit(client, PEER) == FORBIDDEN, "it may be reached")
        code = relay.process.stop()
        check(code == 0, f"the relay ended with {code}")


@test()
def test_thousands_of_addresses_at_once_hold_up_nothing():
    with Lab() as lab:
        relay = start(lab)
        batch = lab.path("addresses")
        with open(batch, "w", encoding="utf-8") as file:
            file.writelines(f"addr add {address}/32 dev another0\n" for address in MANY)
        with another_call(lab), lab.inside("client"), Client((SERVICE, 3478), USER, PASSWORD) as client:
            client.allocate()
            check(permit(client, *MANY[-20:]) == 0, "peers like any others")
            lab.run("relay", "ip", "-batch", batch)
            wait_until(lambda: standing(relay)[0] == 1, 5, "what stood for them has ended")
            check(all(permit(client, peer) == FORBIDDEN for peer in MANY[::100]), "they may be reached")
            lab.run("relay", "ip", "link", "del", "another0")
            becomes(client, MANY[-1], 0)
        told = changes(relay)
        check(sum(new for _, new, _ in told) == len(MANY) == sum(gone for _, _, gone in told), f"{told}")
        check(len(told) < 100, f"{len(told)} looks")
        relay.stop()
