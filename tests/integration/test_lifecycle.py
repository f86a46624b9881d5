"""Starting, refusing to start, and ending: nothing is left behind, and the next start works."""

import contextlib
import os
import re
import shutil
import signal
import time

import uclient
from echo import check_echo, open_channel
from lab import SERVICE, Lab, check, run, test, wait_until
from relay import (BINARY, PASSWORD, TOP, USER, Relay, configuration, start_relay, turnpike,
                   yaml_lines)
from stunlib import Client

N = 200
USAGE, DEVICE, RESOURCE, PERMISSION, CONFIG = 64, 69, 71, 77, 78
SYSCTLS = ("arp_ignore", "arp_filter", "rp_filter", "accept_local")


def host_state(lab):
    """All of the relay's host, and of the machine, that a relay might change."""
    state = {"links": lab.run("relay", "ip", "-d", "link", "show"),
             "addresses": lab.run("relay", "ip", "-br", "addr", "show"),
             "routes": lab.run("relay", "ip", "route", "show", "table", "all"),
             "rules": lab.run("relay", "ip", "rule", "show"),
             "processes": run("ip", "netns", "pids", lab.namespace("relay"))}
    for interface in lab.relay_interfaces:
        state[f"offloads {interface}"] = lab.run("relay", "ethtool", "-k", interface)
        state[f"sysctls {interface}"] = lab.run(
            "relay", "sysctl", *(f"net.ipv4.conf.{interface}.{name}" for name in SYSCTLS))
    for directory in ("/dev/hugepages", "/run/dpdk", "/sys/fs/bpf"):
        state[directory] = os.listdir(directory) if os.path.isdir(directory) else []
    with open("/proc/meminfo", encoding="ascii") as file:
        state["hugepages"] = re.findall(r"HugePages_(?:Total|Free|Rsvd).*", file.read())
    return state


def check_unchanged(lab, before):
    def changes():
        after = host_state(lab)
        return [f"{key}: {before[key]!r} became {after[key]!r}"
                for key in before if before[key] != after[key]]

    end_s = time.monotonic() + 5
    while changes() and time.monotonic() < end_s:
        time.sleep(0.05)
    check(not changes(), f"left behind: {changes()}")


def check_media(lab):
    """A client sends to a peer that sends everything back."""
    with lab.inside("client"), Client((SERVICE, 3478), USER, PASSWORD) as client:
        client.allocate()
        open_channel(lab, client)
        check_echo(client, N)


def ends_clean(device, sign):
    with Lab() as lab:
        uclient.start_peer(lab)
        before = host_state(lab)
        for _ in range(2):
            relay = start_relay(lab, device=device)
            check_media(lab)
            relay.stop(sign)
            check_unchanged(lab, before)


@test(alone=True)
def test_sigterm_leaves_nothing_of_af_packet():
    ends_clean("af_packet", signal.SIGTERM)


@test(alone=True)
def test_sigint_leaves_nothing_of_af_xdp():
    ends_clean("af_xdp", signal.SIGINT)


@test()
def test_a_hangup_ends_neither_the_start_nor_the_end():
    """From when it reads its configuration, which comes from a pipe."""
    with Lab() as lab:
        relay = Relay(lab)
        os.mkfifo(relay.path)
        process = relay.process = lab.start("relay", BINARY, "-c", relay.path, name="relay")
        with open(relay.path, "wb"):
            process.popen.send_signal(signal.SIGHUP)
            relay.write()

        def is_ready():
            process.popen.send_signal(signal.SIGHUP)
            check(process.popen.poll() is None, f"ended with {process.popen.returncode}")
            return "info ready" in process.log()

        wait_until(is_ready, 15, "it is ready")
        process.popen.send_signal(signal.SIGTERM)
        while process.popen.poll() is None:
            process.popen.send_signal(signal.SIGHUP)
        check(process.popen.returncode == 0, f"ended with {process.popen.returncode}")


def killed_and_started_again(device):
    with Lab() as lab:
        uclient.start_peer(lab)
        before = host_state(lab)
        for _ in range(3):
            relay = start_relay(lab, device=device)
            check_media(lab)
            relay.process.kill()
        check_unchanged(lab, before)


