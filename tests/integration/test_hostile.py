"""Datagrams no honest client sends: no answer, no state, no harm to the others."""

import os
import random
import socket
import struct

from lab import CLIENT, SERVICE, Lab, check, test
from relay import PASSWORD, REFERENCE, USER, start_relay
from stunlib import (ALLOCATE, BINDING, CREATE_PERMISSION, DATA, DATA_ATTRIBUTE, INDICATION, SEND,
                     SUCCESS, UDP_TRANSPORT, XOR_PEER_ADDRESS, Client, Message, build,
                     channel_data, encode_address)

SERVER = (SERVICE, 3478)
SEED = 8656
BINDING_PORT = 40000
STRANGER = bytes.fromhex("02a1b2c3d4e5")


def hostile_datagrams():
    """None of these may be answered."""
    chance = random.Random(SEED)
    allocate = build(ALLOCATE, attributes=[UDP_TRANSPORT, (0x8022, b"x" * 13)])
    yield from (chance.randbytes(n) for n in range(1, 1400, 7))
    yield from (allocate[:n] for n in range(1, len(allocate)))
    for message in (allocate, build(BINDING)):
        for n in (1, 2, 3, len(message), 0x7FFC, 0xFFFC, 0xFFFF):  # a length that lies
            yield message[:2] + struct.pack("!H", n) + message[4:]
    yield from (channel_data(channel, b"nobody's") for channel in (0x4000, 0x4FFF, 0x5000, 0x7FFF))
    yield from (struct.pack("!HH", 0x4000, n) + b"short" for n in (6, 100, 0xFFFF))
    yield send_to("198.18.0.20", 9)
    yield build(BINDING, SUCCESS)
    yield build(DATA, INDICATION)
    yield b"\0\1\0\0" + os.urandom(16)  # a Binding request of RFC 3489


def send_to(ip, port):
    return build(SEND, INDICATION, [(XOR_PEER_ADDRESS, encode_address(ip, port)),
                                    (DATA_ATTRIBUTE, b"hello")])


def frame_to(mac, own_mac):
    """A Binding request from port 40000 of the client, as a whole Ethernet frame."""
    message = build(BINDING)
    udp = struct.pack("!HHHH", BINDING_PORT, 3478, 8 + len(message), 0)
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 28 + len(message), 0, 0, 64, 17, 0,
                     socket.inet_aton(CLIENT), socket.inet_aton(SERVICE))
    words = sum(struct.unpack("!10H", ip))
    words = (words & 0xFFFF) + (words >> 16)
    ip = ip[:10] + struct.pack("!H", 0xFFFF - words) + ip[12:]
    return mac + own_mac + b"\x08\0" + ip + udp + message


@test()
def test_hostile_datagrams_get_no_answer_and_leave_no_state():
    with Lab() as lab:
        relay = start_relay(lab)
        with lab.inside("client"), Client(SERVER, USER, PASSWORD) as client:
            for datagram in hostile_datagrams():
                client.send(datagram)
                answer = client.receive(0.002)
                check(answer is None, f"{datagram[:24].hex()} got {answer and answer.hex()}")
            answer = client.receive(0.3)
            check(answer is None, f"a late answer: {answer and answer.hex()}")
            relayed = client.allocate()
            check(relayed[0] == SERVICE, f"relayed address {relayed}")
        if not REFERENCE:
            counters = relay.stop()
            check(counters["allocations_created"] == 1, f"{counters}")
            drops = relay.drops()
            for name in ("not_stun", "short_channel_data", "no_channel", "no_allocation",
                         "unexpected_stun", "bad_stun"):
                check(drops.get(name), f"no drop is called {name}: {drops}")


@test()
def test_frames_to_another_station_are_not_answered():
    with Lab() as lab:
        start_relay(lab)
        with lab.inside("client"):
            raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
            plain = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        raw.bind(("eth0", 0))
        plain.bind((CLIENT, BINDING_PORT))
        plain.sendto(build(BINDING), SERVER)
        plain.settimeout(2)
        check(Message(plain.recv(2048)).kind == SUCCESS, "no answer to a frame of its own")
        told = lab.run("client", "ip", "neigh", "show", SERVICE)
        relay_mac = bytes.fromhex(told.split("lladdr ")[1].split()[0].replace(":", ""))
        own_mac = raw.getsockname()[4]
        plain.settimeout(0.5)
        for mac, is_answered in ((relay_mac, True), (STRANGER, False)):
            raw.send(frame_to(mac, own_mac))
            try:
                answered = bool(plain.recv(2048))
            except TimeoutError:
                answered = False
            check(answered == is_answered, f"a frame to {mac.hex(':')}: answered is {answered}")


@test()
def test_peer_reaches_the_client_by_permission_only():
    with Lab() as lab:
        start_relay(lab)
        with lab.inside("peer"):
            peer = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        with lab.inside("client"):
            client, stranger = Client(SERVER, USER, PASSWORD), Client(SERVER, USER, PASSWORD)
        peer.bind((lab.peer_address, 9999))
        relayed = client.allocate()
        stranger.allocate()
        peer.sendto(b"early", relayed)
        check(client.receive(0.3) is None, "a peer without permission got through")
        client.request(CREATE_PERMISSION, (XOR_PEER_ADDRESS, encode_address(lab.peer_address, 0)))
        peer.sendto(b"hello", relayed)
        data = client.receive()
        check(data and Message(data)[DATA_ATTRIBUTE] == b"hello", f"got {data}")
        check(client.bind_channel(0x4000, lab.peer_address, 9999).kind == SUCCESS, "no channel")
        peer.sendto(b"hello", relayed)
        check(client.receive() == channel_data(0x4000, b"hello"), "no ChannelData")
        stranger.send(channel_data(0x4000, b"mine?"))
        stranger.send(send_to(lab.peer_address, 9999))
        client.send(channel_data(0x4000, b"back"))
        peer.settimeout(1)
        check(peer.recvfrom(2048) == (b"back", relayed), "another's datagram reached the peer")
