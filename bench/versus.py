#!/usr/bin/python3
"""turnpike, coturn and an ideal relay on kernel sockets, under the same load, by turns.

    bench/versus.py --build DIRECTORY [--json FILE] [--html FILE] [--rounds N] [--seconds N]
                    [--quick] [--servers NAME,...] [--search N] [--lock FILE]

A round is one turn of each server, in a lab of its own: a veth pair, turnpike-load on CPU 0, the
server on CPU 1. A ratio is the median of the ratios of each round. Over the vhost wire, which no
kernel bounds, turnpike takes a turn of its own. `--quick` tries one low rate of each kind: it
shows that everything works.

The generator is on af_packet, which is fast enough here to find the limit of each server on
sockets; on sockets itself it would mostly be the limit. With `--lock` it holds that file's lock
for a turn or two, so that others may measure in between; what other programs take of the CPUs is a
row of the table. A signal ends it with what it has found.
"""
import argparse
import fcntl
import functools
import os
import signal
import statistics
import subprocess
import sys
import time

from common import origin, write_json
from versus_figures import FIGURES, Turn, VhostTurn
from versus_load import Effort, Generator, Others
from versus_page import write_page
from versus_servers import SERVERS, TOP, LabError
from versus_text import print_tables

PAIRS = (("turnpike", "coturn"), ("turnpike", "ideal"), ("turnpike-vhost", "coturn"))
LOCK_S = 60  # and a turn more
BUSY = 0.2  # CPUs that other programs take: past it, the figures are not the servers' alone
# What the ratio of two figures has to be.
TARGETS = (
    ("vhost, 160 B both ways, to coturn's on veth", "turnpike-vhost", "both_160", "at least", 25),
    ("vhost, Binding answers, to coturn's on veth", "turnpike-vhost", "binding", "at least", 30),
    ("vhost, CPU of an allocation, to coturn's on veth", "turnpike-vhost", "cpu_allocation",
     "at most", 0.1),
    ("veth, p99 at half of coturn's highest rate, to coturn's", "turnpike", "p99_coturn_half",
     "at most", 0.2),
)


class Lock:
    """A file's lock, held for some turns: not so long that others wait for minutes."""

    def __init__(self, path):
        self.file = open(path, "w", encoding="ascii") if path else None
        self.since_s = None

    def take(self):
        if self.file and self.since_s is None:
            fcntl.flock(self.file, fcntl.LOCK_EX)
            self.since_s = time.monotonic()

    def give_in_turn(self):
        if self.since_s is not None and time.monotonic() - self.since_s > LOCK_S:
            fcntl.flock(self.file, fcntl.LOCK_UN)
            self.since_s = None


def summary(values):
    """Of [(value, bound)], where a bound is "", ">=", "<=" or "?": what may be on the other side of
    the median makes it a bound as well."""
    numbers = [value for value, _ in values]
    median = statistics.median(numbers)
    up = any(bound in (">=", "?") and value <= median for value, bound in values)
    down = any(bound in ("<=", "?") and value >= median for value, bound in values)
    return {"median": median, "min": min(numbers), "max": max(numbers),
            "bound": "?" if up and down else ">=" if up else "<=" if down else "",
            "rounds": [{"value": value, "bound": bound} for value, bound in values]}


def figure_rows(turns):
    """{figure: summary} of one server."""
    series = {figure: [(turn[figure][0], ">=" if turn[figure][1] else "")
                       for turn in turns if figure in turn] for figure in FIGURES}
    return {figure: summary(values) for figure, values in series.items() if values}


def ratio_rows(turns, others):
    """{figure: summary of the ratios within a round}"""
    bounds = {(False, False): "", (True, False): ">=", (False, True): "<=", (True, True): "?"}
    rows = {}
    for figure in FIGURES:
        values = [(a[figure][0] / b[figure][0], bounds[a[figure][1], b[figure][1]])
                  for a, b in zip(turns, others) if figure in a and figure in b and b[figure][0]]
        if values and FIGURES[figure].better:
            rows[figure] = summary(values)
    return rows


def is_busy(turns):
    """Whether the servers had the CPUs for themselves, as told by the median turn."""
    others = [turn["others"][0] for each in turns.values() for turn in each if "others" in turn]
    return bool(others) and statistics.median(others) > BUSY


