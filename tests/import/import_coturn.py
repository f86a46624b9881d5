#!/usr/bin/python3
"""turnpike-import-coturn on configurations as they are found in the world.

    tests/import/import_coturn.py IMPORT TURNPIKE [TestCase.test]

Each NAME.conf here has the NAME.yaml that must come of it. What comes out, turnpike takes.
"""
import os
import re
import resource
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
IMPORT, TURNPIKE = sys.argv[1:3]
WIRE = ["--device", "pci:0000:3b:00.0"]
NAMES = {
    "webrtc_nat": ["--address", "10.0.0.5/24", "--gateway", "10.0.0.1"],
    "meetings": ["--address", "198.51.100.7/28", "--address", "198.51.100.8/28",
                 "--gateway", "198.51.100.1"],
    "redis_pool": [],
    "ports_taken": ["--address", "192.0.2.30/24", "--gateway", "192.0.2.1"],
}
ALL, SOME, USAGE, DATA, INPUT, OUTPUT = 0, 1, 64, 65, 66, 73
UNKNOWN = "is no option of coturn"


def run(*arguments, **options):
    return subprocess.run([IMPORT, *arguments], capture_output=True, text=True, check=False,
                          timeout=60, **options)


def options_of_turnserver():
    """What Debian's turnserver, its configuration and its page of help name."""
    told = subprocess.run(["turnserver", "--help"], capture_output=True, text=True, check=False)
    names = set(re.findall(r"^[ \t]*(?:-\w,? *)*--([A-Za-z][\w-]+)", told.stdout + told.stderr,
                           re.M))
    with open("/etc/turnserver.conf", encoding="utf-8") as file:
        names |= set(re.findall(r"^# ?([a-zA-Z][\w-]*)(?:=.*)?$", file.read(), re.M))
    return names


