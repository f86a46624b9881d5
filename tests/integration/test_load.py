"""turnpike-load against the relay: what it tells is true, and it knows when not to be believed."""

import json
import os
import re
import socket
from concurrent.futures import ThreadPoolExecutor

from lab import CLIENT, OUTSIDE, SERVICE, Lab, check, test, wait_until
from relay import BINARY, PASSWORD, USER, ReferenceRelay, configuration, start_relay

LOAD = os.environ.get("TURNPIKE_LOAD_BINARY", os.path.join(
    os.path.dirname(os.path.dirname(BINARY)), "turnpike-load", "turnpike-load"))
MEASURED, INVALID, USAGE, UNAVAILABLE, RESOURCE = 0, 1, 64, 69, 71
# The machine of a test may be busy: how punctual the generator is, is not the question here.
PATIENT = ("--lag", 1000)


def load(lab, *argv, user=USER, password=PASSWORD):
    """Run it in the client's host to its end: (exit code, output, JSON or None)."""
    path = lab.path(f"load-{user}-{'-'.join(map(str, argv)).replace('/', '.')}.json")
    done = lab.attempt("client", LOAD, "--server", f"{SERVICE}:3478", "-u", user, "-w", password,
                       "--json", path, *argv, timeout_s=50)
    print(done.stdout + done.stderr)
    result = None
    if os.path.exists(path):
        with open(path, encoding="utf-8") as file:
            result = json.load(file)
    return done.returncode, done.stdout + done.stderr, result


def check_all_delivered(result, direction, n):
    counts = result[direction]
    for key, wanted in {"offered": n, "sent": n, "delivered": n, "lost": 0, "duplicated": 0,
                        "misdelivered": 0, "not_sent": 0, "not_received": 0}.items():
        check(counts[key] == wanted, f"{direction} {key}: {counts[key]}, not {wanted}")
    latency = counts["latency"]
    check(0 < latency["p50_us"] <= latency["p99_us"] <= latency["max_us"], f"{latency}")


@test(limit_s=40)
def test_audio_of_50_calls_arrives_whole():
    with Lab() as lab:
        relay = start_relay(lab)
        code, _, result = load(lab, "run", "-n", 50, "-d", 3, *PATIENT)
        check(code == MEASURED and result["valid"], f"exit {code}")
        for direction in ("up", "down"):
            check_all_delivered(result, direction, 50 * 50 * 3)
        for request in ("allocate", "bind", "release"):
            counts = result["control"][request]
            check(counts["ok"] == 50 and not counts["codes"], f"{request}: {counts}")
        counters = relay.stop()
        # The relay saw the same: every packet, and no allocation left behind.
        check(counters.get("up_channel", 7500) == 7500, f"{counters}")
        check(counters.get("allocations", 0) == 0, f"{counters}")


@test(limit_s=40)
def test_every_mode_ends_with_its_figures():
    with Lab() as lab, ThreadPoolExecutor() as pool:
        start_relay(lab)
        send, binding, allocate, hold, search = pool.map(lambda argv: load(lab, *argv, *PATIENT), (
            ("run", "-n", 4, "-d", 1, "--profile", "mix", "--via", "send", "--direction", "up"),
            ("binding", "-d", 1, "--rate", 500),
            ("allocate", "-d", 1, "--rate", 100),
            ("hold", "-n", 20, "-d", 1),
            ("search", "-n", 4, "-d", 1, "--rate", 200)))
        for code, said, _ in (send, binding, allocate, hold, search):
            check(code == MEASURED, f"ended with {code}: {said}")
        check_all_delivered(send[2], "up", 2 * 50 + 2 * 30 * 5)
        check_all_delivered(binding[2], "up", 500)
        for name, result, n in (("allocate", allocate[2], 100), ("hold", hold[2], 20)):
            check(result["calls_released"] == n, f"{name}: {result['calls_released']} of {n}")
        highest = search[2]["highest_rate"]
        check(highest == 200, f"highest rate {highest} of 200")


FRAMES = ("--client", CLIENT, "--peer", "198.18.0.11", *PATIENT)


