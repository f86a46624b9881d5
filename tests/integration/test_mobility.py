"""Clients that take their allocation along (RFC 8016): coturn's uclient, and a client that moves
to another address while media flow."""

import socket

import uclient
from lab import SERVICE, Lab, check, test, wait_until
from relay import PASSWORD, USER, configuration, start_relay
from stunlib import (ALLOCATE, REFRESH, SUCCESS, UDP_TRANSPORT, XOR_RELAYED_ADDRESS, Client,
                     channel_data, decode_address)

MOBILITY_TICKET = 0x8030
SERVER = (SERVICE, 3478)
SECOND_HOME = "198.18.0.11"
N = 60


def start(lab):
    config = configuration(lab)
    config["mobility"] = "on"
    return start_relay(lab, config)


@test()
def test_uclient_moves():
    with Lab() as lab:
        start(lab)
        uclient.start_peer(lab)
        moving = [uclient.start(lab, "-M", "-v", *mode, "-n", str(N), "-z", "10", name=f"mobile{i}")
                  for i, mode in enumerate((("-y",), ("-e", lab.peer_address),
                                            ("-e", lab.peer_address, "-s")))]
        for process, n in zip(moving, (2 * N, N, N)):
            uclient.check_no_loss(process, n)
            check("read_mobility_ticket: smid=" in process.log(), "it got no ticket")


@test()
def test_media_goes_on_while_the_client_moves():
    with Lab() as lab:
        relay = start(lab)
        lab.run("client", "ip", "addr", "add", f"{SECOND_HOME}/24", "dev", "eth0")
        with lab.inside("peer"):
            peer = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        peer.bind((lab.peer_address, 9999))
        peer.settimeout(2)
        with lab.inside("client"):
            home, away = Client(SERVER, USER, PASSWORD), Client(SERVER, USER, PASSWORD)
            away.socket.close()
            away.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            away.socket.bind((SECOND_HOME, 0))
            away.socket.connect(SERVER)
        answer = home.request(ALLOCATE, UDP_TRANSPORT, (MOBILITY_TICKET, b""))
        check(answer.kind == SUCCESS and MOBILITY_TICKET in answer, f"no ticket: {answer.error}")
        relayed = decode_address(answer[XOR_RELAYED_ADDRESS])
        check(home.bind_channel(0x4000, lab.peer_address, 9999).kind == SUCCESS, "no channel")
        moved = away.request(REFRESH, (MOBILITY_TICKET, answer[MOBILITY_TICKET]))
        check(moved.kind == SUCCESS, f"it may not move: {moved.error}")
        check(moved[MOBILITY_TICKET] != answer[MOBILITY_TICKET], "the ticket is the old one")
        peer.sendto(b"to the old", relayed)
        check(home.receive() == channel_data(0x4000, b"to the old"), "the old one is shut")
        away.send(channel_data(0x4000, b"here I am"))
        check(peer.recvfrom(2048) == (b"here I am", relayed), "nothing from the new one")

        def reached():
            peer.sendto(b"to the new", relayed)
            return away.receive(0.1) == channel_data(0x4000, b"to the new")

        wait_until(reached, 5, "the peer reaches the new one")
        home.send(channel_data(0x4000, b"still here?"))
        away.send(channel_data(0x4000, b"yes"))
        check(peer.recvfrom(2048) == (b"yes", relayed), "the old one may still send")
        check(relay.stop()["allocations_created"] == 1, "more than one allocation")
