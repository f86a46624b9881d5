"""The log: its formats, what it tells of clients, what it never tells, and that it stops nobody."""

import base64
import contextlib
import hashlib
import hmac
import json
import os
import re
import signal
import socket
import time

from lab import SERVICE, Lab, check, test, wait_until
from redis_server import PASSWORD as REDIS_PASSWORD
from redis_server import RedisServer
from relay import BINARY, PASSWORD, REALM, TOP, USER, Relay, configuration
from stunlib import ALLOCATE, LIFETIME, REFRESH, UDP_TRANSPORT, Client, build, long_term_key
from test_token import KIDS, SERVER_NAME, Holder, make_key, seal

STAMP = r"20\d\d-[01]\d-[0-3]\dT[0-2]\d:[0-5]\d:[0-6]\d\.\d{3}Z"
LINE = re.compile(rf"{STAMP} (?:error|warning|info|debug) [a-z_.]+(?: .*)?")
JOURNAL_LINE = re.compile(r"<([3467])>(?:error|warning|info|debug) [a-z_.]+(?: .*)?")
WRONG_PASSWORD = "close-sesame-with-care"
MD5_KEY = hashlib.md5(f"bob:{REALM}:bobs-own-word".encode()).digest()
SHA256_KEY = hashlib.sha256(f"bob:{REALM}:bobs-own-word".encode()).digest()
REST_SECRET, REST_SECRET_SHA256 = "rest-star-of-the-north", "rest-star-of-the-south"
MANY = 3000  # requests, enough lines to fill a pipe


def start(lab, config, ready="ready", command=(BINARY,), name="relay"):
    relay = Relay(lab, config)
    relay.process = lab.start("relay", *command, "-c", relay.write(), name=name)
    if ready:
        relay.process.wait_log(ready)
    return relay


def configured(lab, **log):
    config = configuration(lab)
    config["log"] = {"stats-interval-s": 1, **log}
    return config


def objects(relay):
    lines = [json.loads(line) for line in relay.process.log().splitlines()]
    for line in lines:
        check(list(line)[:3] == ["time", "level", "event"], f"not as every line: {line}")
        check(re.fullmatch(STAMP, line["time"]), f"no stamp: {line}")
    return lines


def events(relay, *names):
    return [line for line in objects(relay) if line["event"] in names]


def documented():
    with open(os.path.join(TOP, "README.md"), encoding="utf-8") as file:
        rows = re.findall(r"^\| (`[a-z_.]+`(?:, `[a-z_.]+`)*) \|", file.read(), re.M)
    return set(re.findall(r"[a-z_.]+", " ".join(rows)))


def live(lab, user=USER, password=PASSWORD):
    """A whole life: allocated, a channel bound, a peer refused, released."""
    with lab.inside("client"), Client((SERVICE, 3478), user, password) as client:
        client.allocate()
        check(client.bind_channel(0x4000, lab.peer_address, 9999).error == 0, "no channel")
        check(client.bind_channel(0x4001, "127.0.0.1", 9999).error == 403, "no 403")
        check(client.request(REFRESH, (LIFETIME, bytes(4))).error == 0, "no release")
        return "%s:%d" % client.socket.getsockname()


def fail(lab, user=USER, password=WRONG_PASSWORD):
    with lab.inside("client"), Client((SERVICE, 3478), user, password) as client:
        check(client.request(ALLOCATE, UDP_TRANSPORT).error == 401, "a wrong password was taken")


def rest_password(name, secret, algorithm):
    return base64.b64encode(hmac.digest(secret.encode(), name.encode(), algorithm)).decode()


def with_secrets(lab, redis, log_format):
    config = configured(lab, level="debug", format=log_format)
    config["auth"] = {"realm": REALM, "redis": "on", "users": [
        {"name": USER, "password": PASSWORD},
        {"name": "bob", "key": MD5_KEY.hex(), "key-sha256": SHA256_KEY.hex()}],
        "rest-secrets": [REST_SECRET], "rest-secrets-sha256": [REST_SECRET_SHA256]}
    config["redis"] = {**redis.where(), "refresh-s": 1}
    config["tokens"] = {"server-name": SERVER_NAME, "keys": [
        {"kid": kid, "key": key.hex()} for kid, (_, key) in KIDS.items()]}
    config["mobility"] = "on"
    return config


