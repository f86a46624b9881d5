#!/usr/bin/python3
"""Ports and mirrors on real wires: does Linux answer once, and is all as before afterwards?

    drivers_wire.py WIRE_BRIDGE [NAME ...]    run all tests, or those whose name contains a NAME

Needs root. Two hosts, drv<pid>-relay and drv<pid>-client, and a veth between them; wire_bridge stands in
for the daemon. One line a test; exit status 1 where one failed, 77 (skipped) without root.
"""

import os
import re
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

RELAY = "192.0.2.1"
CLIENT = "192.0.2.9"
RELAY6 = "2001:db8::1"
CLIENT6 = "2001:db8::9"
KERNEL_KINDS = ("af_packet", "af_xdp")
CLONE_NEWNET = 0x40000000
TESTS = []


class Failure(Exception):
    """What is wrong, in one line."""


def check(condition, message):
    if not condition:
        raise Failure(message)


def sh(*argv, timeout_s=20):
    done = subprocess.run(argv, capture_output=True, text=True, timeout=timeout_s)
    check(done.returncode == 0, f"{' '.join(argv)}: {done.stderr.strip() or done.stdout[-200:]}")
    return done.stdout


def wait_until(condition, timeout_s, what):
    end = time.monotonic() + timeout_s
    while not condition():
        check(time.monotonic() < end, f"not within {timeout_s} s: {what}")
        time.sleep(0.01)


