"""Who holds on to the operator's door, or comes too often, keeps nobody else from it."""

import contextlib
import itertools
import json
import os
import re
import resource
import signal
import socket
import sys
import time

import uclient
from echo import CHANNEL, open_channel
from freeze import frozen
from lab import SERVICE, Lab, check, test, wait_until
from relay import PASSWORD, USER, start_relay
from stunlib import REFRESH, SUCCESS, Client, channel_data
from test_ctl import attempt, end_capture, frames_of, lines, raw, start_capture
from test_logs import LINE
from test_robust import cpu_s, worker_thread
from test_trace import FORBIDDEN, following, permit

N_CLIENTS = 32  # that there is room for
MESSAGE_BYTES = 1200
N_MESSAGES = 150  # more frames than a socket holds, and no more than wait for their reader
SILENT = "203.0.113.7"  # who is never seen
KNOCK = """
import socket, sys
while True:
    with socket.socket(socket.AF_UNIX) as door:
        door.connect(sys.argv[1])
        print("there", flush=True)
"""
N_QUEUED = 129  # that the kernel lets in before they are


def first_free_descriptor(pid):
    taken = set(map(int, os.listdir(f"/proc/{pid}/fd")))
    return next(fd for fd in itertools.count() if fd not in taken)


def until_answered(relay):
    wait_until(lambda: attempt(relay, "status").returncode == 0, 5, "an answer")


@test()
def test_who_followed_a_silent_address_leaves_his_place():
    with Lab() as lab:
        relay = start_relay(lab)
        for _ in range(N_CLIENTS):
            with following(relay, SILENT) as follower:
                follower.terminate()
        until_answered(relay)
        relay.stop()


@test()
def test_who_has_said_all_still_listens():
    with Lab() as lab:
        relay = start_relay(lab)
        with lab.inside("client"), Client((SERVICE, 3478), USER, PASSWORD) as client, raw(relay) as door:
            client.allocate()
            address = client.socket.getsockname()[0]
            door.sendall(json.dumps({"verb": "trace", "address": address, "follow": True}).encode() + b"\n")
            door.shutdown(socket.SHUT_WR)
            told = lines(door, 3)
            check(told[-1]["data"]["event"] == "reach", f"{told}")
            for _ in range(3):  # passes later
                check(permit(client, FORBIDDEN).error == 403, "a forbidden peer was taken")
                check([line["data"]["event"] for line in lines(door, 1)] == ["request.refused"], "he was left")
        relay.stop()


@test()
def test_a_door_without_descriptors_rests_and_says_so():
    with Lab() as lab:
        relay = start_relay(lab)
        pid = relay.process.pid
        before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (first_free_descriptor(pid), before[1]))
        begun_s, used_s = time.monotonic(), cpu_s(pid)
        said = r' warning admin\.accept reason="Too many open files"$'
        with raw(relay) as door:
            door.sendall(b'{"verb":"log"}\n')
            wait_until(lambda: len(re.findall(said, relay.process.log(), re.M)) >= 5, 10, "five complaints")
            passed_s, used_s = time.monotonic() - begun_s, cpu_s(pid) - used_s
            resource.prlimit(pid, resource.RLIMIT_NOFILE, before)
            check("data" in lines(door, 1)[0], "no answer once there are descriptors")
        check(passed_s > 0.9, f"a complaint each {passed_s / 4:.3f} s")
        check(used_s < 0.2 * passed_s, f"{used_s:.2f} s of the CPU in {passed_s:.2f} s")
        foreign = [line for line in relay.process.log().splitlines() if not LINE.fullmatch(line)]
        check(not foreign, f"not as every line: {foreign[:3]}")
        check(relay.process.stop() == 0, "it did not end in order")  # it may lack others as well


@test()
def test_who_knocks_without_end_at_a_full_door_holds_up_nobody():
    with Lab() as lab:
        relay = start_relay(lab)
        with lab.inside("client"), Client((SERVICE, 3478), USER, PASSWORD) as client, \
                contextlib.ExitStack() as stack:
            client.allocate()
            for _ in range(N_CLIENTS):
                door = stack.enter_context(raw(relay))
                door.sendall(b'{"verb":"log"}\n')
                check("data" in lines(door, 1)[0], "no place")
            knocking = [lab.start("relay", sys.executable, "-c", KNOCK, relay.config["admin"]["socket"],
                                  name="knock") for _ in range(3)]

            def n_refused():
                return sum(process.log().count("there") for process in knocking) - N_QUEUED

            wait_until(lambda: n_refused() > 0, 10, "more than there is room for")
            begun_s, slowest_s = time.monotonic(), 0
            while time.monotonic() < begun_s + 2:
                asked_s = time.monotonic()
                check(client.request(REFRESH).kind == SUCCESS, "no refresh")
                slowest_s = max(slowest_s, time.monotonic() - asked_s)
                time.sleep(0.01)
            for process in knocking:
                process.kill()
            check(n_refused() < 40, f"{n_refused()} were refused")
            check(slowest_s < 1, f"a refresh took {slowest_s:.3f} s")
        until_answered(relay)
        relay.stop()


def ask_for_capture(relay, *arguments):
    return attempt(relay, "capture", "-w", "/dev/null", "--seconds", "1", *arguments)


@test()
def test_a_capture_ends_in_time_though_its_reader_stands_still():
    with Lab() as lab:
        uclient.start_peer(lab)
        relay = start_relay(lab)
        with lab.inside("client"), Client((SERVICE, 3478), USER, PASSWORD) as client:
            client.allocate()
            open_channel(lab, client)
            path = lab.path("slow.pcapng")
            slow = start_capture(relay, path, "--seconds", "5", "--snap", "1500")
            slow.send_signal(signal.SIGSTOP)
            for _ in range(N_MESSAGES):
                client.send(channel_data(CHANNEL, bytes(MESSAGE_BYTES)))
                check(client.receive(), "no echo")
            check("another capture runs" in ask_for_capture(relay).stderr, "that was too slow to judge")
            wait_until(lambda: ask_for_capture(relay).returncode == 0, 15, "another one, behind its end")
            # What had found room is not lost to him.
            slow.send_signal(signal.SIGCONT)
            check(slow.wait(10) == 0, f"the capture ended with {slow.returncode}")
            n_frames = len(frames_of(path, "greater", str(MESSAGE_BYTES)))
            check(n_frames == 4 * N_MESSAGES, f"{n_frames} frames")
        relay.stop()


@test()
def test_a_worker_that_stands_still_keeps_a_capture_for_so_long_only():
    with Lab() as lab:
        relay = start_relay(lab)
        capture = start_capture(relay, lab.path("last.pcapng"))
        with frozen(worker_thread(relay, 0)):
            end_capture(capture)
            wait_until(lambda: "still has the last capture" in ask_for_capture(relay).stderr, 15, "a word of it")
        check(ask_for_capture(relay).returncode == 0, "none though the worker goes on")
        relay.stop()
