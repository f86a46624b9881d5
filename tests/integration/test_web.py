"""Metrics and health over HTTP: they say what the relay does, and nobody keeps it busy by asking."""

import ctypes
import glob
import json
import os
import re
import socket
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import uclient
import web
from lab import SERVICE, Lab, LabError, check, test, wait_until
from relay import BINARY, PASSWORD, REALM, USER, Relay, configuration, start_relay
from stunlib import Client
from test_ctl import ctl

N = 60
PTRACE_DETACH, PTRACE_SEIZE, PTRACE_INTERRUPT = 17, 0x4206, 0x4207
WAIT_FOR_THREADS = 0x40000000


def with_http(lab, workers=1, **options):
    config = configuration(lab, workers=workers)
    config["http"] = {"listen": [f"{web.HERE}:{web.PORT}", f"{SERVICE}:{web.PORT}"], **options}
    return config


def check_with_promtool(text):
    done = subprocess.run(("promtool", "check", "metrics"), input=text, text=True,
                          capture_output=True)
    check(done.returncode == 0, f"promtool: {done.stdout}{done.stderr}")


def allocate(lab):
    with lab.inside("client"):
        client = Client((SERVICE, 3478), USER, PASSWORD)
    with client:
        client.allocate()


@test()
def test_metrics_say_what_was_relayed():
    with Lab() as lab:
        relay = start_relay(lab, with_http(lab, workers=2))
        before = web.settled(lab)
        check(web.total(before, "turnpike_relay_packets_total") == 0, "nothing was relayed yet")
        uclient.start_peer(lab)
        client = uclient.start(lab, "-e", lab.peer_address, "-n", str(N), "-z", "10")
        uclient.check_no_loss(client, N)
        samples = web.settled(lab)
        for direction in ("up", "down"):
            n = web.total(samples, "turnpike_relay_packets_total", f'direction="{direction}"')
            check(n >= N, f"{n} packets {direction}, at least {N} were")
        n_bytes = web.total(samples, "turnpike_relay_bytes_total", 'direction="up"')
        check(n_bytes >= 100 * N, f"{n_bytes} bytes up")
        check(web.total(samples, "turnpike_worker_busy_seconds_total") > 0, "no worker was busy")
        check(web.total(samples, "turnpike_relay_latency_seconds_count") > 0, "no burst was timed")
        n_answers = samples["turnpike_control_answers_total"]
        check(samples["turnpike_control_latency_seconds_count"] == n_answers > 0,
              f"{n_answers} answers, not as many in the histogram")
        check(samples['turnpike_requests_total{method="allocate"}'] >= 2, "two Allocates")
        check(samples['turnpike_responses_total{code="401"}'] >= 1, "one of them was challenged")
        check(samples[f'turnpike_realm_allocations_created_total{{realm="{REALM}"}}'] >= 1,
              "no allocation in the realm")
        check(samples['turnpike_port_up{port="wire"}'] == 1, "the port is up")
        check(web.total(samples, "turnpike_port_rx_packets_total") >= 2 * N, "frames came in")
        check(samples["process_resident_memory_bytes"] > 1 << 20, "no memory is in use")
        of = f'turnpike_peer_rule_hits_total{{realm="{REALM}",rule="%s",action="%s"}}'
        check(samples[of % ("allow", "allow")] >= 1, "no rule allowed the peer")
        check(samples[of % ("loopback", "refuse")] == 0, "nobody asked for such a peer")
        check(not any(USER in series for series in samples), "a user's name")
        last = relay.stop()
        for path, series in (("up_channel", 'direction="up",framing="channel"'),
                             ("down_channel", 'direction="down",framing="channel"')):
            n = web.total(samples, "turnpike_relay_packets_total", series)
            check(n == last[path], f"{path}: {n} in the metrics, {last[path]} in the log")


