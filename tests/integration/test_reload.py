"""Another configuration while calls go on: SIGHUP, what it changes, and what it refuses."""

import copy
import json
import os
import re
import signal
import time

import uclient
from echo import CHANNEL, check_echo, open_channel
from lab import SERVICE, Lab, check, test, wait_until
from relay import BINARY, PASSWORD, USER, Relay, configuration
from stunlib import REFRESH, Client, channel_data
from test_load import LOAD, check_all_delivered

N_RELOADS = 1000
SECOND = "198.18.0.3"
OTHER_LISTENER = (SERVICE, 3479)
BOB = "bob"


class Reloader:
    """Follows the relay's log, so that each line is read once."""

    def __init__(self, relay):
        self.relay = relay
        self.log = open(relay.process.log_path, encoding="utf-8", errors="replace")
        self.rest = ""

    def lines(self):
        text = self.rest + self.log.read()
        lines = text.split("\n")
        self.rest = lines.pop()
        return lines

    def reload(self, config, timeout_s=20):
        """Write the file, ask for it, and return the lines that tell what came of it."""
        self.relay.config = config
        path = self.relay.path
        self.relay.path = path + ".new"
        self.relay.write()
        self.relay.path = path
        os.rename(path + ".new", path)
        return self.again(timeout_s)

    def again(self, timeout_s=20):
        self.lines()
        self.relay.process.popen.send_signal(signal.SIGHUP)
        said = []

        def is_over():
            check(self.relay.process.popen.poll() is None, "the relay has ended")
            said.extend(line for line in self.lines() if " reload." in line)
            return any(re.search(r" reload\.(done|refused)\b", line) for line in said)

        end = time.monotonic() + timeout_s
        while not is_over():
            check(time.monotonic() < end, "the relay has not reloaded")
            time.sleep(0.001)
        return said


def must_change(said, *keys):
    changed = {m[1] for line in said if (m := re.search(r' reload\.change key="([^"]*)"', line))}
    check(" reload.done " in said[-1], f"not done: {said}")
    check(changed == set(keys), f"changed {sorted(changed)}, not {sorted(keys)}")


def must_refuse(said, pattern):
    check(" error reload.refused " in said[-1], f"not refused: {said}")
    check(re.search(pattern, said[-1]), f"{said[-1]} does not say {pattern}")


def start(lab, config):
    relay = Relay(lab, config)
    relay.start()
    return relay, Reloader(relay)


def base(lab):
    config = configuration(lab)
    config["ports"][0]["addresses"].append(f"{SECOND}/24")
    config["log"] = {"stats-interval-s": 0}
    return config


def call(lab, server=(SERVICE, 3478), user=USER):
    """A client with an allocation and a channel to the peer."""
    with lab.inside("client"):
        client = Client(server, user, PASSWORD)
    client.relayed_port = client.allocate()[1]
    open_channel(lab, client)
    return client


def refresh(client):
    answer = client.request(REFRESH)
    check(answer, "no answer to a Refresh")
    return answer.error


@test(limit_s=60)
def test_what_can_be_changed_changes_at_once():
    with Lab() as lab:
        uclient.start_peer(lab)
        config = base(lab)
        config["auth"]["users"].append({"name": BOB, "password": PASSWORD})
        config["listen"].append("%s:%d" % OTHER_LISTENER)
        relay, reloader = start(lab, config)
        alice, bob = call(lab), call(lab, OTHER_LISTENER, BOB)
        changed = copy.deepcopy(config)
        changed["auth"]["users"].pop()
        changed["listen"].pop()
        changed["relay"] = [{"address": SECOND, "ports": "20000-20999"}]
        changed["limits"]["allocations-per-user"] = 1
        changed["limits"]["rates"] = {"allocation-packets-s": 100000}
        changed["log"]["level"] = "debug"
        changed["stun"] = {"software": 'a "quoted" name'}
        said = reloader.reload(changed)
        check(any("""-> a 'quoted' name" needs_restart=0""" in line for line in said), f"{said}")
        must_change(said, "listen", "relay", "limits.allocations", "auth.users", "log.level",
                    "stun.software", "limits.rates.allocation-packets-s", "limits.allocations-per-user")
        check("1 removed" in "".join(said) and PASSWORD not in "".join(said), f"{said}")
        # Who is there stays: on a closed listener and closed ports, and whoever he is.
        check_echo(alice)
        check_echo(bob)
        check(refresh(alice) == 0, "alice cannot refresh")
        check(refresh(bob) == 401, "bob is gone, and may refresh")
        with lab.inside("client"), Client((SERVICE, 3478), USER, PASSWORD) as again:
            check(again.request(0x003, (0x0019, b"\x11\0\0\0")).error == 486, "the quota is new")
        with lab.inside("client"), Client(OTHER_LISTENER, USER, PASSWORD) as closed:
            check(closed.request(0x003, (0x0019, b"\x11\0\0\0")) is None, "it is closed")
        alice.request(REFRESH, (0x000D, b"\0\0\0\0"))
        new = call(lab)
        check(new.request(REFRESH).error == 0, "a new call")
        check_echo(new)
        must_change(reloader.again())
        relay.stop()