@test(alone=True)
def test_kill_9_and_start_again_af_packet():
    killed_and_started_again("af_packet")


@test(alone=True)
def test_kill_9_and_start_again_af_xdp():
    killed_and_started_again("af_xdp")


N_HUGEPAGES = "/proc/sys/vm/nr_hugepages"


@contextlib.contextmanager
def hugepages(n):
    """`n` more hugepages than the machine has, for a while."""
    with open(N_HUGEPAGES, encoding="ascii") as file:
        before = int(file.read())
    try:
        with open(N_HUGEPAGES, "w", encoding="ascii") as file:
            file.write(str(before + n))
        yield
    finally:
        with open(N_HUGEPAGES, "w", encoding="ascii") as file:
            file.write(str(before))


@test(alone=True)
def test_hugepages_are_used_and_given_back():
    with Lab() as lab, hugepages(256):
        uclient.start_peer(lab)
        config = configuration(lab)
        config["memory"] = {"hugepages": "require"}
        before = host_state(lab)
        for end in (lambda relay: relay.stop(), lambda relay: relay.process.kill()):
            relay = start_relay(lab, config)
            check(host_state(lab)["hugepages"] != before["hugepages"], "no hugepage is used")
            check_media(lab)
            end(relay)
            check_unchanged(lab, before)


@test(alone=True)
def test_many_buffers_of_any_size_find_ordinary_pages():
    """Two of 2 KiB do not share a page of 4 KiB, nor does one of 9 KiB fill three."""
    with Lab() as lab:
        for mtu in (1500, 9000):
            config = configuration(lab)
            config["ports"][0]["mtu"] = mtu
            config["memory"] = {"hugepages": "off", "mbufs": 100000}
            start_relay(lab, config).stop()


@test()
def test_a_cpu_that_is_not_there_is_refused_in_a_line():
    with Lab() as lab:
        for key, cpu in (("cpus", [1023]), ("control-cpu", 1023)):
            config = configuration(lab)
            config["workers"] = {"count": 1, key: cpu}
            refused(lab, RESOURCE, rf'"workers.{key}: this machine has no CPU 1023"$', "-c",
                    write(lab, "cpu.yaml", config))


@test()
def test_more_memory_than_there_is_is_refused():
    with Lab() as lab:
        config = configuration(lab)
        # 3,584 bytes of tables for each, on each worker.
        addresses = [f"198.18.{100 + i}.2" for i in range(62)]
        config["ports"][0]["addresses"] += [f"{address}/24" for address in addresses]
        config["relay"] = [{"address": address, "ports": "1024-65535"} for address in addresses]
        config["limits"]["allocations"] = 3999744
        config["workers"] = {"count": 64}
        config["memory"] = {"hugepages": "off"}
        refused(lab, RESOURCE, "MiB of memory are needed, and [0-9]+ MiB are available", "-c",
                write(lab, "large.yaml", config))


@test(alone=True)
def test_required_hugepages_that_are_not_there_are_refused():
    with Lab() as lab:
        before = host_state(lab)
        config = configuration(lab)
        config["memory"] = {"hugepages": "require", "mbufs": 16777216}
        refused(lab, RESOURCE, "hugepages", "-c", write(lab, "huge.yaml", config))
        check_unchanged(lab, before)


def refused(lab, status, pattern, *argv):
    """turnpike ends with `status` and one line on standard error that matches `pattern`."""
    done = turnpike(lab, *argv)
    lines = done.stderr.strip().splitlines()
    check(done.returncode == status, f"{argv} ended with {done.returncode}: {done.stderr}")
    check(len(lines) == 1 and re.search(pattern, lines[0]), f"{pattern} is not in {done.stderr}")


@test()
def test_second_relay_on_the_same_interface_is_refused():
    with Lab() as lab:
        uclient.start_peer(lab)
        first = start_relay(lab)
        second = configuration(lab)
        second["ports"][0]["mirror"] = "tp9"
        refused(lab, DEVICE, "wire0", "-c", write(lab, "second.yaml", second))
        check_media(lab)
        first.stop()


