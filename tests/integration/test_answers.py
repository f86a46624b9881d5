"""What turnpikectl says where something is amiss, and where there is much to say."""

import contextlib
import datetime
import fcntl
import json
import os
import pty
import re
import signal
import struct
import subprocess
import termios
import time

import uclient
from lab import CLIENT, CLIENT6, SERVICE, SERVICE6, Lab, check, test
from relay import PASSWORD, USER, configuration, start_relay
from stunlib import Client
from test_ctl import CTL, UNAVAILABLE, USAGE, attempt, ctl, rows

NOBODY = ("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups")


@test()
def test_a_daemon_that_stands_still_is_not_waited_for():
    with Lab() as lab:
        relay = start_relay(lab)
        os.kill(relay.process.pid, signal.SIGSTOP)
        asked = {verb: subprocess.Popen((CTL, "-s", relay.config["admin"]["socket"], "-c", relay.path, verb),
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
                 for verb in ("status", "doctor")}
        told = {verb: each.communicate(timeout=20) for verb, each in asked.items()}
        os.kill(relay.process.pid, signal.SIGCONT)
        check(asked["status"].returncode == UNAVAILABLE and "no answer within 10 s" in told["status"][1],
              f"{told}")
        check(asked["doctor"].returncode == 2 and "nobody answers" in told["doctor"][0], f"{told}")
        ctl(relay, "status")
        relay.stop()


@test()
def test_a_doctor_who_may_not_ask_the_daemon_does_not_call_it_dead():
    with Lab() as lab:
        relay = start_relay(lab)
        found = subprocess.run((*NOBODY, CTL, "-s", relay.config["admin"]["socket"], "doctor"),
                               capture_output=True, text=True, timeout=20, check=False).stdout
        check("does not run" not in found, found)
        check(re.search(r"^warning  daemon .*Permission denied\n +sudo turnpikectl doctor", found, re.M), found)
        relay.stop()


@test()
def test_a_client_is_found_by_any_spelling_of_his_address():
    with Lab(ipv6=True) as lab:
        relay = start_relay(lab)
        with lab.inside("client"), Client((SERVICE, 3478), USER, PASSWORD) as client, \
                Client((SERVICE6, 3478), USER, PASSWORD) as client6:
            client.allocate()
            client6.allocate()
            port = client.socket.getsockname()[1]
            for spelling, n in ((CLIENT, 1), (f"{CLIENT}:{port}", 1), (f"{CLIENT}:{port ^ 1}", 0),
                                (CLIENT6, 1), ("2001:DB8:0018:0::10", 1), ("198.18.0.11", 0)):
                found = rows(relay, "show", "allocations", "--client", spelling)
                check(len(found) == n, f"{spelling}: {found}")
            for spelling in ("198.18.0", "wire0", ""):
                done = attempt(relay, "show", "allocations", "--client", spelling)
                check(done.returncode == USAGE and "ADDRESS:PORT" in done.stderr, f"{spelling}: {done}")
        relay.stop()


@test()
def test_all_peers_of_an_allocation_are_shown():
    with Lab() as lab:
        uclient.start_peer(lab)
        relay = start_relay(lab)
        with lab.inside("client"), Client((SERVICE, 3478), USER, PASSWORD) as client:
            client.allocate()
            one = rows(relay, "show", "allocations")[0]["id"]
            check(re.search(r"^peers +none$", ctl(relay, "show", "allocation", one), re.M), "none yet")
            for i in range(40):
                client.bind_channel(0x4000 + i, lab.peer_address, 20000 + i)
            text = ctl(relay, "show", "allocation", one)
            for i in range(40):
                check(f"\n  peer={lab.peer_address}:{20000 + i} channel={0x4000 + i:#x} " in text, text)
        relay.stop()


@test()
def test_a_reader_of_a_capture_who_leaves_is_named():
    with Lab() as lab:
        relay = start_relay(lab)
        capture = subprocess.Popen((CTL, "-s", relay.config["admin"]["socket"], "capture", "-w", "-"),
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        capture.stdout.close()
        check(capture.wait(10) == 74, "it did not end")
        told = capture.stderr.read()
        check(told == "turnpikectl: standard output: Broken pipe\n", told)
        relay.stop()


@test()
def test_each_capture_lasts_as_long_as_it_was_asked_to():
    with Lab() as lab:
        relay = start_relay(lab, configuration(lab, workers=2))
        for _ in range(3):  # one right behind another, at moments that differ
            ctl(relay, "capture", "-w", "/dev/null", "--seconds", "1")
            ctl(relay, "capture", "-w", "/dev/null", "--seconds", "1")
            time.sleep(0.4)
        begun, ended = ([datetime.datetime.fromisoformat(at) for at in
                         re.findall(rf"^(\S+)Z info capture\.{event} ", relay.process.log(), re.M)]
                        for event in ("begin", "end"))
        check(len(begun) == 6, "not all captures")
        for seconds in ((end - begin).total_seconds() for begin, end in zip(begun, ended)):
            check(0.985 < seconds < 2, f"{seconds} s")
        relay.stop()


@test()
def test_a_wrong_word_is_named_with_what_is_allowed():
    with Lab() as lab:
        relay = start_relay(lab)
        check(rows(relay, "status")[0]["pid"] == json.loads(ctl(relay, "status", "--json"))["pid"],
              "--json behind a verb")
        help_text = ctl(relay, "--help") + ctl(relay, "status", "--help")
        check(not re.search(" $", help_text, re.M), "blanks at the end of a line")
        for words, told in (
                ("drain on --answer", "turnpikectl: option '--answer' requires an argument\n"
                                      "turnpikectl: see turnpikectl drain --help\n"),
                ("drain on --deadline 0", "--deadline 0; allowed: 1..604800;"),
                ("drain on --deadline 604801", "--deadline 604801; allowed: 1..604800;"),
                ("drain off --exit", "--exit go with on;"),
                ("show nobody", "allowed: workers, ports,"),
                ("show ports --user x", "ports has no filters;"),
                ("show users --fly", "turnpikectl: unrecognized option '--fly'\n"
                                     "turnpikectl: see turnpikectl show --help\n"),
                ("capture", "-w FILE is needed;"),
                ("capture -w x --seconds 0", "--seconds 0; allowed:"),
                ("capture -w x --packets many", "--packets many; allowed:"),
                ("capture -w x y", "y: one word too many;"),
                ("capture -w x --user a --peer 192.0.2.1", "one of --user,")):
            done = attempt(relay, *words.split())
            check(done.returncode == USAGE and told in done.stderr, f"{words}: {done}")
        relay.stop()


@test()
def test_who_waits_for_the_end_of_a_drain_waits_for_that_of_the_daemon():
    with Lab() as lab:
        relay = start_relay(lab)
        with lab.inside("client"), Client((SERVICE, 3478), USER, PASSWORD) as client:
            client.allocate()
            text = ctl(relay, "drain", "on", "--exit", "--deadline", "2", "--wait")
            check(not os.path.exists(relay.config["admin"]["socket"]), f"it has not ended: {text}")
            check("for 0 s, 2 s left, then the daemon ends\n" in text, text)
            check(text.endswith("\nthe daemon has ended\n"), text)
        check(relay.process.wait(10) == 0, "it did not end in order")
        relay.start()
        text = ctl(relay, "drain", "on", "--exit", "--wait")
        check(text.endswith("0 s, then the daemon ends\nthe daemon has ended\n"), f"empty at once: {text}")


def on_terminal(relay, term, keys):
    """(what top shows on a terminal of 80 columns where those keys are pressed, its exit status)"""
    here, there = pty.openpty()
    fcntl.ioctl(there, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    top = subprocess.Popen((CTL, "-s", relay.config["admin"]["socket"], "top"), stdin=there, stdout=there,
                           stderr=there, env={"TERM": term}, start_new_session=True)
    os.close(there)
    shown = b""
    with contextlib.suppress(OSError):  # of a terminal whose other end has closed
        while more := os.read(here, 65536):
            shown += more
            if b"q: quit" in shown:
                os.write(here, keys)
    os.close(here)
    return shown.decode(), top.wait(10)


@test()
def test_top_fits_a_terminal_or_says_that_it_knows_none():
    with Lab() as lab:
        relay = start_relay(lab)
        text = ctl(relay, "top")
        width = max(map(len, text.splitlines()))
        check("DROPS/s" in text and width <= 80, f"{width} columns: {text}")
        shown, status = on_terminal(relay, "vt100", b"q")
        check(status == 0 and "drops/s:" in shown, f"{status}: {shown}")
        shown, status = on_terminal(relay, "xterm-nobodys", b"q")
        check(status == USAGE and "try TERM=xterm" in shown, f"{status}: {shown}")
        relay.stop()


@test()
def test_the_level_of_the_log_outlives_a_reload_that_has_no_other():
    with Lab() as lab:
        relay = start_relay(lab)
        ctl(relay, "log", "level", "debug")
        ctl(relay, "reload")
        relay.config["limits"]["allocations"] = 100
        relay.write()
        ctl(relay, "reload")
        check(rows(relay, "log", "level") == [{"level": "debug"}], "a reload has undone it")
        relay.config["log"]["level"] = "warning"
        relay.write()
        ctl(relay, "reload")
        check(rows(relay, "log", "level") == [{"level": "warning"}], "the file has another")
        ctl(relay, "log", "level", "info")  # for what stop() reads
        relay.stop()
