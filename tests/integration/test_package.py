"""The Debian packages, in a copy of this machine's root: installed, run, upgraded under media, and
purged. tests/package/fresh_root.sh installs them by hand where nothing is installed before.

TURNPIKE_PACKAGES=DIRECTORY tests those there in place of newly built ones.
"""

import glob
import os
import re
import shutil
import subprocess
import threading

import uclient
from lab import SERVICE, Lab, check, run, test, wait_until
from relay import PASSWORD, TOP, USER, configuration, yaml_lines
from stunlib import SUCCESS, Client, channel_data

BUILT = os.environ.get("TURNPIKE_PACKAGES")
CONFIG = "/etc/turnpike/turnpike.yaml"
# What dpkg and adduser themselves keep.
KEPT = re.compile(r"(var/(lib/dpkg|cache|log)|tmp|dev|proc|sys)(/|$)|etc/\.pwd\.lock$|"
                  r"etc/(passwd|group|shadow|gshadow|subuid|subgid)-$")
# These two tell what they are asked for, and do nothing.
RECORDER = '#!/bin/sh\necho "${0##*/} $*" >>/calls\n'
RECORDED = ("usr/bin/systemctl", "usr/bin/deb-systemd-invoke")
# /run is the root's own, the machine's comes and goes. This test, adduser and DPDK make these.
RUN = re.compile(r"run/(lock|systemd|adduser|dpdk)(/|$)")
PACE_S = 0.01


class Root:
    """An overlay on /, in a mount namespace that ends with this process."""

    def __init__(self, lab):
        self.lab = lab
        self.top = lab.path("root")
        self.merged, self.upper = f"{self.top}/merged", f"{self.top}/upper"
        os.mkdir(self.top)
        holder = lab.start("relay", "unshare", "--mount", "--propagation", "slave", "sh", "-ec",
                           f"mount -t tmpfs root {self.top}\n"
                           f"mkdir {self.top}/upper {self.top}/work {self.merged}\n"
                           f"mount -t overlay root -o lowerdir=/,upperdir={self.upper},"
                           f"workdir={self.top}/work {self.merged}\n"
                           f"mount --rbind /dev {self.merged}/dev\n"
                           f"mount -t proc proc {self.merged}/proc\n"
                           f"mount -t sysfs sysfs {self.merged}/sys\n"
                           f"mount -t tmpfs run {self.merged}/run\n"
                           f"mkdir {self.merged}/run/lock\n"
                           "echo mounted; exec sleep infinity", name="root")
        holder.wait_log("^mounted$")
        self.enter = ("nsenter", f"--mount=/proc/{holder.pid}/ns/mnt")

    def sh(self, script, **options):
        """Run a script in the mount namespace, outside the root."""
        return run(*self.enter, "sh", "-ec", script, **options)

    def command(self, *argv):
        return (*self.enter, "env", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8",
                "DEBIAN_FRONTEND=noninteractive", "chroot", self.merged, *argv)

    def run(self, *argv, timeout_s=60):
        """Run a command in the root; its output, both streams."""
        done = subprocess.run(self.command(*argv), stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=timeout_s)
        check(done.returncode == 0, f"{argv}: {done.returncode}: {done.stdout[-2000:]}")
        return done.stdout

    def write(self, path, text, mode=None):
        self.sh(f"cat >{self.merged}/{path} <<'END_OF_FILE'\n{text}\nEND_OF_FILE\n" +
                (f"chmod {mode} {self.merged}/{path}\n" if mode else ""))

    def calls(self):
        return self.sh(f"cat {self.merged}/calls; : >{self.merged}/calls").split("\n")[:-1]

    def leftovers(self):
        """What was written to the root and is still there, but KEPT."""
        listed = self.sh(f"cd {self.upper}; find . -mindepth 1 -printf '%y %P\\n'\n"
                         f"cd {self.merged}; find run -mindepth 1 -printf '%y %p\\n'")
        found = []
        for line in listed.splitlines():
            kind, path = line.split(" ", 1)
            if KEPT.match(path) or RUN.match(path) or path in (*RECORDED, "calls"):
                continue
            below = f"/{path}"
            if kind == "d" and os.path.isdir(below):
                continue
            same = kind == "f" and os.path.isfile(below) and \
                self.sh(f"cmp -s {self.upper}/{path} {below} && echo same || true") == "same\n"
            if not same:
                found.append(line)
        return found


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
        answer = self.client.bind_channel(0x4000, self.lab.peer_address, uclient.PEER_PORT)
        check(answer and answer.kind == SUCCESS, f"no channel: {answer and answer.error}")
        self.thread.start()
        return self

    def talk(self):
        while not self.wrong and not self.end.wait(PACE_S):
            message = channel_data(0x4000, b"message %d" % self.n_back)
            self.client.send(message)
            got = self.client.receive()
            if got == message:
                self.n_back += 1
            else:
                self.wrong = f"{message} came back as {got}"

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


