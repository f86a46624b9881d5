"""What breaks around the relay, or within it, costs no more than README.md says."""

import base64
import contextlib
import ctypes
import errno
import hmac
import ipaddress
import json
import os
import socket
import tempfile
import time

from echo import CHANNEL, open_channel
from freeze import frozen, threads
from lab import SERVICE, SERVICE6, Lab, check, run, test, wait_until
from relay import PASSWORD, REALM, USER, Relay, configuration, start_relay
from stunlib import (ALLOCATE, BINDING, CREATE_PERMISSION, LIFETIME, REFRESH, SUCCESS,
                     UDP_TRANSPORT, XOR_PEER_ADDRESS, Client, build, channel_data, encode_address)

ECHO_PORT = 9999
PAGE = 4096
PIDFD_GETFD = 438  # of every architecture
N_FLOOD = 20000  # frames: more than a worker may be behind
FAKETIME = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1"
ECHO = """
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
s.bind(("0.0.0.0", %d))
print("ready", flush=True)
while True:
    s.sendto(*s.recvfrom(2048))
""" % ECHO_PORT


class Call:
    """A client with a channel to a peer that sends everything back."""

    def __init__(self, lab, user=USER, password=PASSWORD):
        with lab.inside("client"):
            self.client = Client((SERVICE, 3478), user, password)
        self.client.allocate()
        open_channel(lab, self.client, ECHO_PORT)
        self.n = 0

    def round_trip(self, timeout_s=1.0):
        self.n += 1
        message = channel_data(CHANNEL, b"message %d" % self.n)
        self.client.send(message)
        while answer := self.client.receive(timeout_s):  # and what is late
            if answer == message:
                return True
        return False

    def talk(self, seconds):
        """A message every 10 ms, each of which must come back; how many."""
        end, n = time.monotonic() + seconds, self.n
        while time.monotonic() < end:
            check(self.round_trip(), f"message {self.n} is lost")
            time.sleep(0.01)
        return self.n - n

    def until_answered(self, what):
        wait_until(lambda: self.round_trip(0.05), 15, what)

    def refresh(self):
        answer = self.client.request(REFRESH)
        return answer.error if answer else None


def check_by_the_wire(relay, call):
    """Media passes, and none of it through the kernel."""
    call.talk(1.1)  # statistics are a second old at most
    before = relay.counters()["kernel"]
    call.talk(2.1)
    after = relay.counters()["kernel"]
    check(after == before, f"{after - before} packets went through the kernel")


def start_echo(lab):
    lab.start("peer", "python3", "-c", ECHO, name="echo").wait_log("ready")


def worker_thread(relay, number):
    """EAL threads are named after their core; workers have those behind the control core's."""
    names = sorted(name for name in threads(relay.process.pid) if "worker" in name)
    return threads(relay.process.pid)[names[number]]


def client_of_a_moving_worker(lab):
    """A client whose requests come to a queue that is read: its Binding request is answered."""
    for _ in range(64):
        with lab.inside("client"):
            client = Client((SERVICE, 3478), USER, PASSWORD)
        client.send(build(BINDING))
        if client.receive(0.3):
            return client
    check(False, "no client is heard by a worker")


def flood_from_the_kernel(lab, n=N_FLOOD):
    """Datagrams of Linux itself, which leave through the mirror and a worker."""
    with lab.inside("relay"), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect((lab.peer_address, 7))
        for i in range(n):
            try:
                sock.send(b"flood")
            except ConnectionRefusedError:
                pass
            if i % 100 == 99:
                time.sleep(0.002)


def doubt_the_relay(lab):
    """Client and peer ask for its MAC every few seconds; Linux, behind the control core, answers."""
    for host in ("client", "peer"):
        for family in ("ipv4", "ipv6"):
            for name, value in (("base_reachable_time_ms", 1000), ("delay_first_probe_time", 1)):
                lab.run(host, "sysctl", "-qw", f"net.{family}.neigh.eth0.{name}={value}")


def forget_the_relay(lab):
    for host in ("client", "peer"):
        for family in ("-4", "-6"):
            lab.run(host, "ip", family, "neigh", "flush", "dev", "eth0")


def is_somebodys(lab, address):
    return lab.attempt("client", "arping", "-q", "-f", "-w", "2", "-I", "eth0",
                       address).returncode == 0


def relay_mac(lab, host, address):
    told = json.loads(lab.run(host, "ip", "-j", "neigh", "show", address))
    return told[0].get("lladdr") if told else None