class Tree(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def path(self, name):
        return os.path.join(self.folder.name, name)

    def conf(self, text):
        path = self.path("turnserver.conf")
        with open(path, "wb") as file:
            file.write(text if isinstance(text, bytes) else text.encode())
        return path

    def taken(self, yaml):
        """turnpike takes it."""
        path = self.path("out.yaml")
        with open(path, "w", encoding="utf-8") as file:
            file.write(yaml)
        done = subprocess.run([TURNPIKE, "-c", path, "--check-config"], capture_output=True,
                              text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr + yaml)

    def imported(self, text, *arguments, status=SOME):
        done = run(*WIRE, "--address", "192.0.2.5/24", "--gateway", "192.0.2.1", self.conf(text),
                   *arguments)
        self.assertEqual(done.returncode, status, done.stderr)
        if status in (ALL, SOME):
            self.taken(done.stdout)
        return done


class Files(Tree):
    def test_become_what_stands_beside_them(self):
        for name, options in NAMES.items():
            with self.subTest(name):
                done = run(*WIRE, *options, f"{HERE}/{name}.conf")
                self.assertEqual(done.returncode, SOME, done.stderr)
                got = done.stdout.replace(f"{HERE}/", "")
                with open(f"{HERE}/{name}.yaml", encoding="utf-8") as file:
                    self.assertEqual(got, file.read())
                self.taken(got)
                for line in done.stderr.splitlines():
                    kind, what = line.split(": ")[1:3]
                    self.assertIn(kind, ("lost", "differs", "check"))
                    self.assertIn(f"# - {what}:", got)
                self.assertNotIn("hidden-word", done.stderr + got)

    def test_of_debian_can_be_used(self):
        done = run(*WIRE, "--address", "192.0.2.5/24")
        self.assertEqual(done.returncode, SOME, done.stderr)
        self.assertNotIn(UNKNOWN, done.stderr)
        self.assertRegex(done.stdout, r'name: "imported", password: "[0-9a-f]{32}"')
        self.taken(done.stdout)
        self.assertNotEqual(done.stdout, run(*WIRE, "--address", "192.0.2.5/24").stdout)


class Options(Tree):
    def test_of_turnserver_are_all_known(self):
        names = options_of_turnserver()
        self.assertGreater(len(names), 100)
        done = self.imported("".join(f"{name}\n" for name in sorted(names - {"redis-userdb"})))
        self.assertNotIn(UNKNOWN, done.stderr)

    def test_on_the_command_line_come_last(self):
        done = self.imported("realm=file\nuser=a:b\nno-tcp\n", "--", "-r", "line", "-p", "3500",
                             "--listening-ip=192.0.2.5", "-v", "-u", "c:d")
        self.assertIn('realm: "line"', done.stdout)
        self.assertIn("192.0.2.5:3500", done.stdout)
        self.assertIn('{name: "a", password: "b"}\n    - {name: "c", password: "d"}', done.stdout)

    def test_on_the_command_line_may_be_all_there_are(self):
        done = run(*WIRE, "--", "-n", "-L", "192.0.2.5", "-u", "a:b", "--realm=r", "--no-tcp")
        self.assertIn("turnserver's command line", done.stdout)
        self.taken(done.stdout)
        path = self.conf("user=a:b\nrealm=r\n")
        self.assertIn(path, run(*WIRE, "--", "-c", path, "-L", "192.0.2.5").stdout)

    def test_that_turnserver_refuses_are_refused(self):
        for wrong in (["--no-such"], ["-L"], ["--realm"], ["word"]):
            with self.subTest(wrong):
                done = self.imported("", "--", *wrong, status=USAGE)
                self.assertEqual(done.stdout, "")


    def test_read_yes_and_no_as_turnserver_does(self):
        for word, is_on in (("", True), ("=1", True), (" yes", True), ("=true", True), ("=On", True),
                            ("=0", False), (" no", False), ("=False", False), ("=off", False)):
            with self.subTest(word):
                done = self.imported(f"realm=r\nuser=a:b\nmobility{word}\nserver-relay{word}\n")
                self.assertEqual('mobility: "on"' in done.stdout, is_on)
                self.assertEqual("lost: server-relay" in done.stderr, is_on)

    def test_in_bytes_a_second_become_kilobits_rounded_up(self):
        self.assertIn("allocation-kbit-s: 1001\n", self.imported("max-bps=125001").stdout)
        self.assertIn("all-kbit-s: 1\n", self.imported("bps-capacity=1").stdout)
        self.assertNotIn("kbit-s", self.imported("max-bps=50000000001").stdout)


class Result(Tree):
    SAME = ("realm=r\nuser=a:b\nno-tcp\nno-tls\nno-rfc5780\n"
            "denied-peer-ip=10.0.0.0/8\ndenied-peer-ip=172.16.0.0/12\ndenied-peer-ip=192.168.0.0/16\n")

    def test_that_lacks_nothing_says_so(self):
        done = self.imported(self.SAME, status=ALL)
        self.assertEqual(done.stderr, "")

    def test_is_not_written_where_turnpike_would_refuse_it(self):
        out = self.path("new.yaml")
        done = run(*WIRE, "-a", "192.0.2.5/24", "-o", out,
                   self.conf(self.SAME + "min-port=60000\nmax-port=50000\n"))
        self.assertEqual(done.returncode, DATA)
        self.assertIn("nothing is written: result:", done.stderr)
        self.assertFalse(os.path.exists(out))

    def test_goes_to_a_new_file_that_others_cannot_read(self):
        out = self.path("new.yaml")
        done = run(*WIRE, "-a", "192.0.2.5/24", "-g", "192.0.2.1", "-o", out, self.conf(self.SAME))
        self.assertEqual((done.returncode, done.stdout), (ALL, ""), done.stderr)
        self.assertEqual(os.stat(out).st_mode & 0o777, 0o600)
        with open(out, encoding="utf-8") as file:
            self.taken(file.read())
        again = run(*WIRE, "-a", "192.0.2.5/24", "-o", out, self.conf(self.SAME))
        self.assertEqual(again.returncode, OUTPUT)

    def test_is_not_left_in_part(self):
        out = self.path("new.yaml")
        done = run(*WIRE, "-a", "192.0.2.5/24", "-o", out, self.conf(self.SAME),
                   preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (99, 99)),
                   restore_signals=False)  # Python has it that SIGXFSZ is ignored
        self.assertEqual(done.returncode, OUTPUT, done.stderr)
        self.assertIn("new.yaml: File too large", done.stderr)
        self.assertFalse(os.path.exists(out))
        self.assertEqual(run(*WIRE, "-a", "192.0.2.5/24", "-o", "/dev/full",
                             self.conf(self.SAME)).returncode, OUTPUT)
        self.assertTrue(os.path.exists("/dev/full"))

    def test_sends_nobody_back_to_itself(self):
        done = self.imported("listening-ip=192.0.2.5\nrealm=r\nuser=a:b\nlt-cred-mech\n"
                             "alternate-server=192.0.2.5\nalternate-server=[2001:db8::9]:3478\n")
        self.assertIn("lost: alternate-server: is this server itself", done.stderr)
        self.assertNotIn('- "192.0.2.5:3478"', done.stdout.split("alternate-servers")[1])

    def test_has_each_address_once(self):
        done = self.imported(self.SAME, "-a", "192.0.2.5/24", status=ALL)
        self.assertEqual(done.stdout.count("- address: "), 1)
        alone = ["unshare", "-n", IMPORT, *WIRE, "-g", "192.0.2.1", self.conf(
            self.SAME + "aux-server=192.0.2.5:3480\naux-server=192.0.2.5:3481\n")]
        done = subprocess.run(alone, capture_output=True, text=True, check=False)
        if "unshare" in done.stderr:
            self.skipTest("no right to make a network namespace")
        self.assertEqual((done.returncode, done.stdout.count("- address: ")), (SOME, 1), done.stderr)

    def test_holds_whatever_bytes_there_are(self):
        done = self.imported(b"realm=r\nno-tcp\nuser=\xff\xfe:x\nuser=\x01a:x\nuser=ok:\"q\\u0041\nuser=:x\n"
                             b"listening-ip=\x1b[31m\nuser=" + b"n" * 600 + b":x\nuser=nocolon\n")
        self.assertIn('password: "\\"q\\\\u0041"', done.stdout)
        self.assertEqual(done.stderr.count("lost: user (line"), 5)
        self.assertTrue(all(" " <= c <= "~" or c == "\n" for c in done.stderr))

    def test_is_the_same_whatever_ends_a_line(self):
        with open(f"{HERE}/ports_taken.conf", encoding="utf-8") as file:
            text = file.read()
        first = self.imported(text)
        self.assertEqual(self.imported(text.replace("\n", "  \r\n")).stdout, first.stdout)
        self.assertEqual(self.imported(text.rstrip("\n")).stdout, first.stdout)

    def test_takes_the_interfaces_of_the_machine(self):
        done = subprocess.run(
            ["unshare", "-n", "sh", "-ec",
             "ip link add left type veth peer name right\n"
             "ip addr add 192.0.2.9/25 dev left; ip addr add 198.51.100.9/26 dev right\n"
             "ip link set left up; ip link set right up; exec \"$@\"", "-", IMPORT,
             self.conf("realm=r\nuser=a:b\n")], capture_output=True, text=True, check=False)
        if "unshare" in done.stderr:
            self.skipTest("no right to make a network namespace")
        self.assertEqual(done.returncode, SOME, done.stderr)
        self.assertRegex(done.stdout, r'af_packet:left"\n    addresses:\n      - "192.0.2.9/25"')
        self.assertRegex(done.stdout, r'af_packet:right"\n    addresses:\n      - "198.51.100.9/26"')
        self.taken(done.stdout)


class Command(Tree):
    def test_line_is_judged(self):
        for wrong in (["--nonsense"], ["a", "b"], ["-a", "192.0.2.1"], ["-g", "x"], ["-d", "eth0"],
                      ["-g", "192.0.2.1", "-g", "192.0.2.2", "-g", "192.0.2.3"]):
            with self.subTest(wrong):
                self.assertEqual(run(*wrong).returncode, USAGE)
        self.assertEqual(run(self.path("absent")).returncode, INPUT)
        self.assertEqual(run(self.folder.name).returncode, INPUT)
        self.assertEqual(run("--help").returncode, ALL)
        self.assertRegex(run("--version").stdout, r"^turnpike-import-coturn \d")


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]])
