"""turnpikectl doctor: what it finds in made-up machines, in this one, and in the daemon."""

import json
import os
import re
import resource
import socket
import subprocess
import tempfile

from lab import Lab, check, test
from relay import Relay, configuration, start_relay
from test_ctl import CTL, attempt
from test_lifecycle import hugepages


def fake_machine(root, files, links):
    for path, text in files.items():
        os.makedirs(os.path.dirname(f"{root}/{path}"), exist_ok=True)
        with open(f"{root}/{path}", "w", encoding="ascii") as file:
            file.write(text + "\n")
    for path, target in links.items():
        os.makedirs(os.path.dirname(f"{root}/{path}"), exist_ok=True)
        os.symlink(target, f"{root}/{path}")


NIC = "0000:3b:00.0"
NODE = "sys/devices/system/node/node"
GOOD_MACHINE = {
    f"sys/bus/pci/devices/{NIC}/vendor": "0x8086",
    f"sys/bus/pci/devices/{NIC}/numa_node": "0",
    "sys/kernel/iommu_groups/0/type": "DMA",
    f"{NODE}0/hugepages/hugepages-2048kB/nr_hugepages": "1024",
    f"{NODE}0/hugepages/hugepages-2048kB/free_hugepages": "1000",
    "sys/devices/system/cpu/online": "0-3",
    "sys/devices/system/cpu/isolated": "2-3",
    "sys/devices/system/cpu/cpu2/node0": "",
    "sys/devices/system/cpu/cpu2/cpufreq/scaling_governor": "performance",
    "proc/sys/net/ipv4/ip_local_port_range": "32768 49151",
    "proc/sys/net/ipv4/conf/all/rp_filter": "0",
}


def doctor(relay, files, driver="vfio-pci"):
    """{subject: (severity, finding, advice)} of the worst of each, and the exit status."""
    with tempfile.TemporaryDirectory() as root:
        links = {f"sys/bus/pci/devices/{NIC}/driver": f"../../../bus/pci/drivers/{driver}"}
        fake_machine(root, files, links)
        done = attempt(relay, "--json", "doctor", "--root", root)
        text = attempt(relay, "doctor", "--root", root).stdout
    found = {}
    for line in sorted(done.stdout.splitlines(), key='"ok"'.__contains__):
        row = json.loads(line)
        check(row["finding"] in text, f"{row} is not in {text}")
        if found.get(row["subject"], ("ok",))[0] == "ok":
            found[row["subject"]] = (row["severity"], row["finding"], row.get("advice", ""))
    return found, done.returncode


