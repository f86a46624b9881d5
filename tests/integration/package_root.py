"""A root of its own for packages: an overlay on this machine's, where a systemd runs as PID 1 in
namespaces and a cgroup of its own, in the relay host of a lab.
"""

import filecmp
import os
import shutil
import subprocess

from lab import check, run, wait_until

# In the mount namespace of the host; what is mounted is gone with it. A machine made of a container's
# image may forbid packages to stop services.
PREPARE = """
mount -t tmpfs root {top}
mkdir {top}/upper {top}/work {root} {top}/cgroup
mount -t overlay root -o lowerdir=/,upperdir={top}/upper,workdir={top}/work {root}
rm -f {root}/usr/sbin/policy-rc.d
mount -t cgroup2 cgroup {top}/cgroup
mkdir {top}/cgroup/{group}
echo $$ >{top}/cgroup/{group}/cgroup.procs
exec unshare --pid --fork --kill-child --cgroup --ipc --uts --mount sh -ec "$1"
"""
# As PID 1. Of what belongs to the machine, only the network of the host can be changed.
BOOT = """
mount -t proc proc {root}/proc
mount --bind {root}/proc/sys {root}/proc/sys
mount -o remount,bind,ro {root}/proc/sys
mount --bind {root}/proc/sys/net {root}/proc/sys/net
mount -o remount,bind,rw {root}/proc/sys/net
mount -t sysfs -o ro sysfs {root}/sys
mount -t cgroup2 cgroup {root}/sys/fs/cgroup
mount -t tmpfs run {root}/run
mount -t tmpfs -o mode=755 dev {root}/dev
mkdir {root}/dev/net {root}/dev/shm {root}/dev/pts
cp -a /dev/null /dev/zero /dev/full /dev/random /dev/urandom /dev/tty {root}/dev/
cp -a /dev/net/tun {root}/dev/net/
exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin container=test chroot {root} /lib/systemd/systemd --unit=sysinit.target
"""
REMOVE_GROUP = """
mount -t cgroup2 cgroup {top}
cd {top}
[ ! -d {group} ] || find {group} -depth -type d -exec rmdir {{}} +
"""


class Root:
    """`with Root(lab) as root:` has it booted; its processes end with the block."""

    def __init__(self, lab):
        self.lab = lab
        self.top = lab.path("root")
        self.upper = f"{self.top}/upper"
        self.group = f"{os.path.basename(lab.directory)}-root"

    def _script(self, text):
        return text.format(top=self.top, root=f"{self.top}/merged", group=self.group)

    def __enter__(self):
        os.mkdir(self.top)
        self.holder = self.lab.start("relay", "sh", "-ec", self._script(PREPARE), "-",
                                     self._script(BOOT), name="root")
        try:
            wait_until(self._find_init, 10, "the namespaces are there")
            wait_until(self._has_booted, 30, "systemd has booted")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, kind=None, error=None, trace=None):
        if kind:
            print(self.attempt("journalctl", "-q", "-n", "12", "-u", "turnpike").stdout)
        self.holder.kill()
        wait_until(self._remove_group, 10, f"the cgroup {self.group} is empty")

    def _remove_group(self):
        done = subprocess.run(("unshare", "--mount", "sh", "-ec", self._script(REMOVE_GROUP)),
                              capture_output=True)
        return done.returncode == 0

    def _find_init(self):
        check(self.holder.popen.poll() is None, f"no root: {self.holder.last_line()}")
        pid = self.holder.pid
        if os.readlink(f"/proc/{pid}/exe") != shutil.which("unshare"):
            return False
        with open(f"/proc/{pid}/task/{pid}/children", encoding="utf-8") as children:
            self.init = children.read().strip()
        return self.init and os.readlink(f"/proc/{self.init}/exe").endswith("/systemd")

    def _has_booted(self):
        check(self.holder.popen.poll() is None, f"systemd ended: {self.holder.last_line()}")
        done = self.attempt("systemctl", "is-system-running")
        return done.stdout.strip() in ("running", "degraded")

    def command(self, *argv):
        return ("nsenter", "--target", self.init, "--all", "--root", "--wd", "env", "-i",
                "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8",
                "DEBIAN_FRONTEND=noninteractive", *map(str, argv))

    def attempt(self, *argv, timeout_s=60):
        """Run a command in the root; the completed process, both streams in its output."""
        return subprocess.run(self.command(*argv), stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              timeout=timeout_s)

    def run(self, *argv, **options):
        """The same for a command that must succeed; its output."""
        done = self.attempt(*argv, **options)
        check(done.returncode == 0, f"{argv}: {done.returncode}: {done.stdout[-2000:]}")
        return done.stdout

    def path(self, path):
        """Where a path of the root is, seen from outside."""
        return f"/proc/{self.init}/root{path}"

    def write(self, path, text):
        """As a shell's redirection does: an existing file keeps its mode and owner."""
        os.makedirs(self.path(os.path.dirname(path)), exist_ok=True)
        with open(self.path(path), "w", encoding="utf-8") as file:
            file.write(text)

    def pid(self, inside):
        """The pid that a process of the root has here."""
        for pid in run("ip", "netns", "pids", self.lab.namespace("relay")).split():
            with open(f"/proc/{pid}/status", encoding="utf-8") as status:
                numbers = next(line.split()[1:] for line in status if line.startswith("NSpid:"))
            if len(numbers) > 1 and int(numbers[-1]) == inside:
                return int(pid)
        raise LookupError(inside)

    def install(self, packages):
        """Install files of packages; what dpkg says."""
        for path in packages:
            shutil.copy(path, self.path("/tmp"))
        return self.run("dpkg", "--force-confold", "-i",
                        *(f"/tmp/{os.path.basename(path)}" for path in packages))

    def files(self):
        """[path] of what is in the root and its /run and not, or not so, in this machine's root."""
        written = f"/proc/{self.holder.pid}/root{self.upper}"
        found = [path for path in paths_below(written) if not is_same(f"{written}/{path}", f"/{path}")]
        return found + [f"run/{path}" for path in paths_below(self.path("/run"))]


def paths_below(top):
    for directory, names, files in os.walk(top):
        for name in names + files:
            yield os.path.relpath(os.path.join(directory, name), top)


def is_same(path, other):
    if os.path.isdir(path):
        return os.path.isdir(other)
    return os.path.isfile(path) and os.path.isfile(other) and filecmp.cmp(path, other, shallow=False)
