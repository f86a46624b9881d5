#!/usr/bin/python3
"""One end of a GStreamer webrtcbin call (libnice) that may use the relay only.

    gst_call.py caller|callee turn://user:password@address:port

Speaks JSON lines: session descriptions and candidates out and in, `{"n_buffers": N}` out as media
arrives. Ends when its input does.
"""

import json
import sys
import threading

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstSdp", "1.0")
gi.require_version("GstWebRTC", "1.0")
from gi.repository import GLib, Gst, GstSdp, GstWebRTC  # noqa: E402

PIPELINE = """
    webrtcbin name=rtc bundle-policy=max-bundle ice-transport-policy=relay turn-server={turn}
    audiotestsrc is-live=true ! opusenc ! rtpopuspay pt=96
        ! application/x-rtp,media=audio,encoding-name=OPUS,payload=96 ! rtc.
"""


def tell(**message):
    print(json.dumps(message), flush=True)


class Call:
    def __init__(self, role, turn):
        self.n_buffers = 0
        self.pipeline = Gst.parse_launch(PIPELINE.format(turn=turn))
        self.rtc = self.pipeline.get_by_name("rtc")
        self.rtc.connect("on-ice-candidate",
                         lambda _, line, candidate: tell(candidate=candidate, line=line))
        self.rtc.connect("pad-added", self.on_pad)
        if role == "caller":
            self.rtc.connect("on-negotiation-needed", lambda _: self.describe("offer"))
        self.pipeline.set_state(Gst.State.PLAYING)

    def describe(self, kind):
        """Make an offer or an answer, take it and tell it."""

        def made(promise):
            reply = promise.get_reply()  # owns the description
            description = reply.get_value(kind)
            self.rtc.emit("set-local-description", description, None)
            tell(kind=kind, sdp=description.sdp.as_text())

        promise = Gst.Promise.new_with_change_func(made)
        self.rtc.emit(f"create-{kind}", None, promise)

    def on_pad(self, _, pad):
        if pad.direction != Gst.PadDirection.SRC:
            return
        sink = Gst.ElementFactory.make("fakesink")
        sink.set_property("signal-handoffs", True)
        sink.connect("handoff", self.on_buffer)
        self.pipeline.add(sink)
        sink.sync_state_with_parent()
        pad.link(sink.get_static_pad("sink"))

    def on_buffer(self, *_):
        self.n_buffers += 1
        if self.n_buffers % 25 == 0:
            tell(n_buffers=self.n_buffers)

    def on_message(self, message):
        if "candidate" in message:
            self.rtc.emit("add-ice-candidate", message["line"], message["candidate"])
            return
        _, sdp = GstSdp.SDPMessage.new_from_text(message["sdp"])
        offer = message["kind"] == "offer"
        kind = GstWebRTC.WebRTCSDPType.OFFER if offer else GstWebRTC.WebRTCSDPType.ANSWER
        description = GstWebRTC.WebRTCSessionDescription.new(kind, sdp)
        promise = Gst.Promise.new()
        self.rtc.emit("set-remote-description", description, promise)
        promise.wait()
        if offer:
            self.describe("answer")


def read_input(call, loop):
    for line in sys.stdin:
        GLib.idle_add(call.on_message, json.loads(line))
    GLib.idle_add(loop.quit)


def main():
    Gst.init(None)
    role, turn = sys.argv[1:]
    call = Call(role, turn)
    loop = GLib.MainLoop()
    threading.Thread(target=read_input, args=(call, loop), daemon=True).start()
    loop.run()
    call.pipeline.set_state(Gst.State.NULL)


if __name__ == "__main__":
    main()
