"""The operator's door: turnpikectl, and the socket behind it."""

import contextlib
import hashlib
import json
import os
import re
import signal
import socket
import stat
import subprocess
import tempfile
import time

import uclient
from echo import CHANNEL, check_echo, open_channel
from lab import SERVICE, Lab, check, test, wait_until
from relay import BINARY, PASSWORD, REALM, SECRET, TOP, USER, Relay, configuration, start_relay
from stunlib import (ALLOCATE, LIFETIME, REFRESH, SUCCESS, UDP_TRANSPORT, Client,
                     channel_data)

CTL = f"{TOP}/build/app/turnpikectl/turnpikectl"
N = 50
USAGE, UNAVAILABLE, CONFIG = 64, 69, 78


def attempt(relay, *arguments, stdin=None):
    return subprocess.run((CTL, "-s", relay.config["admin"]["socket"], "-c", relay.path, *arguments),
                          capture_output=True, text=True, timeout=20, input=stdin, check=False)


def ctl(relay, *arguments, stdin=None):
    """What it prints; it must succeed."""
    done = attempt(relay, *arguments, stdin=stdin)
    check(done.returncode == 0 and not done.stderr, f"{arguments}: {done.returncode} {done.stderr}")
    return done.stdout


def rows(relay, *arguments):
    return [json.loads(line) for line in ctl(relay, "--json", *arguments).splitlines()]


@contextlib.contextmanager
def raw(relay):
    with socket.socket(socket.AF_UNIX) as door:
        door.connect(relay.config["admin"]["socket"])  # waits for its place in the queue
        door.settimeout(10)
        yield door


def lines(door, n):
    """`n` lines of an answer; fewer where the daemon ends it."""
    data = b""
    while data.count(b"\n") < n:
        try:
            more = door.recv(65536)
        except ConnectionResetError:  # it had not read all
            break
        if not more:
            break
        data += more
    return [json.loads(line) for line in data.splitlines()]


def refresh(client, lifetime_s):
    return client.request(REFRESH, (LIFETIME, lifetime_s.to_bytes(4, "big")))


def try_allocate(client):
    return client.request(ALLOCATE, UDP_TRANSPORT)


def call(lab, client):
    """An allocation with a channel, and N messages each way."""
    client.allocate()
    open_channel(lab, client)
    check_echo(client, N)


@test()
def test_an_operator_sees_what_runs():
    with Lab() as lab:
        uclient.start_peer(lab)
        relay = start_relay(lab, workers=2)
        with lab.inside("client"), Client((SERVICE, 3478), USER, PASSWORD) as client:
            call(lab, client)
        status = rows(relay, "status")[0]
        check(status["state"] == "running" and status["pid"] == relay.process.pid, f"{status}")
        check(status["turn"]["allocations"] == 1 and status["turn"]["channels"] == 1, f"{status}")
        check(status["traffic"]["relayed_up"] == N == status["traffic"]["relayed_down"], f"{status}")
        check(set(status["health"].values()) == {"good"}, f"{status}")
        check(re.search(r"^ +allocations +1$", ctl(relay, "status"), re.M), "no text for people")
        workers = rows(relay, "show", "workers")
        check([worker["worker"] for worker in workers] == [0, 1], f"{workers}")
        check(sum(worker["relayed"]["up_channel"] for worker in workers) == N, f"{workers}")
        check(sum(worker["relayed_bytes"]["up_channel"] for worker in workers) ==
              sum(len(b"message %d" % i) for i in range(N)), f"{workers}")
        ports = rows(relay, "show", "ports")
        check(ports[0]["port"] == "wire" and ports[0]["link"] and
              ports[0]["rx_packets"] >= 2 * N, f"{ports}")
        check("numa_node" not in ports[0], "a veth is nowhere in particular")
        check(any(hop["state"] == "resolved" for hop in rows(relay, "show", "routes")), "no hop")
        check({"realm": REALM, "rule": "allow", "range": "198.18.0.0/15", "action": "allow"}.items()
              <= [rule for rule in rows(relay, "show", "peers") if rule["hits"]][0].items(), "peers")
        check(rows(relay, "show", "realms")[0]["allocations_created"] == 1, "realms")
        for subject in ("workers", "ports", "routes", "peers", "realms"):
            text = ctl(relay, "show", subject)
            check(len(text.splitlines()) >= 2 and text.endswith("\n"), f"{subject}: {text}")
        top = rows(relay, "top", "--rounds", "1")[0]
        check(top["seconds"] > 0.9 and len(top["workers"]) == 2, f"{top}")
        check("BUSY%" in ctl(relay, "top"), "no table")
        relay.stop()
        check(not os.path.exists(relay.config["admin"]["socket"]), "the socket is still there")


