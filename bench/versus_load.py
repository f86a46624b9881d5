"""turnpike-load as the generator of bench/versus: single trials, and the search for a rate."""
import collections
import json
import math
import os
import re
import resource
import threading
import time

from versus_servers import GENERATOR_CPU, PASSWORD, PORT, SERVICE, USER, thread_seconds

LOSS = 0.001
LOSS_HOPELESS = 0.1  # no hiccup of the machine or the generator
SAMPLE_S = 0.1
LIMIT_S = 60
LAG_MAX_US = 10000  # at p99: past it, the generator's bursts may be what failed
NEAR = 1.25  # what failed, to what passed
PEER = "198.18.255.1"
TICK_S = 1 / os.sysconf("SC_CLK_TCK")


def user_s():
    """What all programs have had in user mode."""
    with open("/proc/stat", encoding="ascii") as file:
        _, user, nice, *_ = file.readline().split()
    return (int(user) + int(nice)) * TICK_S


class Others:
    """What programs take that are neither ours nor our server's, in user mode."""

    def __init__(self):
        self.begin_s = time.monotonic()
        self.begin_user_s = self.user_s()

    def user_s(self):
        return user_s() - sum(resource.getrusage(who).ru_utime
                              for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))

    def share(self):
        """CPUs' worth of time since the beginning; our children must have been waited for."""
        return max(0, self.user_s() - self.begin_user_s) / (time.monotonic() - self.begin_s)


class Watch(threading.Thread):
    """Samples a server's CPU and memory while a trial runs. A sample takes milliseconds of the CPUs
    from generator or server, so a latency is measured with one at begin and end only."""

    def __init__(self, server, sample_s):
        super().__init__(daemon=True)
        self.server = server
        self.sample_s = sample_s
        self.samples = []
        self.memory_kib = 0
        self.over = threading.Event()

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.join()
        self.sample()

    def sample(self):
        self.samples.append((time.monotonic(), thread_seconds(self.server.process.pid)))
        self.memory_kib = max(self.memory_kib, self.server.memory_kib())

    def run(self):
        while not self.over.is_set():
            self.sample()
            self.over.wait(self.sample_s)

    def share(self, window_s):
        """The CPUs' worth of time in the busiest window of that length."""
        points = [(at, sum(threads.values())) for at, threads in self.samples]
        best, first = 0.0, 0
        for at, seconds in points:
            while at - points[first][0] > window_s:
                best = max(best, (seconds - points[first][1]) / (at - points[first][0]))
                first += 1
        return best

    def control_s(self):
        """CPU seconds of control messages from begin to end."""
        begin, end = self.samples[0][1], self.samples[-1][1]
        return self.server.control_seconds(end) - self.server.control_seconds(begin)


class Trial:
    """What came of one run of turnpike-load, and whose limit it met where it did not pass."""

    def __init__(self, result, watch, seconds):
        self.result = result
        self.watch = watch
        self.seconds = seconds
        self.directions = [result[way] for way in ("up", "down") if result[way]["offered"]]

    def own_loss(self):
        """The generator's own share of loss."""
        return max(((way["not_sent"] + way["not_received"]) / way["offered"]
                    for way in self.directions), default=0.0)

    def loss(self):
        return max((way["lost"] / max(way["sent"], 1) for way in self.directions), default=0.0)

    def passes(self):
        return bool(self.directions) and self.loss() <= LOSS and self.own_loss() <= LOSS

    def is_limited(self):
        """By the generator."""
        return self.own_loss() > LOSS or \
            self.result["generator"]["media_lag"]["p99_us"] > LAG_MAX_US

    def is_hopeless(self):
        return self.loss() > LOSS_HOPELESS

    def latency_us(self, key):
        """Of the slower direction."""
        return max(way["latency"][key] for way in self.directions)

    def packets_per_s(self):
        return sum(way["delivered"] for way in self.directions) / self.seconds


class CallsTrial(Trial):
    """All calls came up and went, hardly a request twice, in the time that their rate gives."""

    def passes(self):
        control = self.result["control"].values()
        n_sent = sum(request["sent"] for request in control)
        n_repeated = sum(request["repeated"] for request in control)
        return (self.result["calls_released"] == self.result["calls_begun"] and
                n_repeated <= LOSS * n_sent and self.result["calls_s"] <= self.seconds * 1.05)

    def is_limited(self):
        generator = self.result["generator"]
        return generator["control_not_sent"] > 0 or \
            generator["calls_lag"]["p99_us"] > 0.05e6 * self.seconds

    def is_hopeless(self):
        return self.result["calls_s"] > self.seconds * 1.5


