"""The servers that bench/versus compares, one at a time, on CPU 1 of a lab of two hosts.

The lab is one veth pair: the generator's host and the server's. Offloads are off at both ends, so
every datagram is a frame of its own with a complete checksum.
"""
import os
import re
import resource
import shutil
import socket
import sys

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, f"{TOP}/tests/integration")
# pylint: disable=wrong-import-position
import relay  # noqa: E402
from lab import SERVICE, Lab, LabError, run, wait_until  # noqa: E402
from common import huge_pages_free  # noqa: E402
from relay import PASSWORD, REALM, USER  # noqa: E402

PORT = 3478
PORTS = (10000, 65535)  # to relay from
GENERATOR_CPU, SERVER_CPU = 0, 1
ALLOCATIONS_MAX = 50000
VHOST_PAGES = 256
DESCRIPTORS = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
BINDING_REQUEST = bytes.fromhex("000100002112a442") + b"versus-ready"


class Wire(Lab):
    """Two hosts, `client` and `relay`, and nothing between them but a cable."""

    def _build(self):
        for host in ("client", "relay"):
            run("ip", "netns", "add", self.namespace(host))
            self.run(host, "sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1",
                     "net.ipv6.conf.default.disable_ipv6=1",
                     f"net.ipv4.ip_local_port_range={PORTS[0]} {PORTS[1]}")
            self._ip(host, "link", "set", "lo", "up")
        self._join("client", "eth0", "relay", "wire0")

    def deafen_client(self):
        """Its kernel sees each frame for the generator as well. It knows no way for them, makes an
        entry of that for each one, and frees those by the thousand, all on the CPU of who sent
        them: 80 us every 8 ms. What is local, from a sender that is local too, it drops at once."""
        self.run("client", "ip", "route", "add", "local", "198.18.0.0/16", "dev", "lo")


def thread_seconds(pid):
    """{thread: CPU seconds}"""
    seconds = {}
    for thread in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{thread}/schedstat", encoding="ascii") as file:
            seconds[int(thread)] = int(file.read().split()[0]) / 1e9
    return seconds


class Server:
    """One that is not running yet."""

    name = None
    note = ""
    calls_max = DESCRIPTORS - 1000  # at one time: each takes a socket

    def __init__(self, build):
        self.build = build
        self.process = None

    def missing(self):
        """Why it cannot be measured here; None where it can."""

    def pinned(self, lab, *argv):
        lab.run("relay", "ip", "addr", "add", f"{SERVICE}/16", "dev", "wire0")
        return lab.start("relay", "taskset", "-c", SERVER_CPU, "prlimit",
                         f"--nofile={DESCRIPTORS}", *argv, name=self.name)

    def start(self, lab, n_allocations=ALLOCATIONS_MAX):
        raise NotImplementedError

    def control_seconds(self, threads):
        """Of {thread: CPU seconds}, those of control messages."""
        return sum(threads.values())

    def memory_kib(self):
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as file:
            status = file.read()
        return sum(int(re.search(rf"{key}:\s+(\d+)", status)[1])
                   for key in ("VmRSS", "HugetlbPages"))


def wait_for_service(lab):
    """Until a Binding request is answered."""
    lab.run("client", "ip", "addr", "add", "198.18.0.10/16", "dev", "eth0")
    with lab.inside("client"):
        asker = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    asker.settimeout(0.05)

    def ask():
        try:
            asker.sendto(BINDING_REQUEST, (SERVICE, PORT))
            return asker.recv(1024)
        except OSError:
            return None

    with asker:
        wait_until(ask, 15, f"{SERVICE}:{PORT} answers")
    lab.run("client", "ip", "addr", "flush", "dev", "eth0")


class Coturn(Server):
    name = "coturn"
    # One thread that listens and relays is fastest on one CPU: measured with 0, 1 and 2.
    options = ("-n", f"--realm={REALM}", f"--user={USER}:{PASSWORD}", "--lt-cred-mech",
               f"--min-port={PORTS[0]}", f"--max-port={PORTS[1]}", "--relay-threads=0",
               "--no-tls", "--no-dtls", "--no-tcp", "--no-tcp-relay", "--no-cli",
               "--no-rfc5780", "--no-stun-backward-compatibility",
               "--response-origin-only-with-rfc5780", "--no-software-attribute",
               "--log-file=/dev/null", "--no-stdout-log", "--simple-log")
    note = "turnserver " + " ".join(word for word in options if "user=" not in word)

    def missing(self):
        return None if shutil.which("turnserver") else "Debian's package coturn is missing"

    def start(self, lab, n_allocations=ALLOCATIONS_MAX):
        self.process = self.pinned(
            lab, "turnserver", *self.options, f"--listening-ip={SERVICE}",
            f"--listening-port={PORT}", f"--relay-ip={SERVICE}",
            f"--pidfile={lab.path('coturn.pid')}")
        wait_for_service(lab)


class Ideal(Server):
    name = "ideal"
    note = "bench/ideal_relay: one thread on kernel sockets, no credentials, no time"

    def start(self, lab, n_allocations=ALLOCATIONS_MAX):
        self.process = self.pinned(lab, f"{self.build}/bench/ideal_relay", f"{SERVICE}:{PORT}",
                                   SERVICE)
        self.process.wait_log("^ready")


class Turnpike(Server):
    """Worker and control core share the one CPU. So polling is adaptive: under load the worker does
    not sleep, and the control core, which would spin against it, does."""

    name = "turnpike"
    calls_max = ALLOCATIONS_MAX
    device = "af_xdp:wire0"
    note = "1 worker on af_xdp, control core on the same CPU, poll: adaptive"

    def start(self, lab, n_allocations=ALLOCATIONS_MAX):
        config = relay.configuration(lab)
        config["ports"][0].update(device=self.device, addresses=[f"{SERVICE}/16"])
        config["relay"][0]["ports"] = f"{PORTS[0]}-{PORTS[1]}"
        config["limits"]["allocations"] = n_allocations
        config["workers"] = {"cpus": [SERVER_CPU], "control-cpu": SERVER_CPU, "poll": "adaptive"}
        config["log"] = {"stats-interval-s": 0}
        relay.BINARY = f"{self.build}/app/turnpike/turnpike"
        self.process = relay.Relay(lab, config).start().process

    def control_seconds(self, threads):
        # The main thread is the control core; the worker polls whether there is work or not.
        return threads[self.process.pid]


class TurnpikeVhost(Turnpike):
    name = "turnpike-vhost"
    note = "1 worker on a vhost wire that no kernel bounds, loaded by DPDK; control core as above"

    def missing(self):
        return None if huge_pages_free() >= VHOST_PAGES else "no 2 MiB pages for a vhost wire"

    def start(self, lab, n_allocations=ALLOCATIONS_MAX):
        self.device = f"vhost:{lab.path('wire')}"
        super().start(lab, n_allocations)


SERVERS = {server.name: server for server in (Coturn, Ideal, Turnpike, TurnpikeVhost)}