def talk(clients, seconds):
    """Each (client, messages a second) of `clients`, and the echo."""
    begun = time.monotonic()
    sent = [0] * len(clients)
    while (passed := time.monotonic() - begun) < seconds:
        for i, (client, rate) in enumerate(clients):
            while sent[i] < rate * passed:
                client.send(channel_data(0x4000, bytes(100)))
                check(client.receive(), "no echo")
                sent[i] += 1
        time.sleep(0.001)


def top_while(relay, clients, n_rounds, *options):
    """What top prints while they talk."""
    top = subprocess.Popen((CTL, "-s", relay.config["admin"]["socket"], *options, "top", "--rounds",
                            str(n_rounds)), stdout=subprocess.PIPE, text=True)
    talk(clients, n_rounds + 0.5)
    return top.communicate(timeout=20)[0]


def talkers_while(relay, clients, n_rounds):
    """A list for each round."""
    text = top_while(relay, clients, n_rounds, "--json")
    return [json.loads(line)["talkers"] for line in text.splitlines()]


@test()
def test_top_names_those_who_talk_most():
    with Lab() as lab:
        uclient.start_peer(lab)
        config = configuration(lab, workers=2)
        config["auth"]["users"].append({"name": "bob", "password": PASSWORD})
        relay = start_relay(lab, config)
        check(rows(relay, "top")[0]["talkers"] == [], "nobody is there")
        with lab.inside("client"), contextlib.ExitStack() as stack:

            def allocate(user):
                client = stack.enter_context(Client((SERVICE, 3478), user, PASSWORD))
                return client, client.allocate()

            (ann, _), (bob, relayed) = allocate(USER), allocate("bob")
            for client in ann, bob:
                client.bind_channel(0x4000, lab.peer_address, uclient.PEER_PORT)
            first, second = talkers_while(relay, ((ann, 20), (bob, 200)), 1)[0]
            check(first["user"] == "bob" and first["relayed"] == ["%s:%d" % relayed], f"{first}")
            check(100 < first["up"] < 300 and 100 < first["down"] < 300, f"{first}")
            check(abs(first["up_bits"] - 800 * first["up"]) < 1, f"{first}")
            check(abs(first["down_bits"] - 800 * first["down"]) < 1, f"{first}")
            check(second["user"] == USER and 5 < second["up"] < 40, f"{second}")
            # Among more than can all be asked, those who talk are found by samples.
            for _ in range(70):
                allocate(USER)
            talk(((bob, 200),), 1)
            for talkers in talkers_while(relay, ((bob, 200),), 2):
                check([talker["user"] for talker in talkers] == ["bob"], f"{talkers}")
                check(100 < talkers[0]["up"] < 300, f"{talkers}")
            text = top_while(relay, ((bob, 200),), 1)
            check(re.search(rf"^USER +RELAYED +UP pkt/s .*\nbob +{re.escape('%s:%d' % relayed)} ", text,
                            re.M), text)
        for ids in (["x"], [7], ["1"] * 65):
            with raw(relay) as door:
                door.sendall(json.dumps({"verb": "talkers", "ids": ids}).encode() + b"\n")
                check("up to 64 ids" in lines(door, 1)[0]["error"], f"{ids}")
        for _ in range(50):  # who leaves while the workers are asked
            with raw(relay) as door, contextlib.suppress(BrokenPipeError):
                door.sendall(b'{"verb":"talkers"}\n')
        wait_until(lambda: attempt(relay, "status").returncode == 0, 5, "place, once they have left")
        relay.stop()