def check_installed(root):
    version = root.run("turnpike", "--version")
    check(re.match(r"turnpike \d", version), version)
    told = root.run("stat", "-c", "%a %U %G", CONFIG, os.path.dirname(CONFIG), "/var/log/turnpike")
    check(told == "640 root turnpike\n750 root turnpike\n750 turnpike turnpike\n", told)
    check(root.run("turnpike", "--check-config").endswith("can be used\n"), "the example is bad")
    for tool in ("turnpikectl", "turnpike-load", "turnpike-import-coturn"):
        root.run(tool, "--version")
    passwd = root.run("getent", "passwd", "turnpike")
    check(passwd.endswith(":/nonexistent:/usr/sbin/nologin\n"), passwd)
    root.run("sh", "-c", "! ls -d /etc/systemd/system/*.wants/turnpike.service")
    calls = [call for call in root.calls() if "daemon-reload" not in call]
    check(not calls, f"the installation asked systemd: {calls}")


def upgrade_under_media(lab, root, newer):
    uclient.start_peer(lab)
    config = configuration(lab)
    root.write(CONFIG, "\n".join(yaml_lines(config)))
    relay = lab.start("relay", *root.command("/usr/sbin/turnpike"), name="relay")
    relay.wait_log(r"\binfo ready\b")
    with Call(lab) as call:
        told = root.run("dpkg", "--force-confold", "-i", *newer)
        n_during = call.n_back
        wait_until(lambda: call.wrong or call.n_back > n_during, 10, "media after the upgrade")
    check("keeps its calls" in told, f"the upgrade does not say what it does not do: {told}")
    check(n_during > 20, f"only {n_during} messages came back during the upgrade")
    check(not call.wrong, f"the call lost media: {call.wrong}")
    check(relay.popen.poll() is None, "the relay ended")
    exe = os.readlink(f"/proc/{relay.pid}/exe")
    check(exe.endswith("turnpike (deleted)"), f"{exe} was not replaced")
    check(root.run("dpkg-query", "-W", "-f", "${Version}", "turnpike").startswith("9"), "not new")
    told = root.run("cat", CONFIG)
    check("alice" in told, "the configuration of the operator is gone")
    asked = [call for call in root.calls() if not call.endswith("daemon-reload")]
    check(not asked, f"the upgrade asked systemd: {asked}")
    check(relay.stop() == 0, "the old relay ended badly")


@test(limit_s=400)
def test_installs_upgrades_under_media_and_purges():
    with Lab() as lab:
        first, newer = build(lab)
        root = Root(lab)
        root.sh(f"mkdir -p {root.merged}/run/systemd/system; : >{root.merged}/calls")
        for path in RECORDED:
            root.write(path, RECORDER, mode="755")
        root.run("dpkg", "-i", *first)
        check_installed(root)
        upgrade_under_media(lab, root, newer)
        root.sh(f"mkdir -p {root.merged}/var/lib/turnpike; : >{root.merged}/var/lib/turnpike/left")
        root.run("dpkg", "--purge", "turnpike", "turnpike-tools")
        calls = root.calls()
        check("deb-systemd-invoke stop turnpike.service" in calls, f"not stopped: {calls}")
        left = root.leftovers()
        check(not left, f"left behind: {left}")