@test()
def test_absent_interface_is_refused():
    with Lab() as lab:
        before = host_state(lab)
        for kind in ("af_packet", "af_xdp"):
            config = configuration(lab)
            config["ports"][0]["device"] = f"{kind}:nowhere0"
            refused(lab, DEVICE, "nowhere0", "-c", write(lab, "absent.yaml", config))
        check_unchanged(lab, before)


@test()
def test_without_root_is_refused():
    with Lab() as lab:
        before = host_state(lab)
        config = write(lab, "relay.yaml", configuration(lab))
        os.chmod(lab.directory, 0o755)
        binary = shutil.copy(BINARY, lab.directory)  # the checkout may be root's alone
        done = lab.attempt("relay", "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
                           binary, "-c", config)
        check(done.returncode == PERMISSION, f"ended with {done.returncode}: {done.stderr}")
        check(len(done.stderr.strip().splitlines()) == 1, done.stderr)
        check_unchanged(lab, before)


def write(lab, name, config):
    """Write a configuration, a dict or its text, into the lab; its path."""
    text = config if isinstance(config, str) else "\n".join(yaml_lines(config)) + "\n"
    with open(lab.path(name), "w", encoding="utf-8") as file:
        file.write(text)
    return lab.path(name)


# Words of the good configuration, wrong ones in their place, the key the message must name.
WRONG = (
    ("workers:", "wrokers:", "wrokers"),
    ("af_packet:", "af_pocket:", "device"),
    ("198.18.0.2/24", "198.18.0.256/24", "addresses"),
    ("count: 1", "count: many", "count"),
    ("count: 1", "count: 65", "count"),
    ("49152-65535", "65535-49152", "ports"),
    ("198.18.0.2:3478", "198.18.0.3:3478", "listen"),
    ("profile: \"lan\"", "profile: \"wan\"", "profile"),
)


@test()
def test_wrong_configurations_are_refused_by_one_line():
    with Lab() as lab:
        before = host_state(lab)
        good = "\n".join(yaml_lines(configuration(lab))) + "\n"
        for old, new, key in WRONG:
            check(old in good, f"the good configuration has no {old}")
            path = write(lab, "wrong.yaml", good.replace(old, new))
            pattern = rf"{re.escape(path)}:\d+: \S*{key}\S*: "
            refused(lab, CONFIG, pattern, "-c", path)
            refused(lab, CONFIG, pattern, "--check-config", "-c", path)
        refused(lab, CONFIG, "nowhere.yaml", "-c", "/nowhere.yaml")
        check_unchanged(lab, before)


@test()
def test_options_that_only_tell():
    with Lab() as lab:
        config = write(lab, "relay.yaml", configuration(lab))
        annotated = os.path.join(TOP, "config/turnpike.yaml")
        for argv, expected in ((("--version",), r"^turnpike \d+\.\d+\.\d+$"),
                               (("--help",), r"-c.*FILE"),
                               (("--check-config", "-c", config), re.escape(config)),
                               (("--check-config", "-c", annotated), re.escape(annotated))):
            done = turnpike(lab, *argv)
            check(done.returncode == 0, f"{argv} ended with {done.returncode}: {done.stderr}")
            check(re.search(expected, done.stdout), f"{argv} says {done.stdout}")
        check(turnpike(lab, "--no-such-option").returncode == USAGE, "an unknown option passed")
        refused(lab, USAGE, "too much behind --", "-c", config, "--", *["-v"] * 64)
        refused(lab, USAGE, "too much behind --", "-c", config, "--", "-v" * 1024)


def check_link_down_and_up(device):
    """The log says so both times, and what comes then is relayed."""
    with Lab() as lab:
        relay = start_relay(lab, device=device)
        uclient.start_peer(lab)
        lab.run("net", "ip", "link", "set", "relay", "down")
        relay.process.wait_log(r'warning health\.bad sign=ports reason="port wire is down"')
        lab.run("net", "ip", "link", "set", "relay", "up")
        relay.process.wait_log(r"info health\.good sign=ports")
        check_media(lab)
        relay.stop()


@test()
def test_link_down_and_up_af_packet():
    check_link_down_and_up("af_packet")


@test()
def test_link_down_and_up_af_xdp():
    check_link_down_and_up("af_xdp")
