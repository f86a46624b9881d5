"""A client's channel to a peer that sends everything back, as uclient.start_peer() has one."""

from lab import check
from stunlib import SUCCESS, channel_data
from uclient import PEER_PORT

CHANNEL = 0x4000


def open_channel(lab, client, port=PEER_PORT):
    """For a client that has an allocation."""
    answer = client.bind_channel(CHANNEL, lab.peer_address, port)
    check(answer and answer.kind == SUCCESS, f"no channel: {answer and answer.error}")


def check_echo(client, n=20):
    """So many messages come back, each before the next one is sent."""
    for i in range(n):
        message = channel_data(CHANNEL, b"message %d" % i)
        client.send(message)
        got = client.receive()
        check(got == message, f"{message} came back as {got}")