@test(limit_s=40)
def test_a_port_of_frames_is_a_host_of_its_own():
    with Lab() as lab:
        start_relay(lab)
        lab.run("client", "ip", "addr", "flush", "dev", "eth0")
        wire = ("--wire", "af_packet:eth0")
        code, _, result = load(lab, "run", "-n", 50, "-d", 1, *wire, *FRAMES)
        check(code == MEASURED, f"exit {code}")
        for direction in ("up", "down"):
            check_all_delivered(result, direction, 50 * 50)
        # An address that another host answers for is not ours.
        code, said, _ = load(lab, "run", "-n", 1, *wire, *FRAMES, "--peer", lab.peer_address)
        check(code == RESOURCE and "another host" in said, f"exit {code}")


@test(limit_s=40)
def test_frames_by_af_xdp_use_every_packet_buffer():
    with Lab() as lab:
        start_relay(lab)
        lab.run("client", "ip", "addr", "flush", "dev", "eth0")
        # More frames than the generator has packet buffers, which it uses in turn.
        code, _, result = load(lab, "run", "-n", 100, "-d", 2, "--wire", "af_xdp:eth0", *FRAMES)
        check(code == MEASURED, f"exit {code}")
        for direction in ("up", "down"):
            check_all_delivered(result, direction, 100 * 50 * 2)


def load_over_socket(kind, relay_kind):
    """The wire is a socket; whichever end serves it comes first."""
    with Lab() as lab, ThreadPoolExecutor() as pool:
        config = configuration(lab)
        path = lab.path("wire")
        config["ports"][0]["device"] = f"{relay_kind}:{path}"
        argv = ("run", "-n", 50, "-d", 1, "--wire", f"{kind}:{path}", *FRAMES)
        if kind == "vhost":
            ended = pool.submit(load, lab, *argv)
            wait_until(lambda: os.path.exists(path), 15, "the generator serves its socket")
            relay = start_relay(lab, config)
        else:
            if kind == "memif":
                config["ports"][0]["role"] = "server"
            relay = start_relay(lab, config)
            ended = pool.submit(load, lab, *argv)
        code, _, result = ended.result()
        check(code == MEASURED, f"exit {code}")
        for direction in ("up", "down"):
            check_all_delivered(result, direction, 50 * 50)
        relay.stop()


@test(limit_s=40)
def test_frames_by_virtio_user_reach_the_relay():
    load_over_socket("virtio_user", "vhost")


@test(limit_s=40)
def test_frames_by_vhost_wait_for_the_relay():
    load_over_socket("vhost", "virtio_user")


@test(limit_s=40)
def test_frames_by_memif_reach_the_relay():
    load_over_socket("memif", "memif")


@test(limit_s=40)
def test_another_server_is_measured_as_well():
    with Lab() as lab, ThreadPoolExecutor() as pool:
        ReferenceRelay(lab).start()
        run, allocate = pool.map(lambda argv: load(lab, *argv, *PATIENT), (
            ("run", "-n", 20, "-d", 1), ("allocate", "-d", 5, "--rate", 50)))
        check(run[0] == allocate[0] == MEASURED, f"exit {run[0]}, {allocate[0]}")
        for direction in ("up", "down"):
            check_all_delivered(run[2], direction, 1000)
        # It refuses a client that has only just left: none calls again that soon.
        check(allocate[2]["calls_released"] == 250, f"{allocate[2]['control']}")


@test(limit_s=40)
def test_clients_and_peers_on_two_wires():
    """As at an edge: clients inside, peers outside, both played by one process."""
    with Lab(wires=2) as lab:
        start_relay(lab)
        lab.run("peer", "ip", "link", "set", "eth0", "netns", lab.namespace("client"),
                "name", "eth1")
        lab.run("client", "ip", "link", "set", "eth1", "up")
        peers = ("--peer-wire", "af_packet:eth1", "--peer", lab.peer_address, "--relay", OUTSIDE)
        # Clients by the kernel's sockets; then both in frames.
        for wire in ((), ("--wire", "af_xdp:eth0", "--client", CLIENT)):
            code, _, result = load(lab, "run", "-n", 50, "-d", 1, *wire, *peers, *PATIENT)
            check(code == MEASURED, f"exit {code}")
            for direction in ("up", "down"):
                check_all_delivered(result, direction, 50 * 50)
            lab.run("client", "ip", "addr", "flush", "dev", "eth0")