@test(limit_s=60)
def test_a_denied_peer_hears_no_more():
    with Lab() as lab:
        uclient.start_peer(lab)
        config = base(lab)
        relay, reloader = start(lab, config)
        client = call(lab)
        check_echo(client)
        changed = copy.deepcopy(config)
        changed["peers"]["deny"] = [lab.peer_address]
        changed["peers"]["allow"] = ["2001:db8:18::/47"]
        must_change(reloader.reload(changed), "peers.deny", "peers.allow")

        def is_silent():
            client.send(channel_data(CHANNEL, b"is anybody there"))
            return client.receive(0.2) is None

        wait_until(is_silent, 5, "the denied peer is out of reach")
        check(refresh(client) == 0, "the allocation is gone")
        must_change(reloader.reload(config), "peers.deny", "peers.allow")
        open_channel(lab, client)
        check_echo(client)
        relay.stop()


@test(limit_s=60)
def test_a_closed_listener_is_gone_when_its_last_client_is():
    """Then Linux answers there: nobody listens."""
    with Lab() as lab:
        uclient.start_peer(lab)
        config = base(lab)
        config["listen"].append("%s:%d" % OTHER_LISTENER)
        relay, reloader = start(lab, config)
        client = call(lab, OTHER_LISTENER)
        changed = copy.deepcopy(config)
        changed["listen"].pop()
        must_change(reloader.reload(changed), "listen")
        check_echo(client)
        check(client.request(REFRESH, (0x000D, b"\0\0\0\0")).error == 0, "no end")

        def is_gone():
            client.send(b"\0\1\0\0\x21\x12\xa4\x420123456789ab")
            return client.receive(0.2) is None

        wait_until(is_gone, 5, "the listener is closed")
        relay.stop()


@test(limit_s=90)
def test_a_bad_file_leaves_everything_as_it_is():
    with Lab() as lab:
        uclient.start_peer(lab)
        config = base(lab)
        relay, reloader = start(lab, config)
        client = call(lab)
        path = re.escape(relay.path)

        def changed(change):
            other = copy.deepcopy(config)
            change(other)
            return other

        def restart(change, key):
            must_refuse(reloader.reload(changed(change)),
                        rf'reason="{re.escape(key)}: needs a restart"')

        must_refuse(reloader.reload(changed(lambda c: c.update(color="red"))),
                    rf"{path}:\d+: color: no such key")
        must_refuse(reloader.reload(changed(lambda c: c["limits"].update(allocations=0))),
                    rf"{path}:\d+: limits.allocations: 0 is out of range")
        must_refuse(reloader.reload(changed(lambda c: c.update(listen=["198.18.0.99:3478"]))),
                    rf"{path}:\d+: listen\[0\]: 198.18.0.99 is no port's address")
        must_refuse(reloader.reload(changed(lambda c: c["auth"].update(users=[]))),
                    rf"{path}:\d+: auth: nobody could log in")
        with open(relay.path, "w", encoding="utf-8") as file:
            file.write("listen: [\n")
        must_refuse(reloader.again(), rf"{path}:\d+: ")
        os.unlink(relay.path)
        must_refuse(reloader.again(), rf"{path}:1: file: ")
        restart(lambda c: c["ports"][0].update(mtu=1400), "ports[wire].mtu")
        restart(lambda c: c["ports"][0]["addresses"].append("198.18.0.4/24"),
                "ports[wire].addresses")
        restart(lambda c: c["workers"].update(poll="busy"), "workers.poll")
        restart(lambda c: c.update(memory={"hugepages": "off"}), "memory.hugepages")
        must_refuse(reloader.reload(changed(
            lambda c: (c["workers"].update(count=2), c.update(memory={"mbufs": 4096})))),
            r'reason="workers.count: needs a restart; memory.mbufs: needs a restart"')
        # A listener among ports that are closed now and still in use.
        must_refuse(reloader.reload(changed(
            lambda c: (c.update(relay=[{"address": SERVICE, "ports": "20000-20999"}]),
                       c["listen"].append(f"{SERVICE}:{client.relayed_port}")))),
            "a listener lies among relayed ports")
        check_echo(client)
        check(refresh(client) == 0, "the allocation has suffered")
        must_change(reloader.reload(config))
        check_echo(client)
        code = relay.process.stop()
        check(code == 0, f"the relay ended with {code}")


