"""The Debian packages under a systemd of their own, in a copy of this machine's root: installed,
configured, run as a service, upgraded under media, and purged. tests/package/fresh_root.sh installs
them by hand where nothing is installed before.

TURNPIKE_PACKAGES=DIRECTORY tests those there in place of newly built ones.
"""

import glob
import json
import os
import re
import shutil
import threading

import uclient
from echo import CHANNEL, open_channel
from freeze import frozen, threads
from lab import SERVICE, Lab, check, run, test, wait_until
from package_root import Root
from relay import PASSWORD, TOP, USER, configuration, yaml_lines
from stunlib import Client, channel_data

BUILT = os.environ.get("TURNPIKE_PACKAGES")
CONFIG = "/etc/turnpike/turnpike.yaml"
DROP_IN = "/etc/systemd/system/turnpike.service.d/watchdog.conf"
RECORDS = "/var/log/turnpike/records.jsonl"
UNUSABLE = 78
# What dpkg, adduser and systemd themselves keep.
KEPT = re.compile(r"(var/(lib/(dpkg|systemd)|cache|log)|tmp|dev|proc|sys|run/systemd)(/|$)|"
                  r"etc/(passwd|group|shadow|gshadow|subuid|subgid)-$|etc/\.pwd\.lock$|run/adduser$")
PACE_S = 0.01


class Call:
    """Messages to a peer that sends them back, one after the other as long as the block lasts."""

    def __init__(self, lab):
        self.n_back = 0
        self.wrong = None
        self.end = threading.Event()
        self.lab = lab
        self.thread = threading.Thread(target=self.talk)

    def __enter__(self):
        with self.lab.inside("client"):
            self.client = Client((SERVICE, 3478), USER, PASSWORD)
        self.client.allocate()
        open_channel(self.lab, self.client)
        self.thread.start()
        return self

    def talk(self):
        while not self.wrong and not self.end.wait(PACE_S):
            message = channel_data(CHANNEL, b"message %d" % self.n_back)
            self.client.send(message)
            got = self.client.receive()
            if got == message:
                self.n_back += 1
            else:
                self.wrong = f"{message} came back as {got}"

    def check_goes_on(self):
        n_before = self.n_back
        wait_until(lambda: self.wrong or self.n_back > n_before, 10, "media")
        check(not self.wrong, f"the call lost media: {self.wrong}")

    def __exit__(self, kind, error, trace):
        self.end.set()
        self.thread.join()
        self.client.__exit__(kind, error, trace)


def build(lab):
    """{version: [packages]}: those of this tree, and the same called a newer version."""
    out = lab.path("deb")
    if BUILT:
        shutil.copytree(BUILT, out)
    else:
        run(f"{TOP}/config/build-deb.sh", out, timeout_s=280)
    first = [path for path in glob.glob(f"{out}/turnpike*.deb") if "dbgsym" not in path]
    check(len(first) == 2, f"two packages, not {first}")
    newer = []
    for path in first:
        tree, new = f"{path}.tree", f"{path}.newer"
        run("dpkg-deb", "-R", path, tree)
        run("sed", "-i", "s/^Version: 0/Version: 9/", f"{tree}/DEBIAN/control")
        run("sed", "-i", r"s/(= 0\./(= 9./", f"{tree}/DEBIAN/control")
        if os.path.exists(tree + CONFIG):
            with open(tree + CONFIG, "a", encoding="utf-8") as file:
                file.write("# new\n")
        run("dpkg-deb", "-b", tree, new)
        newer.append(new)
    return first, newer


class Service:
    """turnpike.service, as its manager knows it."""

    def __init__(self, root):
        self.root = root

    def ask(self, verb, **options):
        return self.root.run("systemctl", verb, "turnpike", **options)

    def show(self, name):
        return self.root.run("systemctl", "show", "-p", name, "--value", "turnpike").strip()

    def pid(self):
        """Its main process, as it is known here."""
        return self.root.pid(int(self.show("MainPID")))

    def journal(self):
        """[(priority, message)] of all it has logged, and its manager of it."""
        told = self.root.run("journalctl", "-u", "turnpike", "-o", "json", "--no-pager")
        return [(int(line["PRIORITY"]), line["MESSAGE"]) for line in map(json.loads, told.splitlines())]

    def wait_journal(self, priority, pattern):
        wait_until(lambda: any(level == priority and re.search(pattern, text)
                               for level, text in self.journal()), 15,
                   f"the journal has {pattern} at level {priority}")


def check_installed(root, service):
    version = root.run("turnpike", "--version")
    check(re.match(r"turnpike \d", version), version)
    told = root.run("stat", "-c", "%a %U %G", CONFIG, os.path.dirname(CONFIG), "/var/log/turnpike")
    check(told == "640 root turnpike\n750 root turnpike\n750 turnpike turnpike\n", told)
    for tool in ("turnpikectl", "turnpike-load", "turnpike-import-coturn"):
        root.run(tool, "--version")
    passwd = root.run("getent", "passwd", "turnpike")
    check(passwd.endswith(":/nonexistent:/usr/sbin/nologin\n"), passwd)
    state = service.show("UnitFileState"), service.show("ActiveState"), service.show("InactiveExitTimestamp")
    check(state == ("disabled", "inactive", ""), f"the installation leaves the service {state}")