@test()
def test_an_operator_sees_who_is_relayed_and_kicks_him():
    with Lab() as lab:
        uclient.start_peer(lab)
        config = configuration(lab)
        config["auth"]["users"].append({"name": "bob", "password": PASSWORD})
        relay = start_relay(lab, config)
        check("no allocations" in ctl(relay, "show", "allocations"), "there are none yet")
        with lab.inside("client"), contextlib.ExitStack() as stack:
            clients = [stack.enter_context(Client((SERVICE, 3478), user, PASSWORD))
                       for user in (USER, USER, "bob")]
            call(lab, clients[0])
            for client in clients[1:]:
                client.allocate()
            found = rows(relay, "show", "allocations")
            check(sorted(row["user"] for row in found) == [USER, USER, "bob"], f"{found}")
            users = {row["user"]: row["allocations"] for row in rows(relay, "show", "users")}
            check(users == {USER: 2, "bob": 1}, f"{users}")
            mine = "%s:%d" % clients[0].socket.getsockname()
            check(len(rows(relay, "show", "allocations", "--user", USER)) == 2, "filter by user")
            check(not rows(relay, "show", "allocations", "--realm", "nowhere"), "filter by realm")
            own = rows(relay, "show", "allocations", "--client", mine)
            check(len(own) == 1 and own[0]["client"] == mine, f"{own}")
            one = rows(relay, "show", "allocation", own[0]["id"])[0]
            n_bytes = sum(len(b"message %d" % i) for i in range(N))
            check(one["traffic"] == {"packets_up": N, "packets_down": N, "bytes_up": n_bytes,
                                     "bytes_down": n_bytes}, f"{one}")
            check(one["peers"][-1]["channel"] == "0x4000" and
                  one["peers"][-1]["peer"] == f"{lab.peer_address}:{uclient.PEER_PORT}", f"{one}")
            check(0 < one["peers"][-1]["expires_in_s"] <= 600, f"{one}")
            check("packets_up" in ctl(relay, "show", "allocation", own[0]["id"]), "no text")
            check(rows(relay, "kick", "allocation", own[0]["id"]) == [{"ended": 1}], "kick one")
            check(refresh(clients[0], 600).error == 437, "the allocation is still there")
            check(attempt(relay, "kick", "allocation", own[0]["id"]).returncode == UNAVAILABLE,
                  "kicked twice")
            check(attempt(relay, "show", "allocation", own[0]["id"]).returncode == UNAVAILABLE,
                  "shown after its end")
            check(rows(relay, "kick", "user", USER, "--realm", "nowhere") == [{"ended": 0}], "realm")
            check(rows(relay, "kick", "user", USER) == [{"ended": 1}], "kick a user")
            check([row["user"] for row in rows(relay, "show", "allocations")] == ["bob"], "bob")
            check(try_allocate(clients[0]).kind == SUCCESS, "he may come again")
        for arguments in (("show", "allocation", "x"), ("show", "allocation"), ("kick",),
                          ("kick", "user"), ("kick", "allocation", "g" * 16),
                          ("show", "ports", "--user", "x"), ("show", "allocations", "--fly"),
                          ("kick", "allocation", "0" * 15 + "1", "--user", "x")):
            check(attempt(relay, *arguments).returncode == USAGE, f"{arguments}")
        relay.stop()


