"""turnpike as a service: what the manager hears, and when the watchdog starves."""

import contextlib
import grp
import json
import os
import pwd
import re
import signal
import socket
import time

import uclient
from freeze import frozen, threads
from lab import SERVICE, Lab, check, test, wait_until
from redis_server import RedisServer
from relay import BINARY, PASSWORD, TOP, USER, Relay, configuration, start_relay
from test_ctl import ctl
from test_lifecycle import (CONFIG, DEVICE, PERMISSION, RESOURCE, check_media, check_unchanged,
                            host_state, refused, write)
from stunlib import Client

UNIT = os.path.join(TOP, "config/systemd/turnpike.service")
AF_XDP = os.path.join(TOP, "config/systemd/af_xdp.conf")
HARDENED = os.path.join(TOP, "tests/integration/hardened.py")
EXPOSURE_MAX = 3.4  # of systemd-analyze: 0 is best, 10 worst
FAULT = 70  # of the process, its exit status
WATCHDOG_MS = 600


class Manager:
    """The socket of a service manager, and what came to it, with the time."""

    def __init__(self, lab):
        self.path = lab.path("notify")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        os.chmod(self.path, 0o777)
        self.heard = []

    def fill(self):
        """It does not listen for so long that there is no room for more."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other, \
                contextlib.suppress(BlockingIOError):
            while True:
                other.sendto(b"OTHER=1", socket.MSG_DONTWAIT, self.path)

    def listen(self):
        with contextlib.suppress(BlockingIOError):
            while True:
                self.heard.append(self.socket.recv(4096, socket.MSG_DONTWAIT).decode())
        return self.heard

    def wait(self, pattern, timeout_s=10):
        wait_until(lambda: any(re.match(pattern, text) for text in self.listen()), timeout_s,
                   f"the manager hears {pattern}")

    def forget(self):
        """What was heard up to now, before what is to be heard of begins."""
        self.listen()
        self.heard.clear()


def start(lab, manager, config=None):
    relay = Relay(lab, config or configuration(lab))
    relay.process = lab.start(
        "relay", "env", f"NOTIFY_SOCKET={manager.path}", f"WATCHDOG_USEC={WATCHDOG_MS * 1000}",
        BINARY, "-c", relay.write(), name="relay")
    return relay


def credentials_of(pid):
    """{thread's name: {field: value}} of all threads of a process."""
    told = {}
    for tid in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{tid}/status", encoding="utf-8") as file:
            fields = dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)
        told[f"{fields['Name']} {tid}"] = fields
    return told


def live(lab):
    with lab.inside("client"), Client((SERVICE, 3478), USER, PASSWORD) as client:
        client.allocate()


def is_over(pid):
    """But for threads that somebody traces."""
    with open(f"/proc/{pid}/status", encoding="utf-8") as file:
        return "\nState:\tZ" in file.read()


def worker_tids(pid):
    return [tid for name, tid in threads(pid).items() if re.search(r"worker-?\d+$", name)]


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
        check(manager.heard.count("READY=1") == 1, "it was ready more than once")
        manager.forget()
        os.kill(relay.process.pid, signal.SIGHUP)
        manager.wait(r"READY=1$")
        check(any(re.fullmatch(r"RELOADING=1\nMONOTONIC_USEC=\d+", text) for text in manager.heard),
              f"heard of no reload: {manager.heard}")
        manager.forget()
        lab.run("net", "ip", "link", "set", "relay", "up")
        manager.wait(r"STATUS=.*; healthy$")
        manager.forget()
        ctl(relay, "drain", "on")
        manager.wait(r"STATUS=1 allocations, .*; it is being emptied$")
        relay.stop()
        manager.wait("STOPPING=1\n")


@test()
def test_a_manager_that_has_no_room_hears_it_later():
    with Lab() as lab:
        manager = Manager(lab)
        manager.fill()
        relay = start(lab, manager)
        wait_until(lambda: relay.process.log().count("info stats ") == 2, 10, "it had time to say all")
        manager.wait("READY=1$")
        manager.wait("STATUS=0 allocations, ")
        relay.stop()