class FarEcho:
    """A far echo in the peer's host."""

    def __init__(self, lab, *argv):
        self.path = lab.path("echo.json")
        whom = () if "--echo" in argv else ("--echo", lab.peer_address, "--relay", SERVICE)
        self.process = lab.start("peer", LOAD, "echo", *whom, "--json", self.path,
                                 *map(str, argv), name="echo")
        self.process.wait_log("^echo     ready at")

    def end(self, by_signal=True):
        """Its end, in order: what it saw."""
        code = self.process.stop() if by_signal else self.process.wait(10)
        check(code == MEASURED, f"the echo ended with {code}: {self.process.log()}")
        with open(self.path, encoding="utf-8") as file:
            return json.load(file)


@test(limit_s=40)
def test_far_echo_gives_back_what_came_through_the_relay():
    with Lab() as lab, ThreadPoolExecutor() as pool:
        start_relay(lab)
        echo = FarEcho(lab)
        page = lab.path("echo.html")
        far = ("-d", 1, "--echo", lab.peer_address, *PATIENT)
        (code, said, result), send, search = pool.map(lambda argv: load(lab, *argv, *far), (
            ("run", "-n", 20, "--report", page), ("run", "-n", 20, "--via", "send"),
            ("search", "-n", 4, "--rate", 200)))
        check(code == send[0] == search[0] == MEASURED, f"exit {code}, {send[0]}, {search[0]}")
        check(re.search("^round trip +1000 +1000 +1000 ", said, re.MULTILINE), "which direction?")
        with open(page, encoding="utf-8") as file:
            report = file.read()
        check("<td>round trip<td>1000" in report and ">down</span>" not in report, report)
        for counts in (result, send[2]):
            check_all_delivered(counts, "up", 1000)
            check(counts["settings"]["far_echo"] and counts["down"]["offered"] == 0, f"{counts}")
        check(search[2]["highest_rate"] == 200, f"highest rate {search[2]['highest_rate']}")
        # Who is not the relay gets nothing.
        with lab.inside("client"), socket.socket(type=socket.SOCK_DGRAM) as stranger:
            stranger.sendto(bytes(160), (lab.peer_address, 40000))
        saw = echo.end()
        check(saw["returned"] == 2200 and saw["not_of_relay"] == 1 and saw["received"] == 2201,
              f"{saw}")


@test(limit_s=40)
def test_far_echo_in_frames_ends_by_its_count_or_time():
    with Lab() as lab:
        start_relay(lab)
        lab.run("peer", "ip", "addr", "flush", "dev", "eth0")
        echo = FarEcho(lab, "--wire", "af_packet:eth0", "--count", 1003)
        # In bursts of five, which the count cuts through.
        code, _, result = load(lab, "run", "-n", 20, "-d", 1, "--profile", "video",
                               "--echo", lab.peer_address, *PATIENT)
        # Its end is the only loss.
        counts = result["up"]
        check(code == MEASURED and counts["sent"] == 3000, f"exit {code}: {counts}")
        check(counts["delivered"] == 1003 and counts["lost"] == 1997, f"{counts}")
        check(echo.end(by_signal=False)["returned"] == 1003, "it did not count")
        echo = FarEcho(lab, "--wire", "af_packet:eth0", "-d", 1)
        check(echo.end(by_signal=False)["returned"] == 0, "there was nobody")


@test(limit_s=40)
def test_rate_beyond_the_generator_is_invalid():
    with Lab() as lab:
        start_relay(lab)
        code, said, result = load(lab, "run", "-n", 2, "-d", 1, "--profile", "flood",
                                  "--rate", 20000000, "--direction", "up")
        check(code == INVALID and not result["valid"], f"exit {code}")
        check("INVALID" in said and "the generator itself lost" in said, "it does not say why")
        up = result["up"]
        check(up["offered"] == up["sent"] + up["not_sent"] == 20000000, f"{up}")


