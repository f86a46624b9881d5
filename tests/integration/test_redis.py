"""Users, REST secrets, limits and peers from a real Redis server, which comes and goes."""

import re
import signal

import uclient
from lab import SERVICE, Lab, check, test, wait_until
from redis_server import RedisServer
from relay import PASSWORD, REALM, SECRET, USER, configuration, start_relay
from stunlib import SUCCESS, Client

N = 20
PACE = ("-n", str(N), "-z", "10")
REX = ("-u", "rex", "-w", "woof")


def configured(lab, redis, **options):
    config = configuration(lab)
    config["auth"] = {"realm": REALM, "redis": "on"}
    config["redis"] = {**redis.where(), "refresh-s": 1, "timeout-ms": 300, **options}
    return config


def start(lab, redis, **options):
    """The relay, with Redis up and its settings read."""
    relay = start_relay(lab, configured(lab, redis, **options))
    relay.process.wait_log(rf'\binfo realm\.update realm="{REALM}" ')
    return relay


def serves(lab, credentials, *options, name=None):
    process = uclient.start(lab, "-y", *PACE, *options, credentials=credentials, name=name)
    uclient.check_no_loss(process, 2 * N)


def refuses(lab, credentials, wrong, *options):
    process = uclient.start(lab, "-y", *PACE, *options, credentials=credentials)
    check(process.wait(60) != 0, wrong)
    return process


def numbers(relay, event="stats"):
    lines = re.findall(rf"\binfo {event}\.redis (.*)$", relay.process.log(), re.MULTILINE)
    return {key: int(value) for key, value in re.findall(r"(\S+)=(\d+)", "".join(lines[-1:]))}


def wait_link(relay, up):
    wait_until(lambda: numbers(relay).get("up") == up, 20, f"a link that is {up}")


@test(limit_s=90)
def test_users_and_secrets():
    """A user, a wrong password, a name that nobody has, and a secret that comes and goes."""
    with Lab() as lab:
        redis = RedisServer(lab).start()
        redis.add_user("rex", "woof")
        relay = start(lab, redis, **{"unknown-cache-s": 1})
        serves(lab, REX)
        refuses(lab, ("-u", "rex", "-w", "meow"), "a wrong password was accepted")
        refuses(lab, ("-u", "tom", "-w", "meow"), "a name that nobody has was accepted")
        rest = ("-u", "bob", "-W", SECRET)
        refuses(lab, rest, "a secret that is not there was accepted")
        redis.cli("SADD", f"turn/realm/{REALM}/secret", SECRET, "another-star")
        relay.process.wait_log(r"realm\.update .* rest_secrets=2 ")
        serves(lab, rest)
        redis.cli("SREM", f"turn/realm/{REALM}/secret", SECRET)
        relay.process.wait_log(r"realm\.update .* rest_secrets=1 ")
        refuses(lab, rest, "a secret that is gone was accepted")
        counters = relay.stop()
        told = numbers(relay, "stopped")
        check(told["failed"] == 0 and told["full"] == 0, f"Redis: {told}")
        check(counters["parked"] > 0 and counters["parked_lost"] == 0, f"relay: {counters}")
        check(counters["out_of_reach"] == 0, f"relay: {counters}")


@test(limit_s=90)
def test_limits_and_peers():
    with Lab() as lab:
        redis = RedisServer(lab).start()
        redis.add_user("rex", "woof")
        relay = start(lab, redis)
        uclient.start_peer(lab)
        to_peer = uclient.start(lab, "-e", lab.peer_address, *PACE, credentials=REX)
        uclient.check_no_loss(to_peer, N)
        # The configuration allows the peer; it has the first word.
        redis.cli("SADD", f"turn/realm/{REALM}/denied-peer-ip", lab.peer_address,
                  "10.0.0.0-10.0.0.9", "nonsense")
        redis.cli("SET", f"turn/realm/{REALM}/user-quota", "6")
        redis.cli("SET", f"turn/realm/{REALM}/total-quota", "8")
        relay.process.wait_log(
            r"realm\.update .* deny=2 allocations=8 allocations_per_user=6")
        relay.process.wait_log(r"warning redis\.setting .*key=denied-peer-ip wrong=")
        to_peer = uclient.start(lab, "-e", lab.peer_address, *PACE, credentials=REX)
        uclient.check_no_loss(to_peer, N)
        refuses(lab, REX, "a user has more allocations than Redis says", "-m", "8")
        relay.stop()