def target_rows(ratios):
    rows = []
    for name, server, figure, direction, wanted in TARGETS:
        ratio = ratios.get(f"{server} : coturn", {}).get(figure)
        row = {"name": name, "wanted": f"{direction} {wanted}", "ratio": ratio, "verdict": None}
        if ratio:
            met = ratio["median"] >= wanted if direction == "at least" else \
                ratio["median"] <= wanted
            # A bound that points across the line leaves it open.
            across = ("<=", "?") if ratio["median"] >= wanted else (">=", "?")
            row["verdict"] = "open" if ratio["bound"] in across else "met" if met else "missed"
        rows.append(row)
    return rows


def attempt(turn, act, failures):
    """One turn that fails must not cost the others; what it had found by then counts."""
    print(f" {turn.server.name}", file=sys.stderr, flush=True)
    try:
        act()
    except (LabError, RuntimeError, SystemExit, subprocess.SubprocessError) as error:
        failures.append(f"{turn.server.name}: {error}")
        print(f"  {failures[-1]}", file=sys.stderr, flush=True)


def measure_round(options, servers, turns, failures):
    now = [(VhostTurn if server.name == "turnpike-vhost" else Turn)(
        server, options, turns[server.name][-1] if turns[server.name] else {})
        for server in servers]
    for turn in now:
        # It does not depend on who else is on the CPUs, so once is enough, and without the lock.
        if not turn.before and not options.quick:
            attempt(turn, turn.weigh, failures)
    coturn_rate = 0
    for turn in now:
        options.lock.take()
        others = Others()
        attempt(turn, functools.partial(turn.measure, coturn_rate), failures)
        turn.note("others", others.share())
        turns[turn.server.name].append(turn.found)
        if turn.server.name == "coturn":
            coturn_rate = turn.value("both_160")
        options.lock.give_in_turn()


def revision():
    try:
        done = subprocess.run(["git", "-C", TOP, "describe", "--always", "--dirty"],
                              capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return None
    return done.stdout.strip() or None


def result_of(options, servers, turns):
    ratios = {f"{a} : {b}": ratio_rows(turns[a], turns[b])
              for a, b in PAIRS if turns.get(a) and turns.get(b)}
    return {
        **origin(max(map(len, turns.values()), default=0)),
        "kernel": os.uname().release,
        "revision": revision(),
        "command": " ".join(["bench/run.sh versus", *options.said]),
        "seconds": options.seconds,
        "wire": options.wire,
        "figures": {name: figure._asdict() for name, figure in FIGURES.items()},
        "servers": [{"name": server.name, "what": server.note, "missing": server.missing_why,
                     "figures": figure_rows(turns.get(server.name, []))} for server in servers],
        "ratios": ratios,
        "targets": target_rows(ratios),
        "busy": is_busy(turns),
    }


def parse():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", default=f"{TOP}/build")
    parser.add_argument("--json")
    parser.add_argument("--html")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--seconds", type=int, default=1, help="of a trial")
    parser.add_argument("--quick", action="store_true", help="1 round of one trial a figure")
    parser.add_argument("--servers", default=",".join(SERVERS), help="default: %(default)s")
    parser.add_argument("--wire", default="af_packet:eth0")
    parser.add_argument("--search", type=int, default=12, help="seconds for each search")
    parser.add_argument("--lock", type=Lock, default=Lock(None))
    options = parser.parse_args()
    options.said = [word for word in sys.argv[1:] if word not in ("--build", options.build)]
    options.rounds = options.rounds or (1 if options.quick else 5)
    options.effort = Effort(1, 1, 0, 0, 1) if options.quick else \
        Effort(8, 2, 0.08, options.search, 5)
    options.servers = options.servers.split(",")
    if not set(options.servers) <= set(SERVERS):
        parser.error(f"servers are {', '.join(SERVERS)}")
    if os.geteuid():
        parser.error("needs root: it makes network namespaces")
    options.build = os.path.abspath(options.build)
    return options


def main():
    options = parse()
    # coturn first: its rate sets a load for the others.
    servers = [make(options.build) for name, make in SERVERS.items() if name in options.servers]
    for server in servers:
        server.missing_why = server.missing()
    there = [server for server in servers if not server.missing_why]
    turns, failures = {server.name: [] for server in there}, []
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.default_int_handler)
    try:
        for i in range(options.rounds):
            print(f"round {i + 1} of {options.rounds}", file=sys.stderr, flush=True)
            measure_round(options, there, turns, failures)
    except KeyboardInterrupt:
        failures.append("stopped by a signal")
    result = {**result_of(options, servers, turns), "failures": failures}
    print_tables(result)
    write_json(options.json, result)
    if options.html:
        write_page(result, Generator.style, options.html)
    sys.exit(bool(failures))


if __name__ == "__main__":
    main()