@test()
def test_a_doctor_finds_what_is_wrong_with_a_machine():
    with Lab() as lab:
        relay = Relay(lab)
        relay.config["ports"][0]["device"] = f"pci:{NIC}"
        relay.config["workers"] = {"cpus": [2], "poll": "busy"}
        relay.write()
        found, status = doctor(relay, GOOD_MACHINE)
        bad = {name: row for name, row in found.items() if row[0] != "ok" and name != "memlock"}
        check(not bad and status in (0, 1), f"{status} {found}")
        node0 = f"{NODE}0/hugepages/hugepages-2048kB"
        for changes, subject, severity, words in (
                ({f"{node0}/nr_hugepages": "3"}, "hugepages", "warning", "6 MiB are reserved"),
                # Tables are in pages of 2 MiB only.
                ({f"{node0}/nr_hugepages": "3",
                  f"{NODE}0/hugepages/hugepages-1048576kB/nr_hugepages": "8"},
                 "hugepages", "warning", "8198 MiB are reserved"),
                ({"sys/devices/system/cpu/isolated": ""}, "cpu", "warning", "shared with other"),
                ({"sys/devices/system/cpu/online": "0-1"}, "cpu", "error", "is not there"),
                ({"sys/devices/system/cpu/cpu2/cpufreq/scaling_governor": "powersave"}, "cpu",
                 "warning", "powersave"),
                ({"sys/kernel/iommu_groups/0/type": None}, "iommu", "error", "there is none"),
                ({f"sys/bus/pci/devices/{NIC}/numa_node": "1", f"{NODE}1/cpulist": ""},
                 "numa", "warning", "(node 1)"),
                ({f"sys/bus/pci/devices/{NIC}/numa_node": "1", f"{NODE}1/distance": "21 10"},
                 "numa", "warning", "(node 1), at a distance of 21"),
                ({"sys/devices/system/cpu/cpu2/node0": None,
                  "sys/devices/system/cpu/cpu2/node1": ""},
                 "numa", "warning", "node of CPU 2 (1) has no hugepages"),
                ({f"sys/bus/pci/devices/{NIC}/vendor": None}, "port", "error", "no device"),
                ({"proc/sys/net/ipv4/ip_local_port_range": "32768 60999"}, "kernel_ports",
                 "warning", "overlap")):
            files = {path: text for path, text in {**GOOD_MACHINE, **changes}.items()
                     if text is not None}
            found, status = doctor(relay, files)
            check(found[subject][0] == severity and words in found[subject][1],
                  f"{changes}: {found}")
            check(status == {"warning": 1, "error": 2}[severity], f"{changes}: {status}")
        # Its own ports have room in front of those that are relayed, or behind, or nowhere.
        for ports, words in (("49152-65535", '"32768 49151"'), ("20000-49999", '"50000 65535"'),
                             ("4000-65535", "relay fewer ports")):
            relay.config["relay"][0]["ports"] = ports
            relay.write()
            found, _ = doctor(relay, {**GOOD_MACHINE, "proc/sys/net/ipv4/ip_local_port_range": "32768 60999"})
            check(words in found["kernel_ports"][2], f"{ports}: {found}")
        relay.config["relay"][0]["ports"] = "49152-65535"
        relay.config["workers"]["control-cpu"] = 9
        relay.write()
        found, status = doctor(relay, GOOD_MACHINE)
        check("CPU 9 of workers.control-cpu is not there" in found["cpu"][1] and status == 2, f"{found}")
        for workers, words in (({"cpus": [2, 2]}, "worker 1 shares CPU 2 with another worker"),
                               ({"cpus": [2], "control-cpu": 2}, "worker 0 shares CPU 2 with the control core")):
            relay.config["workers"] = {"poll": "busy", **workers}
            relay.write()
            found, _ = doctor(relay, GOOD_MACHINE)
            check(found["cpu"][:2] == ("warning", words), f"{workers}: {found}")
        relay.config["workers"] = {"cpus": [2], "poll": "busy"}
        relay.write()
        # A kernel that knows no nodes: nothing is far from anything.
        found, status = doctor(relay, {path: text for path, text in GOOD_MACHINE.items()
                                       if "/node" not in path})
        check("numa" not in found, f"{found}")
        # CPU 2 stands last of many that have no neighbours.
        many = ",".join(map(str, [*range(101, 1001, 2), 2]))
        found, _ = doctor(relay, {**GOOD_MACHINE, "sys/devices/system/cpu/isolated": many})
        check(found["cpu"][0] == "ok", f"{found}")
        found, status = doctor(relay, GOOD_MACHINE, "ice")
        check("driverctl set-override" in found["port"][2] and status == 2, f"{found}")
        relay.config["ports"][0]["addresses"].append("2001:db8:18::2/64")
        relay.config["relay"].append({"address": "2001:db8:18::2", "ports": "50000-50099"})
        relay.write()
        found, _ = doctor(relay, GOOD_MACHINE)
        check(found["relay"][0] == "warning" and "100 relay ports of IPv6" in found["relay"][1], f"{found}")
        relay.config["listen"] = ["nowhere"]
        relay.write()
        found, status = doctor(relay, GOOD_MACHINE)
        check("listen" in found["configuration"][1] and status == 2, f"{found}")


EAL_MIB = 32  # what is kept back for DPDK itself, with one for each queue


def hugepages_mib(pid):
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
        return sum(map(int, re.findall(r"_Hugetlb: +(\d+) kB", file.read()))) // 1024


