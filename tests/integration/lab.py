"""A lab of network namespaces for one test: client, relay and peer, and the wires between them.

One wire: all three hosts hang on a switch, and the relay's interface there is wire0 (198.18.0.2).
Two wires: inside0 leads to the client (198.18.0.2), outside0 to the peer (198.19.0.2). With
ipv6=True each host has an address of IPv6 as well (2001:db8:18::2 and so on); without, none has.

The relay's interfaces carry no address: turnpike's mirror carries it. Everything a lab makes is
named after its process (tp<pid>-...), so that labs run side by side and what a killed run left
behind is found and removed by the next one.
"""

import contextlib
import ctypes
import glob
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time

HOSTS = ("net", "client", "relay", "peer")
CLIENT = "198.18.0.10"
SERVICE = "198.18.0.2"
OUTSIDE = "198.19.0.2"
PEERS = {1: "198.18.0.20", 2: "198.19.0.10"}  # by number of wires
CLIENT6 = "2001:db8:18::10"
SERVICE6 = "2001:db8:18::2"
OUTSIDE6 = "2001:db8:19::2"
PEERS6 = {1: "2001:db8:18::20", 2: "2001:db8:19::10"}
CLONE_NEWNET = 0x40000000
OFFLOADS = ("tx", "off", "gso", "off", "tso", "off", "gro", "off")


class LabError(Exception):
    """What a test found wrong, in one line."""


def check(condition, message):
    if not condition:
        raise LabError(message)


def wait_until(condition, timeout_s, what):
    """Ask condition() until it gives something true, and return that."""
    end = time.monotonic() + timeout_s
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() > end:
            raise LabError(f"not within {timeout_s} s: {what}")
        time.sleep(0.01)


def run(*argv, timeout_s=20):
    """Run a command that must succeed; its standard output."""
    done = subprocess.run(argv, capture_output=True, text=True, timeout=timeout_s)
    check(done.returncode == 0, f"{' '.join(argv)}: {done.stderr.strip() or done.returncode}")
    return done.stdout


def namespaces():
    return [line.split()[0] for line in run("ip", "netns", "list").splitlines()]


def remove_namespace(name):
    for pid in run("ip", "netns", "pids", name).split():
        try:
            os.kill(int(pid), signal.SIGKILL)
        except ProcessLookupError:
            pass
    subprocess.run(("ip", "netns", "del", name), capture_output=True)


