#!/usr/bin/python3
"""How many packets a second cross one worker on a kernel's interface, beside testpmd's io.

    bench/veth.py --build DIRECTORY [--json FILE] [--rounds N] [--seconds N]

A veth pair in a network namespace that ends with this program. The generator of bench/wire has one
end, by af_xdp on CPU 0; the other end has, by turns and on CPU 1, a worker of turnpike and a testpmd that
forwards what comes as it came, both on af_packet and on af_xdp. The load is ChannelData of 160 B
both ways for 100,000 allocations; testpmd's io does not look at it.

The kernel moves each frame at the sender's cost, so a packet is paid for on both CPUs. Where nothing
is lost at the top rate, the generator was the limit and both servers hide behind it.
"""
import argparse
import os
import statistics
import subprocess
import sys
import tempfile

from common import origin, write_json
from wire import Server, load, ratios_of, relay_command, show_ratio, summary, testpmd_on

PORTS = {"af_packet": "net_af_packet0,iface={},blocksz=4096,framesz=2048,framecnt=512,qpairs=1",
         "af_xdp": "net_af_xdp0,iface={},start_queue=0,queue_count=1"}
SERVER_END, GENERATOR_END = "server0", "load0"
GENERATOR_PORT = "af_xdp"


def enter_namespace():
    """Start again in a namespace of our own."""
    if os.environ.get("BENCH_VETH") != "in":
        os.execvpe("unshare", ["unshare", "--net", sys.executable, *sys.argv],
                   {**os.environ, "BENCH_VETH": "in"})


def make_wire():
    """No IPv6: the kernel would send frames of its own. No checksums left to do."""
    for command in ("sysctl -qw net.ipv6.conf.default.disable_ipv6=1",
                    f"ip link add {SERVER_END} type veth peer name {GENERATOR_END}",
                    f"ip link set {SERVER_END} up", f"ip link set {GENERATOR_END} up"):
        subprocess.run(command.split(), check=True)


def measure(build, command, seconds):
    with tempfile.TemporaryFile() as log:
        return load(Server(command, log), build, GENERATOR_PORT, GENERATOR_END, seconds)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True)
    parser.add_argument("--json")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=1)
    options = parser.parse_args()

    enter_namespace()
    make_wire()
    commands = {}
    for port, device in PORTS.items():
        commands[port, "turnpike"] = relay_command(options.build, SERVER_END, port)
        commands[port, "testpmd"] = testpmd_on(device.format(SERVER_END), "io")
    turns = {subject: [] for subject in commands}
    for _ in range(options.rounds):
        for subject, command in commands.items():
            turns[subject].append(measure(options.build, command, options.seconds))
    ratios = {port: ratios_of(turns[port, "turnpike"], turns[port, "testpmd"]) for port in PORTS}
    result = {
        **origin(options.rounds),
        "ports": {port: {"ratio": round(statistics.median(ratios[port]), 3),
                         **{name: summary(turns[port, name]) for name in ("turnpike", "testpmd")}}
                  for port in PORTS},
    }
    print(f"veth, 160 B both ways, {options.rounds} rounds, {result['machine']}")
    print(f"{'':20}{'kpps':>7} {'least':>7} {'most':>7} {'loss at top':>12} {'at 90 %':>9}")
    for (port, name), each in turns.items():
        row = summary(each)
        print(f"{port:10}{name:10}{row['pps'] / 1e3:7.1f} {row['pps_min'] / 1e3:7.1f}"
              f" {row['pps_max'] / 1e3:7.1f} {row['loss_at_top']:12.3f} {row['loss_at_90']:9.6f}")
    for port in PORTS:
        show_ratio(f"{port}: turnpike to io", ratios[port], f"{port}_to_testpmd_io")
    write_json(options.json, result)


if __name__ == "__main__":
    main()
