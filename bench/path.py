#!/usr/bin/python3
"""Interleave the variants of bench/path and testpmd's 5tswap, and print what they cost.

    bench/path.py --build DIRECTORY [--against DIRECTORY] [--json FILE] [--rounds N] [--quick]

All run on one CPU, one at a time, by turns: a round is one turn of each. A ratio is the median of
the ratios of each round, so that a machine that slows down for a while slows down both sides.
`--against` is the bench directory of another build, say of the commit before: a variant more.
"""
import argparse
import re
import shutil
import statistics
import sys
import time

from common import Program, huge_pages_free, origin, read_baseline, write_json

SIZES = {"1k": 1000, "100k": 100_000, "1m": 1_000_000, "4m": 4_000_000}
RTE_HASH_SIZES = ("1k", "100k", "1m")
KINDS = ("both", "up", "down", "send", "data", "binding", "expired", "not-stun", "other-mac",
         "none")
FRAMES = 512  # that wait at once, in bench/path as in testpmd
BURST = 32
LARGE_BURST = 64
FRAME_BYTES = 204
START_S = 120
HUGE_PAGES = 1600  # of 2 MiB: what the tables of all variants take
TESTPMD_S = 0.1
TESTPMD = ["stdbuf", "-oL", "dpdk-testpmd",
           "--no-huge", "--no-shconf", "-m", "128", "--no-pci", "--no-telemetry",
           "--log-level=*:error", "--lcores", "0@0,1@1", "--vdev", "net_ring0", "--", "-i",
           "--forward-mode=5tswap", "--record-core-cycles", "--total-num-mbufs=2048",
           f"--burst={BURST}", f"--txpkts={FRAME_BYTES}", "--mbcache=0"]


class Variant(Program):
    """bench/path or bench/path_rte_hash with some tables, in one kind of pages."""

    def __init__(self, name, path, huge, sizes, kinds, burst=BURST):
        options = ["-w", "-r", "1000000", "-B", str(burst)]
        options += [] if huge else ["-o"]
        options += ["-k", kinds[0]] if len(kinds) == 1 else []
        super().__init__([path, *options, *[str(SIZES[size]) for size in sizes]])
        self.name = name
        self.labels = {SIZES[size]: size for size in sizes}
        self.pages = set()
        self.read_until(b"ready\n", START_S)

    def turn(self, figures):
        self.tell("")
        for line in self.read_until(b"round\n", 60).splitlines()[:-1]:
            n, kind, median, p99, pages = line.split()
            key = (self.name, self.labels[int(n)], kind)
            figures.setdefault(key, []).append((float(median), float(p99)))
            self.pages.add(pages)


class Testpmd(Program):
    """testpmd with one ring port that feeds itself: what is sent is received again."""

    name = "5tswap"

    def __init__(self):
        super().__init__(TESTPMD)
        self.read_until(b"testpmd> ", START_S)

    def turn(self, figures):
        self.tell(f"start tx_first {FRAMES // BURST}")
        self.read_until(b"testpmd> ", 10)
        time.sleep(TESTPMD_S)
        self.tell("stop")
        match = re.search(r"cycles/packet=([0-9.]+)", self.read_until(b"Done.\n", 10))
        if not match:
            sys.exit("testpmd told no cycles a packet")
        figures.setdefault((self.name, "-", "5tswap"), []).append((float(match[1]), 0.0))
        self.read_until(b"testpmd> ", 10)

    def end(self):
        self.tell("quit")
        self.process.communicate(timeout=30)


def open_programs(build, against, quick):
    """Every variant, the main one first: 2 MiB pages where there are enough."""
    sizes = ("1k", "100k") if quick else tuple(SIZES)
    yardstick = tuple(size for size in RTE_HASH_SIZES if size in sizes)
    path, rte_hash = f"{build}/path", f"{build}/path_rte_hash"
    programs = []
    huge = not quick and huge_pages_free() >= HUGE_PAGES * (2 if against else 1)
    if huge:
        programs += [Variant("path", path, True, sizes, KINDS),
                     Variant("rte_hash", rte_hash, True, yardstick, KINDS[:1]),
                     Variant("path, 4 KiB", path, False, sizes, KINDS[:1]),
                     Variant("rte_hash, 4 KiB", rte_hash, False, yardstick, KINDS[:1])]
    else:
        programs += [Variant("path", path, False, sizes, KINDS),
                     Variant("rte_hash", rte_hash, False, yardstick, KINDS[:1])]
    programs.insert(1, Variant("burst of 64", path, huge, yardstick, KINDS[:1], LARGE_BURST))
    if against:
        programs.insert(1, Variant("against", f"{against}/path", huge, sizes, KINDS[:1]))
    if shutil.which(TESTPMD[2]):
        programs.append(Testpmd())
    else:
        print("dpdk-testpmd is missing (Debian's package dpdk-dev): no 5tswap to compare with")
    return programs


def medians(figures, key):
    return statistics.median(m for m, _ in figures[key])


def ratio(figures, a, b):
    """The median of the ratios of each round, and how far they spread."""
    each = [x / y for (x, _), (y, _) in zip(figures[a], figures[b])]
    value = statistics.median(each)
    if b[0] == Testpmd.name:
        # Its figure is a mean that counts every interruption: only the least ones compare.
        value = min(x for x, _ in figures[a]) / min(y for y, _ in figures[b])
    return {"value": round(value, 3), "min": round(min(each), 3), "max": round(max(each), 3)}


