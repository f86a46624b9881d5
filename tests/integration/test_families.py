"""turnutils_uclient over all four pairs of families: client of IPv4 or IPv6, relayed address of
IPv4 or IPv6; with channels and with Send indications, without a lost message.

Of its flags these are for UDP: -s -y -c -x -X -g -D -N -R -O -M -I -G -B -Z -J -o -a. The others
choose another transport to the server (-t TCP, -b SCTP, -S TLS or DTLS, -U without encryption) or
to the peer (-T and -P: RFC 6062), which turnpike does not serve.
"""

import re

import uclient
from lab import SERVICE, SERVICE6, Lab, check, test
from relay import configuration, start_relay
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


# With a relayed address of each family: name, options, messages, server. {4} and {6} are the peers.
DUAL_MODES = (
    ("dual-to-4", ("-Z", "-e", "{4}"), N, SERVICE),
    ("dual-to-6", ("-Z", "-e", "{6}"), N, SERVICE),
    ("dual-to-4-send", ("-Z", "-s", "-e", "{4}"), N, SERVICE6),
    ("dual-to-6-send", ("-Z", "-s", "-e", "{6}"), N, SERVICE6),
    ("dual-client-to-client", ("-Z", "-y"), 2 * N, SERVICE),
    ("dual-client-to-client-send", ("-Z", "-y", "-s"), 2 * N, SERVICE6),
    ("dual-extra-requests", ("-Z", "-G", "-e", "{6}"), N, SERVICE),
    ("mobile", ("-M", "-x", "-e", "{6}"), N, SERVICE6),
    ("mobile-client-to-client", ("-M", "-x", "-y"), 2 * N, SERVICE6),
    ("origin", ("-x", "-o", "http://example.org", "-e", "{6}"), N, SERVICE6),
    ("bandwidth", ("-x", "-a", "100000", "-e", "{6}"), N, SERVICE6),
    ("no-permissions", ("-x", "-I", "-e", "{6}"), N, SERVICE6),
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


@test(limit_s=90, alone=True)
def test_both_families_at_once():
    """And flags that change what is asked for, with IPv6."""
    with Lab(ipv6=True) as lab:
        config = configuration(lab)
        config["mobility"] = "on"
        relay = start_relay(lab, config)
        uclient.start_peer(lab)
        peers = {"4": lab.peer_address, "6": lab.peer_address6}
        started = []
        for name, options, n_messages, server in DUAL_MODES:
            options = [re.sub(r"^\{([46])\}$", lambda found: peers[found[1]], option)
                       for option in options]
            process = uclient.start(lab, "-v", *options, *PACE, server=server, name=name)
            started.append((process, n_messages))
        # Without -c there are RTCP connections: pairs of ports, by EVEN-PORT and RESERVATION-TOKEN.
        pairs = lab.start("client", "turnutils_uclient", *uclient.CREDENTIALS, "-x", "-e", peers["6"],
                          *PACE, SERVICE6, name="pairs")
        check_all(lab, relay, [*started, (pairs, 2 * N)], 60)
        told = re.findall(r"(IPv[46])\. Received relay addr", started[1][0].log())
        check({"IPv4", "IPv6"} == set(told), f"not both families: {told}")
        check_nothing_lost(relay)


@test()
def test_hostile_modes_leave_both_families_serving():
    with Lab(ipv6=True) as lab:
        start_relay(lab)
        uclient.start_peer(lab)
        broken = uclient.start(lab, "-x", "-y", "-R", *PACE, server=SERVICE6, name="negative-protocol")
        for process in (
                uclient.start(lab, "-x", "-y", "-N", *PACE, server=SERVICE6, name="negative"),
                uclient.start(lab, "-x", "-e", lab.peer_address6, "-O", "-m", "50",
                              server=SERVICE6, name="flood")):
            process.wait(30)
        for client, relayed in ((4, 6), (6, 4), (6, 6)):
            media = uclient.start(lab, RELAYED[relayed], "-y", *PACE, server=SERVERS[client])
            uclient.check_no_loss(media, 2 * N)
        broken.stop()


@test()
def test_stunclient_binding_of_ipv6():
    with Lab(ipv6=True) as lab:
        start_relay(lab)
        told = lab.run("client", "turnutils_stunclient", SERVICE6)
        check(re.search(r"UDP reflexive addr: \[?2001:db8:18::10\]?:\d+", told), told)