class Generator:
    """Plays against one server of one lab. Every run has clients of an address not used before: a
    server may remember those of the last one for a while."""

    style = ""  # of turnpike-load's pages

    def __init__(self, lab, server, build, wire):
        self.lab = lab
        self.server = server
        self.program = f"{build}/app/turnpike-load/turnpike-load"
        self.wire = wire
        self.n_runs = 0

    def run(self, mode, seconds, *options, trial=Trial, sample_s=SAMPLE_S):
        self.n_runs += 1
        client = f"198.18.{1 + self.n_runs // 250}.{1 + self.n_runs % 250}"
        path, page = self.lab.path(f"load-{self.n_runs}.json"), self.lab.path("load.html")
        argv = [self.program, mode, "--server", f"{SERVICE}:{PORT}", "-u", USER, "-w", PASSWORD,
                "-d", seconds, "--cpu", GENERATOR_CPU, "--client", client, "--peer", PEER,
                "--wire", self.wire, "--json", path, "--report", page, *options]
        with Watch(self.server, sample_s) as watch:
            done = self.lab.attempt("client", *argv, timeout_s=LIMIT_S)
        if not os.path.exists(path):
            raise RuntimeError(f"turnpike-load {mode}: {(done.stderr or done.stdout).strip()}")
        with open(page, encoding="utf-8") as file:
            Generator.style = re.search("<style>(.*)</style>", file.read(), re.DOTALL)[1]
        with open(path, encoding="utf-8") as file:
            return trial(json.load(file), watch, seconds)

    def media(self, n_calls, size, direction, rate, seconds, sample_s=SAMPLE_S):
        return self.run("run", seconds, "--profile", "flood", "--rate", rate, "--size", size,
                        "--direction", direction, "-n", n_calls, "--peers", 1, "--ramp", 1000,
                        sample_s=sample_s)

    def binding(self, n_clients, rate, seconds):
        return self.run("binding", seconds, "--rate", rate, "-n", n_clients, "--peers", 1)

    def calls(self, rate):
        """`rate` calls begin in a second, each of another client; then they go as fast."""
        return self.run("hold", 1, "-n", rate, "--ramp", rate, trial=CallsTrial)


# The highest rate that passed and its trial; `at_least` where it was not the server that failed
# above it.
Found = collections.namedtuple("Found", "rate trial at_least")
# How long to search: rates to try, how often each, how near to the limit, and how long when
# something has passed; trials of a latency.
Effort = collections.namedtuple("Effort", "rates tries resolution seconds latencies")


def judge(attempt, rate, effort):
    """(trial that passed or None, whether it was always the generator that failed)

    The machine has hiccups, which only ever lose packets: a rate has failed when it always failed.
    """
    limited = True
    for _ in range(effort.tries):
        trial = attempt(rate)
        if trial.passes():
            return trial, False
        if trial.is_hopeless():
            return None, False
        limited = limited and trial.is_limited()
    return None, limited


def search(attempt, begin, step, effort, rate_max):
    """The highest rate that passes, or None.

    It begins somewhere and goes up or down by `step` until the answer lies between two rates, then
    halves.
    """
    end = time.monotonic() + effort.seconds
    best, failed, limited = None, None, False
    rate = min(int(begin), rate_max)
    for _ in range(effort.rates):
        trial, generator = judge(attempt, rate, effort)
        if trial:
            best = Found(rate, trial, False)
        else:
            failed, limited = rate, generator
        if best and (best.rate == rate_max or time.monotonic() > end):
            break
        if failed and best:
            if failed <= best.rate * (1 + effort.resolution):
                break
            rate = int(math.sqrt(failed * best.rate))
        else:
            rate = min(int(rate * step if trial else rate / step), rate_max)
        if rate < 1:
            break
    # Where nothing near failed, the search ended first.
    near = failed and best and failed <= best.rate * NEAR
    return best and best._replace(at_least=limited or not near)
