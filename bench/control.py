#!/usr/bin/python3
"""What allocations cost the control core in time and memory, beside one HMAC-SHA1.

    bench/control.py --build DIRECTORY [--json FILE] [--rounds N] [--quick]

One server for each number of live clients, all on one CPU, by turns: a round is one turn of each.
Microseconds are those of the control core's thread, each figure the median of the rounds; the
machine's noise is in them, so each is also given in HMACs of the same round.
"""
import argparse
import datetime
import json
import statistics
import sys

from path import START_S, Program, machine, read_baseline

SIZES = {"1k": 1000, "100k": 100_000, "1m": 1_000_000}
REQUESTS = {"1k": 8192, "100k": 16384, "1m": 32768}  # of each kind in a round
LIFE = ("challenge", "allocate", "bind", "release")
TARGETS = {"allocation_us": 20, "refresh_us": 5, "bytes_per_allocation": 1536}


class Server(Program):
    """bench/control with as many live clients."""

    def __init__(self, build, size):
        super().__init__([f"{build}/control", "-w", "-r", "1000000", "-n", str(REQUESTS[size]),
                          str(SIZES[size])])
        self.turns = []
        self.bytes = float(self.read_figures(b"ready\n", START_S)["bytes"])

    def read_figures(self, mark, seconds):
        lines = self.read_until(mark, seconds).splitlines()[:-1]
        return {name: float(value) for _, name, value in map(str.split, lines)}

    def turn(self):
        self.tell("")
        turn = self.read_figures(b"round\n", 60)
        turn["allocation"] = sum(turn[step] for step in LIFE)
        self.turns.append(turn)

    def median(self, name):
        return statistics.median(turn[name] for turn in self.turns)

    def in_hmacs(self, name):
        return [turn[name] / turn["hmac"] for turn in self.turns]


def result_of(servers, n_rounds):
    result = {
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "machine": machine(),
        "rounds": n_rounds,
        "unit": "microseconds of the control core, median of the rounds",
        "hmac_us": round(statistics.median(turn["hmac"] for server in servers.values()
                                           for turn in server.turns), 3),
    }
    for size, server in servers.items():
        result[f"allocation_us_{size}"] = round(server.median("allocation"), 2)
        result[f"refresh_us_{size}"] = round(server.median("refresh"), 2)
        result[f"bytes_per_allocation_{size}"] = round(server.bytes)
        result[f"steps_us_{size}"] = {step: round(server.median(step), 2) for step in LIFE}
        for name in ("allocation", "refresh"):
            result[f"{name}_hmacs_{size}"] = round(
                statistics.median(server.in_hmacs(name)), 2)
    return result


def print_tables(servers, result):
    baseline = read_baseline()
    print(f"{'live':>6} {'allocation':>11} {'refresh':>8} {'bytes':>6}   of a life: "
          + " ".join(f"{step:>9}" for step in LIFE))
    for size, server in servers.items():
        print(f"{size:>6} {server.median('allocation'):11.2f} {server.median('refresh'):8.2f}"
              f" {server.bytes:6.0f}              "
              + " ".join(f"{server.median(step):9.2f}" for step in LIFE))
    print(f"\none HMAC-SHA1 of a Refresh: {result['hmac_us']:.2f} us; in HMACs of the same round:")
    for name in ("allocation", "refresh"):
        for size, server in servers.items():
            key, each = f"{name}_hmacs_{size}", server.in_hmacs(name)
            was = f"   baseline {baseline[key]}" if key in baseline else ""
            print(f"  {key:22} {result[key]:6.1f}   ({min(each):.1f} .. {max(each):.1f}){was}")


def print_targets(result, largest):
    print("\ntargets:")
    for name, most in TARGETS.items():
        value = result[f"{name}_{largest}"]
        print(f"  {name}_{largest}: {value} of at most {most}: "
              + ("met" if value <= most else "missed"))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True)
    parser.add_argument("--json")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--quick", action="store_true", help="few clients")
    options = parser.parse_args()
    if options.rounds < 5:
        parser.error("at least 5 rounds")

    sizes = ("1k",) if options.quick else tuple(SIZES)
    servers = {size: Server(options.build, size) for size in sizes}
    for _ in range(options.rounds):
        for server in servers.values():
            server.turn()
    for server in servers.values():
        server.end()
    result = result_of(servers, options.rounds)
    print(f"the control core, microseconds of its CPU, {options.rounds} rounds, {machine()}")
    print_tables(servers, result)
    print_targets(result, sizes[-1])
    if options.json:
        with open(options.json, "w") as f:
            json.dump(result, f, indent=2)
            f.write("\n")


if __name__ == "__main__":
    sys.exit(main())
