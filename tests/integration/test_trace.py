"""turnpikectl trace: what happened to one address, told to who asks after it."""

import contextlib
import json
import re
import socket
import subprocess
import time

import uclient
from lab import CLIENT, SERVICE, Lab, check, test, wait_until
from relay import PASSWORD, SECRET, TOP, USER, configuration, start_relay
from stunlib import (ALLOCATE, CREATE_PERMISSION, DATA_ATTRIBUTE, INDICATION, LIFETIME, REFRESH, SEND,
                     SUCCESS, UDP_TRANSPORT, XOR_PEER_ADDRESS, Client, build, channel_data,
                     encode_address)

CTL = f"{TOP}/build/app/turnpikectl/turnpikectl"
FORBIDDEN = "127.0.0.1"
STAMP = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"
USAGE = 64
N_TOO_MANY = 2200  # allocations: more than a pass and all buffers on the way to a reader hold


def command(relay, *arguments):
    return (CTL, "-s", relay.config["admin"]["socket"], *arguments)


def trace(relay, *arguments):
    """(the lines, the reach)"""
    done = subprocess.run(command(relay, "--json", "trace", *arguments), capture_output=True, text=True,
                          timeout=20, check=False)
    check(done.returncode == 0 and not done.stderr, f"{arguments}: {done.returncode} {done.stderr}")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    check(lines and lines[-1]["event"] == "reach", f"no reach: {lines}")
    return lines[:-1], lines[-1]


@contextlib.contextmanager
def following(relay, address):
    """Who follows an address, of which nothing is known yet."""
    with subprocess.Popen(command(relay, "--json", "trace", "--follow", address),
                          stdout=subprocess.PIPE, text=True) as follower:
        check(json.loads(follower.stdout.readline())["event"] == "reach", "no reach")
        yield follower


def of(lines, event, **members):
    return [line for line in lines if line["event"] == event
            and all(line.get(key) == value for key, value in members.items())]


def send_indication(peer, port):
    return build(SEND, INDICATION, ((XOR_PEER_ADDRESS, encode_address(peer, port)),
                                    (DATA_ATTRIBUTE, b"hello")))


def permit(client, peer):
    return client.request(CREATE_PERMISSION, (XOR_PEER_ADDRESS, encode_address(peer, 0)))


def send_from_peer(lab, to, n):
    with lab.inside("peer"), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.bind((lab.peer_address, 0))
        for _ in range(n):
            peer.sendto(b"hello", to)
        return "%s:%d" % peer.getsockname()


def fail_to_enter(lab):
    with lab.inside("client"), Client((SERVICE, 3478), USER, "wrong") as client:
        answer = client.request(ALLOCATE, UDP_TRANSPORT)
        check(answer and answer.error == 401, "a wrong password was taken")


def live(lab, client):
    """Everything that goes wrong in a call's life, and then does not. The relayed address."""
    relayed = client.allocate()
    check(permit(client, FORBIDDEN).error == 403, "a forbidden peer was taken")
    for _ in range(3):
        client.send(send_indication(lab.peer_address, uclient.PEER_PORT))
    client.send(channel_data(0x4abc, b"hello"))
    return relayed


def call(lab, client):
    check(client.bind_channel(0x4000, lab.peer_address, uclient.PEER_PORT).kind == SUCCESS, "no channel")
    client.send(channel_data(0x4000, b"hello"))
    check(client.receive() == channel_data(0x4000, b"hello"), "no echo")


