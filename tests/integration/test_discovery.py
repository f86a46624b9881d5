"""NAT behaviour discovery (RFC 5780) by coturn's natdiscovery: without a NAT, and behind two of
Linux's, one that keeps a client's port and one that does not. And by a client of RFC 3489."""

import socket
import struct

from lab import CLIENT, CLIENT6, SERVICE, SERVICE6, Lab, check, test
from relay import configuration, start_relay
from stunlib import BINDING, SUCCESS, Message, build

SECOND = "198.18.0.3"
SECOND6 = "2001:db8:18::3"
BEHIND = "10.9.0.2"
CHANGE_REQUEST = 0x0003


def start(lab, **stun):
    config = configuration(lab)
    config["ports"][0]["addresses"].append(f"{SECOND}/24")
    config["stun"] = {"alternate-address": f"{SECOND}:3479", **stun}
    return start_relay(lab, config)


def put_behind_nat(lab, *how):
    """The peer's host becomes a NAT, and the client's host gets an address behind it."""
    peer, client = lab.namespace("peer"), lab.namespace("client")
    lab.run("peer", "ip", "link", "add", "inside0", "type", "veth",
            "peer", "name", "behind0", "netns", client)
    for host, interface, address in (("peer", "inside0", "10.9.0.1/24"),
                                     ("client", "behind0", f"{BEHIND}/24")):
        lab.run(host, "ip", "addr", "add", address, "dev", interface)
        lab.run(host, "ip", "link", "set", interface, "up")
    lab.run("client", "ip", "addr", "flush", "dev", "eth0")
    lab.run("client", "ip", "route", "add", "default", "via", "10.9.0.1")
    lab.run("peer", "sysctl", "-qw", "net.ipv4.ip_forward=1")
    lab.run("peer", "iptables-legacy", "-t", "nat", "-A", "POSTROUTING", "-o", "eth0",
            "-j", "MASQUERADE", *how)


def discover(lab, *options, server=SERVICE):
    done = lab.attempt("client", "turnutils_natdiscovery", *options, server, timeout_s=50)
    return done.stdout


def expect(told, *texts):
    for text in texts:
        check(text in told, f"{text}: not in {told}")


@test()
def test_without_a_nat():
    with Lab() as lab:
        start(lab)
        told = discover(lab, "-m", "-f", "-L", CLIENT)
        expect(told, "Other addr: : 198.18.0.3:3479", "No NAT!",
               "Endpoint Independent Filtering!")


def check_source(lab, flags, source):
    """natdiscovery takes an answer from anywhere."""
    request = build(BINDING, attributes=((CHANGE_REQUEST, struct.pack("!I", flags)),))
    with lab.inside("client"):
        client = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    with client:
        client.settimeout(0.5)
        for _ in range(10):
            client.sendto(request, (SERVICE6, 3478))
            try:
                answer, come_from = client.recvfrom(2048)
            except TimeoutError:
                continue
            check(Message(answer).kind == SUCCESS and come_from[:2] == source,
                  f"{flags}: answered from {come_from}")
            return
    check(False, f"{flags}: no answer")


@test()
def test_over_ipv6():
    with Lab(ipv6=True) as lab:
        config = configuration(lab)
        config["ports"][0]["addresses"].append(f"{SECOND6}/64")
        config["listen"].reverse()  # the first is the one that has a second beside it
        config["stun"] = {"alternate-address": f"[{SECOND6}]:3479"}
        start_relay(lab, config)
        for flags, source in ((4, (SECOND6, 3478)), (2, (SERVICE6, 3479)), (6, (SECOND6, 3479))):
            check_source(lab, flags, source)
        told = discover(lab, "-m", "-f", "-L", CLIENT6, server=SERVICE6)
        expect(told, f"Other addr: : {SECOND6}:3479", "No NAT!",
               "Endpoint Independent Filtering!")


@test()
def test_nat_that_keeps_the_port():
    with Lab() as lab:
        start(lab)
        put_behind_nat(lab)
        told = discover(lab, "-m", "-f", "-L", BEHIND)
        expect(told, "NAT with Endpoint Independent Mapping!",
               "NAT with Address and Port Dependent Filtering!")


@test()
def test_nat_that_maps_each_destination():
    with Lab() as lab:
        start(lab)
        put_behind_nat(lab, "--random-fully")
        told = discover(lab, "-m", "-f", "-L", BEHIND)
        expect(told, "NAT with Address and Port Dependent Mapping!",
               "NAT with Address and Port Dependent Filtering!")


def classic(lab, address):
    """What a client of RFC 3489 makes of us: its own name for the kind of NAT."""
    return lab.attempt("client", "stun", SERVICE, "-i", address, timeout_s=50).stdout


@test()
def test_client_of_rfc3489():
    with Lab() as lab:
        start(lab, rfc3489="on")
        expect(classic(lab, CLIENT), "Primary: Open")
        put_behind_nat(lab)
        expect(classic(lab, BEHIND), "Primary: Independent Mapping, Port Dependent Filter",
               "preserves ports")
