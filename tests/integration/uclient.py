"""coturn's turnutils_uclient and turnutils_peer, an independent TURN client and its peer."""

import re

from lab import SERVICE, check
from relay import PASSWORD, USER

# -c: no RTCP connections, and so no EVEN-PORT.
CREDENTIALS = ("-u", USER, "-w", PASSWORD)
PEER_PORT = 3480


def start_peer(lab, port=PEER_PORT):
    for address in [lab.peer_address] + [lab.peer_address6] * lab.ipv6:
        lab.start("peer", "turnutils_peer", "-L", address, "-p", port)
        lab.run("peer", "sh", "-c",
                f"until ss -lunH | grep -qF '{address}]:{port}' || "
                f"ss -lunH | grep -qF ' {address}:{port}'; do sleep 0.01; done")


def start(lab, *options, credentials=CREDENTIALS, name=None, server=SERVICE):
    return lab.start("client", "turnutils_uclient", "-c", *credentials, *options, server,
                     name=name)


def totals(process):
    """(sent, received) as the client counts at its end."""
    found = re.findall(r"tot_send_msgs=(\d+), tot_recv_msgs=(\d+)", process.log())
    check(found, f"{process.name} has no totals: {process.last_line()}")
    return tuple(map(int, found[-1]))


def overflows(lab):
    """What the kernel threw away because a client or a peer did not read in time."""
    told = {host: lab.run(host, "nstat", "-asz", "UdpRcvbufErrors") for host in ("client", "peer")}
    return {host: int(re.search(r"UdpRcvbufErrors\s+(\d+)", text)[1])
            for host, text in told.items()}


def check_no_loss(process, n_expected, timeout_s=60):
    """Wait for the end of a client that must have every message back."""
    code = process.wait(timeout_s)
    check(code == 0, f"{process.name} ended with {code}: {process.last_line()}")
    sent, received = totals(process)
    check(sent == n_expected, f"{process.name} sent {sent} of {n_expected}")
    check(received == sent, f"{process.name} lost {sent - received} of {sent}")
    lost = re.search(r"Total lost packets (\d+)", process.log())
    check(lost and lost[1] == "0", f"{process.name}: {lost and lost[0]}")