def check_nobody_gets_in(root, service):
    """As it is installed, the configuration has no credentials, and the relay does not start."""
    done = root.attempt("turnpike", "--check-config")
    check(done.returncode == UNUSABLE and "nobody could log in" in done.stdout, done.stdout)
    told = root.run("cat", CONFIG)
    check("\nuser: turnpike\n" in told, "the service would stay root")
    check("\n  allow:" not in told, "the lab's network is open to all who log in")
    check(root.attempt("systemctl", "start", "turnpike").returncode != 0, "it starts without users")
    service.wait_journal(3, "nobody could log in")
    wait_until(lambda: service.show("ActiveState") == "failed", 10, "it has failed")
    check(service.show("NRestarts") == "0", "it is tried again although the configuration is wrong")
    root.run("systemctl", "reset-failed", "turnpike")


def check_runs(lab, root, service, config):
    """Ready, as its own account, with its name in the journal, and its state told."""
    service.ask("start")
    check(service.show("SubState") == "running", "it is not ready")
    service.wait_journal(6, r"^info ready\b")
    account = root.run("stat", "-c", "%U", f"/proc/{service.show('MainPID')}").strip()
    check(account == "turnpike", f"it runs as {account}")
    root.run("turnpikectl", "status")
    with Call(lab) as call:
        wait_until(lambda: "Status: \"1 allocations" in service.ask("status"), 10, "its status")
        config["limits"]["allocations"] = 99
        root.write(CONFIG, "\n".join(yaml_lines(config)))
        service.ask("reload")
        service.wait_journal(6, r"reload\.done")
        root.write(CONFIG, "listen: []")
        service.ask("reload")
        service.wait_journal(3, r"reload\.refused")
        root.write(CONFIG, "\n".join(yaml_lines(config)))
        call.check_goes_on()
    wait_until(lambda: os.path.exists(root.path(RECORDS)), 10, "a record of the call")


def upgrade_under_media(lab, root, service, newer):
    before = service.show("MainPID")
    with Call(lab) as call:
        told = root.install(newer)
        n_during = call.n_back
        call.check_goes_on()
    check("keeps its calls" in told, f"the upgrade does not say what it does not do: {told}")
    check(n_during > 20, f"only {n_during} messages came back during the upgrade")
    check(service.show("MainPID") == before, "the upgrade ended the relay")
    check(service.show("NeedDaemonReload") == "no", "systemd has the old unit")
    exe = os.readlink(f"/proc/{service.pid()}/exe")
    check(exe.endswith("turnpike (deleted)"), f"{exe} was not replaced")
    check(root.run("dpkg-query", "-W", "-f", "${Version}", "turnpike").startswith("9"), "not new")
    check(USER in root.run("cat", CONFIG), "the configuration of the operator is gone")
    service.ask("restart")
    exe = os.readlink(f"/proc/{service.pid()}/exe")
    check(exe.endswith("/turnpike"), f"{exe} runs after the restart")


def starve_watchdog(lab, root, service):
    """A worker stands: the manager ends the relay, the guard gives the interface back, and the next
    one works."""
    root.write(DROP_IN, "[Service]\nWatchdogSec=2\n")
    root.run("systemctl", "daemon-reload")
    service.ask("restart")
    worker = next(tid for name, tid in threads(service.pid()).items() if "worker" in name)
    with frozen(worker):
        service.wait_journal(3, r"watchdog\.withheld worker=0")
        service.wait_journal(3, r"Watchdog timeout")
    wait_until(lambda: service.show("NRestarts") == "1", 20, "it is started again")
    wait_until(lambda: service.show("SubState") == "running", 20, "it is ready again")
    with Call(lab) as call:
        call.check_goes_on()
    os.remove(root.path(DROP_IN))
    os.rmdir(root.path(os.path.dirname(DROP_IN)))


@test(limit_s=400)
def test_installs_runs_upgrades_under_media_and_purges():
    with Lab() as lab:
        first, newer = build(lab)
        uclient.start_peer(lab)
        config = configuration(lab)
        config |= {"user": "turnpike", "records": {"file": RECORDS}}
        del config["admin"]
        with Root(lab) as root:
            service = Service(root)
            before = set(root.files())
            root.install(first)
            check_installed(root, service)
            check_nobody_gets_in(root, service)
            root.write(CONFIG, "\n".join(yaml_lines(config)))
            check_runs(lab, root, service, config)
            upgrade_under_media(lab, root, service, newer)
            starve_watchdog(lab, root, service)
            root.write("/var/lib/turnpike/left", "")
            root.run("dpkg", "--purge", "turnpike", "turnpike-tools")
            check(service.show("ActiveState") == "inactive", "it runs on")
            left = [path for path in root.files() if path not in before and not KEPT.match(path)]
            check(not left, f"left behind: {left}")