STOPPING = "STOPPING=1\nSTATUS=stopping"


@test()
def test_the_manager_hears_of_each_end_once_and_last():
    with Lab() as lab:
        manager = Manager(lab)
        before = host_state(lab)
        for end in (lambda relay: os.kill(relay.process.pid, signal.SIGTERM),
                    lambda relay: os.kill(relay.process.pid, signal.SIGINT),
                    lambda relay: ctl(relay, "drain", "on", "--exit")):
            manager.heard.clear()
            relay = start(lab, manager)
            manager.wait("READY=1$")
            end(relay)
            check(relay.process.wait(10) == 0, f"ended badly: {relay.process.log()}")
            heard = manager.listen()
            check(heard[-1] == STOPPING and heard.count(STOPPING) == 1, f"heard: {heard}")
            check_unchanged(lab, before)


@test()
def test_nothing_is_begun_while_it_ends():
    """Redis is silent, so records wait for it: time for a signal and a state that changes."""
    with Lab() as lab:
        manager = Manager(lab)
        redis = RedisServer(lab).start()
        config = {**configuration(lab), "records": {"redis": "calls"},
                  "redis": {**redis.where(), "timeout-ms": 20000}}
        relay = start(lab, manager, config)
        relay.process.wait_log("redis.up")
        live(lab)
        manager.wait(r"STATUS=1 allocations")
        redis.stall()
        os.kill(relay.process.pid, signal.SIGTERM)
        manager.wait("STOPPING=1\n")
        os.kill(relay.process.pid, signal.SIGHUP)
        check(relay.process.wait(20) == 0, f"ended badly: {relay.process.log()}")
        redis.go_on()
        check(manager.listen()[-1] == STOPPING, f"heard: {manager.heard}")
        log = relay.process.log()
        check(not re.search(r"reload|watchdog\.withheld|health\.bad", log), log)
        check("warning redis.untold lost=0 left=1\n" in log, log)


@test()
def test_a_failed_start_says_why_and_nothing_to_the_manager():
    with Lab() as lab:
        manager = Manager(lab)
        before = host_state(lab)
        os.environ["NOTIFY_SOCKET"] = manager.path
        try:
            absent = configuration(lab)
            absent["ports"][0]["device"] = "af_packet:absent0"
            refused(lab, DEVICE, "absent0", "-c", write(lab, "absent.yaml", absent))
            foreign = {**configuration(lab), "http": {"listen": ["192.0.2.1:9641"]}}
            refused(lab, RESOURCE, "http.failed", "-c", write(lab, "foreign.yaml", foreign))
            check(manager.listen() == [], f"heard: {manager.heard}")
            os.environ["NOTIFY_SOCKET"] = "no/socket"
            refused(lab, RESOURCE, r"start\.failed.*NOTIFY_SOCKET", "-c",
                    write(lab, "good.yaml", configuration(lab)))
        finally:
            del os.environ["NOTIFY_SOCKET"]
        check_unchanged(lab, before)


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
            with frozen(tid):
                wait_until(lambda: relay.process.log().count("watchdog.withheld") > n_before, 10,
                           "it sees that a worker stands")
                manager.listen()
                manager.heard.clear()
                wait_until(lambda: relay.process.log().count("watchdog.withheld") > n_before + 4, 10,
                           "it goes on seeing that")
                check("WATCHDOG=1" not in manager.listen(), "the watchdog is fed all the same")
            manager.forget()
            manager.wait("WATCHDOG=1$")
        told = set(re.findall(r"error watchdog\.withheld worker=(\d)", relay.process.log()))
        check(told == {"0", "1"}, f"workers: {told}")
        check(relay.process.stop() == 0, "it did not end well")


