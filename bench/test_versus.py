#!/usr/bin/python3
"""bench/versus on its shortest run: a row for each server, bounds that say so, a page that loads
nothing.

    bench/test_versus.py BUILD [TestCase.test]
"""
import json
import os
import re
import subprocess
import sys
import tempfile
import unittest

import versus

BUILD = os.path.abspath(sys.argv[1])
SKIPPED = 77  # as meson counts
NAMES = ["coturn", "ideal", "turnpike", "turnpike-vhost"]
LOADS = re.compile(r"https?:|src=|href=|url\(|@import|<script|<link|<iframe")
RATES = {"both_160", "allocations"}


def measure(folder, *options, **environment):
    """(result, page, what it printed)"""
    path, page = f"{folder}/versus.json", f"{folder}/versus.html"
    done = subprocess.run([sys.executable, versus.__file__, "--build", BUILD, "--quick", "--json",
                           path, "--html", page, *options], capture_output=True, text=True,
                          check=False, env={**os.environ, **environment})
    if done.returncode:
        raise AssertionError(done.stdout + done.stderr)
    with open(path, encoding="utf-8") as file, open(page, encoding="utf-8") as html:
        return json.load(file), html.read(), done.stdout


class Run(unittest.TestCase):
    def test_has_a_row_for_each_server_and_a_page_that_loads_nothing(self):
        with tempfile.TemporaryDirectory() as folder:
            result, page, text = measure(folder, "--rounds", "1")
        self.assertEqual([row["name"] for row in result["servers"]], NAMES)
        for row in result["servers"]:
            self.assertIn(row["name"], text)
            self.assertIn(row["name"], page)
            # Which one passes on a busy machine is a matter of luck.
            self.assertTrue(row["missing"] or RATES & set(row["figures"]), row)
        self.assertEqual(len(result["targets"]), len(versus.TARGETS))
        self.assertIsNone(LOADS.search(page))
        self.assertIn("<svg", page)
        self.assertIn(":root{", page)

    def test_goes_on_without_coturn_and_says_so(self):
        with tempfile.TemporaryDirectory() as folder:
            result, page, text = measure(folder, "--servers", "coturn", PATH=folder)
        self.assertEqual(result["servers"][0]["figures"], {})
        for told in (page, text):
            self.assertIn("package coturn is missing", told)


class Bounds(unittest.TestCase):
    def test_of_a_median_are_those_on_its_other_side(self):
        for values, bound in (([(1, ""), (2, ""), (3, ">=")], ""),
                              ([(1, ">="), (2, ""), (3, "")], ">="),
                              ([(1, ""), (2, ">="), (3, "")], ">="),
                              ([(1, ""), (2, ""), (3, "<=")], "<="),
                              ([(1, ">="), (2, ""), (3, "<=")], "?"),
                              ([(1, ""), (2, "?"), (3, "")], "?")):
            self.assertEqual(versus.summary(values)["bound"], bound, values)

    def test_that_point_across_a_target_leave_it_open(self):
        for ratio, bound, verdict in ((26, "", "met"), (26, ">=", "met"), (26, "<=", "open"),
                                      (24, "", "missed"), (24, "<=", "missed"),
                                      (24, ">=", "open"), (24, "?", "open")):
            ratios = {"turnpike-vhost : coturn": {"both_160": {"median": ratio, "bound": bound}}}
            self.assertEqual(versus.target_rows(ratios)[0]["verdict"], verdict, (ratio, bound))


if __name__ == "__main__":
    if os.geteuid():
        sys.exit(SKIPPED)
    unittest.main(argv=sys.argv[:1] + sys.argv[2:])