def ratios_of(figures):
    asked = {
        "1m_to_1k": (("path", "1m", "both"), ("path", "1k", "both")),
        "4m_to_1k": (("path", "4m", "both"), ("path", "1k", "both")),
        "1m_to_rte_hash": (("path", "1m", "both"), ("rte_hash", "1m", "both")),
        "1m_to_rte_hash_4kib": (("path, 4 KiB", "1m", "both"), ("rte_hash, 4 KiB", "1m", "both")),
        "1k_to_rte_hash": (("path", "1k", "both"), ("rte_hash", "1k", "both")),
        "1k_to_5tswap": (("path", "1k", "both"), ("5tswap", "-", "5tswap")),
    }
    # Rates, not cycles: how many of them to one packet of ChannelData.
    for kind in ("send", "data", "binding"):
        asked[f"{kind}_rate_100k"] = (("path", "100k", "both"), ("path", "100k", kind))
    for size in SIZES:
        asked[f"{size}_burst_64_to_32"] = (("burst of 64", size, "both"), ("path", size, "both"))
        asked[f"{size}_to_against"] = (("path", size, "both"), ("against", size, "both"))
    return {name: ratio(figures, a, b) for name, (a, b) in asked.items()
            if a in figures and b in figures}


def stages_of(figures, size):
    """Differences round by round: of the express lane between sizes of the table, of the long way
    by kinds of packets that end early on it. The lane looked for `expired` before."""
    def difference(a, b):
        each = [x - y for (x, _), (y, _) in zip(figures[("path", *a)], figures[("path", *b)])]
        return round(statistics.median(each), 1)

    return {
        "an empty round": round(medians(figures, ("path", size, "none")), 1),
        "the express lane, in the caches": difference(("1k", "both"), ("1k", "none")),
        "what this table is larger": difference((size, "both"), ("1k", "both")),
        "the long way, not plain: parse, drop": difference((size, "other-mac"), (size, "none")),
        "the long way, plain: classify, drop": difference((size, "not-stun"), (size, "none")),
        "the lane's look-up and its own": difference((size, "expired"), (size, "not-stun")),
    }


def print_tables(figures, result):
    baseline = read_baseline()
    print(f"{'':18}{'table':>6} {'kind':>10} {'median':>8} {'least':>8} {'p99':>8}")
    for (name, size, kind), turns in figures.items():
        p99 = statistics.median(p for _, p in turns)
        print(f"{name:18}{size:>6} {kind:>10} {medians(figures, (name, size, kind)):8.1f}"
              f" {min(m for m, _ in turns):8.1f} {f'{p99:.1f}' if p99 else '-':>8}")
    print("\nratios of medians within a round:")
    for name, r in result["ratios"].items():
        was = f"   baseline {baseline[name]}" if name in baseline else ""
        print(f"  {name:22} {r['value']:.2f}   ({r['min']:.2f} .. {r['max']:.2f}){was}")
    print("\ncycles by stage, as differences between kinds and sizes:")
    for size, stages in result["stages"].items():
        print(f"  {size:>5}: " + ", ".join(f"{name} {value}" for name, value in stages.items()))


def result_of(figures, n_rounds, pages):
    result = {
        **origin(n_rounds),
        "pages": pages,
        "unit": "TSC cycles a packet, median burst (of 32 unless named), median of the rounds",
    }
    suffixes = {"path": "", "rte_hash": "_rte_hash", "path, 4 KiB": "_4kib",
                "rte_hash, 4 KiB": "_rte_hash_4kib", "burst of 64": "_burst_64",
                "against": "_against"}
    for (name, size, kind), turns in figures.items():
        if kind == "both":
            key = f"cycles_{size}{suffixes[name]}"
            result[key] = round(medians(figures, (name, size, kind)), 1)
            result[f"p99_{key}"] = round(statistics.median(p for _, p in turns), 1)
    if ("5tswap", "-", "5tswap") in figures:
        result["cycles_5tswap"] = medians(figures, ("5tswap", "-", "5tswap"))
    result["ratios"] = ratios_of(figures)
    result["stages"] = {size: stages_of(figures, size) for name, size, kind in figures
                        if name == "path" and kind == "both"}
    return result


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True)
    parser.add_argument("--against")
    parser.add_argument("--json")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--quick", action="store_true", help="small tables, ordinary pages")
    options = parser.parse_args()
    if options.rounds < 5:
        parser.error("at least 5 rounds")

    figures = {}
    programs = open_programs(options.build, options.against, options.quick)
    for program in programs:
        program.turn({})  # the first touch of memory is not what is asked for
    for _ in range(options.rounds):
        for program in programs:
            program.turn(figures)
    for program in programs:
        program.end()
    result = result_of(figures, options.rounds, "/".join(sorted(programs[0].pages)))
    print(f"TSC cycles a packet, {options.rounds} rounds, {result['machine']}; pages of the main variant: "
          f"{result['pages']}")
    print_tables(figures, result)
    write_json(options.json, result)


if __name__ == "__main__":
    main()