@test()
def test_a_drained_relay_keeps_its_calls_and_ends_when_empty():
    with Lab() as lab:
        uclient.start_peer(lab)
        relay = start_relay(lab)
        with lab.inside("client"), Client((SERVICE, 3478), USER, PASSWORD) as client, \
                Client((SERVICE, 3478), USER, PASSWORD) as late:
            call(lab, client)
            check(attempt(relay, "drain", "on", "--answer", "300").returncode == CONFIG,
                  "300 without an alternate")
            check(attempt(relay, "drain", "on", "--answer", "404").returncode == USAGE, "404")
            drain = rows(relay, "drain", "on", "--answer", "486", "--deadline", "600")[0]
            check(drain["drain"] == "on" and drain["allocations_at_start"] == 1, f"{drain}")
            check(598 <= drain["left_s"] <= 600, f"{drain}")
            check(rows(relay, "status")[0]["state"] == "draining", "status")
            check(try_allocate(late).error == 486, "a new allocation came in")
            ctl(relay, "drain", "off")
            check(try_allocate(late).kind == SUCCESS, "no new allocation after the drain")
            check(refresh(late, 0).kind == SUCCESS, "no end")
            text = ctl(relay, "drain", "on", "--exit")
            check("1 allocations of 1, new ones get 508" in text and "daemon ends" in text, text)
            check(try_allocate(late).error == 508, "a new allocation came in")
            call_goes_on = channel_data(CHANNEL, b"on it goes")
            client.send(call_goes_on)
            check(client.receive() == call_goes_on, "the call is gone")
            check(refresh(client, 600).kind == SUCCESS, "no refresh")
            check(refresh(client, 0).kind == SUCCESS, "no end")
        check(relay.process.wait(10) == 0, "it did not end in order")
        check("stopping drained=1 left=0" in relay.process.log(), "no word of it")


@test()
def test_a_drain_ends_at_its_deadline():
    with Lab() as lab:
        relay = start_relay(lab)
        with lab.inside("client"), Client((SERVICE, 3478), USER, PASSWORD) as client:
            client.allocate()
            text = ctl(relay, "drain", "on", "--exit", "--deadline", "2", "--wait")
        check(len(text.splitlines()) >= 2, f"no progress: {text}")
        check(relay.process.wait(10) == 0, "it did not end in order")
        check("stopping drained=1 left=1" in relay.process.log(), "no word of it")


@test()
def test_a_reload_says_what_it_changes_or_why_it_does_not():
    with Lab() as lab:
        relay = start_relay(lab)
        check(ctl(relay, "reload") == "reloaded\n", "nothing differs")
        relay.config["limits"]["allocations"] = 100
        relay.write()
        ctl(relay, "drain", "on", "--answer", "486")
        check(rows(relay, "reload") == [{"key": "limits.allocations", "change": "16384 -> 100",
                                         "needs_restart": False}], "the change")
        check(ctl(relay, "reload") == "reloaded\n", "nothing differs any more")
        with lab.inside("client"), Client((SERVICE, 3478), USER, PASSWORD) as client:
            check(try_allocate(client).error == 486, "a reload ends a drain")
        config = {row["key"]: row["value"] for row in rows(relay, "show", "config")}
        check(config["limits.allocations"] == "100" and config["auth.users"] == "1" and
              config["ports[wire].mtu"] == "1500", f"{config}")
        check(PASSWORD not in ctl(relay, "show", "config"), "a secret is shown")
        relay.config["workers"]["count"] = 2
        relay.write()
        done = attempt(relay, "reload")
        check(done.returncode == CONFIG and "workers.count" in done.stderr, f"{done}")
        check("workers.count: 1 -> 2 (needs a restart)" in done.stdout, f"{done}")
        relay.config["limits"]["allocations"] = "many"
        relay.write()
        done = attempt(relay, "reload")
        check(done.returncode == CONFIG and "limits.allocations" in done.stderr, f"{done}")
        check(relay.process.stop(signal.SIGTERM) == 0, "end")


@test()
def test_the_level_of_the_log_changes_at_once():
    with Lab() as lab:
        relay = start_relay(lab)
        check(rows(relay, "log", "level") == [{"level": "info"}], "level")
        check(rows(relay, "log", "level", "error") == [{"level": "error"}], "level")
        check(attempt(relay, "log", "level", "loud").returncode == USAGE, "loud")
        check(relay.process.stop(signal.SIGTERM) == 0, "end")
        check("info stopped" not in relay.process.log(), "it still writes info")


