"""A relay behind a 1:1 NAT of Linux: it has an address inside, and clients and peers know it by the
one outside only."""

import socket

import uclient
from lab import SERVICE, Lab, check, test, wait_until
from relay import PASSWORD, USER, configuration, start_relay
from stunlib import SUCCESS, Client, channel_data
from test_ctl import end_capture, frames_of, rows, start_capture
from test_uclient import PACE, N, check_all

INSIDE = "10.8.0.2"
GATEWAY = "10.8.0.1"
SERVER = (SERVICE, 3478)


def put_behind_nat(lab):
    """The switch becomes the NAT: it shows what is INSIDE on the relay's wire as SERVICE."""
    lab.run("net", "ip", "link", "set", "relay", "nomaster")
    lab.run("net", "ip", "addr", "add", f"{GATEWAY}/24", "dev", "relay")
    lab.run("net", "ip", "addr", "add", f"{SERVICE}/24", "dev", "switch")
    lab.run("net", "sysctl", "-qw", "net.ipv4.ip_forward=1")
    for chain, *rule in (("PREROUTING", "-i", "switch", "-d", SERVICE, "-j", "DNAT",
                          "--to-destination", INSIDE),
                         ("POSTROUTING", "-o", "switch", "-s", INSIDE, "-j", "SNAT",
                          "--to-source", SERVICE)):
        lab.run("net", "iptables-legacy", "-t", "nat", "-A", chain, *rule)


def start(lab):
    put_behind_nat(lab)
    config = configuration(lab)
    config["ports"][0]["addresses"] = [f"{INSIDE}/24"]
    config["ports"][0]["routes"] = [{"to": "0.0.0.0/0", "via": GATEWAY}]
    config["listen"] = [f"{INSIDE}:3478"]
    config["relay"] = [{"address": INSIDE, "external": SERVICE, "ports": "49152-65535"}]
    return start_relay(lab, config)


def until_received(client, send, want):
    """Send until it comes: the first packets wait for neighbours."""
    for _ in range(20):
        send()
        while (data := client.receive(0.5)) is not None:
            if data == want:
                return
    check(False, f"{want} did not come")


def check_peer(client, lab):
    """Media both ways; the peer sees, and answers to, the address that the client was told."""
    relayed = client.allocate()
    check(relayed[0] == SERVICE, f"the relayed address is told as {relayed}")
    with lab.inside("peer"):
        peer = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with peer:
        peer.bind((lab.peer_address, 6000))
        peer.settimeout(0.5)
        check(client.bind_channel(0x4001, lab.peer_address, 6000).kind == SUCCESS, "no channel")

        def there_and_back():
            client.send(channel_data(0x4001, b"there"))
            try:
                data, source = peer.recvfrom(2048)
            except TimeoutError:
                return
            check((data, source) == (b"there", relayed), f"the peer got {data} from {source}")
            peer.sendto(b"back", source)

        until_received(client, there_and_back, channel_data(0x4001, b"back"))
    return relayed


@test()
def test_media_and_hairpin():
    with Lab() as lab:
        relay = start(lab)
        with lab.inside("client"):
            ann, bob = (Client(SERVER, USER, PASSWORD) for _ in range(2))
        with ann, bob:
            relayed = check_peer(ann, lab), bob.allocate()
            for client, other in ((ann, relayed[1]), (bob, relayed[0])):
                check(client.bind_channel(0x4002, *other).kind == SUCCESS, f"no channel to {other}")
            for one, other in ((ann, bob), (bob, ann)):
                media = channel_data(0x4002, b"hairpin")
                until_received(other, lambda: one.send(media), media)
        looped = relay.stop()["looped"]
        check(looped >= 2, f"{looped} packets between the two stayed in the box")


@test()
def test_a_capture_has_the_leg_inside():
    with Lab() as lab:
        relay = start(lab)
        with lab.inside("client"), Client(SERVER, USER, PASSWORD) as ann:
            _, port = check_peer(ann, lab)
            allocation = rows(relay, "show", "allocations")[0]
            check(allocation["relayed"] == [f"{SERVICE}:{port}"], f"{allocation}")
            check(allocation["inside"] == [f"{INSIDE}:{port}"], f"{allocation}")
            path = lab.path("inside.pcapng")
            capture = start_capture(relay, path, "--allocation", allocation["id"])
            ann.send(channel_data(0x4001, b"there"))
            wait_until(lambda: frames_of(path, "src", "host", INSIDE, "and", "udp", "src", "port",
                                         str(port)), 10, "the peer's leg")
            end_capture(capture)
        relay.stop()


@test()
def test_uclient():
    with Lab() as lab:
        relay = start(lab)
        uclient.start_peer(lab)
        started = [(uclient.start(lab, *options, *PACE, name=name), n) for name, options, n in (
            ("channel", ("-e", lab.peer_address), N),
            ("send", ("-e", lab.peer_address, "-s"), N),
            ("client-to-client", ("-y",), 2 * N),
            ("client-to-client-send", ("-y", "-s"), 2 * N))]
        check_all(lab, relay, started, 60)
