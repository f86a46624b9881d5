"""A WebRTC call between two Chromium browsers that may use the relay only, by IPv4 or by IPv6.

Chromium asks for no family of its relayed address, so that is of IPv4 whatever the browser's own."""

import json

from chromium import Page
from lab import SERVICE, SERVICE6, Lab, check, test, wait_until
from relay import PASSWORD, USER, start_relay



def ice(host):
    return {
        "iceServers": [{"urls": f"turn:{host}:3478?transport=udp", "username": USER,
                        "credential": PASSWORD}],
        "iceTransportPolicy": "relay",
    }


# Each page draws moving pictures, sends them, and counts what the other's data channel tells.
SETUP = """
    const canvas = document.createElement('canvas');
    canvas.width = 320; canvas.height = 240;
    const context = canvas.getContext('2d');
    let n_drawn = 0;
    setInterval(() => {
        context.fillStyle = `hsl(${n_drawn++ * 7 % 360}, 80%, 50%)`;
        context.fillRect(n_drawn % 300, n_drawn * 3 % 220, 20, 20);
    }, 40);
    const pc = new RTCPeerConnection(ICE);
    for (const track of canvas.captureStream(25).getTracks())
        pc.addTrack(track);
    const channel = pc.createDataChannel('words', {negotiated: true, id: 0});
    const heard = [];
    channel.onmessage = event => heard.push(event.data);
    async function described() {
        await pc.setLocalDescription();
        while (pc.iceGatheringState !== 'complete')
            await new Promise(resolve => setTimeout(resolve, 20));
        return pc.localDescription.toJSON();
    }
    async function facts() {
        const stats = [...(await pc.getStats()).values()];
        const find = (key, value) => stats.find(entry => entry[key] === value) || {};
        const transport = find('type', 'transport');
        const pair = find('id', transport.selectedCandidatePairId);
        const local = find('id', pair.localCandidateId);
        return {
            state: pc.connectionState, heard: heard.length, open: channel.readyState === 'open',
            decoded: find('type', 'inbound-rtp').framesDecoded || 0,
            local: local.candidateType, protocol: local.relayProtocol, url: local.url,
            remote: find('id', pair.remoteCandidateId).candidateType,
        };
    }
"""


def connect(caller, callee):
    offer = caller.evaluate("described()")
    callee.evaluate(f"pc.setRemoteDescription({json.dumps(offer)})")
    answer = callee.evaluate("described()")
    caller.evaluate(f"pc.setRemoteDescription({json.dumps(answer)})")
    for page in (caller, callee):
        wait_until(lambda: page.evaluate("facts()")["open"], 30, f"{page.name} has its channel")


def call(device, hosts=(SERVICE, SERVICE), ipv6=False):
    """Each page reaches the relay at its own one of `hosts`."""
    with Lab(ipv6=ipv6) as lab:
        relay = start_relay(lab, device=device)
        pages = [Page(lab, "client"), Page(lab, "peer")]
        for page, host in zip(pages, hosts):
            page.evaluate(SETUP.replace("(ICE)", f"({json.dumps(ice(host))})"))
        connect(*pages)
        for page in pages:
            page.evaluate("for (let i = 0; i < 50; i++) channel.send('word ' + i)")
        for page in pages:
            wait_until(lambda: arrived(page.evaluate("facts()")), 30, f"media at {page.name}")
            facts = page.evaluate("facts()")
            check((facts["local"], facts["remote"], facts["protocol"]) == ("relay", "relay", "udp"),
                  f"{page.name} is not relayed: {facts}")
        for page, host in zip(pages, hosts):
            facts = page.evaluate("facts()")
            check(host in facts["url"], f"{page.name} is not at {host}: {facts}")
        for page in pages:
            page.close()
        relay.stop()


def arrived(facts):
    return facts["decoded"] >= 50 and facts["heard"] == 50


@test(limit_s=90)
def test_chromium_call_af_packet():
    call("af_packet")


@test(limit_s=90)
def test_chromium_call_af_xdp():
    call("af_xdp")


@test(limit_s=90)
def test_chromium_call_of_ipv6():
    call("af_packet", (f"[{SERVICE6}]",) * 2, ipv6=True)


@test(limit_s=90)
def test_chromium_call_between_families():
    call("af_packet", (SERVICE, f"[{SERVICE6}]"), ipv6=True)
