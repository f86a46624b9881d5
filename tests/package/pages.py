#!/usr/bin/python3
"""The manual pages and the completion of bash say what the programs say.

    tests/package/pages.py MAN-DIRECTORY COMPLETION-DIRECTORY PROGRAM...

Each option in a program's --help is in its page and is completed, and no other is; turnpike.yaml(5)
has each line of config/turnpike.yaml; no page has what man(1) warns of.
"""
import os
import re
import subprocess
import sys
import unittest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
MAN, COMPLETION = sys.argv[1:3]
PROGRAMS = {os.path.basename(path): path for path in sys.argv[3:]}
LONG = re.compile(r"(?<![\w-])--[a-z0-9][\w-]*")
SHORT = re.compile(r"(?:^|[\s,])(-[a-zA-Z])(?=,)", re.M)
COMPLETE = """
source "$1"
COMP_WORDS=("$2" "$3" "$4"); COMP_CWORD=2; COMP_LINE="$2 $3 $4"; COMP_POINT=${#COMP_LINE}
"$(complete -p "$2" | sed 's/.* -F \\([^ ]*\\) .*/\\1/')"
printf '%s\\n' "${COMPREPLY[@]}"
"""


def page_text(name):
    found = [f"{MAN}/{name}.{section}" for section in (1, 5, 8)]
    path = next(path for path in found if os.path.exists(path))
    done = subprocess.run(["man", "--warnings", "-l", path], capture_output=True, text=True,
                          check=True, env={**os.environ, "MANWIDTH": "400", "LC_ALL": "C.UTF-8"})
    if done.stderr:
        raise AssertionError(done.stderr)
    return done.stdout.replace("\u2010", "-")


def help_of(*words):
    return subprocess.run([*words, "--help"], capture_output=True, text=True, check=True).stdout


def options(text):
    return set(LONG.findall(text)) | set(SHORT.findall(text))


def completed(name, *words):
    done = subprocess.run(["bash", "-euc", COMPLETE, "-", f"{COMPLETION}/{name}", name, *words],
                          capture_output=True, text=True, check=True)
    return set(done.stdout.split())


class Pages(unittest.TestCase):
    def test_and_completion_have_all_options(self):
        self.assertTrue(PROGRAMS)
        for name, path in PROGRAMS.items():
            with self.subTest(name):
                told = help_of(path)
                verbs = re.findall(r"^  ([a-z]+) ", told, re.M)
                if name == "turnpikectl":
                    told += "".join(help_of(path, verb) for verb in verbs)
                    self.assertLessEqual(set(verbs), completed(name, "x", ""))
                wanted = options(told)
                self.assertGreater(len(wanted), 3)
                page = page_text(name)
                body = page[page.index("\nSYNOPSIS"):page.index("\nEXIT STATUS")]
                self.assertEqual(options(body), wanted)
                for verb in verbs:
                    self.assertRegex(body, rf"\n +{verb}\b")
                offered = set().union(*(completed(name, verb, "-") for verb in ["x", *verbs]))
                self.assertEqual(offered - {"--"}, wanted)

    def test_have_all_exit_statuses(self):
        for name, path in PROGRAMS.items():
            with self.subTest(name):
                told = help_of(path)
                statuses = re.findall(r"\b\d+\b", told[told.index("exit status"):])
                page = page_text(name)
                body = page[page.index("\nEXIT STATUS"):]
                self.assertEqual(re.findall(r"^ +(\d+)$", body, re.M), statuses)

    def test_of_the_configuration_have_all_its_lines(self):
        with open(f"{TOP}/config/turnpike.yaml", encoding="utf-8") as file:
            lines = file.read().splitlines()

        def squeezed(text):
            return re.sub(r"[\s#]+", " ", text)

        page = squeezed(page_text("turnpike.yaml"))
        for line in lines:
            self.assertIn(squeezed(line).strip(), page)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