class Bridge:
    """wire_bridge in a host, its output in a file."""

    def __init__(self, lab, host, *argv):
        self.log_path = lab.path(f"log{len(lab.bridges)}")
        with open(self.log_path, "wb") as log:
            self.popen = subprocess.Popen(
                ("nsenter", f"--net=/run/netns/{lab.ns(host)}", lab.program, *map(str, argv)),
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        lab.bridges.append(self)

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as log:
            return log.read()

    def wait_says(self, pattern):
        def look():
            check(re.search(pattern, self.log(), re.M) or self.popen.poll() is None,
                  f"wire_bridge ended: {self.log().strip().splitlines()[-1:]}")
            return re.search(pattern, self.log(), re.M)

        wait_until(look, 15, f"wire_bridge says {pattern}")
        return self

    def refused(self, text):
        """It must end by itself and say why."""
        check(self.popen.wait(15) == 1, "wire_bridge was not refused")
        check(text in self.log(), f"{text!r} is not in {self.log().strip().splitlines()[-1:]}")

    def guard_pid(self):
        for line in sh("ps", "-eo", "pid=,ppid=,comm=").splitlines():
            pid, parent, name = line.split()[:3]
            if int(parent) == self.popen.pid and name == "bridge-guard":
                return int(pid)
        raise Failure("wire_bridge has no guard")

    def end(self, sign):
        self.popen.send_signal(sign)
        code = self.popen.wait(10)
        check(sign == signal.SIGKILL or code == 0, f"wire_bridge ended with {code}")


class Lab:
    def __init__(self, program):
        self.program = program
        self.bridges = []
        self.pid = os.getpid()

    def ns(self, host):
        return f"drv{self.pid}-{host}"

    def ip(self, host, *argv):
        return sh("ip", "-n", self.ns(host), *argv)

    def run(self, host, *argv, timeout_s=20):
        return sh("nsenter", f"--net=/run/netns/{self.ns(host)}", *argv, timeout_s=timeout_s)

    def path(self, name):
        return os.path.join(self.folder.name, name)

    def sysctl(self, name):
        return self.run("relay", "cat", "/proc/sys/net/" + name).strip()

    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="drv-")
        for host in ("relay", "client"):
            sh("ip", "netns", "add", self.ns(host))
            self.ip(host, "link", "set", "lo", "up")
        self.ip("relay", "link", "add", "wire0", "type", "veth",
                "peer", "name", "eth0", "netns", self.ns("client"))
        self.run("client", "ethtool", "-K", "eth0", "tx", "off", "gso", "off", "tso", "off",
                 "gro", "off")
        self.ip("client", "link", "set", "eth0", "up")
        self.ip("client", "addr", "add", f"{CLIENT}/24", "dev", "eth0")
        self.ip("client", "addr", "add", f"{CLIENT6}/64", "dev", "eth0", "nodad")
        # Up with IPv6 on: what the port changes must come back.
        self.ip("relay", "link", "set", "wire0", "up")
        return self

    def __exit__(self, *_):
        for bridge in self.bridges:
            if bridge.popen.poll() is None:
                bridge.popen.kill()
                bridge.popen.wait()
        for host in ("relay", "client"):
            subprocess.run(("ip", "netns", "del", self.ns(host)), capture_output=True)
        self.folder.cleanup()

    def bridge(self, kind, *options, host="relay"):
        return Bridge(self, host, *options, f"{kind}:wire0", "tp0", f"{RELAY}/24", f"{RELAY6}/64")

    def ready(self, kind, *options):
        return self.bridge(kind, *options).wait_says(r"^ready ")

    def ping(self, address=RELAY, n=10):
        out = self.run("client", "ping", "-c", str(n), "-i", "0.05", "-W", "2", address)
        check(f" {n} received, 0% packet loss" in out, out.strip().splitlines()[-2])
        check("DUP" not in out and "duplicates" not in out, "ping sees duplicates")

    def state(self):
        """All of the wire's interface that a port may touch."""
        link = self.ip("relay", "-d", "link", "show", "wire0")
        return (re.search("<(.*?)>", link)[1], re.search(r"mtu \d+", link)[0], "prog/xdp" in link,
                self.sysctl("ipv4/conf/wire0/rp_filter"),
                self.sysctl("ipv6/conf/wire0/disable_ipv6"))

    def counter(self, protocol, name):
        """One of /proc/net/snmp and netstat, where a line of names precedes a line of values."""
        text = self.run("relay", "cat", "/proc/net/snmp", "/proc/net/netstat")
        names, values = [row.split() for row in text.splitlines() if row.startswith(f"{protocol}:")]
        return int(values[names.index(name)])

    def inside(self, host, function, *args):
        """Call function(*args) in a child that lives in the host; what it returns as a string."""
        reading, writing = os.pipe()
        pid = os.fork()
        if pid == 0:
            try:
                with open(f"/run/netns/{self.ns(host)}", "rb") as namespace:
                    setns(namespace.fileno())
                os.write(writing, str(function(*args)).encode())
            except Exception as error:  # pylint: disable=broad-except
                os.write(writing, f"error: {error}".encode())
            os._exit(0)
        os.close(writing)
        with os.fdopen(reading, "rb") as pipe:
            answer = pipe.read().decode()
        os.waitpid(pid, 0)
        check(not answer.startswith("error: "), answer)
        return answer

    def in_thread(self, host, function, *args):
        """Call function(*args) in a thread that lives in the host, for what it returns."""
        answers = []

        def call():
            with open(f"/run/netns/{self.ns(host)}", "rb") as namespace:
                setns(namespace.fileno())
            answers.append(function(*args))

        thread = threading.Thread(target=call)
        thread.start()
        thread.join()
        check(answers, "the thread failed")
        return answers[0]


def setns(fd):
    import ctypes
    if ctypes.CDLL(None, use_errno=True).setns(fd, CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")


def test(function):
    TESTS.append((function.__name__, function, ()))
    return function


def on_each_kernel_wire(function):
    for kind in KERNEL_KINDS:
        TESTS.append((f"{function.__name__}[{kind}]", function, (kind,)))
    return function


def count_arp_replies():
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0806))
    sock.bind(("eth0", 0x0806))
    mac = sock.getsockname()[4]
    request = b"\xff" * 6 + mac + b"\x08\x06" + struct.pack("!HHBBH", 1, 0x0800, 6, 4, 1)
    request += mac + socket.inet_aton(CLIENT) + b"\0" * 6 + socket.inet_aton(RELAY)
    sock.send(request)
    replies, end = 0, time.monotonic() + 0.7
    while time.monotonic() < end:
        sock.settimeout(max(end - time.monotonic(), 0.001))
        try:
            replies += struct.unpack("!H", sock.recv(100)[20:22])[0] == 2
        except socket.timeout:
            pass
    return replies


