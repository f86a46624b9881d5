"""turnpike as a service: what the manager hears, and when the watchdog starves."""

import contextlib
import ctypes
import os
import re
import socket
import time

from lab import SERVICE, Lab, check, test, wait_until
from relay import BINARY, PASSWORD, USER, Relay, configuration
from stunlib import Client

WATCHDOG_MS = 600
PTRACE_DETACH, PTRACE_SEIZE, PTRACE_INTERRUPT = 17, 0x4206, 0x4207
WALL = 0x40000000  # waitpid: threads too


class Manager:
    """The socket of a service manager, and what came to it, with the time."""

    def __init__(self, lab):
        self.path = lab.path("notify")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        os.chmod(self.path, 0o777)
        self.heard = []

    def listen(self):
        with contextlib.suppress(BlockingIOError):
            while True:
                self.heard.append(self.socket.recv(4096, socket.MSG_DONTWAIT).decode())
        return self.heard

    def wait(self, pattern, timeout_s=10):
        wait_until(lambda: any(re.match(pattern, text) for text in self.listen()), timeout_s,
                   f"the manager hears {pattern}")

    def wait_anew(self, pattern):
        self.listen()
        self.heard.clear()
        self.wait(pattern)


def start(lab, manager, config=None):
    relay = Relay(lab, config or configuration(lab))
    relay.process = lab.start(
        "relay", "env", f"NOTIFY_SOCKET={manager.path}", f"WATCHDOG_USEC={WATCHDOG_MS * 1000}",
        BINARY, "-c", relay.write(), name="relay")
    return relay


def live(lab):
    with lab.inside("client"), Client((SERVICE, 3478), USER, PASSWORD) as client:
        client.allocate()


@contextlib.contextmanager
def stopped(tid):
    """One thread, held by ptrace; the others run on."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.argtypes = (ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p)

    def ptrace(request):
        check(libc.ptrace(request, tid, None, None) == 0, f"ptrace: {ctypes.get_errno()}")

    ptrace(PTRACE_SEIZE)
    ptrace(PTRACE_INTERRUPT)
    os.waitpid(tid, WALL)
    try:
        yield
    finally:
        ptrace(PTRACE_DETACH)


def worker_tids(pid):
    def name(tid):
        with open(f"/proc/{pid}/task/{tid}/comm", encoding="utf-8") as file:
            return file.read().strip()

    return [int(tid) for tid in os.listdir(f"/proc/{pid}/task")
            if re.search(r"worker-?\d+$", name(tid))]


@test()
def test_the_manager_hears_of_start_state_and_end():
    with Lab() as lab:
        manager = Manager(lab)
        relay = start(lab, manager)
        manager.wait("READY=1$")
        check("info ready" in relay.process.log(), "it was not ready")
        manager.wait(r"STATUS=0 allocations, 16384 relay ports free, 1 workers; healthy$")
        live(lab)
        manager.wait(r"STATUS=1 allocations, 16383 relay ports free")
        lab.run("net", "ip", "link", "set", "relay", "down")
        manager.wait(r"STATUS=.*; port wire is down$")
        manager.wait("WATCHDOG=1$")
        relay.stop()
        manager.wait("STOPPING=1\n")
        check(manager.heard.count("READY=1") == 1, "it was ready more than once")


@test()
def test_a_stalled_worker_starves_the_watchdog():
    with Lab() as lab:
        manager = Manager(lab)
        relay = start(lab, manager, configuration(lab, workers=2))
        manager.wait("WATCHDOG=1$")
        tids = worker_tids(relay.process.pid)
        check(len(tids) == 2, f"workers: {tids}")
        for tid in tids:
            n_before = relay.process.log().count("watchdog.withheld")
            with stopped(tid):
                wait_until(lambda: relay.process.log().count("watchdog.withheld") > n_before, 10,
                           "it sees that a worker stands")
                manager.listen()
                manager.heard.clear()
                wait_until(lambda: relay.process.log().count("watchdog.withheld") > n_before + 4, 10,
                           "it goes on seeing that")
                check("WATCHDOG=1" not in manager.listen(), "the watchdog is fed all the same")
            manager.wait_anew("WATCHDOG=1$")
        told = set(re.findall(r"error watchdog\.withheld worker=(\d)", relay.process.log()))
        check(told == {"0", "1"}, f"workers: {told}")
        check(relay.process.stop() == 0, "it did not end well")


@test()
def test_a_control_core_that_stands_starves_the_watchdog():
    with Lab() as lab:
        manager = Manager(lab)
        relay = start(lab, manager)
        manager.wait("WATCHDOG=1$")
        with stopped(relay.process.pid):
            manager.listen()
            manager.heard.clear()
            end = time.monotonic() + 2 * WATCHDOG_MS / 1000
            wait_until(lambda: time.monotonic() > end, 10, "time passes")
            check(manager.listen() == [], f"heard: {manager.heard}")
        manager.wait_anew("WATCHDOG=1$")
        relay.stop()
