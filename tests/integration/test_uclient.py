"""turnutils_uclient in all its modes over UDP and IPv4, without a lost message."""

import re
import time

import uclient
from lab import SERVICE, Lab, LabError, check, test, wait_until
from relay import REFERENCE, SECRET, configuration, start_relay

N = 60
PACE = ("-n", str(N), "-z", "10")
# name, options, messages; {peer} stands for the peer's address
MODES = (
    ("client-to-client", ("-y",), 2 * N),
    ("client-to-client-send", ("-y", "-s"), 2 * N),
    ("peer", ("-e", "{peer}"), N),
    ("peer-send", ("-e", "{peer}", "-s"), N),
    ("dont-fragment", ("-e", "{peer}", "-g"), N),
    ("dont-fragment-send", ("-e", "{peer}", "-g", "-s"), N),
    ("padded-channel", ("-e", "{peer}", "-D"), N),
    ("extra-requests", ("-e", "{peer}", "-G"), N),
    ("explicit-ipv4", ("-e", "{peer}", "-X"), N),
    ("origin", ("-e", "{peer}", "-o", "http://example.org"), N),
    ("random-disconnect", ("-e", "{peer}", "-B"), N),
    ("small", ("-e", "{peer}", "-l", "17"), N),
    ("large", ("-e", "{peer}", "-l", "1400"), N),
    ("many", ("-y", "-m", "10"), 10 * N),
)


def check_all(lab, relay, started, timeout_s):
    """Wait for all of [(client, messages)]; every message of every client must be back."""
    wrong = []
    end_s = time.monotonic() + timeout_s
    for process, n_messages in started:
        try:
            uclient.check_no_loss(process, n_messages, max(0, end_s - time.monotonic()))
        except LabError as error:
            wrong.append(str(error))
    check(not wrong, f"{'; '.join(wrong)}; not read in time: {uclient.overflows(lab)}; "
          f"the relay: {relay.counters()}")


def run_modes(lab, relay):
    uclient.start_peer(lab)
    started = []
    for name, options, n_messages in MODES:
        options = [option.format(peer=lab.peer_address) for option in options]
        started.append((uclient.start(lab, *options, *PACE, name=name), n_messages))
    check_all(lab, relay, started, 45)


def check_nothing_lost(relay):
    """The relay agrees: none of the media was dropped for want of room."""
    relay.stop()
    for name in ("tx_full", "loop_full", "punt_full", "kernel_full"):
        check(name not in relay.drops(), f"the relay dropped: {relay.drops()}")


@test(alone=True)
def test_modes_af_packet():
    with Lab() as lab:
        relay = start_relay(lab)
        run_modes(lab, relay)
        check_nothing_lost(relay)


@test(alone=True)
def test_modes_af_xdp():
    with Lab() as lab:
        relay = start_relay(lab, device="af_xdp")
        run_modes(lab, relay)
        check_nothing_lost(relay)


@test(alone=True)
def test_modes_two_ports_two_workers():
    with Lab(wires=2, queues=2) as lab:
        relay = start_relay(lab, workers=2)
        run_modes(lab, relay)
        check_nothing_lost(relay)


@test()
def test_hostile_modes_leave_the_relay_serving():
    """uclient's negative tests and its hit-and-run flood; then media flow as before."""
    with Lab() as lab:
        start_relay(lab)
        uclient.start_peer(lab)
        broken = uclient.start(lab, "-y", "-R", *PACE, name="negative-protocol")
        for process in (
                uclient.start(lab, "-y", "-N", *PACE, name="negative"),
                uclient.start(lab, "-e", lab.peer_address, "-O", "-m", "50", name="flood")):
            process.wait(30)
        uclient.check_no_loss(uclient.start(lab, "-y", *PACE), 2 * N)
        broken.stop()


@test()
def test_rest_credentials():
    with Lab() as lab:
        config = configuration(lab)
        config["auth"] = {"realm": "turnpike.test", "rest-secrets": ["south-star", SECRET]}
        start_relay(lab, config)
        rest = uclient.start(lab, "-y", *PACE, credentials=("-u", "bob", "-W", SECRET))
        uclient.check_no_loss(rest, 2 * N)
        wrong = uclient.start(lab, "-y", *PACE, credentials=("-u", "bob", "-W", "no-star"))
        check(wrong.wait(30) != 0, "a wrong REST secret was accepted")


@test()
def test_wrong_password_gets_no_allocation():
    with Lab() as lab:
        relay = start_relay(lab)
        wrong = uclient.start(lab, "-y", *PACE, credentials=("-u", "alice", "-w", "shut"))
        check(wrong.wait(30) != 0, "a wrong password was accepted")
        check("Cannot complete Allocation" in wrong.log(), wrong.last_line())
        n_made = relay.stop().get("allocations_created", 0)
        check(n_made == 0, f"{n_made} allocations were made")


@test()
def test_stunclient_binding():
    with Lab() as lab:
        start_relay(lab)
        told = lab.run("client", "turnutils_stunclient", SERVICE)
        check(re.search(r"UDP reflexive addr: 198\.18\.0\.10:\d+", told), told)


def five_hundred(workers, with_peers):
    """500 clients at once: 25 programs of 20, each client 10 messages a second for 10 s.

    Without RTCP (-c): uclient draws channel numbers at random, and the second of a client may be
    its first one.
    """
    with Lab(queues=workers) as lab:
        relay = start_relay(lab, workers=workers)
        started = []
        for i in range(25):
            mode = ("-y",)
            if with_peers:
                uclient.start_peer(lab, 5000 + i)
                mode = ("-e", lab.peer_address, "-r", 5000 + i)
            client = uclient.start(lab, *mode, "-c", "-m", "20", "-n", "100", "-z", "100")
            started.append((client, 20 * 100))
        if not REFERENCE:
            wait_until(lambda: relay.counters().get("allocations", 0) >= 500, 30,
                       "500 allocations")
        check_all(lab, relay, started, 80)
        check_nothing_lost(relay)


@test(limit_s=120, alone=True)
def test_five_hundred_clients_one_worker():
    five_hundred(1, with_peers=True)


@test(limit_s=120, alone=True)
def test_five_hundred_clients_four_workers():
    five_hundred(4, with_peers=False)