def count_icmp_errors(n_datagrams):
    icmp = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    for port in range(40000, 40000 + n_datagrams):
        udp.sendto(b"media", (RELAY, port))
    errors, end = 0, time.monotonic() + 0.7
    while time.monotonic() < end:
        icmp.settimeout(max(end - time.monotonic(), 0.001))
        try:
            errors += icmp.recv(1500)[20] == 3
        except socket.timeout:
            pass
    return errors


def attach_foreign_program(interface):
    """Load the XDP program "return XDP_PASS" and attach it by netlink."""
    import ctypes
    code = struct.pack("<BBhi", 0xb7, 0, 0, 2) + struct.pack("<BBhi", 0x95, 0, 0, 0)
    program = ctypes.create_string_buffer(code, len(code))
    licence = ctypes.create_string_buffer(b"GPL")
    attributes = struct.pack("<IIQQIIQII16s", 6, 2, ctypes.addressof(program),
                             ctypes.addressof(licence), 0, 0, 0, 0, 0, b"foreign")
    buffer = ctypes.create_string_buffer(attributes, 128)
    fd = ctypes.CDLL(None, use_errno=True).syscall(321, 5, buffer, 128)
    if fd < 0:
        raise OSError(ctypes.get_errno(), "bpf")
    nested = struct.pack("<HHi", 8, 1, fd)
    attribute = struct.pack("<HH", 4 + len(nested), 43 | 0x8000) + nested
    body = struct.pack("<BxHiII", 0, 0, socket.if_nametoindex(interface), 0, 0) + attribute
    netlink = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
    netlink.send(struct.pack("<IHHII", 16 + len(body), 19, 5, 1, 0) + body)
    error = struct.unpack("<i", netlink.recv(4096)[16:20])[0]
    if error:
        raise OSError(-error, "RTM_SETLINK")


def hold_queue(interface):
    """Bind an AF_XDP socket to queue 0, as a process does until the kernel has buried it."""
    import ctypes
    import mmap
    memory = mmap.mmap(-1, 16 * 4096)
    address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    sock = socket.socket(44, socket.SOCK_RAW, 0)
    sock.setsockopt(283, 4, struct.pack("<QQIIII", address, 16 * 4096, 4096, 0, 0, 0))
    for ring in (5, 6, 2):  # fill, completion, receive
        sock.setsockopt(283, ring, struct.pack("<I", 16))
    where = struct.pack("<HHIII", 44, 0, socket.if_nametoindex(interface), 0, 0)
    if ctypes.CDLL(None, use_errno=True).bind(sock.fileno(), where, len(where)):
        raise OSError(ctypes.get_errno(), "bind")
    return sock, memory


def fetch(path):
    with urllib.request.urlopen(f"http://{RELAY}:8080/{path}", timeout=20) as answer:
        return hash(answer.read())


@on_each_kernel_wire
def ping_is_answered_once(lab, kind):
    lab.ready(kind)
    lab.ping()
    lab.ping(RELAY6)


@on_each_kernel_wire
def arp_is_answered_once(lab, kind):
    lab.ready(kind)
    replies = lab.inside("client", count_arp_replies)
    check(replies == "1", f"{replies} ARP replies")


