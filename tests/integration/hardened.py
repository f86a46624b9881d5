#!/usr/bin/python3
"""Run a program as a unit file of systemd hardens it, as far as that goes without systemd.

    hardened.py UNIT[:DROP-IN] PROGRAM [ARGUMENT...]

From the unit: capabilities' bounding set, NoNewPrivileges, the devices that may be opened, a file
system that is read-only but for /dev, /proc, /sys and RUNTIME_DIRECTORY (ProtectSystem=strict), memory
that is never writable and executable, address families and system calls; a call that is not allowed
kills, so that none goes unnoticed. Not: PrivateTmp and ProtectHome (the checkout may be there), limits.
"""

import ctypes
import errno
import os
import socket
import stat
import subprocess
import sys

import seccomp

LIBC = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNS = 0x20000
PR_CAPBSET_READ, PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS, PR_SET_MDWE = 23, 24, 38, 65
CAPABILITIES = """chown dac_override dac_read_search fowner fsetid kill setgid setuid setpcap
    linux_immutable net_bind_service net_broadcast net_admin net_raw ipc_lock ipc_owner sys_module
    sys_rawio sys_chroot sys_ptrace sys_pacct sys_admin sys_boot sys_nice sys_resource sys_time
    sys_tty_config mknod lease audit_write audit_control setfcap mac_override mac_admin syslog
    wake_alarm block_suspend audit_read perfmon bpf checkpoint_restore""".split()
PLAIN_DEVICES = ("null", "zero", "full", "random", "urandom", "tty")


def read_unit(paths):
    """{key: every word of all its lines}"""
    unit = {}
    for path in paths.split(":"):
        with open(path, encoding="utf-8") as file:
            for line in file:
                key, equals, value = line.strip().partition("=")
                if equals and not key.startswith("#"):
                    unit.setdefault(key, []).extend(value.split())
    return unit


def run(*argv):
    subprocess.run(argv, check=True)


def make_devices(allowed):
    """A /dev of its own: the devices that DevicePolicy=closed leaves, and those of DeviceAllow."""
    names = [*PLAIN_DEVICES, *(path[len("/dev/"):] for path in allowed if path.startswith("/dev/"))]
    nodes = {name: os.stat(f"/dev/{name}") for name in names if os.path.exists(f"/dev/{name}")}
    run("mount", "-t", "tmpfs", "-o", "mode=755", "devices", "/dev")
    for name, node in nodes.items():
        os.makedirs(os.path.dirname(f"/dev/{name}"), exist_ok=True)
        os.mknod(f"/dev/{name}", stat.S_IFCHR | 0o666, node.st_rdev)


def protect_files():
    if LIBC.unshare(CLONE_NEWNS):
        raise OSError(ctypes.get_errno(), "unshare")
    run("mount", "--make-rprivate", "/")
    with open("/proc/self/mountinfo", encoding="utf-8") as file:
        places = [line.split()[4] for line in file]
    for place in places:
        if not place.startswith(("/dev", "/proc", "/sys")):
            subprocess.run(("mount", "-o", "remount,bind,ro", place), stderr=subprocess.DEVNULL)
    own = os.environ.get("RUNTIME_DIRECTORY")
    if own:
        run("mount", "--bind", own, own)
        run("mount", "-o", "remount,bind,rw", own)
    try:
        with open("/var/hardened", "w", encoding="utf-8"):
            sys.exit("hardened: the file system can be written")
    except OSError:
        pass


def limit_capabilities(kept):
    wanted = {name.lower().removeprefix("cap_") for name in kept}
    assert wanted <= set(CAPABILITIES), wanted - set(CAPABILITIES)
    for number, name in enumerate(CAPABILITIES):
        if name not in wanted and LIBC.prctl(PR_CAPBSET_READ, number, 0, 0, 0) == 1:
            assert LIBC.prctl(PR_CAPBSET_DROP, number, 0, 0, 0) == 0, name


def expand(word, found):
    """The system calls of a set of systemd, and of the sets in it."""
    if not word.startswith("@"):
        found.add(word)
        return
    told = subprocess.run(("systemd-analyze", "syscall-filter", word), check=True, text=True,
                          capture_output=True).stdout
    for line in told.splitlines()[1:]:
        if line.strip() and not line.strip().startswith("#"):
            expand(line.strip(), found)


def filter_calls(unit, calls):
    allow = seccomp.SyscallFilter(defaction=seccomp.KILL_PROCESS)
    for call in calls - {"socket"}:
        try:
            allow.add_rule(seccomp.ALLOW, call)
        except (RuntimeError, OSError):
            pass  # none of this machine
    # What DPDK asks for and does without; any other call would hide behind an error.
    assert unit["SystemCallErrorNumber"] == ["EPERM"]
    allow.add_rule(seccomp.ERRNO(errno.EPERM), "iopl")
    for family in unit["RestrictAddressFamilies"]:
        number = 44 if family == "AF_XDP" else int(getattr(socket, family))
        allow.add_rule(seccomp.ALLOW, "socket", seccomp.Arg(0, seccomp.EQ, number))
    allow.load()


def main(paths, *command):
    unit = read_unit(paths)
    calls = set()
    for word in unit["SystemCallFilter"]:
        expand(word, calls)
    protect_files()
    make_devices(unit["DeviceAllow"])
    os.umask(int(unit["UMask"][0], 8))
    limit_capabilities(unit["CapabilityBoundingSet"])
    assert unit["NoNewPrivileges"] == ["yes"]
    LIBC.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    if unit["MemoryDenyWriteExecute"] == ["yes"] and LIBC.prctl(PR_SET_MDWE, 1, 0, 0, 0):
        print("hardened: this kernel has no PR_SET_MDWE", file=sys.stderr)
    filter_calls(unit, calls)
    os.execv(command[0], command)


if __name__ == "__main__":
    main(*sys.argv[1:])