@test(limit_s=90)
def test_of_a_realm_that_has_left_nothing_is_told():
    with Lab() as lab:
        redis = RedisServer(lab).start()
        config = configured(lab, redis)
        config["realms"] = [{"name": "blue.test", "listen": [f"{SERVICE}:3479"], "redis": "on"}]
        relay = start_relay(lab, config)

        def tells(realm, quota):
            redis.cli("SET", f"turn/realm/{realm}/user-quota", str(quota))
            relay.process.wait_log(rf'info realm\.update realm="{realm}" .* allocations_per_user={quota}$')

        tells("blue.test", 5)
        del relay.config["realms"]
        relay.write()
        relay.process.popen.send_signal(signal.SIGHUP)
        relay.process.wait_log(r"info reload\.done")
        redis.cli("SET", "turn/realm/blue.test/user-quota", "6")
        for quota in 7, 8:  # both are read every second
            tells(REALM, quota)
        check(" allocations_per_user=6" not in relay.process.log(), "told of a realm that is gone")
        relay.stop()


@test(limit_s=120)
def test_without_redis_what_is_cached_works():
    """Redis dies, is silent, and comes back; who is cached does not notice."""
    with Lab() as lab:
        redis = RedisServer(lab).start()
        redis.add_user("rex", "woof")
        redis.add_user("tom", "meow")
        relay = start(lab, redis, **{"cache-s": 1})
        serves(lab, REX)
        redis.kill()
        wait_link(relay, 0)
        serves(lab, REX, name="cached")
        unknown = uclient.start(lab, "-y", *PACE, credentials=("-u", "tom", "-w", "meow"))
        wait_until(lambda: relay.counters().get("out_of_reach", 0) > 0, 10,
                   "a user who cannot be asked for")
        unknown.kill()
        redis.start()
        wait_link(relay, 1)
        serves(lab, ("-u", "tom", "-w", "meow"), name="after")
        redis.stall()
        wait_link(relay, 0)
        serves(lab, REX, name="silent")
        redis.go_on()
        wait_link(relay, 1)
        # And it is asked again: who is gone is gone.
        redis.cli("DEL", f"turn/realm/{REALM}/user/rex/key")
        wait_until(lambda: uclient.start(lab, "-y", *PACE, credentials=REX).wait(60) != 0, 30,
                   "a user that is gone is refused")
        relay.stop()
        told = numbers(relay, "stopped")
        check(told["links"] >= 3, f"Redis: {told}")


@test(limit_s=90)
def test_what_waits_is_bounded():
    """With a silent Redis, more strangers than may wait get no answer; the relay serves on."""
    with Lab() as lab:
        redis = RedisServer(lab).start()
        redis.add_user("rex", "woof")
        relay = start(lab, redis, **{"waiting-users": 2, "timeout-ms": 5000, "refresh-s": 3600})
        serves(lab, REX)
        redis.stall()
        strangers = [uclient.start(lab, "-y", *PACE, credentials=("-u", f"s{i}", "-w", "x"))
                     for i in range(6)]
        wait_until(lambda: numbers(relay).get("full", 0) > 0, 10, "strangers beyond the bound")
        check(numbers(relay)["waiting"] == 2, f"Redis: {numbers(relay)}")
        serves(lab, REX)
        redis.go_on()
        wait_until(lambda: numbers(relay).get("waiting") == 0, 10, "answers")
        for stranger in strangers:
            stranger.kill()
        relay.stop()


@test(limit_s=60)
def test_password_database_and_tcp():
    with Lab() as lab:
        redis = RedisServer(lab, tcp=True).start()
        redis.add_user("rex", "woof")
        relay = start(lab, redis)
        serves(lab, REX)
        relay.stop()
        config = configured(lab, redis, password="wrong")
        relay = start_relay(lab, config)
        relay.process.wait_log(r"warning redis\.down reason=WRONGPASS")
        check(not re.search(r"hush|wrong$", relay.process.log()), "a password is in the log")
        relay.stop()


@test()
def test_redis_itself_is_no_peer():
    """Whatever is allowed, and whether it is in reach or not."""
    with Lab() as lab:
        config = configuration(lab)
        relay = start_relay(lab, config)
        with lab.inside("client"), Client((SERVICE, 3478), USER, PASSWORD) as client:
            client.allocate()
            check(client.bind_channel(0x4000, lab.peer_address, 9).kind == SUCCESS, "no channel")
            config["auth"]["redis"] = "on"
            config["redis"] = {"server": f"{lab.peer_address}:6379"}
            relay.stop()
        start_relay(lab, config)
        with lab.inside("client"), Client((SERVICE, 3478), USER, PASSWORD) as client:
            client.allocate()
            answer = client.bind_channel(0x4000, lab.peer_address, 9)
            check(answer.error == 403, f"a channel to where Redis is: {answer.error}")