@on_each_kernel_wire
def tcp_passes_the_mirror_and_only_it(lab, kind):
    body = os.urandom(3_000_000)
    with open(lab.path("body"), "wb") as file:
        file.write(body)
    lab.ready(kind)
    server = subprocess.Popen(
        ("nsenter", f"--net=/run/netns/{lab.ns('relay')}", sys.executable, "-m", "http.server",
         "--bind", RELAY, "--directory", lab.folder.name, "8080"),
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: ":8080" in lab.run("relay", "ss", "-ltn"), 10, "the server listens")
        filtered = lab.counter("TcpExt", "IPReversePathFilter")
        check(lab.inside("client", fetch, "body") == str(hash(body)), "the body was damaged")
        link = lab.ip("relay", "-s", "link", "show", "tp0")
        n_mirror = int(re.search(r"RX:.*\n\s+\d+\s+(\d+)", link)[1])
        n_tcp = lab.counter("Tcp", "InSegs")
        filtered = lab.counter("TcpExt", "IPReversePathFilter") - filtered
    finally:
        server.kill()
        server.wait()
    check(10 < n_tcp <= n_mirror, f"TCP got {n_tcp} segments, the mirror only {n_mirror} frames")
    # The kernel's second copy of each frame is what the strict filter drops.
    check(filtered >= n_tcp if kind == "af_packet" else filtered == 0, f"{filtered} filtered")


@on_each_kernel_wire
def udp_of_a_relay_brings_no_icmp_error(lab, kind):
    lab.ready(kind, "-u")
    lab.ping(n=1)
    errors = lab.inside("client", count_icmp_errors, 20)
    check(errors == "0", f"{errors} ICMP errors")


@on_each_kernel_wire
def end_leaves_the_interface_as_it_was(lab, kind):
    before = lab.state()
    bridge = lab.ready(kind, "-m", "1400")
    during = lab.state()
    check("PROMISC" in during[0] and during[1] == "mtu 1400", f"{during}")
    check(during[2] == (kind == "af_xdp"), f"XDP: {during}")
    check(kind == "af_xdp" or "NOARP" in during[0] and during[3] == "1", f"{during}")
    check(during[4] == "1", f"IPv6 is on: {during}")
    bridge.end(signal.SIGTERM)
    check(lab.state() == before, f"{lab.state()}, before {before}")


@on_each_kernel_wire
def fragments_reach_the_mirror(lab, kind):
    """af_packet's driver has the kernel put fragments together: what is then longer than a frame of
    its ring is lost."""
    lab.ready(kind)
    lab.run("client", "ping", "-c", "3", "-i", "0.1", "-W", "2",
            "-s", "1900" if kind == "af_packet" else "5000", RELAY)


@on_each_kernel_wire
def kill_leaves_the_interface_as_it_was(lab, kind):
    before = lab.state()
    lab.ready(kind, "-m", "1400").end(signal.SIGKILL)
    wait_until(lambda: lab.state() == before, 1, f"{before}; it is {lab.state()}")


@on_each_kernel_wire
def guard_survives_what_ends_the_daemon(lab, kind):
    before = lab.state()
    bridge = lab.ready(kind)
    os.kill(bridge.guard_pid(), signal.SIGINT)
    os.kill(bridge.guard_pid(), signal.SIGTERM)
    bridge.end(signal.SIGKILL)
    wait_until(lambda: lab.state() == before, 1, f"{before}; it is {lab.state()}")


@on_each_kernel_wire
def waiting_start_takes_over_after_kill(lab, kind):
    """The next process waits for the device while the owner dies; it must find all as before."""
    before = lab.state()
    for _ in range(3):
        owner = lab.ready(kind)
        heir = lab.bridge(kind).wait_says("^eal")
        owner.end(signal.SIGKILL)
        heir.wait_says("^ready ")
        lab.ping(n=3)
        heir.end(signal.SIGTERM)
        check(lab.state() == before, f"{lab.state()}, before {before}")


@on_each_kernel_wire
def waiting_start_lets_the_guard_finish(lab, kind):
    before = lab.state()
    owner = lab.ready(kind)
    guard = owner.guard_pid()
    os.kill(guard, signal.SIGSTOP)
    try:
        heir = lab.bridge(kind).wait_says("^eal")
        owner.end(signal.SIGKILL)
        time.sleep(0.5)
        check("ready" not in heir.log(), "started on what the guard had not restored")
    finally:
        os.kill(guard, signal.SIGCONT)
    heir.wait_says("^ready ")
    lab.ping(n=3)
    heir.end(signal.SIGTERM)
    check(lab.state() == before, f"{lab.state()}, before {before}")


