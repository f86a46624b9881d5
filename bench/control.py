#!/usr/bin/python3
"""What allocations cost the control core, and what its work costs the media of others.

    bench/control.py --build DIRECTORY [--json FILE] [--rounds N] [--quick]

One server for each number of live clients, all on one CPU, by turns: a round is one turn of each.
Microseconds are those of the control core's thread, each figure the median of the rounds; the
machine's noise is in them, so each is also given in HMACs of the same round.

After that the control core works without pause beside a worker that relays media of other clients
at a steady rate; a round is a quiet turn and a busy one. Both CPUs are then the bench's: packets
that waited while something else ran on the worker's are left out of the latencies (`away`), but
what others leave in the caches is not.
"""
import argparse
import statistics
import sys

from common import Program, origin, read_baseline, write_json

SIZES = {"1k": 1000, "100k": 100_000, "1m": 1_000_000}
START_S = 300  # for 1 M clients on a busy machine
REQUESTS = {"1k": 8192, "100k": 16384, "1m": 32768}  # of each kind in a round
LIFE = ("challenge", "allocate", "bind", "release")
MEDIA_SECONDS = 1
IDLE_MAX = 0.1  # of a control core that works at its limit
# At the largest number of clients; memory is that of tables for 1 M, so only there.
TARGETS = {"allocation_us": 20, "refresh_us": 5, "bytes_per_allocation_1m": 1536,
           "media_loss": 0, "media_p99_ratio": 2}


class Server(Program):
    """bench/control with as many live clients."""

    def __init__(self, build, size):
        super().__init__([f"{build}/control", "-w", "-r", "1000000", "-n", str(REQUESTS[size]),
                          str(SIZES[size])])
        self.turns = []
        figures = self.read_figures(b"ready\n", START_S)
        self.bytes, self.first = figures["bytes"], figures["first"]

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


class Media(Program):
    """bench/media: a quiet and a busy turn a round."""

    def __init__(self, build):
        super().__init__([f"{build}/media", "-w", "-r", "1000000", "-s", str(MEDIA_SECONDS)])
        self.turns = []
        self.read_until(b"ready\n", START_S)

    def turn(self):
        self.tell("")
        lines = self.read_until(b"round\n", 60).splitlines()[:-1]
        figures = {name: list(map(float, values))
                   for name, *values in map(str.split, lines)}
        self.turns.append(figures)

    def each(self, name, column):
        return [turn[name][column] for turn in self.turns]

    def median(self, name, column):
        return statistics.median(self.each(name, column))

    def loss(self, name):
        return sum(self.each(name, 1)) / sum(self.each(name, 0))

    def p99_ratios(self):
        return [turn["busy"][4] / turn["quiet"][4] for turn in self.turns]


def media_result(media):
    return {
        "media_pps": round(media.median("quiet", 0) / MEDIA_SECONDS),
        "media_loss": media.loss("busy"),
        "media_loss_quiet": media.loss("quiet"),
        "media_p50_us_quiet": round(media.median("quiet", 3) / 1000, 2),
        "media_p50_us": round(media.median("busy", 3) / 1000, 2),
        "media_p99_us_quiet": round(media.median("quiet", 4) / 1000, 2),
        "media_p99_us": round(media.median("busy", 4) / 1000, 2),
        "media_away": round(media.median("busy", 2), 3),
        "media_p99_ratio": round(statistics.median(media.p99_ratios()), 2),
        "control_requests_per_s": round(media.median("requests", 0)),
        "control_idle": round(media.median("requests", 1), 3),
    }


def print_media(media, result):
    ratios = media.p99_ratios()
    print(f"\nmedia at {result['media_pps'] / 1e3:.0f} kpps, us:"
          f" {'p50':>8} {'p99':>8} {'max':>8} {'lost':>9} {'away':>6}")
    for name in ("quiet", "busy"):
        print(f"  {name:22}" + " ".join(f"{media.median(name, column) / 1000:8.2f}"
                                        for column in (3, 4, 5))
              + f" {media.loss(name):9.6f} {media.median(name, 2):6.2f}")
    print(f"  p99 busy to quiet {result['media_p99_ratio']:.2f}"
          f"   ({min(ratios):.2f} .. {max(ratios):.2f}); meanwhile"
          f" {result['control_requests_per_s']} requests a second, the control core idle for"
          f" {100 * result['control_idle']:.0f} %")


def result_of(servers, n_rounds):
    result = {
        **origin(n_rounds),
        "unit": "microseconds of the control core, median of the rounds",
        "hmac_us": round(statistics.median(turn["hmac"] for server in servers.values()
                                           for turn in server.turns), 3),
    }
    for size, server in servers.items():
        result[f"allocation_us_{size}"] = round(server.median("allocation"), 2)
        result[f"first_allocation_us_{size}"] = round(server.first, 2)
        result[f"refresh_us_{size}"] = round(server.median("refresh"), 2)
        result[f"bytes_per_allocation_{size}"] = round(server.bytes)
        result[f"steps_us_{size}"] = {step: round(server.median(step), 2) for step in LIFE}
        for name in ("allocation", "refresh"):
            result[f"{name}_hmacs_{size}"] = round(
                statistics.median(server.in_hmacs(name)), 2)
    return result


def print_tables(servers, result):
    baseline = read_baseline()
    print(f"{'live':>6} {'allocation':>11} {'refresh':>8} {'first':>6} {'bytes':>6}   of a life: "
          + " ".join(f"{step:>9}" for step in LIFE))
    for size, server in servers.items():
        print(f"{size:>6} {server.median('allocation'):11.2f} {server.median('refresh'):8.2f}"
              f" {server.first:6.2f} {server.bytes:6.0f}              "
              + " ".join(f"{server.median(step):9.2f}" for step in LIFE))
    print(f"\none HMAC-SHA1 of a Refresh: {result['hmac_us']:.2f} us; in HMACs of the same round:")
    for name in ("allocation", "refresh"):
        for size, server in servers.items():
            key, each = f"{name}_hmacs_{size}", server.in_hmacs(name)
            was = f"   baseline {baseline[key]}" if key in baseline else ""
            print(f"  {key:22} {result[key]:6.1f}   ({min(each):.1f} .. {max(each):.1f}){was}")


def print_targets(result, largest):
    print("\ntargets:")
    for target, most in TARGETS.items():
        name = target if target in result else f"{target}_{largest}"
        if name in result:
            print(f"  {name}: {result[name]} of at most {most}: "
                  + ("met" if result[name] <= most else "missed"))
    if result["control_idle"] > IDLE_MAX:
        print("  no verdict on media: the control core was idle, so not at its limit")


def run_rounds(programs, n):
    for _ in range(n):
        for program in programs:
            program.turn()
    for program in programs:
        program.end()


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
    run_rounds(servers.values(), options.rounds)
    media = Media(options.build)
    run_rounds([media], options.rounds)
    result = {**result_of(servers, options.rounds), **media_result(media)}
    print(f"the control core, microseconds of its CPU, {options.rounds} rounds, {result['machine']}")
    print_tables(servers, result)
    print_media(media, result)
    print_targets(result, sizes[-1])
    write_json(options.json, result)


if __name__ == "__main__":
    sys.exit(main())