@test()
def test_an_operator_is_told_what_happened_to_an_address():
    with Lab() as lab:
        uclient.start_peer(lab)
        relay = start_relay(lab, workers=2)
        fail_to_enter(lab)
        with lab.inside("client"), Client((SERVICE, 3478), USER, PASSWORD) as client:
            relayed = live(lab, client)
            stranger = send_from_peer(lab, relayed, 5)
            # Before the channel permits it.
            wait_until(lambda: of(trace(relay, stranger)[0], "drop", n=5), 5, "what the peer sent")
            call(lab, client)
            check(client.request(REFRESH, (LIFETIME, bytes(4))).kind == SUCCESS, "no release")
            name = "%s:%d" % client.socket.getsockname()
        service, at_relay = f"{SERVICE}:3478", "%s:%d" % relayed
        lines, reach = trace(relay, CLIENT)
        check([line["time"] for line in lines] == sorted(line["time"] for line in lines), "no order")
        check(all(re.fullmatch(STAMP, line["time"]) for line in lines), f"{lines}")
        check(reach["since"] <= lines[0]["time"] and reach["lost"] == [], f"{reach}")
        check(len(of(lines, "auth.failed", code=401, user=USER)) == 1, f"the failure: {lines}")
        check(len(of(lines, "request.challenged", code=401)) == 2, f"the challenges: {lines}")
        refused = of(lines, "request.refused", code=403, client=name, method="CreatePermission")
        check(refused and refused[0]["peer"].startswith(FORBIDDEN), f"the refusal: {lines}")
        created = of(lines, "allocation.created", client=name, relayed=[at_relay], user=USER)
        ended = of(lines, "allocation.ended", reason="released", relayed=[at_relay])
        check(len(created) == len(ended) == 1 and created[0]["id"] == ended[0]["id"], f"{lines}")
        check(len(of(lines, "request.granted", method="ChannelBind")) == 1, f"the channel: {lines}")
        up = of(lines, "drop", reason="no_permission", way="in", to=service)
        check(len(up) == 1 and up[0]["n"] == 3 and up[0]["from"] == name, f"indications: {lines}")
        check(up[0]["peer"] == f"{lab.peer_address}:{uclient.PEER_PORT}", f"their peer: {up}")
        check(up[0]["port"] == relay.config["ports"][0]["name"], f"their port: {up}")
        channel = of(lines, "drop", reason="no_channel")
        check([line["channel"] for line in channel] == ["0x4abc"], f"the channel: {lines}")
        down = of(lines, "drop", to=at_relay)
        check([(line["from"], line["n"]) for line in down] == [(stranger, 5)], f"the peer: {lines}")
        # By its port it is told apart from the one that failed.
        own, _ = trace(relay, name)
        check(not of(own, "auth.failed") and len(own) == len(lines) - 2, f"by its port: {own}")
        # Of a peer it is told, too.
        check(of(trace(relay, stranger)[0], "drop", to=at_relay), "the peer is not known")


@test()
def test_who_was_not_seen_is_said_to_be_not():
    with Lab() as lab:
        relay = start_relay(lab)
        fail_to_enter(lab)
        for address in ("203.0.113.7", "203.0.113.7:4000", "2001:db8::7", "[2001:db8::7]:4000",
                        f"{CLIENT}:1"):
            lines, reach = trace(relay, address)
            check(lines == [] and reach["found"] == 0, f"{address}: {lines} {reach}")
        text = subprocess.run(command(relay, "trace", "203.0.113.7"), capture_output=True, text=True,
                              timeout=20, check=True).stdout
        check(re.fullmatch(f"nothing of this address is kept since {STAMP}\n", text), text)
        text = subprocess.run(command(relay, "trace", CLIENT), capture_output=True, text=True,
                              timeout=20, check=True).stdout
        check(re.search(rf'^{STAMP} auth\.failed method=Allocate code=401 reason=Unauthenticated '
                        rf'client={CLIENT}:\d+ user="{USER}"$', text, re.M), text)
        check(re.search(f"^all that is kept since {STAMP}$", text, re.M), text)
        for wrong in (("nonsense",), ("203.0.113.7:0x1",), ("203.0.113.0/24",), ()):
            done = subprocess.run(command(relay, "trace", *wrong), capture_output=True, text=True,
                                  timeout=20, check=False)
            check(done.returncode == USAGE and done.stderr, f"{wrong}: {done}")