@on_each_kernel_wire
def start_works_where_the_guard_died_too(lab, kind):
    lab.ready(kind, "-n").end(signal.SIGKILL)
    lab.ready(kind, "-n")
    lab.ping()


@on_each_kernel_wire
def second_owner_is_refused(lab, kind):
    lab.ready(kind)
    for other in KERNEL_KINDS:
        lab.bridge(other).refused(f"port wire: device is owned by another process ({other}:wire0)")
    lab.ping()


@on_each_kernel_wire
def refusals_name_the_cause(lab, kind):
    Bridge(lab, "relay", f"{kind}:eth9", "tp0").refused(
        "port wire: no interface eth9 in this network namespace")
    Bridge(lab, "relay", "-m", "9000", f"{kind}:wire0", "tp0").refused("MTU 9000 does not fit")
    Bridge(lab, "relay", f"{kind}:lo", "tp0").refused("lo is the loopback")
    before = lab.state()
    lab.ip("relay", "addr", "add", "198.51.100.1/24", "dev", "wire0")
    lab.bridge(kind).refused("wire0 has addresses of its own")
    lab.ip("relay", "addr", "flush", "dev", "wire0", "scope", "global")
    lab.ip("relay", "tuntap", "add", "dev", "tp0", "mode", "tap")
    lab.bridge(kind).refused("mirror tp0: an interface of this name is there")
    wait_until(lambda: lab.state() == before, 1, f"{before}; it is {lab.state()}")


@on_each_kernel_wire
def refused_without_capabilities(lab, kind):
    done = subprocess.run(
        ("nsenter", f"--net=/run/netns/{lab.ns('relay')}", "setpriv", "--bounding-set=-net_raw",
         "--inh-caps=-net_raw", lab.program, f"{kind}:wire0", "tp0"),
        capture_output=True, text=True, timeout=20)
    check("CAP_NET_RAW is missing" in done.stderr, done.stderr.strip())
    done = subprocess.run(
        ("nsenter", f"--net=/run/netns/{lab.ns('relay')}", "setpriv", "--bounding-set=-net_admin",
         "--inh-caps=-net_admin", lab.program, f"{kind}:wire0", "tp0"),
        capture_output=True, text=True, timeout=20)
    check("CAP_NET_ADMIN is missing" in done.stderr, done.stderr.strip())


@test
def af_xdp_refuses_more_queues_than_the_interface_has(lab):
    lab.bridge("af_xdp", "-q", 4).refused("port wire: af_xdp:wire0 has 1 queue, 4 workers need 4")
    check(not lab.state()[2], "an XDP program stayed")


@test
def af_xdp_takes_over_what_a_dead_process_left(lab):
    lab.ready("af_xdp", "-n").end(signal.SIGKILL)
    check(lab.state()[2], "the program is gone, without a guard")
    lab.ready("af_xdp").end(signal.SIGTERM)
    check(not lab.state()[2], "the program taken over stayed")


@test
def af_xdp_waits_for_a_queue_of_a_dead_process(lab):
    """The kernel gives it free some time after the death, and never says when."""
    holder, _memory = lab.in_thread("relay", hold_queue, "wire0")
    heir = lab.bridge("af_xdp").wait_says("^eal")
    time.sleep(1)
    check(heir.popen.poll() is None and "ready" not in heir.log(), heir.log())
    holder.close()
    heir.wait_says("^ready ")
    lab.ping()
    heir.end(signal.SIGTERM)
    check("AF_XDP" not in heir.log(), f"complaints: {heir.log()}")


