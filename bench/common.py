"""What the benches have in common: programs that measure by turns, the machine, the baseline."""
import datetime
import json
import os
import platform
import re
import select
import subprocess
import sys
import time


class Program:
    """A program that works only when it is told to, by a line on its standard input."""

    def __init__(self, command):
        self.command = command
        # It may hold gigabytes of the machine's pages, so it must not outlive us.
        self.process = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", *command],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT)
        self.rest = b""

    def tell(self, line):
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()

    def read_until(self, mark, seconds):
        """The output up to and with `mark`."""
        end = time.monotonic() + seconds
        while mark not in self.rest:
            ready, _, _ = select.select([self.process.stdout], [], [], end - time.monotonic())
            more = os.read(self.process.stdout.fileno(), 65536) if ready else b""
            if not more:
                self.process.kill()
                sys.exit(f"{' '.join(self.command)}:\n{self.rest.decode(errors='replace')}")
            self.rest += more
        at = self.rest.index(mark) + len(mark)
        said, self.rest = self.rest[:at].decode(), self.rest[at:]
        return said

    def end(self):
        self.process.stdin.close()
        if self.process.wait(30):
            sys.exit(f"{' '.join(self.command)} ended with {self.process.returncode}")


def huge_pages_free():
    try:
        with open("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages") as f:
            return int(f.read())
    except OSError:
        return 0


def read_baseline():
    with open(os.path.join(os.path.dirname(__file__), "baseline")) as f:
        return dict(line.split() for line in f if not line.startswith("#"))


def machine():
    with open("/proc/cpuinfo") as f:
        model = re.search(r"model name\s*: (.*)", f.read())
    return f"{model[1] if model else platform.machine()}, {os.cpu_count()} CPUs"


def origin(n_rounds):
    """When and where a result was measured."""
    return {"date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
            "machine": machine(), "rounds": n_rounds}


def write_json(path, result):
    """Nothing where no path was given."""
    if path:
        with open(path, "w", encoding="utf-8") as file:
            json.dump(result, file, indent=2)
            file.write("\n")
