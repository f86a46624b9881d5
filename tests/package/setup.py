#!/usr/bin/python3
"""turnpike-setup on a made-up machine: a root with its own /etc and /sys, and tools that tell what
they are asked for. What a kernel makes of it, only a machine with a NIC shows.

    tests/package/setup.py TURNPIKE-SETUP
"""
import os
import pty
import subprocess
import sys
import tempfile
import unittest

SETUP = os.path.abspath(sys.argv[1])
COMPLETION = f"{os.path.dirname(SETUP)}/completion/turnpike-setup"
INTEL, MELLANOX, USED, DISK = "0000:3b:00.0", "0000:5e:00.0", "0000:00:1f.6", "0000:01:00.0"
TOOLS = {
    "driverctl": 'echo "driverctl $*" >>"$LOG"\n[ "$1" != list-overrides ] || cat "$OVERRIDES"\n',
    "sysctl": 'echo "sysctl $*" >>"$LOG"\n',
    "update-grub": 'echo "update-grub $*" >>"$LOG"\n',
    "ip": 'case $* in *eth1*) echo "2: eth1 inet 192.0.2.1/24 scope global eth1";; esac\n',
}
DONE, USAGE, NO_NIC, NO_PAGES = 0, 64, 69, 71


class Machine(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.top = folder.name
        self.root, self.log = f"{self.top}/root", f"{self.top}/log"
        for name, script in TOOLS.items():
            path = self.write(f"{self.top}/bin/{name}", f"#!/bin/sh\n{script}")
            os.chmod(path, 0o755)
        self.write(f"{self.top}/overrides", f"{INTEL} vfio-pci\n{DISK} pci-stub\n")
        self.pages = f"{self.root}/sys/kernel/mm/hugepages/hugepages-2048kB"
        self.write(f"{self.pages}/nr_hugepages", "1024\n")
        self.write(f"{self.pages}/free_hugepages", "1000\n")
        self.write(f"{self.root}/proc/cpuinfo", "flags : fpu pdpe1gb lm\n")
        self.write(f"{self.root}/proc/meminfo", "MemTotal: 8388608 kB\nMemFree: 99999999 kB\n")
        self.write(f"{self.root}/sys/kernel/iommu_groups/7/type", "DMA\n")
        self.device(INTEL, "ice", "eth0")
        self.device(MELLANOX, "mlx5_core", "eth2")
        self.device(USED, "e1000e", "eth1")
        self.device(DISK, "nvme", None, code="0x010802")

    def write(self, path, text):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def device(self, address, driver, interface, code="0x020000"):
        path = f"{self.root}/sys/bus/pci/devices/{address}"
        self.write(f"{path}/class", f"{code}\n")
        os.symlink(f"../../../../bus/pci/drivers/{driver}", f"{path}/driver")
        if interface:
            os.makedirs(f"{path}/net/{interface}")

    def run_setup(self, *arguments, status=DONE):
        """(what it printed, what the tools were asked for but lists)"""
        self.write(self.log, "")
        done = subprocess.run(
            [SETUP, *arguments], capture_output=True, text=True, check=False,
            env={"PATH": f"{self.top}/bin:/usr/bin:/bin", "TURNPIKE_SETUP_ROOT": self.root,
                 "LOG": self.log, "OVERRIDES": f"{self.top}/overrides"})
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        with open(self.log, encoding="utf-8") as file:
            asked = [line for line in file.read().splitlines() if "list-overrides" not in line]
        return done.stdout + done.stderr, asked

    def etc(self):
        """{name of a file: its last line}"""
        found = {}
        for folder, _, names in os.walk(f"{self.root}/etc"):
            for name in names:
                with open(os.path.join(folder, name), encoding="utf-8") as file:
                    found[name] = file.read().splitlines()[-1]
        return found

    def test_reserves_small_pages_now_and_at_each_boot(self):
        _, asked = self.run_setup("hugepages", "2G")
        self.assertEqual(asked, [f"sysctl -q -p {self.root}/etc/sysctl.d/60-turnpike.conf"])
        self.assertEqual(self.etc(), {"60-turnpike.conf": "vm.nr_hugepages = 1024"})
        self.run_setup("hugepages", "3M")
        self.assertEqual(self.etc(), {"60-turnpike.conf": "vm.nr_hugepages = 2"})

    def test_says_where_memory_is_in_pieces(self):
        text, _ = self.run_setup("hugepages", "4G", status=NO_PAGES)
        self.assertIn("1024 of 2048 pages", text)

    def test_leaves_memory_for_others(self):
        for option in (), ("--1g",):
            text, asked = self.run_setup(*option, "hugepages", "8G", status=NO_PAGES)
            self.assertIn("nine tenths of this machine's 8192 MiB", text)
            self.assertEqual(asked, [])
        self.assertEqual(self.etc(), {})

    def test_says_that_driverctl_is_missing(self):
        os.remove(f"{self.top}/bin/driverctl")
        for words in ("nic", INTEL), ("undo", "nic", INTEL):
            self.assertIn("apt install driverctl", self.run_setup(*words, status=NO_NIC)[0])
        self.run_setup("nic", MELLANOX)
        self.run_setup("undo")

    def test_reserves_large_pages_at_boot(self):
        text, asked = self.run_setup("--1g", "hugepages", "4G")
        self.assertEqual(asked, ["update-grub "])
        self.assertIn("after a reboot", text)
        self.assertEqual(self.etc(), {"turnpike.cfg": 'GRUB_CMDLINE_LINUX="$GRUB_CMDLINE_LINUX '
                                                      'hugepagesz=1G hugepages=4"'})
        self.run_setup("--1g", "hugepages", "512M", status=USAGE)
        self.write(f"{self.root}/proc/cpuinfo", "flags : fpu lm\n")
        self.run_setup("--1g", "hugepages", "4G", status=NO_PAGES)

    def test_gives_nics_to_vfio(self):
        _, asked = self.run_setup("nic", INTEL)
        self.assertEqual(asked, [f"driverctl set-override {INTEL} vfio-pci"])
        text, asked = self.run_setup("nic", MELLANOX)
        self.assertEqual(asked, [])
        self.assertIn("stays with its kernel driver", text)

    def test_takes_no_nic_that_is_in_use_or_is_none(self):
        for wrong in (USED, DISK, "0000:99:00.0"):
            with self.subTest(wrong):
                _, asked = self.run_setup("nic", INTEL, wrong, status=NO_NIC)
                self.assertEqual(asked, [])
        self.assertEqual(self.run_setup("--force", "nic", USED)[1],
                         [f"driverctl set-override {USED} vfio-pci"])

    def test_wants_an_iommu_or_a_word(self):
        os.remove(f"{self.root}/sys/kernel/iommu_groups/7/type")
        os.rmdir(f"{self.root}/sys/kernel/iommu_groups/7")
        self.assertEqual(self.run_setup("nic", INTEL, status=NO_NIC)[1], [])
        _, asked = self.run_setup("--no-iommu", "nic", INTEL)
        self.assertEqual(asked, [f"driverctl set-override {INTEL} vfio-pci"])
        self.assertEqual(self.etc(), {"turnpike.conf": "options vfio enable_unsafe_noiommu_mode=1"})
        self.run_setup("undo")
        self.assertEqual(self.etc(), {})

    def test_gives_back_what_it_gave_and_no_more(self):
        self.write(f"{self.pages}/nr_hugepages", "17\n")
        self.run_setup("hugepages", "34M")
        self.write(f"{self.pages}/nr_hugepages", "1024\n")
        self.run_setup("hugepages", "2G")
        self.run_setup("--1g", "hugepages", "4G")
        _, asked = self.run_setup("undo")
        self.assertEqual(asked, ["sysctl -q -w vm.nr_hugepages=17", "update-grub ",
                                 f"driverctl unset-override {INTEL}"])
        self.assertEqual(self.etc(), {})
        self.assertEqual(self.run_setup("undo", "hugepages")[1], [])
        self.assertEqual(self.run_setup("undo", "nic", INTEL)[1],
                         [f"driverctl unset-override {INTEL}"])
        self.run_setup("undo", "nic", DISK, status=NO_NIC)

    def test_only_tells_in_a_dry_run(self):
        for words in (["hugepages", "2G"], ["--1g", "hugepages", "4G"], ["nic", INTEL], ["undo"]):
            with self.subTest(words):
                text, asked = self.run_setup("--dry-run", *words)
                self.assertEqual((asked, self.etc()), ([], {}))
                self.assertIn("+ ", text)

    def completed(self, line):
        """What a shell makes of a line and a tab."""
        ours, theirs = pty.openpty()
        with subprocess.Popen(["bash", "--norc", "-i"], stdin=theirs, stdout=subprocess.PIPE,
                              stderr=theirs, text=True, start_new_session=True,
                              env={**os.environ, "TURNPIKE_SETUP_ROOT": self.root, "TERM": "dumb",
                                   "HISTFILE": ""}) as bash:
            os.close(theirs)
            typed = f"source {COMPLETION}\n{line}\t\x01echo \nexit\n"
            os.write(ours, typed.encode())
            told = bash.stdout.read()
        os.close(ours)
        return told.strip()

    def test_addresses_are_completed(self):
        for typed, whole in (("nic 0000:3", INTEL), ("nic 0000:3b:0", INTEL), ("nic 0000:5", MELLANOX),
                             (f"undo nic {INTEL} 0000:5e:00.", MELLANOX), ("nic 0000:01", "0000:01")):
            with self.subTest(typed):
                self.assertEqual(self.completed(f"turnpike-setup {typed}").split()[-1], whole)
        self.assertEqual(self.completed("turnpike-setup huge"), "turnpike-setup hugepages")

    def test_shows_how_things_are(self):
        self.run_setup("hugepages", "2G")
        text, _ = self.run_setup("show")
        for line in ("hugepages-2048kB: 1024, free 1000", f"{INTEL}: ice",
                     "60-turnpike.conf: vm.nr_hugepages = 1024"):
            self.assertIn(line, text)
        self.assertNotIn(DISK, text)

    def test_judges_its_command_line(self):
        for wrong in ([], ["sing"], ["hugepages"], ["hugepages", "x"], ["hugepages", "0M"], ["nic"],
                      ["nic", "3b:00.0"], ["undo", "all"], ["--nonsense", "show"]):
            with self.subTest(wrong):
                self.assertEqual(self.run_setup(*wrong, status=USAGE)[1], [])


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