def use_secrets(lab, redis):
    """Every kind of credential, right and wrong; all that must not be told, as bytes."""
    redis.add_user("rex", "woof-and-woof-again")
    redis.cli("SADD", f"turn/realm/{REALM}/secret", "rest-star-of-redis")
    mac_key = make_key()
    secrets = [PASSWORD, WRONG_PASSWORD, "bobs-own-word", REST_SECRET, REST_SECRET_SHA256,
               REDIS_PASSWORD, "woof-and-woof-again", "rest-star-of-redis"]
    for secret, algorithm in ((REST_SECRET, "sha1"), (REST_SECRET_SHA256, "sha256"),
                              ("rest-star-of-redis", "sha1")):
        name = f"{int(time.time()) + 600}:ann"
        password = rest_password(name, secret, algorithm)
        wait_until(lambda: lives(lab, name, password), 10, f"a REST user of {secret}")
        secrets.append(password)
    for name, password in ((USER, PASSWORD), ("bob", "bobs-own-word"), ("rex", "woof-and-woof-again")):
        live(lab, name, password)
        fail(lab, name)
    fail(lab, "nobody")
    token = seal(lab, "north", KIDS["north"][1], mac_key, 300)
    with lab.inside("client"), Holder("north", token, mac_key) as client:
        check(client.ask_with_token(ALLOCATE, UDP_TRANSPORT).error == 0, "the token is not taken")
    keys = [long_term_key(name, REALM, word) for name, word in (
        (USER, PASSWORD), (USER, WRONG_PASSWORD), ("rex", "woof-and-woof-again"))]
    keys += [MD5_KEY, SHA256_KEY, mac_key, *(key for _, key in KIDS.values())]
    return [secret.encode() for secret in secrets] + keys


def reload_secrets(relay):
    """A reload that changes secrets, and two that are refused; those that came."""
    users = relay.config["auth"]["users"]
    users[0]["password"] = "sesame-of-another-day"
    relay.config["auth"]["rest-secrets"] = ["rest-star-of-the-east"]
    relay.config["tokens"]["keys"][0]["key"] = "5e" * 32
    hang_up(relay, "reload.done")
    users[1]["key"] = "c0ffee-that-is-no-key"
    hang_up(relay, "reload.refused")
    users[1]["key"] = MD5_KEY.hex()
    relay.config["redis"]["password"] = "hush-of-another-day"
    hang_up(relay, "reload.refused.*redis")
    return [b"c0ffee-that-is-no-key", b"sesame-of-another-day", b"rest-star-of-the-east",
            b"\x5e" * 32, b"hush-of-another-day"]


def hang_up(relay, answer):
    n_before = len(relay.process.log())
    relay.write()
    os.kill(relay.process.pid, signal.SIGHUP)
    wait_until(lambda: re.search(answer, relay.process.log()[n_before:]), 10, f"the log says {answer}")


def lives(lab, name, password):
    with lab.inside("client"), Client((SERVICE, 3478), name, password) as client:
        answer = client.request(ALLOCATE, UDP_TRANSPORT)
        return answer and answer.error == 0


def check_untold(text, secrets):
    for secret in secrets:
        for form in (secret.decode("latin-1"), secret.hex(), secret.hex().upper(),
                     base64.b64encode(secret).decode().rstrip("=")):
            at = text.find(form)
            check(at < 0, f"a secret is told: {text[max(at - 60, 0):at + 60]!r}")


@test(limit_s=120)
def test_no_secret_is_ever_told():
    for log_format in ("text", "json"):
        with Lab() as lab:
            redis = RedisServer(lab, tcp=True).start()
            relay = start(lab, with_secrets(lab, redis, log_format))
            relay.process.wait_log("redis.up")
            secrets = use_secrets(lab, redis) + reload_secrets(relay)
            relay.process.stop()
            text = relay.process.log()
            for event in ("allocation.created", "allocation.ended", "auth.failed", "dpdk",
                          "request.refused", "request.granted", "stopped"):
                check(event in text, f"the test sees no {event}")
            check_untold(text, secrets)


