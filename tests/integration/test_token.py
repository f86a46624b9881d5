"""Third-party authorization (RFC 7635) with tokens that coturn's turnutils_oauth seals.

Not coturn's uclient -J: it signs with the first 16 bytes of the 20 of a token's key only.
"""

import base64
import json
import os
import time

from lab import SERVICE, Lab, check, test
from relay import configuration, start_relay
from stunlib import (ACCESS_TOKEN, ALLOCATE, LIFETIME, NONCE, REALM, REFRESH, SUCCESS,
                     THIRD_PARTY_AUTHORIZATION, UDP_TRANSPORT, USERNAME, Client)

SERVER_NAME = "turn.example.org"
KIDS = {"north": ("A256GCM", bytes(range(32))), "union": ("A128GCM", bytes(range(16)))}


def make_key():
    """160 bits that can be printed, for turnutils_oauth prints them."""
    return base64.b64encode(os.urandom(15))


def seal(lab, kid, key, mac_key, lifetime_s):
    """A token, made now."""
    text = lab.run(
        "client", "turnutils_oauth", "-e", "-v", "-i", SERVER_NAME, "-j", kid,
        "-k", base64.b64encode(key).decode(), "-l", str(int(time.time()) - 60), "-m", "3600", "-n", KIDS[kid][0],
        "-o", base64.b64encode(os.urandom(12)).decode(),
        "-p", base64.b64encode(mac_key).decode(), "-r", str(lifetime_s))
    return base64.b64decode(json.loads(text)["access_token"])


class Holder(Client):
    """A client that has a token."""

    def __init__(self, kid, token, mac_key):
        super().__init__((SERVICE, 3478))
        self.token = (ACCESS_TOKEN, token)
        self.credentials.learn = lambda challenge: self.learn(challenge, kid, mac_key)

    def learn(self, challenge, kid, mac_key):
        check(challenge[THIRD_PARTY_AUTHORIZATION] == SERVER_NAME.encode(), "the server's name")
        self.credentials.key = mac_key
        self.credentials.attributes = ((USERNAME, kid.encode()), (REALM, challenge[REALM]),
                                       (NONCE, challenge[NONCE]))

    def ask_with_token(self, method, *attributes):
        return self.request(method, *attributes, self.token)


def start(lab):
    config = configuration(lab)
    config["tokens"] = {"server-name": SERVER_NAME, "keys": [
        {"kid": kid, "key": key.hex()} for kid, (_, key) in KIDS.items()]}
    return start_relay(lab, config)


def lifetime_of(answer):
    return int.from_bytes(answer[LIFETIME], "big")


@test()
def test_tokens_of_another_implementation_are_taken():
    with Lab() as lab:
        start(lab)
        for kid, (_, key) in KIDS.items():
            mac_key = make_key()
            token = seal(lab, kid, key, mac_key, 300)
            with lab.inside("client"), Holder(kid, token, mac_key) as client:
                answer = client.ask_with_token(ALLOCATE, UDP_TRANSPORT)
                check(answer.kind == SUCCESS, f"{kid}: no allocation: {answer.error}")
                check(290 < lifetime_of(answer) <= 300, f"it outlives its token: "
                      f"{lifetime_of(answer)} s")
                bound = client.bind_channel(0x4000, lab.peer_address, 9999)
                check(bound.kind == SUCCESS, f"{kid}: no channel: {bound.error}")
                answer = client.ask_with_token(REFRESH, (LIFETIME, bytes(4)))
                check(answer.kind == SUCCESS, f"{kid}: no end: {answer.error}")


@test()
def test_a_token_of_another_key_gets_no_allocation():
    with Lab() as lab:
        relay = start(lab)
        mac_key = make_key()
        token = seal(lab, "north", bytes(32), mac_key, 300)
        with lab.inside("client"), Holder("north", token, mac_key) as client:
            answer = client.ask_with_token(ALLOCATE, UDP_TRANSPORT)
            check(answer.error == 401, f"got {answer.error}")
        check(relay.stop().get("allocations_created", 0) == 0, "an allocation was made")
