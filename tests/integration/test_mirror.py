"""The relay's address stays an ordinary Linux address while media run: ping, ARP and TCP."""

import hashlib
import os
import re

import uclient
from lab import SERVICE, Lab, check, test
from relay import start_relay

N = 500
FILE_BYTES = 5 << 20
FETCH = """
import hashlib, urllib.request
data = urllib.request.urlopen("http://%s:8080/file", timeout=30).read()
print(len(data), hashlib.sha256(data).hexdigest())
""" % SERVICE


def check_ping(lab, device):
    told = lab.run("client", "ping", "-q", "-i", "0.02", "-c", "100", "-W", "2", SERVICE)
    check("100 packets transmitted, 100 received, 0% packet loss" in told, told)
    if device == "af_packet":  # cuts what the kernel's fanout has put together from fragments
        return
    big = lab.run("client", "ping", "-q", "-i", "0.02", "-c", "10", "-s", "4000", SERVICE)
    check(" 10 received, 0% packet loss" in big, big)


def check_arp(lab):
    told = lab.run("client", "arping", "-c", "3", "-I", "eth0", SERVICE)
    check("Received 3 response(s)" in told, told)
    check(len(set(re.findall(r"\[([0-9A-F:]{17})\]", told))) == 1, told)


def check_tcp(lab):
    """A web server in the relay's host serves a file on the relay's own address."""
    directory = lab.path("www")
    os.mkdir(directory)
    data = os.urandom(FILE_BYTES)
    with open(f"{directory}/file", "wb") as file:
        file.write(data)
    server = lab.start("relay", "/usr/bin/python3", "-u", "-m", "http.server", "8080",
                       "--bind", SERVICE, "--directory", directory, name="web")
    server.wait_log("Serving HTTP")
    told = lab.run("client", "/usr/bin/python3", "-c", FETCH, timeout_s=60)
    check(told.split() == [str(FILE_BYTES), hashlib.sha256(data).hexdigest()], f"got {told}")


def mirror(device):
    with Lab() as lab:
        relay = start_relay(lab, device=device)
        uclient.start_peer(lab)
        media = uclient.start(lab, "-e", lab.peer_address, "-n", str(N), "-z", "20")
        media.wait_log(r"tot_send_msgs=[1-9]")
        check_ping(lab, device)
        check_arp(lab)
        check_tcp(lab)
        check(media.popen.poll() is None, "the media ended before the mirror was tried")
        uclient.check_no_loss(media, N)
        relay.stop()


@test()
def test_linux_answers_on_af_packet():
    mirror("af_packet")


@test()
def test_linux_answers_on_af_xdp():
    mirror("af_xdp")
