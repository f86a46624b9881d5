"""turnutils_uclient over all four pairs of families: client of IPv4 or IPv6, relayed address of
IPv4 or IPv6; with channels and with Send indications, without a lost message.

Of its flags these are for UDP: -s -y -c -x -X -g -D -N -R -O -M -I -G -B -Z -J -o -a. The others
choose another transport to the server (-t TCP, -b SCTP, -S TLS or DTLS, -U without encryption) or
to the peer (-T and -P: RFC 6062), which turnpike does not serve.
"""

import uclient
from lab import SERVICE, SERVICE6, Lab, test
from relay import start_relay
from test_uclient import PACE, N, check_all, check_nothing_lost

SERVERS = {4: SERVICE, 6: SERVICE6}
RELAYED = {4: "-X", 6: "-x"}
# name, options, messages; {peer} stands for the peer's address of the relayed family
MODES = (
    ("peer", ("-e", "{peer}"), N),
    ("peer-send", ("-e", "{peer}", "-s"), N),
    ("client-to-client", ("-y",), 2 * N),
    ("client-to-client-send", ("-y", "-s"), 2 * N),
    ("dont-fragment", ("-e", "{peer}", "-g"), N),
    ("dont-fragment-send", ("-e", "{peer}", "-g", "-s"), N),
    ("padded-channel", ("-e", "{peer}", "-D"), N),
    ("extra-requests", ("-e", "{peer}", "-G"), N),
    ("random-disconnect", ("-e", "{peer}", "-B"), N),
    ("large", ("-e", "{peer}", "-l", "1400"), N),
    ("many", ("-y", "-m", "4"), 4 * N),
)


def run_pair(lab, relay, client, relayed):
    peer = lab.peer_address6 if relayed == 6 else lab.peer_address
    started = []
    for name, options, n_messages in MODES:
        options = [option.format(peer=peer) for option in options]
        process = uclient.start(lab, RELAYED[relayed], *options, *PACE, server=SERVERS[client],
                                name=f"{client}to{relayed}-{name}")
        started.append((process, n_messages))
    check_all(lab, relay, started, 60)


def run_pairs(pairs, **options):
    with Lab(ipv6=True, wires=options.pop("wires", 1), queues=options.get("workers", 1)) as lab:
        relay = start_relay(lab, **options)
        uclient.start_peer(lab)
        for client, relayed in pairs:
            run_pair(lab, relay, client, relayed)
        check_nothing_lost(relay)


@test(limit_s=150, alone=True)
def test_all_pairs_af_packet():
    run_pairs([(4, 6), (6, 4), (6, 6), (4, 4)])


@test(limit_s=150, alone=True)
def test_all_pairs_af_xdp():
    run_pairs([(4, 6), (6, 4), (6, 6), (4, 4)], device="af_xdp")


@test(limit_s=150, alone=True)
def test_all_pairs_two_ports_two_workers():
    run_pairs([(4, 6), (6, 4), (6, 6), (4, 4)], wires=2, workers=2)