@test(limit_s=120)
def test_media_flow_while_the_control_core_is_frozen_for_30_s():
    with Lab(ipv6=True) as lab:
        relay = start_relay(lab)
        start_echo(lab)
        call = Call(lab)
        with lab.inside("client"):
            client6 = Client((SERVICE6, 3478), USER, PASSWORD)
        doubt_the_relay(lab)
        forget_the_relay(lab)
        call.talk(1.1)  # statistics are a second old at most
        mac = relay_mac(lab, "client", SERVICE)
        # One by one: the control core does not see what comes and goes before it looks.
        for n_new, address in enumerate(("198.18.0.30", "198.18.0.31"), start=1):
            lab.run("relay", "ip", "addr", "add", f"{address}/24", "dev", "tp0")
            check(is_somebodys(lab, address), f"Linux does not answer for {address}")
            relay.process.wait_log(rf"(?s)(own\.changed \S+ new=1.*?){{{n_new}}}")
        lab.run("relay", "ip", "addr", "del", "198.18.0.31/24", "dev", "tp0")
        relay.process.wait_log(r"own\.changed \S+ new=0 gone=1$")
        check(relay.counters()["neighbours_answered"] == 0, "Linux does not answer itself")
        with frozen(relay.process.pid):
            check(call.client.ask(build(REFRESH), tries=1) is None, "somebody thinks")
            n = call.talk(9)
            for _ in range(7):
                forget_the_relay(lab)
                n += call.talk(3)
                check(call.client.ask(build(BINDING)), "no Binding answer")
                check(client6.ask(build(BINDING)), "no Binding answer of IPv6")
            check(is_somebodys(lab, "198.18.0.30"), "nobody answers for an address that came later")
            check(not is_somebodys(lab, "198.18.0.31"), "an address is claimed that was given up")
            for host, address in (("client", SERVICE), ("client", SERVICE6), ("peer", SERVICE)):
                check(relay_mac(lab, host, address) == mac, f"{host} has another MAC of {address}")
        check(n > 300, f"only {n} messages in 30 s")
        relay.process.wait_log(r"warning control\.stood ms=3\d{4}$")
        check(call.refresh() == 0, "no Refresh afterwards")
        call.talk(0.5)
        counters = relay.stop()
        check(counters["control_stalls"] == 1 and counters["clock_steps"] == 0, str(counters))
        check(counters["neighbours_answered"] >= 7 * 3, str(counters))


def check_linux_is_heard(lab):
    """What it sends of its own reaches the peer, before long."""
    with lab.inside("peer"):
        peer = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    peer.bind(("0.0.0.0", 7777))
    peer.settimeout(0.1)
    with lab.inside("relay"):
        linux = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)

    def is_heard():
        linux.sendto(b"linux", (lab.peer_address, 7777))
        try:
            return peer.recv(64)
        except TimeoutError:
            return None

    wait_until(is_heard, 4, "the peer hears Linux")
    linux.close()
    peer.close()


def permit_many(lab, client):
    """As many peers as an allocation may have, near that of the lab."""
    first = int(ipaddress.ip_address(lab.peer_address)) + 1
    for at in range(first, first + 125, 25):
        peers = [(XOR_PEER_ADDRESS, encode_address(str(ipaddress.ip_address(ip)), 0))
                 for ip in range(at, at + 25)]
        answer = client.request(CREATE_PERMISSION, *peers)
        check(answer and answer.kind == SUCCESS, f"no permission: {answer and answer.error}")


def move_all_entries(lab):
    """A change of routes: workers are told of every entry anew."""
    for verb in ("add", "del"):
        lab.run("relay", "ip", "route", verb, "198.51.100.0/24", "dev", "tp0")


def come_and_go_until_refused(client):
    def is_refused():
        answer = client.request(ALLOCATE, UDP_TRANSPORT)
        if answer and answer.kind == SUCCESS:
            client.request(REFRESH, (LIFETIME, bytes(4)))
        return answer and answer.error

    error = wait_until(is_refused, 20, "an allocation is refused")
    check(error == 508, f"not 508 but {error}")


