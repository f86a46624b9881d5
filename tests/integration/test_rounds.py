"""Ten thousand allocations that come and go: every port, buffer and byte of memory comes back."""

import selectors
import socket
import time

from lab import SERVICE, Lab, check, test, wait_until
from relay import PASSWORD, REFERENCE, USER, start_relay
from stunlib import (ALLOCATE, LIFETIME, NONCE, REFRESH, SUCCESS, UDP_TRANSPORT, Credentials,
                     Message, build)

N_CLIENTS = 50
N_PORTS = 65535 - 49152 + 1
REPEAT_S = 0.5
RELEASE = (LIFETIME, bytes(4))


class Rounder:
    """One client after the other: each allocates, releases and is gone with its port."""

    def __init__(self, selector, n_rounds):
        self.selector = selector
        self.n_left = n_rounds
        self.n_repeats = 0
        self.begin()

    def begin(self):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.connect((SERVICE, 3478))
        self.selector.register(self.socket, selectors.EVENT_READ, self)
        self.credentials = Credentials(USER, PASSWORD)
        self.ask(ALLOCATE, UDP_TRANSPORT)

    def ask(self, method, attribute):
        self.asked = (method, attribute)
        self.request = build(method, attributes=(attribute, *self.credentials.attributes),
                             key=self.credentials.key)
        self.send()

    def send(self):
        self.sent_s = time.monotonic()
        self.socket.send(self.request)

    def repeat_if_late(self, now_s):
        if self.n_left and now_s - self.sent_s > REPEAT_S:
            self.n_repeats += 1
            self.send()

    def take(self):
        """One datagram from the relay: the next step, if it is the answer that is waited for."""
        answer = Message(self.socket.recv(2048))
        if answer.transaction != self.request[8:20]:
            return
        if answer.error in (401, 438) and NONCE in answer:
            self.credentials.learn(answer)
            self.ask(*self.asked)
            return
        if REFERENCE and answer.error == 437:  # coturn remembers a client it has released
            self.leave()
            self.begin()
            return
        check(answer.kind == SUCCESS, f"method {answer.method} got {answer.error}")
        if answer.method == ALLOCATE:
            self.ask(REFRESH, RELEASE)
        else:
            self.end()

    def leave(self):
        self.selector.unregister(self.socket)
        self.socket.close()

    def end(self):
        self.leave()
        self.n_left -= 1
        if self.n_left:
            self.begin()


def run_rounds(n_rounds):
    """Drive N_CLIENTS clients at once through `n_rounds`; how many requests were repeated."""
    selector = selectors.DefaultSelector()
    clients = [Rounder(selector, n_rounds // N_CLIENTS) for _ in range(N_CLIENTS)]
    next_look_s = time.monotonic() + REPEAT_S
    while any(client.n_left for client in clients):
        for key, _ in selector.select(REPEAT_S):
            key.data.take()
        now_s = time.monotonic()
        if now_s > next_look_s:
            next_look_s = now_s + REPEAT_S
            for client in clients:
                client.repeat_if_late(now_s)
    return sum(client.n_repeats for client in clients)


@test(limit_s=90, alone=True)
def test_ten_thousand_rounds_leave_nothing():
    with Lab() as lab:
        relay = start_relay(lab)
        with lab.inside("client"):
            n_repeats = run_rounds(2000)
            early_kib = relay.rss_kib()
            n_repeats += run_rounds(8000)
            late_kib = relay.rss_kib()
        print(f"RSS {early_kib}, then {late_kib} KiB; {n_repeats} requests repeated")
        check(late_kib - early_kib < 1024, f"RSS grew from {early_kib} to {late_kib} KiB")
        if not REFERENCE:
            check_all_back(relay)


def check_all_back(relay):
    wait_until(lambda: relay.counters().get("ports_free") == N_PORTS, 15, "every port free again")
    counters = relay.stop()
    check(counters["allocations_created"] == 10000,
          f"{counters['allocations_created']} allocations were made")
    for left in ("allocations", "permissions", "channels", "ports_used", "ports_cooling",
                 "mbufs_in_use"):
        check(counters[left] == 0, f"{left}={counters[left]} in the end")
