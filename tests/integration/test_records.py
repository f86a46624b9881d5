"""Call records: what a file and Redis say of calls that have ended, and that a full disk stops nobody."""

import json
import os
import re
import signal
import struct
import time

import uclient
import web
from echo import CHANNEL, open_channel
from lab import CLIENT, SERVICE, Lab, check, test, wait_until
from redis_server import RedisServer
from relay import PASSWORD, REALM, USER, configuration, start_relay
from stunlib import ALLOCATE, LIFETIME, REFRESH, UDP_TRANSPORT, Client, channel_data
from test_load import LOAD

N = 50
N_HELD = 1000  # more than Redis's outbox has room for, with five commands of each
STAMP = r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"


def with_records(lab, **records):
    config = configuration(lab, workers=2)
    config["records"] = records
    return config


def read(path):
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def open_files(relay):
    of = f"/proc/{relay.process.pid}/fd"
    return [os.readlink(f"{of}/{number}") for number in os.listdir(of)]


def wait_records(path, n):
    wait_until(lambda: os.path.exists(path) and len(read(path)) >= n, 10, f"{n} records")
    return read(path)


def live(lab, release=True):
    """A client that says nothing. Returns where it was."""
    with lab.inside("client"), Client((SERVICE, 3478), USER, PASSWORD) as client:
        client.allocate()
        if release:
            check(client.request(REFRESH, (LIFETIME, bytes(4))).error == 0, "no release")
        return "%s:%d" % client.socket.getsockname()


@test()
def test_a_call_leaves_a_record():
    with Lab() as lab:
        path = lab.path("records.jsonl")
        before = time.time()
        relay = start_relay(lab, with_records(lab, file=path))
        uclient.start_peer(lab)
        client = uclient.start(lab, "-e", lab.peer_address, "-n", str(N), "-z", "10", "-l", "200")
        uclient.check_no_loss(client, N)
        record = next(record for record in wait_records(path, 1) if record["packets"]["up"])
        check(re.fullmatch("[0-9a-f]{16}", record["id"]), f"no id: {record}")
        check((record["realm"], record["user"]) == (REALM, USER), f"not who it was: {record}")
        check(record["service"] == f"{SERVICE}:3478", f"not where it came: {record}")
        check(record["client"].startswith(CLIENT + ":"), f"not from where: {record}")
        check(record["relayed"][0].startswith(SERVICE + ":"), f"not by where: {record}")
        check(record["reason"] in ("released", "expired"), f"not why: {record}")
        for key in "start", "end":
            check(re.fullmatch(STAMP, record[key]), f"no time: {record}")
        check(record["start"] < record["end"], f"ended before it began: {record}")
        began = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(before))
        check(began <= record["start"], f"began before the test, at {began}: {record}")
        check(record["packets"] == {"up": N, "down": N}, f"not {N} each way: {record}")
        check(record["bytes"]["up"] == record["bytes"]["down"] >= 200 * N, f"bytes: {record}")
        peers = record["peers"]
        check([peer["peer"] for peer in peers] == [f"{lab.peer_address}:{uclient.PEER_PORT}"] and
              peers[0]["packets"] == record["packets"], f"not with whom: {record}")
        relay.stop()


@test()
def test_the_file_is_made_anew_and_the_stop_is_an_end():
    with Lab() as lab:
        path = lab.path("records.jsonl")
        relay = start_relay(lab, with_records(lab, file=path))
        live(lab)
        check(wait_records(path, 1)[0]["reason"] == "released", "no release")
        os.rename(path, path + ".1")
        live(lab)
        check(len(wait_records(path, 1)) == 1, "one record in the new file")
        # Whoever turns it over says so, even while the configuration is wrong.
        os.rename(path, path + ".2")
        with open(relay.path, "a", encoding="utf-8") as file:
            file.write("none: such\n")
        relay.process.popen.send_signal(signal.SIGHUP)
        relay.process.wait_log("reload.refused")
        wait_until(lambda: os.path.exists(path), 10, "a file without a record")
        wait_until(lambda: path + ".2" not in open_files(relay), 10, "nobody has the old one")
        check(read(path) == [], "no record in it")
        # What cannot be made anew goes on where it was, and is said once.
        os.rename(path, path + ".3")
        os.mkdir(path)
        live(lab)
        relay.process.wait_log(r"records\.moved.*reason=\"Is a directory\"")
        check(len(wait_records(path + ".3", 1)) == 1, "a record in the old file")
        os.rmdir(path)
        address = live(lab, release=False)
        check(relay.process.stop() == 0, "no orderly end")
        last = read(path)[-1]
        check(last["client"] == address and last["reason"] == "stopped", f"at the end: {last}")


@test()
def test_a_full_disk_stops_nobody():
    with Lab() as lab:
        relay = start_relay(lab, with_records(lab, file="/dev/full"))
        for _ in range(3):
            live(lab)
        relay.process.wait_log(r"records\.lost n=\d+ written=0")
        live(lab)
        relay.stop()