@test()
def test_a_worker_that_stands_does_not_keep_it_from_ending():
    with Lab() as lab:
        before = host_state(lab)
        config = {**configuration(lab, workers=2), "records": {"file": lab.path("records")}}
        relay = start_relay(lab, config)
        live(lab)
        pid = relay.process.pid
        with frozen(worker_tids(pid)[0]):
            os.kill(pid, signal.SIGTERM)
            relay.process.wait_log(r"error worker\.stands worker=[01]$")
            wait_until(lambda: is_over(pid), 15, "it ends")
        check(relay.process.wait(10) == FAULT, "it complains of nothing")
        with open(lab.path("records"), encoding="utf-8") as file:
            records = [json.loads(line) for line in file]
        check([record["reason"] for record in records] == ["stopped"], f"records: {records}")
        check_unchanged(lab, before)


@test()
def test_a_control_core_that_stands_starves_the_watchdog():
    with Lab() as lab:
        manager = Manager(lab)
        relay = start(lab, manager)
        manager.wait("WATCHDOG=1$")
        with frozen(relay.process.pid):
            manager.listen()
            manager.heard.clear()
            end = time.monotonic() + 2 * WATCHDOG_MS / 1000
            wait_until(lambda: time.monotonic() > end, 10, "time passes")
            check(manager.listen() == [], f"heard: {manager.heard}")
        manager.forget()
        manager.wait("WATCHDOG=1$")
        relay.stop()


NET_ADMIN = 1 << 12


def check_credentials(pid, uid, gid):
    for name, fields in credentials_of(pid).items():
        is_main = name.endswith(f" {pid}")
        check(fields["Uid"].split() == [str(uid)] * 4, f"{name}: uid {fields['Uid']}")
        check(fields["Gid"].split() == [str(gid)] * 4, f"{name}: gid {fields['Gid']}")
        check("0" not in fields["Groups"].split(), f"{name}: groups {fields['Groups']}")
        check(fields["NoNewPrivs"] == "1", f"{name}: may gain privileges")
        for kind in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
            want = NET_ADMIN if is_main and kind in ("CapPrm", "CapEff") else 0
            check(int(fields[kind], 16) == want, f"{name}: {kind} {fields[kind]}")


def check_drop(device, workers, unit):
    """Everything works as nobody: media, a link that comes back, a next hop, and the end; and all
    that within what the unit file leaves."""
    with Lab() as lab:
        before = host_state(lab)
        config = configuration(lab, device=device, workers=workers)
        config["user"], config["group"] = "nobody", "nogroup"
        config["admin"] = {"socket": lab.path("admin"), "group": "nogroup"}
        config["http"] = {"listen": ["127.0.0.1:80"]}
        os.chmod(lab.directory, 0o755)
        records = lab.path("records")
        os.mkdir(records, 0o700)
        os.chown(records, pwd.getpwnam("nobody").pw_uid, -1)
        config["records"] = {"file": f"{records}/jsonl"}
        relay = Relay(lab, config)
        relay.process = lab.start("relay", "env", f"RUNTIME_DIRECTORY={lab.directory}", HARDENED, unit,
                                  BINARY, "-c", relay.write(), name="relay")
        relay.process.wait_log(r"info ready")
        check(os.stat(lab.path("admin")).st_gid == grp.getgrnam("nogroup").gr_gid, "the door's group")
        check_credentials(relay.process.pid, pwd.getpwnam("nobody").pw_uid,
                          grp.getgrnam("nogroup").gr_gid)
        uclient.start_peer(lab)
        check_media(lab)
        lab.run("net", "ip", "link", "set", "relay", "down")
        relay.process.wait_log(r"health\.bad sign=ports")
        lab.run("net", "ip", "link", "set", "relay", "up")
        relay.process.wait_log(r"health\.good sign=ports")
        check_media(lab)
        for verb, change in ("add", "new=1 gone=0"), ("del", "new=0 gone=1"):
            lab.run("relay", "ip", "addr", verb, "198.18.0.78/32", "dev", "lo")
            relay.process.wait_log(rf"info own\.changed addresses=\d+ {change}")
        relay.config["limits"]["allocations"] = 99
        relay.write()
        os.kill(relay.process.pid, signal.SIGHUP)
        relay.process.wait_log(r"info reload\.done")
        relay.stop()
        check("warning route" not in relay.process.log(), "the kernel refuses something")
        check_unchanged(lab, before)
        relay = start_relay(lab, config)
        relay.process.kill()
        check_unchanged(lab, before)  # by the guard