@test()
def test_a_configuration_from_a_pipe_is_not_waited_for_again():
    with Lab() as lab:
        uclient.start_peer(lab)
        relay = Relay(lab, base(lab))
        os.mkfifo(relay.path)
        relay.process = lab.start("relay", BINARY, "-c", relay.path, name="relay")
        relay.write()
        relay.process.wait_log(r"\binfo ready\b")
        client = call(lab)
        must_refuse(Reloader(relay).again(), "is no file that can be read again")
        check(refresh(client) == 0, "the allocation has suffered")
        check_echo(client)
        check(relay.process.stop() == 0, "it did not end well")


def two_configurations(lab):
    """They differ in users, quotas, listeners, relay addresses and ranges, peers, rates, answers."""
    first = base(lab)
    first["listen"].append("%s:%d" % OTHER_LISTENER)
    first["auth"]["users"].append({"name": BOB, "password": PASSWORD})
    second = copy.deepcopy(first)
    second["listen"] = [f"{SERVICE}:3478", f"{SERVICE}:3480"]
    second["auth"]["users"][1] = {"name": "carol", "password": PASSWORD}
    second["auth"]["rest-secrets"] = ["another"]
    second["relay"] = [{"address": SERVICE, "ports": "49152-57000"},
                       {"address": SECOND, "ports": "50000-51000"}]
    second["realms"] = [{"name": "blue.test", "listen": [f"{SERVICE}:3481"],
                         "users": [{"name": USER, "password": "azure"}]}]
    second["limits"].update({"allocations-per-user": 1000, "new-peers-s": 100000,
                             "rates": {"user-packets-s": 1000000, "all-packets-s": 1000000}})
    second["limits"]["answers"] = {"bindings": 100000, "challenges": 100000,
                                   "bindings-per-source": 0, "challenges-per-source": 0}
    second["peers"] = {"profile": "public", "deny": ["203.0.113.0/24"],
                       "allow": ["198.18.0.0/15"]}
    second["stun"] = {"software": "turnpike of the lab"}
    return first, second


@test(limit_s=120)
def test_a_thousand_reloads_under_load_lose_nothing():
    """Media of 20 calls at 50 packets a second each way, and clients that refresh meanwhile."""
    with Lab() as lab:
        uclient.start_peer(lab)
        configs = two_configurations(lab)
        relay, reloader = start(lab, configs[0])
        clients = [call(lab), call(lab, OTHER_LISTENER), call(lab, OTHER_LISTENER, BOB)]
        result = lab.path("load.json")
        load = lab.start("client", LOAD, "--server", f"{SERVICE}:3478", "-u", USER, "-w", PASSWORD,
                         "--json", result, "--lag", 1000, "run", "-n", 20, "-d", 80, name="load")
        load.wait_log(r"\bup 20 failed 0\b")
        begin_s, n = time.monotonic(), 0
        while n < N_RELOADS and load.popen.poll() is None:
            said = reloader.reload(configs[(n + 1) % 2])
            check(" reload.done " in said[-1] and len(said) > 10, f"{n}: {said}")
            n += 1
            if n % 100 < 2:
                for client in clients[:2]:
                    check_echo(client, 2)
                    check(refresh(client) == 0, f"no Refresh after {n} reloads")
                check_echo(clients[2], 2)
                # He is there in the first configuration only.
                check(refresh(clients[2]) == (401 if n % 2 else 0), f"bob after {n} reloads")
        seconds = time.monotonic() - begin_s
        print(f"{n} reloads in {seconds:.1f} s")
        check(n == N_RELOADS, f"only {n} reloads while media flowed")
        load.stop(signal.SIGINT, 30)
        check_result(result, seconds)
        for client in clients[:2]:
            check_echo(client)
        relay.stop()
        print(relay.drops())


def check_result(path, seconds):
    with open(path, encoding="utf-8") as file:
        result = json.load(file)
    for direction in ("up", "down"):
        check_all_delivered(result, direction, result[direction]["offered"])
        check(result[direction]["offered"] > 20 * 50 * seconds * 0.8, f"{result[direction]}")
