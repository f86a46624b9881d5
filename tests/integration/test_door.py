"""Who holds on to the operator's door, or comes too often, keeps nobody else from it."""

import json
import socket
import subprocess

from lab import SERVICE, Lab, check, test, wait_until
from relay import PASSWORD, USER, start_relay
from stunlib import Client
from test_ctl import attempt, lines, raw
from test_trace import FORBIDDEN, command, permit

N_CLIENTS = 32  # that there is room for
SILENT = "203.0.113.7"  # who is never seen


def until_answered(relay):
    wait_until(lambda: attempt(relay, "status").returncode == 0, 5, "an answer")


@test()
def test_who_followed_a_silent_address_leaves_his_place():
    with Lab() as lab:
        relay = start_relay(lab)
        for _ in range(N_CLIENTS):
            with subprocess.Popen(command(relay, "--json", "trace", "--follow", SILENT),
                                  stdout=subprocess.PIPE, text=True) as follower:
                check(json.loads(follower.stdout.readline())["event"] == "reach", "no reach")
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