@test(alone=True, limit_s=90)
def test_a_doctor_wants_the_hugepages_that_a_relay_takes():
    with Lab() as lab, hugepages(512):
        for workers, limits in ((1, {"allocations": 1000}),
                                (2, {"allocations": 16000, "rates": {"user-kbit-s": 1000}})):
            config = configuration(lab, workers=workers)
            config["limits"].update(limits)
            config["memory"] = {"hugepages": "require"}
            relay = start_relay(lab, config)
            taken = hugepages_mib(relay.process.pid)
            told = attempt(relay, "doctor").stdout
            wanted = int(re.search(r"(\d+) MiB are wanted", told)[1])
            relay.stop()
            spare = EAL_MIB + workers
            check(taken <= wanted <= 1.1 * taken + spare, f"wants {wanted} MiB, takes {taken}")


@test()
def test_a_doctor_knows_what_interfaces_do():
    with Lab() as lab:
        relay = start_relay(lab)

        def told():
            return lab.attempt("relay", CTL, "-s", relay.config["admin"]["socket"], "-c", relay.path,
                               "doctor").stdout

        check(re.search(r"ok +nic +wire: veth, no firmware named, RX checksum", told()), told())
        check("wire: net_af_packet, no firmware named, RX checksum offload off" in told(), told())
        check("gro off" not in told(), told())
        lab.run("relay", "ethtool", "-K", "wire0", "gro", "on")
        check(re.search(r"warning +offload +wire: the kernel puts segments together.*\n"
                        r" +ethtool -K wire0 gro off lro off\n", told()), told())


def told_of(answers):
    """What doctor says of a daemon that answers each verb with one line of data."""
    with tempfile.TemporaryDirectory() as directory, socket.socket(socket.AF_UNIX) as door:
        door.bind(f"{directory}/door")
        door.listen()
        asked = subprocess.Popen((CTL, "-s", f"{directory}/door", "-c", "/nowhere", "doctor"),
                                 text=True, stdout=subprocess.PIPE)
        client, _ = door.accept()
        with client, client.makefile("rb") as requests:
            for answer in answers:
                requests.readline()
                client.sendall(b'{"data":%b}\n{"done":true}\n' % json.dumps(answer).encode())
            return asked.communicate(timeout=20)[0]


@test()
def test_a_doctor_names_what_the_daemon_knows_of_its_nics():
    port = {"port": "out", "device": NIC, "driver": "net_ice", "firmware": "4.20 0x80017785",
            "rx_checksum_offload": True}
    told = told_of(({"pid": os.getpid()}, port, {"worker": 0, "checksums_finished": 3}))
    check(f"out: net_ice, firmware 4.20 0x80017785, RX checksum offload on" in told,
          told)
    check("3 frames came with checksums left to hardware" in told, told)
    told = told_of(({"pid": os.getpid()}, {**port, "firmware": "N/A"}, {"worker": 0}))
    check("no firmware named" in told and "left to hardware" not in told, told)


@test()
def test_a_doctor_looks_at_the_daemon():
    with Lab() as lab:
        relay = start_relay(lab)
        done = attempt(relay, "--json", "doctor")
        check(f"it runs, pid {relay.process.pid}" in done.stdout, done.stdout)
        # What the daemon may lock, not who asks.
        resource.prlimit(relay.process.pid, resource.RLIMIT_MEMLOCK, (1 << 20, 1 << 20))
        told = attempt(relay, "doctor").stdout
        check(re.search("^ok +memlock +no port is of pci or af_xdp", told, re.M), told)
        relay.config["ports"][0]["device"] = f"pci:{NIC}"
        relay.write()
        told = attempt(relay, "doctor").stdout
        check("1024 KiB may be locked by the daemon" in told, told)
        limits = "Max processes 1 1 processes\nMax locked memory unlimited unlimited bytes\n"
        found, _ = doctor(relay, {f"proc/{relay.process.pid}/limits": limits})
        check(found["memlock"][:2] == ("ok", "memory may be locked by the daemon"), f"{found}")
        done = attempt(relay, "doctor", "--root", lab.path("nowhere"))
        check(done.returncode == 64 and "no proc and sys are below it" in done.stderr, f"{done}")
        relay.process.kill()
        done = attempt(relay, "--json", "doctor")
        check("nobody answers" in done.stdout and done.returncode == 2, f"{done}")
