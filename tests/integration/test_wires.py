"""Media over the wires that no kernel sees (vhost, virtio_user, memif), between an inside and an outside
interface, and in frames with an 802.1Q tag."""

import os
import socket
import struct

import uclient
from lab import CLIENT, SERVICE, Lab, check, test, wait_until
from relay import BINARY, configuration, start_relay
from test_ctl import end_capture, frames_of, start_capture

WIRE_BRIDGE = os.path.join(os.path.dirname(BINARY), "../../tests/integration/wire_bridge")
CLIENT_TAP = "far0"
VLAN = 100
N = 200


def socket_wire(lab, kind):
    """A configuration whose one port is a socket, and how the far end is opened on it."""
    path = lab.path("wire.sock")
    config = configuration(lab)
    config["ports"][0]["device"] = f"{kind}:{path}"
    if kind == "memif":
        config["ports"][0]["role"] = "server"
    far_kind = {"vhost": "virtio_user", "virtio_user": "vhost", "memif": "memif"}[kind]
    return config, (WIRE_BRIDGE, f"{far_kind}:{path}", CLIENT_TAP, f"{CLIENT}/24")


def relay_over_socket(kind):
    """The far end of the wire is a TAP in the client host: client and peer are both there."""
    with Lab() as lab:
        config, far_end = socket_wire(lab, kind)
        lab.run("client", "ip", "addr", "flush", "dev", "eth0")
        if kind == "virtio_user":  # the far end serves the socket
            lab.start("client", *far_end).wait_log("ready")
            relay = start_relay(lab, config)
        else:
            relay = start_relay(lab, config)
            lab.start("client", *far_end).wait_log("ready")
        lab.run("client", "ping", "-q", "-c", "3", "-i", "0.1", "-W", "5", SERVICE)
        lab.start("client", "turnutils_peer", "-L", CLIENT, "-p", str(uclient.PEER_PORT))
        lab.run("client", "sh", "-c",
                f"until ss -lun | grep -q :{uclient.PEER_PORT}; do sleep 0.01; done")
        media = uclient.start(lab, "-e", CLIENT, "-m", "10", "-n", str(N), "-z", "10")
        uclient.check_no_loss(media, 10 * N)
        counters = relay.stop()
        check(counters["up_channel"] == counters["down_channel"] == 10 * N, str(counters))


@test()
def test_media_over_vhost():
    relay_over_socket("vhost")


@test()
def test_media_over_virtio_user():
    relay_over_socket("virtio_user")


@test()
def test_media_over_memif():
    relay_over_socket("memif")


def between_two_ports(device):
    """An edge: clients inside, relayed addresses and peers outside."""
    with Lab(wires=2) as lab:
        relay = start_relay(lab, device=device)
        uclient.start_peer(lab)
        media = uclient.start(lab, "-e", lab.peer_address, "-m", "10", "-n", str(N), "-z", "10")
        uclient.check_no_loss(media, 10 * N)
        counters = relay.stop()
        check(counters["up_channel"] == counters["down_channel"] == 10 * N, str(counters))
        check(counters["drops"] == 0, str(relay.drops()))


@test()
def test_inside_to_outside_on_af_packet():
    between_two_ports("af_packet")


@test()
def test_inside_to_outside_on_af_xdp():
    between_two_ports("af_xdp")


class TaggedHost:
    """A host that speaks 802.1Q by hand, for the kernel here may not."""

    def __init__(self, lab):
        with lab.inside("client"):
            self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
            self.socket.bind(("eth0", 0))
            # The kernel takes the tag off and tells it beside the frame.
            self.socket.setsockopt(263, 8, 1)  # SOL_PACKET, PACKET_AUXDATA
        self.socket.settimeout(5)
        self.mac = self.socket.getsockname()[4]

    def send(self, target, vlan, ethertype, packet):
        self.socket.send(target + self.mac + struct.pack("!HHH", 0x8100, vlan, ethertype) + packet)

    def receive(self, wanted):
        """The next frame to us of that ethertype: (vlan, packet)."""
        while True:
            frame, ancillary, _, _ = self.socket.recvmsg(2048, 256)
            vlan, offset = 0, 12
            if frame[12:14] == b"\x81\x00":
                vlan, offset = struct.unpack("!H", frame[14:16])[0], 16
            elif ancillary:
                status, _, _, _, _, tci = struct.unpack("IIIHHH2x", ancillary[0][2])[:6]
                vlan = tci if status & 16 else 0  # TP_STATUS_VLAN_VALID
            ethertype, = struct.unpack("!H", frame[offset:offset + 2])
            if frame[:6] == self.mac and ethertype == wanted:
                return vlan, frame[offset + 2:]


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return total ^ 0xffff


@test()
def test_frames_with_a_vlan_tag():
    with Lab() as lab:
        config = configuration(lab)
        config["ports"][0]["vlan"] = VLAN
        relay = start_relay(lab, config)
        host = TaggedHost(lab)
        ours, theirs = (socket.inet_aton(address) for address in ("198.18.0.77", SERVICE))

        # ARP is the mirror's: the tag goes off on the way to Linux, and on again.
        question = struct.pack("!HHBBH", 1, 0x0800, 6, 4, 1) + host.mac + ours + bytes(6) + theirs
        host.send(b"\xff" * 6, VLAN, 0x0806, question)
        vlan, answer = host.receive(0x0806)
        check(vlan == VLAN and answer[6:8] == b"\0\2" and answer[14:18] == theirs, answer.hex())
        relay_mac = answer[8:14]

        # A Binding request is the worker's; a capture of its client sees behind the tag.
        capture = start_capture(relay, lab.path("tagged.pcapng"), "--peer", "198.18.0.77:5000")
        request = struct.pack("!HHI", 1, 0, 0x2112a442) + b"transaction!"
        udp = struct.pack("!HHHH", 5000, 3478, 8 + len(request), 0) + request
        header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(udp), 1, 0, 64, 17, 0) + ours + theirs
        header = header[:10] + struct.pack("!H", checksum(header)) + header[12:]
        host.send(relay_mac, VLAN, 0x0800, header + udp)
        vlan, packet = host.receive(0x0800)
        check(vlan == VLAN, f"tag {vlan}")
        check(packet[28:30] == b"\x01\x01" and packet[36:48] == b"transaction!", packet.hex())
        wait_until(lambda: len(frames_of(lab.path("tagged.pcapng"))) == 2, 10, "in and out")
        end_capture(capture)

        # Another tag, and none, are not this port's.
        host.send(relay_mac, VLAN + 1, 0x0800, header + udp)
        host.socket.send(relay_mac + host.mac + b"\x08\x00" + header + udp)
        host.send(relay_mac, VLAN, 0x0800, header + udp)
        host.receive(0x0800)
        relay.stop()
        check(relay.drops().get("wrong_vlan", 0) >= 2, str(relay.drops()))