@test()
def test_a_worker_that_stands_is_named_and_the_other_works_on():
    with Lab(queues=2) as lab:
        relay = start_relay(lab, workers=2)
        start_echo(lab)
        lab.run("relay", "ping", "-c", "1", lab.peer_address)
        lab.run("client", "ping", "-c", "1", SERVICE)
        with frozen(worker_thread(relay, 0)):
            check_linux_is_heard(lab)
            client = client_of_a_moving_worker(lab)
            client.allocate()
            relay.process.wait_log(
                r'health\.bad sign=workers reason="worker 0 has not polled for 3\d{3} ms"')
            # Its ring fills: what needs every worker is refused, and nothing waits for it.
            permit_many(lab, client)
            for _ in range(60):
                move_all_entries(lab)
            come_and_go_until_refused(client_of_a_moving_worker(lab))
            refused = client.bind_channel(CHANNEL, lab.peer_address, ECHO_PORT)
            check(refused and refused.error == 508, f"not 508 but {refused and refused.error}")
        relay.process.wait_log(r"health\.good sign=workers")
        open_channel(lab, client, ECHO_PORT)
        Call(lab).talk(0.5)
        relay.stop()


def ring_all(pid):
    """Write to every eventfd of a process, as one of its threads does that is late."""
    pidfd = os.pidfd_open(pid)
    for fd in os.listdir(f"/proc/{pid}/fd"):
        if os.readlink(f"/proc/{pid}/fd/{fd}") == "anon_inode:[eventfd]":
            bell = ctypes.CDLL(None, use_errno=True).syscall(PIDFD_GETFD, pidfd, int(fd), 0)
            check(bell >= 0, f"pidfd_getfd: {os.strerror(ctypes.get_errno())}")
            os.eventfd_write(bell, 1)
            os.close(bell)
    os.close(pidfd)


@test()
def test_a_bell_that_is_rung_late_holds_nobody_up():
    """A worker that is preempted before it rings does so when the control core is awake already."""
    with Lab() as lab:
        config = configuration(lab)
        config["workers"]["poll"] = "busy"
        relay = start_relay(lab, config)
        start_echo(lab)
        call = Call(lab)
        ring_all(relay.process.pid)
        check(call.refresh() == 0, "no Refresh after the bell")
        Call(lab).talk(0.1)
        relay.stop()


@test()
def test_without_packet_buffers_nothing_dies():
    with Lab() as lab:
        config = configuration(lab)
        config["memory"] = {"mbufs": 2048}
        relay = start_relay(lab, config)
        start_echo(lab)
        call = Call(lab)
        lab.run("relay", "ping", "-c", "1", lab.peer_address)
        with frozen(worker_thread(relay, 0)):
            flood_from_the_kernel(lab)
            relay.process.wait_log(
                r'health\.bad sign=buffers reason="\d+ of 2048 packet buffers are free"')
            wait_until(lambda: relay.counters().get("mirror_lost"), 10, "frames found no buffer")
        relay.process.wait_log(r"health\.good sign=buffers")
        call.until_answered("media after the buffers came back")
        check(call.talk(0.5) > 0 and call.refresh() == 0, "it does not work as before")
        relay.stop()


def cpu_s(pid):
    """What its first thread, the control core, has taken of a CPU."""
    with open(f"/proc/{pid}/task/{pid}/stat", encoding="utf-8") as file:
        user, system = file.read().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


@test()
def test_a_mirror_that_is_deleted_is_told_of_and_left_alone():
    with Lab() as lab:
        relay = start_relay(lab)
        start_echo(lab)
        call = Call(lab)
        lab.run("relay", "ip", "link", "del", "tp0")
        relay.process.wait_log(r'error mirror\.lost name=tp0 reason="')
        relay.process.wait_log(r'health\.bad sign=ports reason="the mirror of port wire is gone"')
        before, begin_s = cpu_s(relay.process.pid), time.monotonic()
        wait_until(lambda: time.monotonic() - begin_s > 1, 10, "time passes")
        took_s = cpu_s(relay.process.pid) - before
        seconds = time.monotonic() - begin_s
        check(took_s < 0.3 * seconds, f"the control core is busy: {took_s} s of {seconds:.1f}")
        check(call.client.ask(build(BINDING)), "no Binding answer")
        check(relay.process.stop() == 0, "it did not end well")
        check(relay.process.log().count("mirror.lost") == 1, "told more than once")