@test()
def test_text_tells_what_happens_to_clients():
    with Lab() as lab:
        relay = start(lab, configured(lab))
        client = live(lab)
        fail(lab)
        relay.stop()
        text = relay.process.log()
        for line in text.splitlines():
            check(LINE.fullmatch(line), f"not as every line: {line}")
        who = rf'realm="{re.escape(REALM)}" user="{USER}" client={re.escape(client)}'
        created = re.search(rf'info allocation\.created id="([0-9a-f]+)" {who} '
                            rf'service=198\.18\.0\.2:3478 relayed=(\S+) lifetime_s=600$', text, re.M)
        check(created, "no line of the allocation")
        check(re.search(rf'info allocation\.ended id="{created[1]}" {who} relayed={created[2]} '
                        r"reason=released lived_s=\d+ permissions=1 channels=1$", text, re.M),
              "no line of its end")
        check(re.search(rf"info request\.refused {who} method=ChannelBind code=403 "
                        r"peer=127\.0\.0\.1:9999$", text, re.M), "no line of the refused peer")
        check(re.search(rf'info auth\.failed realm="\S+" user="{USER}" client=\S+ '
                        r"method=Allocate code=401$", text, re.M), "no line of the failure")
        check("debug" not in text and "code=438" not in text, "more is told than was asked for")


@test()
def test_json_tells_the_same_and_users_are_hashed():
    with Lab() as lab:
        relay = start(lab, configured(lab, level="debug", format="json", **{"user-names": "hashed"}))
        live(lab)
        live(lab)
        fail(lab, "mallory")
        relay.process.stop()
        names = {line["event"] for line in objects(relay)}
        check(names <= documented(), f"not in the README: {names - documented()}")
        users = [line["user"] for line in events(relay, "allocation.created", "allocation.ended")]
        check(len(users) == 4 and len(set(users)) == 1, f"one user's: {users}")
        check(re.fullmatch("[0-9a-f]{16}", users[0]), f"no hash: {users[0]}")
        other = events(relay, "auth.failed")[0]["user"]
        check(other != users[0], "another user has the same hash")
        text = relay.process.log()
        check(USER not in text and "mallory" not in text, "a name is told")
        last = events(relay, "stopped")[0]
        check(last["allocations_created"] == 2 and last["log_lost"] == 0, f"numbers: {last}")
        with open(f"{TOP}/lib/stats/counters.def", encoding="utf-8") as file:
            counters = set(re.findall(r'^COUNTER\(\w+, "(\w+)"', file.read(), re.M))
        check(counters - set(last) == {"busy_ticks"}, f"not told: {counters - set(last)}")


@test()
def test_a_start_that_fails_says_why_in_the_same_form():
    with Lab() as lab:
        config = configured(lab, format="json")
        config["ports"][0]["device"] = "af_packet:nowhere0"
        relay = start(lab, config, ready=None)
        check(relay.process.wait(10) == 69, "it started")
        told = objects(relay)[-1]
        check((told["level"], told["event"]) == ("error", "start.failed"), f"{told}")
        check("nowhere0" in told["reason"], f"{told}")


@test()
def test_users_can_be_left_out():
    with Lab() as lab:
        relay = start(lab, configured(lab, level="debug", **{"user-names": "off"}))
        live(lab)
        relay.stop()
        check('user="-"' in relay.process.log() and USER not in relay.process.log(), "a name is told")


# Run a program with a unix stream socket as its standard error, as systemd gives it the journal's.
AS_SERVICE = """
import os, socket, sys
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
what = os.fstat(s.fileno())
os.environ["JOURNAL_STREAM"] = f"{what.st_dev}:{what.st_ino}"
os.dup2(s.fileno(), 2)
os.execv(sys.argv[2], sys.argv[2:])
"""


