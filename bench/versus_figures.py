"""What bench/versus measures, and how: the figures of one turn of one server."""
import collections
import sys

from versus_load import LIMIT_S, Generator, search
from versus_servers import Wire
from wire import measure as measure_wire
from wire import relay_command

WINDOW = 0.8  # of a trial: the busiest stretch of that length is its CPU
MESSAGES_A_CALL = 4  # Allocate twice for its 401, ChannelBind, Refresh; each has an answer
HELD = 10000  # allocations, for their memory
HELD_RAMP = 2000
CALLS = 100  # that share the media
RATE_MAX = 20_000_000
WIRE_FULL = 0.5  # of bursts: below it the generator was the limit

Figure = collections.namedtuple("Figure", "name unit scale digits better", defaults=(1, 0, "more"))
FIGURES = {
    "up_160": Figure("160 B, client to peer", "kpps", 1e-3),
    "both_160": Figure("160 B, both ways together", "kpps", 1e-3),
    "up_1200": Figure("1200 B, client to peer", "kpps", 1e-3),
    "p50_half": Figure("p50 at half of its own both-way rate", "us", 1, 0, "less"),
    "p99_half": Figure("p99 at half of its own both-way rate", "us", 1, 0, "less"),
    "p99_coturn_half": Figure("p99 at half of coturn's both-way rate", "us", 1, 0, "less"),
    "binding": Figure("Binding answers a second", "k/s", 1e-3),
    "allocations": Figure("allocations a second", "/s"),
    "cpu_packets": Figure("CPU of a million packets", "s", 1, 2, "less"),
    "cpu_allocation": Figure("CPU of an allocation", "us", 1, 0, "less"),
    "memory": Figure("memory of an allocation", "KiB", 1, 1, "less"),
    "loss_90": Figure("loss at 90 % of the both-way rate", "%", 100, 4, "less"),
    "others": Figure("taken by other programs meanwhile", "CPUs", 1, 2, None),
}
BEGIN = {"up_160": 100_000, "both_160": 100_000, "up_1200": 100_000, "binding": 100_000,
         "allocations": 4000}
QUICK = 10  # such a part of that to begin at, where there is time for one trial only


class Turn:
    """One server's turn in a round: {figure: (value, is it a lower bound)}."""

    def __init__(self, server, options, before):
        self.server = server
        self.options = options
        self.before = before
        self.found = {}
        self.generator = None

    def open(self, lab, wire, **options):
        self.server.start(lab, **options)
        lab.deafen_client()
        self.generator = Generator(lab, self.server, self.options.build, wire)

    def note(self, figure, value, at_least=False):
        self.found[figure] = (value, at_least)
        print(f"  {figure} {'>= ' if at_least else ''}{value:.4g}", file=sys.stderr, flush=True)

    def value(self, figure):
        return self.found.get(figure, (0, False))[0]

    def measure(self, coturn_rate):
        """All figures; of a quick run those that show every kind of load."""
        with Wire() as lab:
            self.open(lab, self.options.wire)
            self.measure_both_ways(coturn_rate)
            if not self.options.quick:
                self.find("up_160", lambda rate: self.media("up", 160, rate))
                self.find("up_1200", lambda rate: self.media("up", 1200, rate))
                self.find("binding", lambda rate: self.generator.binding(CALLS, rate,
                                                                         self.options.seconds))
            self.find_allocations()

    def find(self, figure, attempt, rate_max=RATE_MAX):
        """From where the last round found it, or above if that was a bound, in smaller steps."""
        begin, step = BEGIN[figure] // (QUICK if self.options.quick else 1), 2
        if figure in self.before:
            begin, at_least = self.before[figure]
            step = 1.5 if at_least else 1.2
            begin *= step if at_least else 1
        found = search(attempt, begin, step, self.options.effort, rate_max)
        if found:
            self.note(figure, found.rate, found.at_least)
        return found

    def media(self, direction, size, rate, **options):
        """Of a rate that counts both directions together."""
        ways = 2 if direction == "both" else 1
        return self.generator.media(CALLS, size, direction, max(int(rate) // ways, 1),
                                    self.options.seconds, **options)

    def measure_both_ways(self, coturn_rate):
        both = self.find("both_160", lambda rate: self.media("both", 160, rate))
        if both:
            # The system's work to receive a frame runs on its sender's CPU here, so this is what
            # the server's threads and its sending cost, for all servers alike. For one that polls
            # it is a bound: what it would idle away counts as well.
            share = both.trial.watch.share(WINDOW * self.options.seconds)
            self.note("cpu_packets", 1e6 * share / both.trial.packets_per_s())
        if both and (self.server.name == "coturn" or not self.options.quick):
            half = self.latency(both.rate / 2)
            self.note("p50_half", half.latency_us("p50_us"))
            self.note("p99_half", half.latency_us("p99_us"))
        if self.server.name == "coturn" and self.value("p99_half"):
            self.note("p99_coturn_half", self.value("p99_half"))
        elif coturn_rate:
            half = self.latency(coturn_rate / 2)
            self.note("p99_coturn_half", half.latency_us("p99_us"))

    def latency(self, rate):
        """The machine's hiccups only ever add: the least p99 is the server's."""
        trials = [self.media("both", 160, rate, sample_s=LIMIT_S)
                  for _ in range(self.options.effort.latencies)]
        return min(trials, key=lambda trial: trial.latency_us("p99_us"))

    def find_allocations(self):
        found = self.find("allocations", self.generator.calls, self.server.calls_max)
        if not found:
            return
        cpu_s = found.trial.watch.control_s() / found.rate
        # A worker polls whether there is work or not, so its part is taken as that of as many
        # relayed packets; of the other servers all of the CPU is counted.
        if self.server.name.startswith("turnpike"):
            cpu_s += MESSAGES_A_CALL * self.value("cpu_packets") / 1e6
        self.note("cpu_allocation", 1e6 * cpu_s)

    def weigh(self):
        """Resident memory and 2 MiB pages, held allocations against none. turnpike has its tables
        from the beginning, so it is weighed with room for that many against room for few. What the
        kernel keeps for a relay's sockets is not in it."""
        few = 1000
        with Wire() as lab:
            self.open(lab, self.options.wire, n_allocations=few)
            before = self.server.memory_kib()
        with Wire() as lab:
            self.open(lab, self.options.wire, n_allocations=few + HELD)
            trial = self.generator.run("hold", 1, "-n", HELD, "--ramp", HELD_RAMP)
        if trial.result["calls_released"] == HELD:
            self.note("memory", (trial.watch.memory_kib - before) / HELD)


class VhostTurn(Turn):
    """On the wire that no kernel bounds, loaded by programs on DPDK."""

    def measure(self, coturn_rate):
        pps, loss = self.find_wire("both_160", "both")
        self.note("loss_90", loss)
        self.note("cpu_packets", 1e6 / pps)
        if not self.options.quick:
            self.find_wire("binding", "binding")
        with Wire() as lab:
            self.open(lab, f"virtio_user:{lab.path('wire')}")
            self.find_allocations()

    def weigh(self):
        """It holds an allocation as it does elsewhere."""

    def find_wire(self, figure, kind):
        """What comes through while the wire is full."""
        pps, full, loss_90, *_ = measure_wire(f"{self.options.build}/bench", relay_command,
                                              self.options.seconds, kind)
        self.note(figure, pps, full < WIRE_FULL)
        return pps, loss_90