def enter_namespace(file):
    if ctypes.CDLL(None, use_errno=True).setns(file.fileno(), CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


def remove_leftovers():
    """What labs of dead processes left behind. A lab's prefix is the pid of its owner."""

    def is_dead(name):
        owner = re.match(r"tp(\d+)-", name)
        return owner and not os.path.exists(f"/proc/{owner[1]}")

    for name in filter(is_dead, namespaces()):
        remove_namespace(name)
    for path in glob.glob(os.path.join(tempfile.gettempdir(), "tp*-*")):
        if is_dead(os.path.basename(path)):
            shutil.rmtree(path, ignore_errors=True)


class Process:
    """A program started in a host of the lab; its output goes to a file of the lab."""

    def __init__(self, argv, name, log_path, pipes, keep_fds):
        self.name = name
        self.log_path = log_path
        self.start_s = time.monotonic()
        with open(log_path, "wb") as log:
            self.popen = subprocess.Popen(
                ("setpriv", "--pdeathsig", "KILL", *argv),
                stdin=subprocess.PIPE if pipes else subprocess.DEVNULL,
                stdout=subprocess.PIPE if pipes else log, stderr=log, start_new_session=True,
                pass_fds=keep_fds)
        self.pid = self.popen.pid

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as log:
            return log.read()

    def wait_log(self, pattern, timeout_s=15):
        """Wait for a line of the log that `pattern` matches; the match."""

        def look():
            found = re.search(pattern, self.log(), re.MULTILINE)
            check(found or self.popen.poll() is None,
                  f"{self.name} ended with {self.popen.returncode}: {self.last_line()}")
            return found

        return wait_until(look, timeout_s, f"{self.name} says {pattern}")

    def last_line(self):
        return (self.log().strip().splitlines() or ["no output"])[-1]

    def wait(self, timeout_s):
        """Wait for the end; the exit code."""
        try:
            return self.popen.wait(timeout_s)
        except subprocess.TimeoutExpired:
            seconds = time.monotonic() - self.start_s
            raise LabError(f"{self.name} still runs after {seconds:.0f} s: "
                           f"{self.last_line()}") from None

    def stop(self, sign=signal.SIGTERM, timeout_s=10):
        """End it by a signal; the exit code."""
        if self.popen.poll() is None:
            self.popen.send_signal(sign)
        return self.wait(timeout_s)

    def kill(self):
        if self.popen.poll() is None:
            self.popen.kill()
            self.popen.wait()


class Lab:
    def __init__(self, wires=1, queues=1, ipv6=False):
        self.wires = wires
        self.ipv6 = ipv6
        self.queues = queues
        self.processes = []
        self.peer_address = PEERS[wires]
        self.peer_address6 = PEERS6[wires]
        self.relay_interfaces = ["wire0"] if wires == 1 else ["inside0", "outside0"]

    def __enter__(self):
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        remove_leftovers()
        self.directory = tempfile.mkdtemp(prefix=f"tp{os.getpid()}-")
        try:
            self._build()
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(self, kind, error, trace):
        try:
            if kind:
                self._tell_logs()
        finally:
            self._remove()

    def namespace(self, host):
        return f"tp{os.getpid()}-{host}"

    def command(self, host, *argv):
        return ("ip", "netns", "exec", self.namespace(host), *map(str, argv))

    def run(self, host, *argv, timeout_s=20):
        """Run a command in a host; it must succeed. Its standard output."""
        return run(*self.command(host, *argv), timeout_s=timeout_s)

    def attempt(self, host, *argv, timeout_s=20):
        """Run a command in a host; the completed process, whatever came of it."""
        return subprocess.run(self.command(host, *argv), capture_output=True, text=True,
                              timeout=timeout_s, stdin=subprocess.DEVNULL)

    def start(self, host, *argv, name=None, pipes=False, keep_fds=()):
        """Start a program in a host; with `pipes` its input and output are the test's."""
        name = f"{len(self.processes)}-{name or os.path.basename(argv[0])}"
        log_path = self.path(f"{name}.log")
        process = Process(self.command(host, *argv), name, log_path, pipes, keep_fds)
        self.processes.append(process)
        return process

    @contextlib.contextmanager
    def inside(self, host):
        """Sockets made in this block belong to a host, also afterwards."""
        with open("/proc/thread-self/ns/net", "rb") as ours, \
                open(f"/run/netns/{self.namespace(host)}", "rb") as theirs:
            enter_namespace(theirs)
            try:
                yield
            finally:
                enter_namespace(ours)

    def path(self, name):
        return os.path.join(self.directory, name)

    def _ip(self, host, *argv):
        return run("ip", "-n", self.namespace(host), *argv)

    def _build(self):
        for host in HOSTS:
            run("ip", "netns", "add", self.namespace(host))
            self.run(host, "sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1",
                     "net.ipv6.conf.default.disable_ipv6=1")
            self._ip(host, "link", "set", "lo", "up")
        if self.wires == 1:
            self._ip("net", "link", "add", "switch", "type", "bridge", "forward_delay", "0")
            self._ip("net", "link", "set", "switch", "up")
            for host, interface in (("client", "eth0"), ("relay", "wire0"), ("peer", "eth0")):
                self._join(host, interface, "net", host)
                self._ip("net", "link", "set", host, "master", "switch")
        else:
            self._join("client", "eth0", "relay", "inside0")
            self._join("peer", "eth0", "relay", "outside0")
        self._ip("client", "addr", "add", f"{CLIENT}/24", "dev", "eth0")
        self._ip("peer", "addr", "add", f"{self.peer_address}/24", "dev", "eth0")
        if self.ipv6:  # nowhere else: the relay's mirror must turn it on for itself
            for host, address in (("client", CLIENT6), ("peer", self.peer_address6)):
                self.run(host, "sysctl", "-qw", "net.ipv6.conf.eth0.disable_ipv6=0")
                self._ip(host, "addr", "add", f"{address}/64", "dev", "eth0", "nodad")

    def _join(self, host, interface, other, other_interface):
        queues = ("numtxqueues", str(self.queues), "numrxqueues", str(self.queues))
        self._ip(host, "link", "add", interface, *queues, "type", "veth",
                 "peer", "name", other_interface, *queues, "netns", self.namespace(other))
        for end_host, end in ((host, interface), (other, other_interface)):
            self.run(end_host, "ethtool", "-K", end, *OFFLOADS)
            self._ip(end_host, "link", "set", end, "up")

    def _remove(self):
        for process in self.processes:
            process.kill()
        for host in HOSTS:
            if os.path.exists(f"/run/netns/{self.namespace(host)}"):
                remove_namespace(self.namespace(host))
        shutil.rmtree(self.directory, ignore_errors=True)

    def _tell_logs(self):
        """The end of every log, of those that ended well first; the relay's, started first, comes
        last, with its last statistics."""
        for process in sorted(reversed(self.processes), key=lambda one: one.popen.poll() != 0):
            lines = process.log().splitlines()
            stats = [line for line in lines if " info stats" in line][-4:]
            lines = [line for line in lines if " info stats" not in line][-12:] + stats
            if lines:
                print(f"--- {process.name} (exit {process.popen.poll()})")
                print("\n".join(lines))


def test(limit_s=60, alone=False):
    """Mark a test for the runner: its time limit, and whether the machine must be its own."""

    def mark(function):
        function.limit_s = limit_s
        function.alone = alone
        return function

    return mark