@test(limit_s=40)
def test_what_cannot_be_is_refused():
    with Lab() as lab:
        start_relay(lab)
        for argv, wanted in ((("run", "--peer", SERVICE), UNAVAILABLE),
                             (("run", "--client", "198.18.0.99"), UNAVAILABLE),
                             (("run", "--peer", "224.0.0.1"), USAGE),
                             (("run", "--calls", 200001), USAGE),
                             (("run", "--rate", 5), USAGE),
                             (("run", "--size", "12"), USAGE),
                             (("run", "hold"), USAGE),
                             (("run", "--wire", "af_packet:eth0"), USAGE),
                             (("run", "--wire", "wet:string"), USAGE),
                             (("run", "--server", "2001:db8::1:3478"), USAGE),
                             (("run", "--peer-wire", "af_packet:eth0"), USAGE),
                             (("run", "--echo", CLIENT, "--peer", CLIENT), USAGE),
                             (("run", "--echo", CLIENT, "--direction", "up"), USAGE),
                             (("run", "--echo", CLIENT, "--echo", SERVICE, "--echo-ports",
                               "1-65535"), USAGE),
                             (("echo", "--echo", CLIENT), USAGE),
                             (("fly",), USAGE),
                             ((), USAGE)):
            code, _, result = load(lab, *argv)
            check(code == wanted and not result, f"{argv} ended with {code}, not {wanted}")
        code, said, result = load(lab, "run", "-n", 2, "-d", 1, password="wrong")
        check(code == UNAVAILABLE and "no call came up" in said, f"exit {code}")
        check(result["control"]["allocate"]["codes"] == {"401": 2}, f"{result['control']}")
        # A relayed address that is not allowed is never sent to.
        code, _, result = load(lab, "run", "-n", 2, "-d", 1, "--relay", CLIENT)
        check(code == UNAVAILABLE, f"exit {code}")
        check(result["control"]["allocate"]["unusable"] == 2, f"{result['control']}")


@test(limit_s=40)
def test_soak_replaces_calls_and_ends_in_order_by_a_signal():
    with Lab() as lab:
        relay = start_relay(lab)
        path = lab.path("soak.json")
        soak = lab.start("client", LOAD, "soak", "--server", f"{SERVICE}:3478", "-u", USER, "-w",
                         PASSWORD, "-n", 20, "-d", 3600, "--churn", 5, "--json", path, *PATIENT)
        # A call that ended is replaced five seconds later.
        soak.wait_log(r"(^soak .*\n){7}")
        check(soak.stop() == MEASURED, "a signal is not an end like any other")
        with open(path, encoding="utf-8") as file:
            result = json.load(file)
        check(result["valid"] and result["stopped"], f"{result}")
        check(result["calls_replaced"] >= 5, f"replaced {result['calls_replaced']}")
        check(result["calls_released"] == result["calls_begun"], f"{result['calls_begun']} begun")
        for direction in ("up", "down"):
            counts = result[direction]
            check(counts["delivered"] == counts["sent"] > 1000, f"{direction}: {counts}")
        counters = relay.stop()
        check(counters.get("allocations", 0) == 0, f"{counters}")


@test(limit_s=40)
def test_report_is_one_page_of_its_own():
    with Lab() as lab, ThreadPoolExecutor() as pool:
        start_relay(lab)
        runs = {name: (lab.path(f"{name}.html"), argv) for name, argv in {
            "run": ("run", "-n", 5, "-d", 3),
            "hold": ("hold", "-n", 20, "-d", 2),
            "search": ("search", "-n", 4, "-d", 1, "--rate", 200)}.items()}
        list(pool.map(lambda run: load(lab, *run[1], "--report", run[0], *PATIENT), runs.values()))
        wanted = {"run": ("Throughput", "Loss", "Latency up", "Latency down"),
                  "hold": ("Calls up", "Control"),
                  "search": ("Delivered", "Loss", "Latency up", "Latency down")}
        for name, (path, _) in runs.items():
            with open(path, encoding="utf-8") as file:
                page = file.read()
            titles = re.findall(r"<figcaption><b>(.*?)</b>", page)
            check(tuple(titles[:len(wanted[name])]) == wanted[name], f"{name}: {titles}")
            check(page.count("<svg") == len(titles), f"{name}: a plot is missing")
            check("<b>Valid.</b>" in page, f"{name}: no verdict")
            # It loads nothing, and keeps the password.
            check(not re.search(r"(src|href|url|@import)\s*[=(]|https?:", page), f"{name}: loads")
            check(PASSWORD not in page and "-w ***" in page, f"{name}: tells the password")
        # Against load, which a search halves, x is logarithmic.
        with open(runs["search"][0], encoding="utf-8") as file:
            page = file.read()
        check(page.count("class=x>200<") == 4 and "class=x>0<" not in page, "not logarithmic")
        # A second of 5 calls of audio is a point.
        with open(runs["run"][0], encoding="utf-8") as file:
            check(file.read().count("<title>up: 250 at") == 3, "throughput is not 250 packets/s")