@test()
def test_a_credential_of_the_secret_lets_a_client_in():
    with Lab() as lab:
        config = configuration(lab)
        config["auth"]["rest-secrets"] = ["old", SECRET]
        relay = start_relay(lab, config)
        made = rows(relay, "credential", "--user", "bob", "--lifetime", "60")[0]
        check(made["ttl"] == 60 and made["username"].endswith(":bob"), f"{made}")
        check(made["uris"] == [f"turn:{SERVICE}:3478?transport=udp"], f"{made}")
        with lab.inside("client"), \
                Client((SERVICE, 3478), made["username"], made["password"]) as client:
            client.allocate()
        check(attempt(relay, "credential", "--realm", "nowhere").returncode == CONFIG, "realm")
        check(attempt(relay, "credential", "--lifetime", "0").returncode == USAGE, "lifetime")
        relay.stop()


@test()
def test_a_key_is_that_of_the_name_realm_and_password():
    with Lab() as lab:
        relay = Relay(lab)
        made = json.loads(ctl(relay, "--json", "key", USER, REALM, stdin=f"{PASSWORD}\n"))
        text = f"{USER}:{REALM}:{PASSWORD}".encode()
        check(made["key"] == hashlib.md5(text).hexdigest(), f"{made}")
        check(made["key-sha256"] == hashlib.sha256(text).hexdigest(), f"{made}")
        check(attempt(relay, "key", USER, REALM, stdin="\n").returncode == USAGE, "no password")


