"""The relay's addresses stay ordinary Linux addresses while media run: ping, ARP, neighbour discovery
and TCP, of both families."""

import hashlib
import ipaddress
import os
import re

import uclient
from lab import SERVICE, SERVICE6, Lab, check, test
from relay import start_relay

N = 1000
FILE_BYTES = 5 << 20
FETCH = """
import hashlib, sys, urllib.request
data = urllib.request.urlopen(sys.argv[1], timeout=30).read()
print(len(data), hashlib.sha256(data).hexdigest())
"""


def check_ping(lab, address, whole_only):
    told = lab.run("client", "ping", "-q", "-i", "0.02", "-c", "100", "-W", "2", address)
    check("100 packets transmitted, 100 received, 0% packet loss" in told, told)
    if whole_only:
        return
    big = lab.run("client", "ping", "-q", "-i", "0.02", "-c", "10", "-s", "4000", address)
    check(" 10 received, 0% packet loss" in big, big)


def check_arp(lab):
    told = lab.run("client", "arping", "-c", "3", "-I", "eth0", SERVICE)
    check("Received 3 response(s)" in told, told)
    check(len(set(re.findall(r"\[([0-9A-F:]{17})\]", told))) == 1, told)


def neighbour_mac(lab, address):
    told = lab.run("client", "ip", "neigh", "show", address)
    return re.search(r"lladdr (\S+)", told)[1]


def check_neighbour_discovery(lab):
    """Asked by multicast, whoever knew it before; the MAC is that of ARP."""
    lab.run("client", "ip", "-6", "neigh", "flush", "dev", "eth0")
    check_ping(lab, SERVICE6, whole_only=True)
    check(neighbour_mac(lab, SERVICE6) == neighbour_mac(lab, SERVICE), "two MACs")
    told = lab.run("client", "ping", "-c", "2", "-i", "0.5", "-W", "2", "ff02::1%eth0")
    mac = bytes.fromhex(neighbour_mac(lab, SERVICE).replace(":", ""))
    interface = bytes((mac[0] ^ 2, *mac[1:3], 0xFF, 0xFE, *mac[3:]))
    local = ipaddress.ip_address(b"\xfe\x80" + bytes(6) + interface)
    n = len(re.findall(rf"from {local}%eth0: icmp_seq=1 ", told))
    check(n == 1, f"{n} answers of the relay's link-local address to all nodes: {told}")


def check_tcp(lab, address, url):
    """A web server in the relay's host serves a file on the relay's own address."""
    directory = lab.path(f"www{len(lab.processes)}")
    os.mkdir(directory)
    data = os.urandom(FILE_BYTES)
    with open(f"{directory}/file", "wb") as file:
        file.write(data)
    server = lab.start("relay", "/usr/bin/python3", "-u", "-m", "http.server", "8080",
                       "--bind", address, "--directory", directory, name="web")
    server.wait_log("Serving HTTP")
    told = lab.run("client", "/usr/bin/python3", "-c", FETCH, url, timeout_s=60)
    check(told.split() == [str(FILE_BYTES), hashlib.sha256(data).hexdigest()], f"got {told}")


def mirror(device):
    with Lab(ipv6=True) as lab:
        relay = start_relay(lab, device=device)
        uclient.start_peer(lab)
        media = uclient.start(lab, "-e", lab.peer_address, "-n", str(N), "-z", "20")
        media.wait_log(r"tot_send_msgs=[1-9]")
        # Its fanout puts IPv4 fragments together, and then cuts what is too long.
        check_ping(lab, SERVICE, whole_only=device == "af_packet")
        check_ping(lab, SERVICE6, whole_only=False)
        check_arp(lab)
        check_neighbour_discovery(lab)
        check_tcp(lab, SERVICE, f"http://{SERVICE}:8080/file")
        check_tcp(lab, SERVICE6, f"http://[{SERVICE6}]:8080/file")
        check(media.popen.poll() is None, "the media ended before the mirror was tried")
        uclient.check_no_loss(media, N)
        relay.stop()


@test()
def test_linux_answers_on_af_packet():
    mirror("af_packet")


@test()
def test_linux_answers_on_af_xdp():
    mirror("af_xdp")
