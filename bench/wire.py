#!/usr/bin/python3
"""How many packets a second cross one worker over a vhost wire, beside testpmd's 5tswap.

    bench/wire.py --build DIRECTORY [--json FILE] [--rounds N] [--seconds N] [--quick]

ChannelData of 160 B both ways for 100,000 allocations in random order, from a generator on CPU 0 to
the server on CPU 1, which alternates: a worker of turnpike with its entries installed, and testpmd.
Each has `--seconds` of as much as it takes, then as long at 90 % of that. `full` is the share of
the generator's bursts that found the wire full: where it is low, the generator was the limit.
Between them the worker has as much as it takes of Send indications, of data that become Data
indications, and of Binding requests.
"""
import argparse
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time

from common import huge_pages_free, origin, read_baseline, write_json

ALLOCATIONS = "100000"
OTHER_KINDS = ("send", "data", "binding")
START_S = 20
HUGE_PAGES = 256  # of 2 MiB: both ends
FIGURES = re.compile(r"top pps=(\d+) full=([\d.]+) lost=(-?[\d.]+)\n"
                     r"paced offered=(\d+) sent=(\d+) received=(\d+)")


def relay_command(build, path, port="vhost"):
    return [f"{build}/wire", "relay", port, path, ALLOCATIONS]


def testpmd_on(device, mode):
    return ["dpdk-testpmd", "--in-memory", "--single-file-segments", "--iova-mode=va", "--no-pci",
            "--no-telemetry", "--log-level=*:error", "--lcores", "0@0,1@1", "--vdev", device, "--",
            "-i", f"--forward-mode={mode}", "--auto-start", "--burst=32",
            "--total-num-mbufs=16383"]


def testpmd_command(_build, path):
    return testpmd_on(f"net_vhost0,iface={path},queues=1", "5tswap")


class Server:
    """One that has started. `path` is its socket, if it has one."""

    def __init__(self, command, log, path=None):
        self.log = log
        self.path = path
        # A server polls until it is told to end, so it must not outlive us.
        self.process = subprocess.Popen(["setpriv", "--pdeathsig", "TERM", *command],
                                        stdin=subprocess.PIPE, stdout=log,
                                        stderr=subprocess.STDOUT)
        end = time.monotonic() + START_S
        while not self.is_ready():
            if self.process.poll() is not None or time.monotonic() > end:
                self.fail(command)
            time.sleep(0.05)

    def is_ready(self):
        if self.path and not os.path.exists(self.path):
            return False
        self.log.seek(0)
        said = self.log.read()
        return b"ready\n" in said or b"testpmd> " in said

    def fail(self, command):
        self.process.kill()
        self.log.seek(0)
        sys.exit(f"{' '.join(command)}:\n{self.log.read().decode(errors='replace')}")

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.stdin.close()
        self.process.wait(20)


def load(server, build, port, target, seconds, kind="both"):
    """(packets a second, share of full bursts, loss at 90 %, reached share of those 90 %, loss
    under all that the generator can send)"""
    try:
        done = subprocess.run([f"{build}/wire", "load", port, target, ALLOCATIONS, str(seconds),
                               kind], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    finally:
        server.end()
    match = FIGURES.search(done.stdout)
    if done.returncode or not match:
        sys.exit(done.stdout)
    pps, full, lost, offered, sent, received = map(float, match.groups())
    return pps, full, 1 - received / sent, sent / offered, lost


def measure(build, make_command, seconds, kind="both"):
    """load() over a vhost wire"""
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile() as log:
        path = f"{folder}/wire"
        server = Server(make_command(build, path), log, path)
        return load(server, build, "virtio_user", path, seconds, kind)


def summary(turns):
    pps, full, loss, reached, lost = zip(*turns)
    return {"pps": statistics.median(pps), "pps_min": min(pps), "pps_max": max(pps),
            "full": statistics.median(full), "loss_at_90": statistics.median(loss),
            "loss_at_90_max": max(loss), "reached_at_90": statistics.median(reached),
            "loss_at_top": statistics.median(lost)}


def ratios_of(turns, others):
    """Of the rates, round by round."""
    return [a[0] / b[0] for a, b in zip(turns, others)]


def show_ratio(what, ratios, name):
    print(f"{what:24}{statistics.median(ratios):6.2f}   ({min(ratios):.2f} .. {max(ratios):.2f})"
          f"   baseline {read_baseline()[name]}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True)
    parser.add_argument("--json")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help="one round, or none (status 77)")
    options = parser.parse_args()
    if options.quick:
        options.rounds = 1
        if huge_pages_free() < HUGE_PAGES:
            print(f"skipped: less than {HUGE_PAGES} free pages of 2 MiB")
            sys.exit(77)

    subjects = {"turnpike": (relay_command, "both"), "testpmd": (testpmd_command, "both"),
                **{kind: (relay_command, kind) for kind in OTHER_KINDS}}
    turns = {name: [] for name in subjects}
    for _ in range(options.rounds):
        for name, (command, kind) in subjects.items():
            turns[name].append(measure(options.build, command, options.seconds, kind))
    rows = {name: summary(each) for name, each in turns.items()}
    ratios = ratios_of(turns["turnpike"], turns["testpmd"])
    kind_ratios = {kind: ratios_of(turns[kind], turns["turnpike"]) for kind in OTHER_KINDS}
    result = {
        **origin(options.rounds),
        "turnpike_pps": rows["turnpike"]["pps"],
        "testpmd_pps": rows["testpmd"]["pps"],
        "ratio": round(statistics.median(ratios), 3),
        "loss_at_90": rows["turnpike"]["loss_at_90"],
        **{f"{kind}_pps": rows[kind]["pps"] for kind in OTHER_KINDS},
        **{f"{kind}_ratio": round(statistics.median(kind_ratios[kind]), 3)
           for kind in OTHER_KINDS},
        "servers": rows,
    }

    print(f"vhost wire, 160 B both ways, {options.rounds} rounds, {result['machine']}")
    print(f"{'':10}{'Mpps':>7} {'least':>7} {'most':>7} {'full':>6} {'loss at 90 %':>13}"
          f" {'worst':>9}")
    for name, row in rows.items():
        print(f"{name:10}{row['pps'] / 1e6:7.2f} {row['pps_min'] / 1e6:7.2f}"
              f" {row['pps_max'] / 1e6:7.2f} {row['full']:6.2f} {row['loss_at_90']:13.6f}"
              f" {row['loss_at_90_max']:9.6f}")
    show_ratio("turnpike to testpmd", ratios, "turnpike_to_testpmd")
    for kind in OTHER_KINDS:
        show_ratio(f"{kind} to ChannelData", kind_ratios[kind], f"{kind}_to_channel")
    write_json(options.json, result)


if __name__ == "__main__":
    main()