@test()
def test_metrics_please_promtool_also_over_the_mirror():
    with Lab() as lab:
        config = with_http(lab)
        config["records"] = {"file": lab.path("records.jsonl"), "observe-percent": 1}
        config["realms"] = [{"name": 'a"b\\c é', "listen": [f"{SERVICE}:3479"],
                             "users": [{"name": "x", "password": "y"}]}]
        relay = start_relay(lab, config)
        for host, address in (("relay", web.HERE), ("client", SERVICE)):
            status, _, text = web.get(lab, "/metrics", host, address)
            check(status == 200, f"from {host}: {status}")
            check_with_promtool(text)
            check('turnpike_realm_allocations{realm="a\\"b\\\\c é"} 0' in text, "no second realm")
        check('turnpike_media_loss_ratio_count{direction="up"} 0' in text, "no quality")
        check("stun_binding_request" not in text, "coturn's names are off")
        relay.stop()


@test()
def test_metrics_under_coturns_names():
    with Lab() as lab:
        relay = start_relay(lab, with_http(lab, **{"coturn-names": "on"}))
        uclient.start_peer(lab)
        uclient.check_no_loss(
            uclient.start(lab, "-e", lab.peer_address, "-n", str(N), "-z", "10"), N)
        samples = web.settled(lab)
        relay.stop()
        check('turn_total_allocations{type="UDP"}' in samples, "no allocations")
        for name in ("rcvp", "sentp", "peer_rcvp", "peer_sentp"):
            check(samples[f"turn_total_traffic_{name}"] >= N, f"turn_total_traffic_{name}")


def health(lab, path):
    status, headers, text = web.get(lab, path)
    check(headers["Content-Type"] == "application/json", f"{path} is {headers['Content-Type']}")
    return status, json.loads(text)


def wait_health(lab, path, status, sign=None):
    """Wait for an answer of `status` whose reasons name `sign`, or nothing; the reason."""

    def look():
        seen, body = health(lab, path)
        return seen == status and list(body["reasons"]) == [sign] * bool(sign) and body

    return wait_until(look, 10, f"{path} is {status}")["reasons"].get(sign)


@test()
def test_ready_while_the_port_is_up():
    with Lab() as lab:
        relay = start_relay(lab, with_http(lab))
        check(health(lab, "/healthz") == (200, {"healthy": True, "reasons": {}}), "healthy")
        check(health(lab, "/readyz") == (200, {"ready": True, "reasons": {}}), "ready")
        lab.run("net", "ip", "link", "set", "relay", "down")
        reason = wait_health(lab, "/readyz", 503, "ports")
        check(reason == "port wire is down", reason)
        check(health(lab, "/healthz")[0] == 200, "that is no fault of the process")
        check(web.settled(lab)['turnpike_health{sign="ports"}'] == 0, "the metric says so too")
        lab.run("net", "ip", "link", "set", "relay", "up")
        wait_health(lab, "/readyz", 200)
        relay.stop()


@test()
def test_not_ready_while_it_is_drained():
    with Lab() as lab:
        relay = start_relay(lab, with_http(lab))
        check(web.settled(lab)["turnpike_draining"] == 0, "nobody drains it yet")
        ctl(relay, "drain", "on")
        check(wait_health(lab, "/readyz", 503, "drain") == "it is being emptied", "its reason")
        check(health(lab, "/healthz")[0] == 200, "it works")
        check(web.settled(lab)["turnpike_draining"] == 1, "the metric says so too")
        ctl(relay, "drain", "off")
        wait_health(lab, "/readyz", 200)
        relay.stop()


def worker_thread(pid):
    for path in glob.glob(f"/proc/{pid}/task/*/comm"):
        with open(path, encoding="utf-8") as file:
            if re.match(r"(lcore|rte)-worker", file.read()):
                return int(path.split("/")[4])
    raise LabError("there is no worker's thread")


def trace(request, thread):
    libc = ctypes.CDLL(None, use_errno=True)
    check(libc.ptrace(request, thread, None, None) == 0,
          f"ptrace {request}: {os.strerror(ctypes.get_errno())}")


@test()
def test_unhealthy_while_a_worker_stands_still():
    """Its thread is stopped as a debugger does it; the control core goes on."""
    with Lab() as lab:
        relay = start_relay(lab, with_http(lab))
        thread = worker_thread(relay.process.pid)
        trace(PTRACE_SEIZE, thread)
        trace(PTRACE_INTERRUPT, thread)
        reason = wait_health(lab, "/healthz", 503, "workers")
        check(reason.startswith("worker 0 has not polled for "), reason)
        check(health(lab, "/readyz")[0] == 503, "no more clients, please")
        os.waitpid(thread, WAIT_FOR_THREADS)
        trace(PTRACE_DETACH, thread)
        wait_health(lab, "/healthz", 200)
        relay.stop()