@test
def af_xdp_does_not_wait_for_ever(lab):
    before = lab.state()
    _holder, _memory = lab.in_thread("relay", hold_queue, "wire0")
    lab.bridge("af_xdp").refused("port wire: queue 0 of wire0 belongs to another AF_XDP socket")
    check(lab.state() == before, f"{lab.state()}, before {before}")


@test
def af_xdp_leaves_a_foreign_program_alone(lab):
    lab.inside("relay", attach_foreign_program, "wire0")
    lab.bridge("af_xdp").refused("wire0 has an XDP program already (foreign)")
    check(lab.state()[2], "the foreign program was detached")


@test
def af_packet_carries_the_longest_frame_of_a_buffer(lab):
    lab.ready("af_packet", "-m", 1996)
    lab.ip("client", "link", "set", "eth0", "mtu", "1996")
    lab.run("client", "ping", "-c", "3", "-i", "0.1", "-W", "2", "-M", "do", "-s", "1968", RELAY)


@test
def af_packet_refuses_what_its_ring_would_cut(lab):
    lab.bridge("af_packet", "-m", 1997).refused(
        "port wire: MTU 1997 on af_packet needs packet buffers of 2064 bytes, they have 2048")


@test
def af_xdp_refuses_what_its_buffers_would_cut(lab):
    lab.ready("af_xdp", "-m", 1774)
    lab.ip("client", "link", "set", "eth0", "mtu", "1774")
    lab.run("client", "ping", "-c", "3", "-i", "0.1", "-W", "2", "-M", "do", "-s", "1746", RELAY)
    lab.bridges[-1].end(signal.SIGTERM)
    lab.bridge("af_xdp", "-m", 1775).refused("port wire: MTU 1775 is too much for af_xdp")


@test
def af_packet_opens_again_after_close(lab):
    before = lab.state()
    bridge = lab.ready("af_packet", "-r", 3)
    lab.ping()
    bridge.end(signal.SIGTERM)
    check(lab.state() == before, f"{lab.state()}, before {before}")


@test
def af_packet_spreads_over_queues(lab):
    lab.ready("af_packet", "-q", 4)
    lab.ping()
    lab.ping(RELAY6)


@test
def af_packet_refuses_loose_filtering_of_all(lab):
    lab.run("relay", "sh", "-c", "echo 2 > /proc/sys/net/ipv4/conf/all/rp_filter")
    before = lab.state()
    lab.bridge("af_packet").refused("net.ipv4.conf.all.rp_filter is 2")
    wait_until(lambda: lab.state() == before, 1, f"{before}; it is {lab.state()}")


@test
def af_packet_says_when_proc_sys_is_read_only(lab):
    done = subprocess.run(
        ("nsenter", f"--net=/run/netns/{lab.ns('relay')}", "unshare", "-m", "sh", "-c",
         'mount --bind /proc/sys /proc/sys && mount -o remount,ro,bind /proc/sys && exec "$0" "$@"',
         lab.program, "af_packet:wire0", "tp0"), capture_output=True, text=True, timeout=20)
    check("cannot write /proc/sys/net/ipv4/conf/wire0/rp_filter" in done.stderr, done.stderr.strip())


def connect_two(lab, first, second):
    """Two bridges with mirrors in two hosts and shared memory between; the second connects."""
    lab.ip("client", "addr", "flush", "dev", "eth0")
    a = Bridge(lab, "relay", *first, "tp0", f"{RELAY}/24").wait_says("^ready ")
    b = Bridge(lab, "client", *second, "tp0", f"{CLIENT}/24").wait_says("^ready ")
    return a, b


SHARED = {
    "vhost": lambda p, q: ((*q, f"vhost:{p}"), (*q, f"virtio_user:{p}")),
    "memif": lambda p, q: ((*q, "-s", f"memif:{p}"), (*q, f"memif:{p}")),
}


def on_each_shared_memory(function):
    for name, pair in SHARED.items():
        TESTS.append((f"{function.__name__}[{name}]", function, (pair,)))
    return function