@test()
def test_the_journal_gets_levels_and_no_stamps():
    with Lab() as lab, socket.socket(socket.AF_UNIX) as journal:
        journal.bind(lab.path("journal"))
        journal.listen()
        relay = start(lab, configured(lab, level="debug"), ready=None,
                      command=("python3", "-c", AS_SERVICE, lab.path("journal"), BINARY))
        journal.settimeout(10)
        stream, _ = journal.accept()
        with stream, stream.makefile(encoding="utf-8") as lines:
            for line in lines:
                check(JOURNAL_LINE.fullmatch(line.strip()), f"not as every line: {line}")
                if line.startswith("<6>info ready"):
                    break
            check(relay.process.stop() == 0, "it did not end well")


def flood(lab):
    """Requests that would each be a line at debug level, were sites not limited; they are answered."""
    with lab.inside("client"), Client((SERVICE, 3478), USER, PASSWORD) as client:
        for _ in range(MANY):
            client.send(build(ALLOCATE, attributes=[UDP_TRANSPORT]))
        client.allocate()


def serves(lab):
    with contextlib.suppress(AssertionError):
        live(lab)
        return True


@test()
def test_what_libevent_says_is_a_line_like_any_other():
    with Lab() as lab:
        relay = start(lab, configured(lab, format="json", level="debug"), '"event":"ready"',
                      ("env", "EVENT_SHOW_METHOD=1", BINARY))
        said = [(line["level"], line["text"]) for line in events(relay, "libevent")]
        check(said == [("debug", r"libevent\x20using:\x20epoll")], f"{said}")
        check(relay.process.stop() == 0, "it did not end in order")


@test()
def test_what_is_held_back_is_told_when_nothing_more_comes():
    with Lab() as lab:
        relay = start(lab, configured(lab, level="debug", format="json"))
        flood(lab)
        wait_until(lambda: [line for line in events(relay, "log.held_back")
                            if line["of"] == "request.refused"], 5, "a word on what was held back")
        relay.process.stop()
        told = sum(line["n"] for line in events(relay, "log.held_back"))
        counted = events(relay, "stopped")[0]["log_held_back"]
        check(told == counted and told > 100, f"{told} told, {counted} counted")


def start_into(lab, path, config):
    return start(lab, config, ready=None,
                 command=("sh", "-c", 'exec "$0" "$@" 2>>' + path, BINARY))


@test(limit_s=90)
def test_a_full_pipe_stops_nobody_and_a_gone_reader_neither():
    with Lab() as lab:
        path = lab.path("pipe")
        os.mkfifo(path)
        reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        filler = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
        with contextlib.suppress(BlockingIOError):
            while True:
                os.write(filler, b"\n" * 4096)
        relay = start_into(lab, path, configured(lab, level="debug"))
        wait_until(lambda: serves(lab), 15, "it serves")
        flood(lab)
        text = b""
        deadline = time.monotonic() + 10
        while b"log.lost n=" not in text and time.monotonic() < deadline:
            with contextlib.suppress(BlockingIOError):
                text += os.read(reader, 65536)
        lost = re.search(rb"warning log\.lost n=(\d+)\n", text)
        check(lost and int(lost[1]) > 20, "lost lines are not told")
        os.close(filler)
        os.close(reader)
        check(serves(lab), "it serves no more without a reader")
        flood(lab)
        check(relay.process.stop() == 0, f"it ended with {relay.process.popen.returncode}")


@test(limit_s=90)
def test_a_full_disk_stops_nobody():
    with Lab() as lab:
        os.mkdir(lab.path("disk"))
        relay = start(lab, configured(lab, level="debug"), ready=None, command=(
            "unshare", "--mount", "sh", "-c",
            f'mount -t tmpfs -o size=4k none {lab.path("disk")} && '
            f'exec "$0" "$@" 2>{lab.path("disk")}/log', BINARY))
        wait_until(lambda: serves(lab), 15, "it serves")
        flood(lab)
        check(os.stat(f"/proc/{relay.process.pid}/fd/2").st_size == 4096, "the disk is not full")
        check(serves(lab), "it serves no more with a full disk")
        check(relay.process.stop() == 0, f"it ended with {relay.process.popen.returncode}")