@test()
def test_what_lives_is_told_from_its_beginning_and_followed():
    with Lab() as lab:
        uclient.start_peer(lab)
        relay = start_relay(lab)
        with lab.inside("client"), Client((SERVICE, 3478), USER, PASSWORD) as client:
            relayed = client.allocate()
            with subprocess.Popen(command(relay, "--json", "trace", "--follow", CLIENT),
                                  stdout=subprocess.PIPE, text=True) as follower:
                told = [json.loads(follower.stdout.readline()) for _ in range(3)]
                check({line["event"] for line in told}
                      == {"request.challenged", "allocation.created", "reach"}, f"{told}")
                send_from_peer(lab, relayed, 2)
                line = json.loads(follower.stdout.readline())
                check((line["event"], line["n"], line["to"]) == ("drop", 2, "%s:%d" % relayed), f"{line}")
                time.sleep(1.2)  # a pass that finds nothing says nothing
                check(permit(client, FORBIDDEN).error == 403, "a forbidden peer was taken")
                line = json.loads(follower.stdout.readline())
                check((line["event"], line["code"]) == ("request.refused", 403), f"{line}")
                follower.terminate()
            client.request(REFRESH, (LIFETIME, bytes(4)))
        wait_until(lambda: of(trace(relay, CLIENT)[0], "allocation.ended"), 5, "the end")


@test()
def test_who_follows_is_told_all_in_its_order():
    with Lab() as lab:
        relay = start_relay(lab)
        with lab.inside("client"), Client((SERVICE, 3478), USER, PASSWORD) as client, \
                following(relay, CLIENT) as follower:
            client.allocate()
            client.send(channel_data(0x4abc, b"hello"))
            told = [json.loads(follower.stdout.readline())["event"] for _ in range(3)]
            follower.terminate()
        check(told == ["request.challenged", "allocation.created", "drop"], f"{told}")


@test(limit_s=120)
def test_who_follows_too_slowly_is_told_how_much_is_left_out():
    with Lab() as lab:
        relay = start_relay(lab)
        with lab.inside("client"), Client((SERVICE, 3478), USER, PASSWORD) as client, \
                following(relay, CLIENT) as follower:
            for _ in range(N_TOO_MANY):
                client.allocate()
                check(client.request(REFRESH, (LIFETIME, bytes(4))).kind == SUCCESS, "no release")
            # Each begins and ends, and the first was challenged; what is asked again may be refused. More
            # than one pass may have found too many.
            told, n_left_out = [], 0
            while len(told) + n_left_out < 2 * N_TOO_MANY + 1:
                line = json.loads(follower.stdout.readline())
                if line["event"] == "left_out":
                    n_left_out += line["n"]
                else:
                    told.append(line["time"])
            follower.terminate()
        check(n_left_out > 0, "all was told")
        check(told == sorted(told), "no order")


@test()
def test_names_are_as_in_the_log_and_secrets_are_nowhere():
    with Lab() as lab:
        for mode, pattern in (("hashed", "[0-9a-f]{16}"), ("off", "-")):
            config = configuration(lab)
            config["log"]["user-names"] = mode
            relay = start_relay(lab, config)
            fail_to_enter(lab)
            with lab.inside("client"), Client((SERVICE, 3478), USER, PASSWORD) as client:
                client.allocate()
            lines, _ = trace(relay, CLIENT)
            names = {line["user"] for line in lines if "user" in line}
            check(len(names) == 1 and re.fullmatch(pattern, names.pop()), f"{mode}: {lines}")
            text = json.dumps(lines)
            check(not any(word in text for word in (USER, PASSWORD, SECRET)), f"{mode}: {text}")
            relay.stop()


@test()
def test_an_answer_that_did_not_leave_is_told():
    with Lab() as lab:
        config = configuration(lab)
        config["limits"]["answers"]["ratio-percent"] = 200
        relay = start_relay(lab, config)
        with lab.inside("client"), Client((SERVICE, 3478)) as client:
            check(client.ask(build(ALLOCATE, attributes=(UDP_TRANSPORT,)), tries=2) is None, "an answer")
        lines, _ = trace(relay, CLIENT)
        check(len(of(lines, "request.unanswered", reason="withheld")) == 2, f"{lines}")