@test()
def test_a_neighbour_that_is_lost_comes_back():
    with Lab() as lab:
        relay = start_relay(lab)
        start_echo(lab)
        for name, value in (("base_reachable_time_ms", 500), ("gc_stale_time", 1),
                            ("delay_first_probe_time", 1), ("retrans_time_ms", 100)):
            lab.run("relay", "sysctl", "-qw", f"net.ipv4.neigh.tp0.{name}={value}")
        call = Call(lab)
        check_by_the_wire(relay, call)
        lab.run("peer", "ip", "link", "set", "eth0", "down")

        n_before = relay.counters()["kernel"]

        def is_given_up():
            call.round_trip(0.01)
            return relay.counters()["kernel"] > n_before + 10

        wait_until(is_given_up, 20, "packets go to the kernel, which asks for the neighbour")
        check(call.refresh() == 0, "no Refresh meanwhile")
        lab.run("peer", "ip", "link", "set", "eth0", "down", "address", "02:00:00:00:00:99")
        lab.run("peer", "ip", "link", "set", "eth0", "up")
        call.until_answered("media after the neighbour came back with another MAC")
        check_by_the_wire(relay, call)
        relay.stop()


def rest_user(expires_s):
    """A name of the REST API, good until then, and its password."""
    name = f"{int(expires_s)}:bob"
    digest = hmac.digest(b"north-star", name.encode(), "sha1")
    return name, base64.b64encode(digest).decode()


def refusal(lab, user, password):
    """The error code of an Allocate; 0: it succeeds."""
    with lab.inside("client"), Client((SERVICE, 3478), user, password) as client:
        answer = client.request(ALLOCATE, UDP_TRANSPORT)
        check(answer, "no answer to an Allocate")
        return answer.error


@test()
def test_calls_outlive_a_clock_that_is_set_by_an_hour():
    with Lab() as lab:
        config = configuration(lab)
        config["auth"] = {"realm": REALM, "rest-secrets": ["north-star"]}
        offset = lab.path("offset")

        def step(text):
            with open(offset + ".new", "w", encoding="ascii") as file:
                file.write(text)
            os.rename(offset + ".new", offset)

        step("+0")
        relay = Relay(lab, config).start(
            "env", f"LD_PRELOAD={FAKETIME}", f"FAKETIME_TIMESTAMP_FILE={offset}",
            "FAKETIME_NO_CACHE=1", "FAKETIME_DONT_FAKE_MONOTONIC=1", "FAKETIME_DONT_RESET=1")
        start_echo(lab)
        old, new = rest_user(time.time() + 600), rest_user(time.time() + 4200)
        call = Call(lab, *old)
        for text, by_s in (("+3600", r"3\d+"), ("+0", r"-3\d+")):
            step(text)
            told = relay.process.wait_log(rf"warning clock\.stepped by_s=({by_s})$")
            check(abs(int(told[1])) in (3599, 3600, 3601), told[0])
            call.talk(1)
            check(call.refresh() == 0, f"a call ended when the clock was set to {text}")
            # The time in a name is wall time, and that is what it is judged by.
            check(refusal(lab, *old) == (401 if text == "+3600" else 0), "the old name")
            check(refusal(lab, *new) == 0, "the new name")
        counters = relay.stop()
        check(counters["clock_steps"] == 2 and counters["control_stalls"] == 0, str(counters))


@contextlib.contextmanager
def small_disk():
    """64 KiB, in memory."""
    path = tempfile.mkdtemp(prefix=f"tp{os.getpid()}-disk")
    run("mount", "-t", "tmpfs", "-o", "size=64k", "turnpike-test", path)
    try:
        yield path
    finally:
        run("umount", "-l", path)
        os.rmdir(path)


def fill(path):
    with open(path, "wb", buffering=0) as file:
        try:
            while file.write(bytes(512)):
                pass
        except OSError as error:
            check(error.errno == errno.ENOSPC, str(error))


@test()
def test_a_full_disk_costs_lines_of_the_log_and_nothing_else():
    with small_disk() as disk, Lab() as lab:
        os.symlink(f"{disk}/log", lab.path("0-relay.log"))
        relay = start_relay(lab)
        start_echo(lab)
        call = Call(lab)
        fill(f"{disk}/rubbish")
        wait_until(lambda: os.path.getsize(f"{disk}/log") % PAGE == 0, 15, "its last page is full")
        n_bytes = os.path.getsize(f"{disk}/log")
        call.talk(3)
        check(call.refresh() == 0, "no Refresh")
        check(os.path.getsize(f"{disk}/log") == n_bytes, "the disk is not full")
        os.unlink(f"{disk}/rubbish")
        lost = relay.process.wait_log(r"warning log\.lost n=(\d+)$")
        check(int(lost[1]) >= 2, f"only {lost[1]} lines were lost in 3 s")
        counters = relay.stop()
        check(counters["log_lost"] >= 2, str(counters))