def ping_soon(lab, n=5):
    """The shared memory is negotiated in the background."""
    def once():
        try:
            lab.ping(n=1)
            return True
        except Failure:
            return False

    wait_until(once, 10, "a ping through shared memory")
    lab.ping(n=n)


@on_each_shared_memory
def frames_pass_between_two_processes(lab, pair):
    connect_two(lab, *pair(lab.path("sock"), ()))
    ping_soon(lab)


@on_each_shared_memory
def frames_pass_on_two_queues(lab, pair):
    connect_two(lab, *pair(lab.path("sock"), ("-q", 2)))
    ping_soon(lab)


@on_each_shared_memory
def closed_socket_opens_again(lab, pair):
    first, second = pair(lab.path("sock"), ())
    connect_two(lab, ("-r", "3", *first), second)
    ping_soon(lab)


@on_each_shared_memory
def socket_is_gone_after_end_and_kill(lab, pair):
    path = lab.path("sock")
    first, second = pair(path, ())
    for sign in (signal.SIGTERM, signal.SIGKILL):
        a, b = connect_two(lab, first, second)
        ping_soon(lab)
        b.end(sign)
        a.end(sign)
        wait_until(lambda: not os.path.exists(path), 1, "the socket is gone")


@on_each_shared_memory
def client_comes_back_after_kill(lab, pair):
    first, second = pair(lab.path("sock"), ())
    _, b = connect_two(lab, first, second)
    ping_soon(lab)
    b.end(signal.SIGKILL)
    Bridge(lab, "client", *second, "tp0", f"{CLIENT}/24").wait_says("^ready ")
    ping_soon(lab)


@on_each_shared_memory
def stale_socket_is_taken_over(lab, pair):
    path = lab.path("sock")
    first, second = pair(path, ("-n",))
    a, b = connect_two(lab, first, second)
    a.end(signal.SIGKILL)
    b.end(signal.SIGKILL)
    check(os.path.exists(path), "no stale socket to take over")
    Bridge(lab, "client", *second, "tp0").refused("nobody listens on")
    connect_two(lab, first, second)
    ping_soon(lab)


@on_each_shared_memory
def socket_refusals_name_the_cause(lab, pair):
    path = lab.path("sock")
    first, second = pair(path, ())
    Bridge(lab, "client", *second, "tp0").refused("is not there: start the other side first")
    Bridge(lab, "relay", *pair(lab.path("none/sock"), ())[0], "tp0").refused("there is no folder")
    Bridge(lab, "relay", *pair("sock", ())[0], "tp0").refused("the path must be absolute")
    with open(path, "wb"):
        pass
    Bridge(lab, "relay", *first, "tp0").refused("is there and no socket")
    os.unlink(path)
    Bridge(lab, "relay", *first, "tp0").wait_says("^ready ")
    Bridge(lab, "relay", *first, "tp1").refused("device is owned by another process")
    # Another network namespace has other abstract names: the socket itself tells.
    Bridge(lab, "client", *first, "tp0").refused("is in use")


@test
def pci_refusals_name_the_cause(lab):
    Bridge(lab, "relay", "pci:0000:ff:1f.7", "tp0").refused("port wire: no PCI device 0000:ff:1f.7")


def main(argv):
    if os.geteuid() != 0:
        print("drivers_wire: needs root")
        return 77
    n_failed = 0
    for name, function, args in TESTS:
        if argv[1:] and not any(part in name for part in argv[1:]):
            continue
        with Lab(argv[0]) as lab:
            try:
                function(lab, *args)
                print(f"ok      {name}", flush=True)
            except (Failure, subprocess.SubprocessError, OSError) as error:
                n_failed += 1
                print(f"FAILED  {name}: {error}", flush=True)
                for bridge in lab.bridges:
                    print("        " + bridge.log().strip().replace("\n", "\n        "))
    print(f"{n_failed} failed")
    return 1 if n_failed else 0


if __name__ == "__main__":
    sys.exit(main([os.path.abspath(sys.argv[1]), *sys.argv[2:]]))
