#!/usr/bin/python3
"""Run the integration tests: every test_* function of every test_*.py, each in its own process.

    run.py [-k TEXT] [-j N] [-v] [-l]

Needs root (network namespaces). Ends with one line `N passed, N failed`.
"""

import argparse
import glob
import importlib
import os
import signal
import subprocess
import sys
import tempfile
import time
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
sys.dont_write_bytecode = True
LIMIT_S = 60
GRACE_S = 15  # for a test that is over its limit to remove its lab
TAIL_LINES = 60


def find_tests(text):
    """{module.function: function}"""
    tests = {}
    for path in sorted(glob.glob(f"{HERE}/test_*.py")):
        module = importlib.import_module(os.path.basename(path)[:-3])
        for name, function in vars(module).items():
            if name.startswith("test_") and callable(function):
                tests[f"{module.__name__[5:]}.{name[5:]}"] = function
    return {name: function for name, function in tests.items() if text in name}


def run_here(name):
    """Run one test in this process; the exit code."""
    from lab import LabError
    try:
        find_tests("")[name]()
    except LabError as error:
        print(f"{name}: {error}")
        return 1
    except KeyboardInterrupt:
        print(f"{name}: stopped")
        return 1
    except Exception:
        traceback.print_exc(file=sys.stdout)
        return 1
    return 0


class Running:
    def __init__(self, name, function):
        self.name = name
        self.start_s = time.monotonic()
        self.end_s = self.start_s + getattr(function, "limit_s", LIMIT_S)
        self.late = False
        self.output = tempfile.TemporaryFile("w+", errors="replace")
        self.popen = subprocess.Popen(
            ("setpriv", "--pdeathsig", "TERM", sys.executable, "-u", __file__, "--one", name),
            stdin=subprocess.DEVNULL, stdout=self.output, stderr=self.output,
            start_new_session=True)

    def is_over(self):
        """True when it has ended; past its time it is told to, and then made to."""
        now_s = time.monotonic()
        if self.popen.poll() is None and now_s > self.end_s:
            self.popen.send_signal(signal.SIGKILL if self.late else signal.SIGTERM)
            self.late = True
            self.end_s = now_s + GRACE_S
        return self.popen.poll() is not None

    def report(self, verbose):
        """Print what came of it; True if it passed."""
        passed = self.popen.returncode == 0 and not self.late
        seconds = time.monotonic() - self.start_s
        late = " (over its time limit)" if self.late else ""
        print(f"{'ok' if passed else 'FAILED'} {self.name} {seconds:.1f}s{late}")
        self.output.seek(0)
        lines = self.output.read().splitlines()
        if verbose or not passed:
            for line in lines if verbose else lines[-TAIL_LINES:]:
                print(f"    {line}")
        sys.stdout.flush()
        return passed


def run_all(tests, slots, verbose):
    """Run `tests`, as many at once as there are slots, then those that want the machine alone."""
    waiting = sorted(tests, key=lambda name: getattr(tests[name], "alone", False))
    running, n_passed, n_failed = [], 0, 0
    try:
        while waiting or running:
            for test in [test for test in running if test.is_over()]:
                running.remove(test)
                passed = test.report(verbose)
                n_passed, n_failed = n_passed + passed, n_failed + (not passed)
            while waiting and may_start(tests[waiting[0]], running, slots):
                name = waiting.pop(0)
                running.append(Running(name, tests[name]))
            time.sleep(0.02)
    finally:
        for test in running:
            test.popen.terminate()
        for test in running:
            test.popen.wait()
    return n_passed, n_failed


def may_start(function, running, slots):
    return not running if getattr(function, "alone", False) else len(running) < slots


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-k", metavar="TEXT", default="", help="only tests whose name holds TEXT")
    parser.add_argument("-j", metavar="N", type=int, default=2, help="how many at once (2)")
    parser.add_argument("-v", action="store_true", help="always show the tests' output")
    parser.add_argument("-l", action="store_true", help="list the tests")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    options = parser.parse_args()
    sys.path.insert(0, HERE)
    if options.one:
        return run_here(options.one)
    tests = find_tests(options.k)
    if options.l:
        print("\n".join(tests))
        return 0
    if os.geteuid() != 0:
        print("integration tests need root: they make network namespaces", file=sys.stderr)
        return 77
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        n_passed, n_failed = run_all(tests, options.j, options.v)
    except KeyboardInterrupt:
        return 130
    print(f"{n_passed} passed, {n_failed} failed")
    return 1 if n_failed else 0


if __name__ == "__main__":
    sys.exit(main())