@test()
def test_nonsense_at_the_door_gets_a_clear_answer():
    with Lab() as lab:
        relay = start_relay(lab)
        for request, error in ((b"hello\n", "JSON"), (b"[1]\n", "another value"),
                               (b"{}\n", "no such verb"), (b'{"verb":"fly"}\n', "no such verb"),
                               (b'{"verb":"status","verb":"x"}\n', "duplicate"),
                               (b'{"verb":7}\n', "no such verb"), (b"\xff\n", "JSON"),
                               (b'{"verb":"drain","set":1}\n', "set; allowed: a text"),
                               (b'{"verb":"drain","set":"of"}\n', "allowed: on, off"),
                               (b'{"verb":"kick","user":"alice","realm":7}\n', "realm; allowed: a text"),
                               (b'{"verb":"kick","user":"alice","relm":"r"}\n',
                                "relm: kick has no such argument"),
                               # Their errors are cut within a character of two bytes.
                               (b'{"verb":"status","%s":1}\n' % (300 * "\u00fc").encode(), 200 * "\u00fc"),
                               (b'{"verb":"status","x%s":1}\n' % (300 * "\u00fc").encode(), 200 * "\u00fc"),
                               (b'{"verb":"talkers","ids":{}}\n', "ids; allowed: a list"),
                               (b'{"verb":"drain","set":"on","answer":4294967596}\n', "allowed: 300"),
                               (b'{"verb":"drain","set":"on","answer":"486"}\n', "a whole number"),
                               (b'{"verb":"drain","set":"on","deadline_s":"9"}\n', "a whole number"),
                               (b'{"verb":"drain","set":"on","exit":"no"}\n', "true, false")):
            with raw(relay) as door:
                door.sendall(request)
                answer = lines(door, 1)[0]
                check(error in answer["error"] and answer["status"] == USAGE, f"{request[:40]} {answer}")
        # What comes behind a line that is too long is not read.
        with raw(relay) as door:
            door.sendall(b"x" * 70000 + b'\n{"verb":"log"}\n')
            answers = lines(door, 99)
            check(len(answers) == 1 and "65536 bytes at most" in answers[0]["error"], f"{answers}")
        # Programs for workers that libpcap never made.
        ret = [6, 0, 0, 1]
        for program, error in (([], "0 instructions"), (7, "program; allowed: a list"),
                               ([ret, 7], "instruction 1; allowed: [code, jt, jf, k]"),
                               ([[6, 0, 0]], "allowed: [code"), ([[6, 0, 0, 1, 1]], "allowed: [code"),
                               ([[6, 0, 0, "1"]], "allowed: [code"), ([[6, 0, 0, -1]], "allowed: [code"),
                               ([[6, 256, 0, 1]], "allowed: [code"), ([[6, 0, 0, 2**32]], "allowed: [code"),
                               ([[65535, 0, 0, 0], ret], "instruction 0 (code 65535): there is no such code"),
                               ([[5, 0, 0, 2**32 - 1], ret], "jumps back"), ([[21, 1, 0, 0], ret], "jumps back"),
                               ([[96, 0, 0, 16], ret], "no such cell"), ([[52, 0, 0, 0], ret], "divides by 0"),
                               ([[0, 0, 0, 1]], "does not return"),
                               ([ret] * 2049, "2049 instructions; allowed: 1..2048")):
            with raw(relay) as door:
                door.sendall(json.dumps({"verb": "capture", "program": program}).encode() + b"\n")
                answer = lines(door, 1)[0]
                check(error in answer["error"] and answer["status"] == USAGE, f"{program} {answer}")
        # One after the other, and the answers to one who has said all.
        with raw(relay) as door:
            door.sendall(b'{"verb":"log"}\n{"verb":"fly"}\n{"verb":"drain"}\n')
            door.shutdown(socket.SHUT_WR)
            answers = lines(door, 99)
            check([list(answer)[0] for answer in answers] ==
                  ["data", "done", "error", "data", "done"], f"{answers}")
        # Those who leave in the middle, and more than there is room for.
        for _ in range(100):
            with raw(relay) as door, contextlib.suppress(BrokenPipeError):  # too many at once
                door.sendall(b'{"verb":"workers"}\n')
        with contextlib.ExitStack() as stack:

            def comes_in():
                door = stack.enter_context(raw(relay))
                with contextlib.suppress(BrokenPipeError):
                    door.sendall(b'{"verb":"log"}\n')
                return "data" in lines(door, 1)[0]

            for _ in range(32):
                wait_until(comes_in, 5, "place for 32 clients, once the others have left")
            with raw(relay) as door:
                check("too many" in lines(door, 1)[0]["error"], "33 clients")
        wait_until(lambda: attempt(relay, "log", "level").returncode == 0, 5, "room again")
        for arguments in ((), ("fly",), ("show",), ("show", "all"), ("status", "x"), ("drain",),
                          ("drain", "off", "--exit"), ("top", "--interval", "0"), ("log",),
                          ("--fly",), ("key", "x"), ("kick", "user", "x", "--user", "x")):
            done = attempt(relay, *arguments)
            check(done.returncode == USAGE and "see " in done.stderr, f"{arguments}: {done}")
        for arguments in (("kick", "user", b"caf\xe9"), ("show", "users", "--realm", b"caf\xe9"),
                          ("capture", "-w", "x", "--filter", b"caf\xe9"), ("log", "level", b"caf\xe9")):
            done = attempt(relay, *arguments)
            check(done.returncode == USAGE and r"caf\xe9 is not text in UTF-8" in done.stderr, f"{done}")
        check(rows(relay, "show", "users", "--user", "café") == [], "that is text")
        with open("/dev/full", "w", encoding="ascii") as full:
            done = subprocess.run((CTL, "-s", relay.config["admin"]["socket"], "show", "config"), stdout=full,
                                  stderr=subprocess.PIPE, text=True, timeout=20, check=False)
            check(done.returncode == 74 and "full" in done.stderr, f"{done}")
        relay.stop()