@test(alone=True)
def test_root_is_left_behind_on_af_packet():
    check_drop("af_packet", 2, UNIT)


@test(alone=True)
def test_root_is_left_behind_on_af_xdp():
    check_drop("af_xdp", 1, f"{UNIT}:{AF_XDP}")


@test()
def test_accounts_that_cannot_be_are_refused():
    with Lab() as lab:
        before = host_state(lab)
        for account, pattern in (({"user": "no-such-user"}, "user: no-such-user is no account"),
                                 ({"user": "root"}, "user: root is root"),
                                 ({"user": "nobody", "group": "no-such-group"}, "no-such-group")):
            path = write(lab, "account.yaml", {**configuration(lab), **account})
            refused(lab, CONFIG, pattern, "-c", path)
        path = write(lab, "nobody.yaml", {**configuration(lab), "user": "nobody"})
        done = lab.attempt("relay", "setpriv", "--bounding-set=-setuid", BINARY, "-c", path)
        check(done.returncode == PERMISSION, f"ended with {done.returncode}: {done.stderr}")
        check("start as root" in done.stderr, done.stderr)
        check_unchanged(lab, before)


@test()
def test_systemd_takes_the_unit_file():
    with Lab() as lab:
        with open(UNIT, encoding="utf-8") as file:
            text = file.read()
        path = lab.path("turnpike.service")
        with open(path, "w", encoding="utf-8") as file:
            file.write(text.replace("/usr/sbin/turnpike ", f"{BINARY} "))
        done = lab.attempt("relay", "systemd-analyze", "verify", "--man=no", path)
        check(done.returncode == 0 and not done.stderr, f"verify: {done.stderr}")
        done = lab.attempt("relay", "systemd-analyze", "security", "--offline=yes", path)
        told = re.search(r"Overall exposure level for turnpike\.service: ([0-9.]+)", done.stdout)
        check(told, f"security: {done.stdout[-300:]} {done.stderr}")
        check(float(told[1]) <= EXPOSURE_MAX, f"exposure {told[1]}")


@test()
def test_account_and_directories_come_from_systemd():
    with Lab() as lab:
        root = lab.path("root")
        os.makedirs(f"{root}/etc/turnpike")
        with open(f"{root}/etc/turnpike/turnpike.yaml", "w", encoding="utf-8"):
            pass
        for program, kind, *options in (("systemd-sysusers", "sysusers"),
                                        ("systemd-tmpfiles", "tmpfiles", "--create")):
            file = os.path.join(TOP, f"config/systemd/turnpike.{kind}")
            done = lab.attempt("relay", program, f"--root={root}", *options, file)
            check(done.returncode == 0 and "ailed" not in done.stderr, f"{program}: {done.stderr}")
        with open(f"{root}/etc/passwd", encoding="utf-8") as passwd:
            uid, gid = map(int, re.search(r"^turnpike:[^:]*:(\d+):(\d+):", passwd.read(), re.M).groups())
        for path, mode, owner in (("etc/turnpike", 0o750, 0), ("etc/turnpike/turnpike.yaml", 0o640, 0),
                                  ("var/log/turnpike", 0o750, uid)):
            there = os.stat(f"{root}/{path}")
            check((there.st_mode & 0o777, there.st_uid, there.st_gid) == (mode, owner, gid),
                  f"{path}: {there}")