@test()
def test_quality_of_an_observed_call():
    """RTP through a channel and back by an echo: what the client leaves out is lost both ways."""
    with Lab() as lab:
        path = lab.path("records.jsonl")
        config = with_records(lab, file=path, **{"observe-percent": 100})
        config["http"] = {"listen": [f"{web.HERE}:{web.PORT}"]}
        relay = start_relay(lab, config)
        uclient.start_peer(lab)
        with lab.inside("client"), Client((SERVICE, 3478), USER, PASSWORD) as client:
            client.allocate()
            open_channel(lab, client)
            for number in range(60):
                if number % 20 == 7:
                    continue
                rtp = struct.pack(">BBHII", 0x80, 0, number, 160 * number, 0x1234) + bytes(160)
                client.send(channel_data(CHANNEL, rtp))
                check(client.receive() is not None, f"no echo of {number}")
            samples = web.settled(lab)
            check(samples["turnpike_observed_allocations"] == 1, "it is looked at")
            check(web.total(samples, "turnpike_media_loss_ratio_count") == 0, "it has not ended")
            check(client.request(REFRESH, (LIFETIME, bytes(4))).error == 0, "no release")
        quality = wait_records(path, 1)[0]["quality"]
        for way in "up", "down":
            seen = quality[way]
            check(seen["packets"] == 57 and seen["lost"] == 3 and seen["reordered"] == 0,
                  f"{way}: {seen}")
            # Sent faster than each 20 ms, so that they differ by nearly that much.
            check(5 < seen["jitter_ms"] <= seen["jitter_max_ms"] < 200, f"{way}: {seen}")
        samples = web.settled(lab)
        check(samples["turnpike_observed_allocations"] == 0, "it is not looked at any more")
        for way in "up", "down":
            for name, value in (("loss_ratio", 3 / 60), ("reordered_ratio", 0),
                                ("jitter_seconds", quality[way]["jitter_ms"] / 1000)):
                name, of = f"turnpike_media_{name}", f'direction="{way}"'
                check(samples[f"{name}_count{{{of}}}"] == 1, f"{name}: not one call {way}")
                check(abs(samples[f"{name}_sum{{{of}}}"] - value) < 1e-6, f"{name} {way}")
            of = f'direction="{way}",le="%s"'
            below, above = (samples[f"turnpike_media_loss_ratio_bucket{{{of % end}}}"]
                            for end in ("0.02", "0.05"))
            check((below, above) == (0, 1), f"3 of 60: {below} up to 2 %, {above} up to 5 %")
        relay.stop()


@test()
def test_redis_has_records_and_coturns_status():
    with Lab() as lab:
        redis = RedisServer(lab).start()
        config = with_records(lab, redis="calls", **{"coturn-status": "on"})
        config["redis"] = redis.where()
        relay = start_relay(lab, config)
        relay.process.wait_log("redis.up")
        heard = lab.start("relay", "redis-cli", "-s", redis.path, "PSUBSCRIBE", "turn/*",
                          name="subscriber")
        heard.wait_log("psubscribe")
        address = live(lab, release=False)
        pattern = f"turn/realm/{REALM}/user/{USER}/allocation/*/status"
        wait_until(lambda: redis.cli("KEYS", pattern), 10, "a status key")
        key = redis.cli("KEYS", pattern)
        check(re.fullmatch(r".*/allocation/\d{18,}/status", key), f"not coturn's: {key}")
        told = redis.cli("GET", key)
        check(re.fullmatch(r"new lifetime=\d+, type=UDP, local=\S+, remote=\S+, ssl=NONE, "
                           "cipher=NONE", told), f"not coturn's words: {told}")
        check(f"local={SERVICE}:3478, remote={address}" in told, f"not where: {told}")
        check(0 < int(redis.cli("TTL", key)) <= 700, "a key that stays for ever")
        # Redis goes away and comes back with all it had: what was said meanwhile comes too.
        redis.kill()
        live(lab)
        redis.start()
        wait_until(lambda: redis.cli("LLEN", "calls") == "1", 20, "a record in Redis")
        relay.stop()
        records = [json.loads(redis.cli("LINDEX", "calls", i)) for i in range(2)]
        check([record["reason"] for record in records] == ["released", "stopped"], records)
        check(records[1]["client"] == address, "the one that was alive")
        check(redis.cli("KEYS", "turn/*") == "", "keys of allocations that have ended")
        check(told in heard.log(), "it was published")


@test()
def test_the_stop_tells_redis_of_every_call_that_lives():
    """Even where Redis is slow at first: ends wait for it, and nobody new comes meanwhile."""
    with Lab() as lab:
        redis = RedisServer(lab).start()
        config = with_records(lab, redis="calls", **{"coturn-status": "on"})
        config["redis"] = {**redis.where(), "timeout-ms": 20000}
        relay = start_relay(lab, config)
        relay.process.wait_log("redis.up")
        lab.start("client", LOAD, "hold", "--server", f"{SERVICE}:3478", "-u", USER, "-w", PASSWORD,
                  "-n", N_HELD, "-d", 60)
        wait_until(lambda: redis.cli("DBSIZE") == str(N_HELD), 30, "all live, as Redis knows")
        redis.stall()
        relay.process.popen.send_signal(signal.SIGTERM)
        relay.process.wait_log("info stopping")
        with lab.inside("client"), Client((SERVICE, 3478), USER, PASSWORD) as client:
            answer = client.request(ALLOCATE, UDP_TRANSPORT)
        redis.go_on()
        check(answer and answer.error == 508, f"a call that begins at the end: {answer}")
        check(relay.process.wait(10) == 0, "no orderly end")
        check(redis.cli("LLEN", "calls") == str(N_HELD), f"records: {redis.cli('LLEN', 'calls')}")
        check(redis.cli("KEYS", "turn/*") == "", "keys of allocations that have ended")