@test()
def test_who_holds_every_connection_stops_no_client():
    with Lab() as lab:
        relay = start_relay(lab, with_http(lab))
        held = []
        for i in range(60):
            with lab.inside("relay"):
                held.append(socket.create_connection((web.HERE, web.PORT), timeout=20))
            held[-1].sendall((b"GET /metrics HTTP/1.1\r\nX: ", b"\x16\x03\x01\xff", b"")[i % 3])
        allocate(lab)
        status, _, _ = web.get(lab, "/healthz", timeout_s=2)
        check(status == 200, f"/healthz in the place of the oldest: {status}")
        for connection in held:
            connection.close()
        allocate(lab)
        wait_until(lambda: len(os.listdir(f"/proc/{relay.process.pid}/fd")) < 60, 5,
                   "descriptors are closed")
        relay.stop()


@test()
def test_who_asks_without_pause_stops_no_client():
    """Eight at once, of the largest answer there is, for as long as clients come and go."""
    with Lab() as lab, ThreadPoolExecutor() as pool:
        relay = start_relay(lab, with_http(lab))
        done = threading.Event()

        def keep_asking():
            n = 0
            while not done.is_set():
                n += web.get(lab, "/metrics", timeout_s=20)[0] == 200
            return n

        asking = [pool.submit(keep_asking) for _ in range(8)]
        took = []
        try:
            for _ in range(30):
                begun = time.monotonic()
                allocate(lab)
                took.append(time.monotonic() - begun)
        finally:
            done.set()
        n_answers = sum(one.result() for one in asking)
        check(n_answers > 50, f"only {n_answers} were answered")
        check(sorted(took)[len(took) // 2] < 0.3, f"seconds of an Allocate: {took}")
        latency = web.settled(lab)
        n = latency["turnpike_control_latency_seconds_count"]
        slow = n - latency['turnpike_control_latency_seconds_bucket{le="0.100663296"}']
        check(slow <= n / 10, f"{slow} of {n} answers took more than 0.1 s")
        relay.stop()


@test()
def test_what_is_not_served():
    with Lab() as lab:
        relay = start_relay(lab, with_http(lab))
        for method, path, wanted in (("GET", "/", 200), ("HEAD", "/metrics", 200),
                                     ("GET", "/metrics/", 404), ("GET", "/../etc/passwd", 404),
                                     ("GET", "/state.json", 404), ("GET", "/check", 404),
                                     ("POST", "/metrics", 501), ("DELETE", "/", 501)):
            status, _, _ = web.get(lab, path, method=method)
            check(status == wanted, f"{method} {path}: {status}")
        relay.stop()


@test()
def test_a_taken_address_ends_the_start():
    with Lab() as lab:
        with lab.inside("relay"):
            taken = socket.create_server((web.HERE, web.PORT))
        with taken:
            relay = Relay(lab, with_http(lab))
            process = lab.start("relay", BINARY, "-c", relay.write())
            check(process.wait(20) == 71, f"ended with {process.popen.returncode}")
            check("http.failed" in process.log() and f"{web.HERE}:{web.PORT}" in process.log(),
                  process.log())


@test(limit_s=90)
def test_metrics_of_many_keep_the_control_core_briefly():
    """16 workers and 64 realms: how long it takes to gather and write all, as the relay says."""
    with Lab() as lab:
        config = with_http(lab, workers=16)
        config["limits"]["allocations"] = 1000
        config["memory"] = {"mbufs": 65536}
        config["realms"] = [{"name": f"realm-{i}", "listen": [f"{SERVICE}:{4000 + i}"],
                             "users": [{"name": "x", "password": "y"}]} for i in range(63)]
        relay = start_relay(lab, config)
        took = sorted(web.settled(lab)["turnpike_metrics_duration_seconds"] for _ in range(10))
        check(took[0] < 0.005, f"seconds: {took}")
        made, end = set(), time.monotonic() + 1
        while time.monotonic() < end:
            made.add(web.metrics(lab)["process_cpu_seconds_total"])
        check(len(made) <= 7, f"made {len(made)} times in a second")
        relay.stop()
