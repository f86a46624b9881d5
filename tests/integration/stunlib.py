"""STUN and TURN over UDP from the client's side, as little as the tests need (RFC 8489, RFC 8656).

Independent of the code under test: only Python's own hashlib and hmac.
"""

import hashlib
import hmac
import os
import socket
import struct
import zlib

COOKIE = 0x2112A442
BINDING, ALLOCATE, REFRESH, SEND, DATA, CREATE_PERMISSION, CHANNEL_BIND = 1, 3, 4, 6, 7, 8, 9
REQUEST, INDICATION, SUCCESS, ERROR = 0x000, 0x010, 0x100, 0x110
USERNAME, MESSAGE_INTEGRITY, ERROR_CODE, CHANNEL_NUMBER = 0x0006, 0x0008, 0x0009, 0x000C
LIFETIME, XOR_PEER_ADDRESS, DATA_ATTRIBUTE, REALM = 0x000D, 0x0012, 0x0013, 0x0014
NONCE, XOR_RELAYED_ADDRESS, REQUESTED_TRANSPORT = 0x0015, 0x0016, 0x0019
XOR_MAPPED_ADDRESS, FINGERPRINT = 0x0020, 0x8028
REQUESTED_ADDRESS_FAMILY, ADDITIONAL_ADDRESS_FAMILY = 0x0017, 0x8000
ACCESS_TOKEN, THIRD_PARTY_AUTHORIZATION = 0x001B, 0x802E
UDP_TRANSPORT = (REQUESTED_TRANSPORT, b"\x11\0\0\0")
IPV6_RELAYED = (REQUESTED_ADDRESS_FAMILY, b"\x02\0\0\0")
BOTH_RELAYED = (ADDITIONAL_ADDRESS_FAMILY, b"\x02\0\0\0")


def long_term_key(user, realm, password):
    return hashlib.md5(f"{user}:{realm}:{password}".encode()).digest()


def encode_attribute(kind, value):
    return struct.pack("!HH", kind, len(value)) + value + bytes(-len(value) % 4)


def mask(data, transaction):
    """The bytes of an address, hidden or shown (RFC 8489 §14.2)."""
    return bytes(a ^ b for a, b in zip(data, struct.pack("!I", COOKIE) + transaction))


def encode_address(ip, port):
    """An attribute's value: bytes, or for IPv6 what build() makes them of with its transaction."""
    head = struct.pack("!BBH", 0, 2 if ":" in ip else 1, port ^ (COOKIE >> 16))
    if ":" not in ip:
        return head + mask(socket.inet_aton(ip), b"")
    return lambda transaction: head + mask(socket.inet_pton(socket.AF_INET6, ip), transaction)


def decode_address(value, transaction=b""):
    _, family, port = struct.unpack("!BBH", value[:4])
    assert (family, len(value)) in ((1, 8), (2, 20)), value.hex()
    af = socket.AF_INET if family == 1 else socket.AF_INET6
    return socket.inet_ntop(af, mask(value[4:], transaction)), port ^ (COOKIE >> 16)


def build(method, kind=REQUEST, attributes=(), key=None, fingerprint=False, transaction=None):
    """A message; with `key` it ends in MESSAGE-INTEGRITY."""
    transaction = transaction or os.urandom(12)
    body = b"".join(encode_attribute(kind, value(transaction) if callable(value) else value)
                    for kind, value in attributes)

    def header(more):
        return struct.pack("!HHI", method | kind, len(body) + more, COOKIE) + transaction

    if key:
        body += encode_attribute(
            MESSAGE_INTEGRITY, hmac.digest(key, header(24) + body, "sha1"))
    if fingerprint:
        crc = zlib.crc32(header(8) + body) ^ 0x5354554E
        body += encode_attribute(FINGERPRINT, struct.pack("!I", crc))
    return header(0) + body


class Message:
    def __init__(self, data):
        word, length, cookie = struct.unpack_from("!HHI", data)
        assert cookie == COOKIE and length == len(data) - 20, data.hex()
        self.method, self.kind = word & 0x3EEF, word & 0x0110
        self.transaction = data[8:20]
        self.attributes = {}
        self.relayed = []  # of an answer to Allocate: every address
        at = 20
        while at < len(data):
            kind, size = struct.unpack_from("!HH", data, at)
            value = data[at + 4:at + 4 + size]
            self.attributes.setdefault(kind, value)
            if kind == XOR_RELAYED_ADDRESS:
                self.relayed.append(decode_address(value, self.transaction))
            at += 4 + size + -size % 4

    def __contains__(self, kind):
        return kind in self.attributes

    def __getitem__(self, kind):
        return self.attributes[kind]

    @property
    def error(self):
        """The error code; 0 in anything but an error response."""
        value = self.attributes.get(ERROR_CODE)
        return value[2] * 100 + value[3] if value else 0


class Credentials:
    """A user towards one server; the realm and nonce come from the server's 401 or 438."""

    def __init__(self, user, password):
        self.user, self.password = user, password
        self.key = None
        self.attributes = ()

    def learn(self, challenge):
        realm, nonce = challenge[REALM], challenge[NONCE]
        self.key = long_term_key(self.user, realm.decode(), self.password)
        self.attributes = ((USERNAME, self.user.encode()), (REALM, realm), (NONCE, nonce))


class Client:
    """One client socket that asks and waits; for tests that go step by step."""

    def __init__(self, server, user=None, password=None):
        self.server = server
        self.socket = socket.socket(socket.AF_INET6 if ":" in server[0] else socket.AF_INET,
                                    socket.SOCK_DGRAM)
        self.socket.connect(server)
        self.credentials = Credentials(user, password)
        self.tries = 5  # half a second each

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        self.socket.send(data)

    def receive(self, timeout_s=1.0):
        """One datagram, or None."""
        self.socket.settimeout(timeout_s)
        try:
            return self.socket.recv(65536)
        except (TimeoutError, ConnectionError):
            return None

    def ask(self, request, tries=None):
        """Send until the answer comes; the answer, or None."""
        for _ in range(tries or self.tries):
            self.send(request)
            while (data := self.receive(0.5)) is not None:
                if data[8:20] == request[8:20] and data[0] < 0x40:
                    return Message(data)
        return None

    def request(self, method, *attributes):
        """A request with credentials; a 401 or 438 is answered once."""
        for _ in range(2):
            credentials = self.credentials
            answer = self.ask(build(method, REQUEST, (*attributes, *credentials.attributes),
                                    credentials.key))
            if answer is None or answer.error not in (401, 438) or NONCE not in answer:
                break
            credentials.learn(answer)
        return answer

    def allocate(self, *attributes):
        """The relayed (address, port); of two, the first."""
        answer = self.request(ALLOCATE, UDP_TRANSPORT, *attributes)
        assert answer and answer.kind == SUCCESS, answer and answer.error
        return answer.relayed[0]

    def bind_channel(self, channel, ip, port):
        return self.request(CHANNEL_BIND, (CHANNEL_NUMBER, struct.pack("!HH", channel, 0)),
                            (XOR_PEER_ADDRESS, encode_address(ip, port)))


def channel_data(channel, data):
    return struct.pack("!HH", channel, len(data)) + data