def ask_impostor(answer, *arguments):
    """What turnpikectl makes of that answer."""
    with tempfile.TemporaryDirectory() as directory, socket.socket(socket.AF_UNIX) as door:
        door.bind(f"{directory}/door")
        door.listen()
        asked = subprocess.Popen((CTL, "-s", f"{directory}/door", *arguments), text=True,
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        client, _ = door.accept()
        with client:
            client.recv(65536)
            client.sendall(answer)
            client.shutdown(socket.SHUT_WR)
            output, error = asked.communicate(timeout=20)
        return asked.returncode, output, error


@test()
def test_lines_of_json_are_passed_on_as_they_are():
    line = b'{ "b":1.50,"a":[ ] }'
    answer = b'{"data":' + line + b'}\n{"data":2}\n'
    done = b'{"done":true}\n'
    printed = line.decode() + "\n2\n"
    check(ask_impostor(answer + done, "--json", "show", "allocations") == (0, printed, ""), "printed")
    for end, status, words in ((b'{"error":"no","status":71}\n', 71, "no"), (b"", UNAVAILABLE, "gone"),
                               (b'{"data":1', UNAVAILABLE, "gone"), (b"{}\n", UNAVAILABLE, "gone"),
                               (b"x\n", UNAVAILABLE, "gone")):
        code, output, error = ask_impostor(answer + end, "--json", "show", "config")
        check(code == status and output == printed and words in error, f"{end}: {code} {output} {error}")
        code, output, error = ask_impostor(answer + end, "show", "config")
        check(code == status and output == "" and words in error, f"{end}: {code} {output} {error}")
    check(ask_impostor(answer + done, "--json", "status")[1] == printed, "of one object")


@test()
def test_names_that_strangers_chose_do_not_steer_the_terminal():
    rows_of = [json.dumps({"data": {"realm": "r", "user": user, "client": "c"}}, separators=(",", ":"))
               for user in ("a\x1b[31m\u009bb\x7f", "\u00e9t\u00e9")]
    answer = "\n".join((*rows_of, '{"done":true}\n')).encode()
    _, table, _ = ask_impostor(answer, "show", "allocations")
    shown = r"a\x1b[31m\x9bb\x7f"
    check(table.splitlines()[1:] == [f"r      {shown}  c",
                                     "r      " + "\u00e9t\u00e9".ljust(len(shown)) + "  c"], table)
    _, text, _ = ask_impostor(answer, "show", "allocation", "1")
    check(shown in text and "\x1b" not in text, text)


@test()
def test_the_socket_is_for_its_owner_and_group_and_for_one_relay():
    with Lab() as lab:
        relay = Relay(lab)
        check(attempt(relay, "status").returncode == UNAVAILABLE, "no daemon")
        path = relay.config["admin"]["socket"] = lab.path("deep/er.sock")
        relay.config["admin"]["group"] = "daemon"
        relay.start()
        check(stat.S_IMODE(os.stat(path).st_mode) == 0o660, oct(os.stat(path).st_mode))
        relay.process.kill()
        check(os.path.exists(path), "a dead socket is the point of what follows")
        relay.start()
        ctl(relay, "status")
        relay.stop()
        check(os.path.isdir(os.path.dirname(path)), "that it did not make")
        # Its own directory goes with it, unless somebody else has put something there.
        os.rmdir(os.path.dirname(path))
        relay.start()
        relay.stop()
        check(not os.path.exists(os.path.dirname(path)), "its directory is left over")
        relay.start()
        with open(lab.path("deep/note"), "w", encoding="ascii"):
            pass
        relay.stop()
        check(os.path.exists(lab.path("deep/note")) and not os.path.exists(path), "deep")
        os.makedirs(path)
        other = lab.start("relay", BINARY, "-c", relay.path, name="other")
        check(other.wait(20) == 69 and "something else is there" in other.log(), other.log())


def start_capture(relay, path, *arguments):
    """A capture that runs when this returns."""
    capture = subprocess.Popen((CTL, "-s", relay.config["admin"]["socket"], "capture", "-w", path,
                                *arguments), stderr=subprocess.PIPE, text=True)
    wait_until(lambda: os.path.exists(path) and os.path.getsize(path) > 0, 10, "the file's head")
    return capture


def frames_of(path, *words):
    """What tcpdump reads, a line each."""
    done = subprocess.run(("tcpdump", "-nr", path, *words), capture_output=True, text=True,
                          timeout=20, check=False)
    check(done.returncode == 0, f"tcpdump: {done.stderr}")
    return done.stdout.splitlines()


def end_capture(capture):
    capture.send_signal(signal.SIGTERM)
    check(capture.wait(10) == 0, f"the capture ended with {capture.returncode}")


@test()
def test_a_capture_has_both_legs_of_whom_it_is_asked_for():
    with Lab() as lab:
        uclient.start_peer(lab)
        config = configuration(lab, workers=2)
        config["auth"]["users"].append({"name": "bob", "password": PASSWORD})
        relay = start_relay(lab, config)
        with lab.inside("client"), Client((SERVICE, 3478), USER, PASSWORD) as client, \
                Client((SERVICE, 3478), "bob", PASSWORD) as other:
            for each in (client, other):
                relayed = each.allocate()
                open_channel(lab, each)
            by_user = lab.path("user.pcapng")
            capture = start_capture(relay, by_user, "--user", "bob", "--snap", "60")
            check("another capture runs" in attempt(relay, "capture", "-w", "/dev/null").stderr,
                  "two captures at once")
            for each in (client, other):
                check_echo(each, N)
            wait_until(lambda: len(frames_of(by_user)) == 4 * N, 10, "four frames a message")
            end_capture(capture)
            own, mine = ("%s:%d" % each.socket.getsockname() for each in (client, other))
            check(len(frames_of(by_user, "host", SERVICE, "and", "udp", "port", "3478")) == 2 * N,
                  "the client's leg")
            check(len(frames_of(by_user, "udp", "port", str(relayed[1]))) == 2 * N, "the peer's leg")
            check(len(frames_of(by_user, "udp", "port", mine.split(":")[1])) == 2 * N, "whose")
            check(not frames_of(by_user, "udp", "port", own.split(":")[1]), "somebody else's frames")
            # By its end: so many packets, and by words that tcpdump would take.
            ctl(relay, "capture", "-w", lab.path("none"), "--filter", "icmp", "--seconds", "1")
            check(not frames_of(lab.path("none")), "there was no ICMP")
            path = lab.path("words.pcapng")
            capture = start_capture(relay, path, "--filter", f"udp and dst host {lab.peer_address}",
                                    "--packets", "7", "--snap", "1500")
            for i in range(N):
                client.send(channel_data(CHANNEL, b"once more %d" % i))
                check(client.receive(), "no echo")
            check(capture.wait(10) == 0, "the capture did not end")
            found = frames_of(path, "-X")
            check(len(frames_of(path)) == 7 and "more.6" in "".join(found), f"{found}")
            # Somebody who leaves in the middle, and a file that has no room.
            capture = start_capture(relay, lab.path("gone"), "--peer", lab.peer_address)
            capture.kill()
            capture.wait()
            # Until the daemon has seen that he left, it is his.
            wait_until(lambda: attempt(relay, "capture", "-w", "/dev/full").returncode == 74, 10,
                       "a full disk is told")
            message = channel_data(CHANNEL, b"the call goes on")
            client.send(message)
            check(client.receive() == message, "the call is gone")
        # A filter is compiled where it is asked for, however long that takes.
        imported = subprocess.run(("nm", "-D", BINARY), capture_output=True, text=True, check=True).stdout
        check("bpf_filter" in imported and "pcap_compile" not in imported, "the daemon compiles")
        nasty = " or ".join(f"(host 192.0.2.{i} and udp port {i})" for i in range(1, 200))
        done = attempt(relay, "capture", "-w", "x", "--filter", nasty + " or " + nasty.replace("192", "193"))
        check(done.returncode == USAGE and "ask for less" in done.stderr, f"{done}")
        done = attempt(relay, "capture", "-w", "x", "--filter", "ip6 protochain 17")
        check(done.returncode == USAGE and "jumps back" in done.stderr, f"{done}")
        for arguments in (("-w", "x", "--filter", "udp and and"), ("-w", "x", "--snap", "13"),
                          ("-w", "x", "--snap", "9217"), ("-w", "x", "--seconds", "0"),
                          ("-w", "x", "--peer", "nobody"), (), ("-w", "x", "--user", "a", "--peer",
                          "1.2.3.4"), ("-w", "x", "y")):
            check(attempt(relay, "capture", *arguments).returncode == USAGE, f"{arguments}")
        check(attempt(relay, "capture", "-w", "x", "--user", "eve").returncode == UNAVAILABLE, "eve")
        check(not os.path.exists("x"), "a file of a capture that never began")
        relay.stop()
